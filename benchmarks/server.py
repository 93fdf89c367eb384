"""Measure the web service of docs/recipes.md: requests per second with one text and with a hundred.

    pip install starlette uvicorn
    python benchmarks/server.py

The texts are the sentences of data/everyday.csv. Clients send one request after the other, over connections
that stay open. They run on the same machine, so the CPU time of the server says more than the clock if there
are few cores. Linux only.
"""

import argparse
import csv
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from argparse import RawDescriptionHelpFormatter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path

from ending import run

ROOT = Path(__file__).parents[1]


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def request(texts: list[str]) -> bytes:
    body = json.dumps(texts).encode()
    return b"POST /score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def ask(port: int, contents: list[bytes]) -> None:
    """Send requests over one connection, each after the answer to the one before."""
    with socket.create_connection(("127.0.0.1", port)) as connection, connection.makefile("rb") as answers:
        for content in contents:
            connection.sendall(content)
            status, length = answers.readline(), 0
            assert b" 200 " in status, status
            while (line := answers.readline()) != b"\r\n":
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            answers.read(length)


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(port: int, process: int, requests: list[list[bytes]]) -> tuple[float, float]:
    """Return the seconds, and the CPU seconds of the server, for the requests of several clients."""
    threads = [threading.Thread(target=ask, args=(port, contents)) for contents in requests]
    start, cpu = time.perf_counter(), cpu_seconds(process)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - start, cpu_seconds(process) - cpu


@contextmanager
def service() -> Iterator[tuple[int, int]]:
    """Run the recipe, and yield its port and the id of its process when it answers."""
    page = (ROOT / "docs" / "recipes.md").read_text("utf-8")
    code = re.findall(r"^```python\n(# server\.py\n.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "server:app", "--port", str(port), "--no-access-log"]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "server.py").write_text(code, "utf-8")
        with subprocess.Popen([*command, "--log-level", "warning"], cwd=folder) as server:
            try:
                wait_for(port)
                yield port, server.pid
            finally:
                server.terminate()


def wait_for(port: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            return ask(port, [request(["a joy"])] * 10)
        except ConnectionRefusedError:
            time.sleep(0.1)
    raise SystemExit("the service does not start")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8, help="connections at the same time")
    parser.add_argument("--requests", type=int, default=500, help="of each connection")
    options = parser.parse_args()
    with (ROOT / "data" / "everyday.csv").open(newline="", encoding="utf-8") as file:
        texts = cycle([row["text"] for row in csv.DictReader(file)])
    with service() as (port, process):
        for size in (1, 100):
            times = options.requests if size == 1 else options.requests // 10
            requests = [
                [request([*islice(texts, size)]) for _ in range(times)] for _ in range(options.clients)
            ]
            seconds, cpu = measure(port, process, requests)
            total = times * options.clients
            print(f"{size} texts a request: {total / seconds:,.0f} requests/s", end="; ")
            print(f"for each second of CPU time {total / cpu:,.0f} requests, {size * total / cpu:,.0f} texts")


if __name__ == "__main__":
    run(main)
