"""Measure the page of js/ in headless Chromium: the same scores as `sentcli score`, memory, no connection.

    npm --prefix js ci --ignore-scripts
    python benchmarks/demo.py REVIEWS.parquet... [--rows 100000]

Each Parquet file has a column `text`. The texts are drawn from all files, and the result is printed as JSON.
"""

import argparse
import csv
import functools
import http.server
import io
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ending import run

JS = Path(__file__).parents[1] / "js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ODD = (
    "\u2019\u2018“”„…\u2013—\u2212\xb4\u02bc\xa0\u2003\u200b\u200d\ufeff️\xad\x85éÉß\u017fİ\u0131Σςñü"
    "æ\xd7°²½№™©€£¿¡«»•ªº\u0435\u0301Жю中文日本語한국어ไทยאבعएⅣⓐ①ﬁ\uff21\uff11\uff01\U0001d400\U0001d7d8😀😍👍🏽❤☺♀🇬🇧⭐→≈✓"
    "\u0301\u0308\u20e3"
)
_SNIPPETS = (
    "<br />",
    "<b>",
    "</p>",
    "&amp;",
    "&#39;",
    "&quot;",
    "&hellip;",
    "<3",
    ":)",
    ";-(",
    "@user",
    "https://a.example/b",
)


def build(folder: Path) -> Path:
    """Build the page into a folder."""
    subprocess.run(["node", JS / "build.js", folder], check=True, capture_output=True)
    return folder


@contextmanager
def serve(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder on this machine; yield its address and a list to which each request is added."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", asked
        server.shutdown()
        thread.join()


def open_page(context: Any, address: str) -> Any:
    """Open the page, and wait for its first answer."""
    tab = context.new_page()
    tab.goto(address)
    tab.wait_for_selector("#explanation .verdict", timeout=60_000)
    return tab


def score_file(tab: Any, source: Path, output: Path, timeout: float = 60) -> str:
    """Score a file on the page; save the download, and return what the page says."""
    tab.set_input_files("#file", source)
    tab.wait_for_selector("#choice:not([hidden])")
    tab.click("#start")
    tab.wait_for_selector("#start:not([disabled])", timeout=1000 * timeout)
    with tab.expect_download() as download:
        tab.click("#result a[download*=-scored]")
    download.value.save_as(output)
    return str(tab.inner_text("#file-status"))


def compare(found: Path, expected: Path) -> dict[str, Any]:
    """Return how two CSV files differ: in labels, in scores, and in other columns."""
    rows, others = (
        [*csv.reader(io.StringIO(path.read_text("utf-8"), newline=""))] for path in (found, expected)
    )
    pairs = [*zip(rows[1:], others[1:], strict=True)]
    scores = [(one[-1], other[-1]) for one, other in pairs]
    return {
        "rows": len(pairs),
        "labels_different": sum(one[-2] != other[-2] for one, other in pairs),
        "scores_on_one_side": sum((not one) != (not other) for one, other in scores),
        "largest_difference": max(abs(float(one or 0) - float(other or 0)) for one, other in scores),
        "other_columns_different": sum(one[:-2] != other[:-2] for one, other in pairs),
        "equal_bytes_without_scores": _without_scores(found) == _without_scores(expected),
    }


def _without_scores(path: Path) -> list[str]:
    return [line.rpartition(",")[0] for line in path.read_text("utf-8").split("\n")]


def odd(text: str, chance: random.Random) -> str:
    """Return a text with odd characters and markup in many places."""
    words = text.split(" ")
    for _ in range(2 + len(words) // 8):
        place = chance.randrange(len(words))
        added = (
            chance.choice(_SNIPPETS)
            if chance.random() < 0.3
            else "".join(chance.choices(ODD, k=chance.randint(1, 3)))
        )
        words[place] = words[place] + added if chance.random() < 0.5 else f"{words[place]} {added}"
    return " ".join(words)


def _peak(role: str) -> float:
    """Return the largest peak memory, in MB, of the children of this process with a role in Chromium."""
    parents, peaks = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines())
            if f"--type={role}".encode() in (folder / "cmdline").read_bytes():
                peaks[int(folder.name)] = int(status["VmHWM"].split()[0]) / 1000 * 1.024
            parents[int(folder.name)] = int(status["PPid"])
        except (OSError, KeyError, ValueError):
            continue

    def is_ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and is_ours(parents[pid]))

    return max(peak for pid, peak in peaks.items() if is_ours(pid))


def _write(path: Path, texts: list[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "note", "text"])
        writer.writerows([number, f'a "note", {number % 7}', text] for number, text in enumerate(texts))
    return path


def _measure(
    browser: Any, address: str, asked: list[str], name: str, texts: list[str], folder: Path
) -> dict[str, Any]:
    source, found, expected = (
        _write(folder / f"{name}.csv", texts),
        folder / f"{name}-page.csv",
        folder / f"{name}-cli.csv",
    )
    subprocess.run(
        [sys.executable, "-m", "sentcli", "score", source, "-o", expected, "--text-column", "text", "-q"],
        check=True,
    )
    context = browser.new_context()
    begun = time.perf_counter()
    tab = open_page(context, address)
    ready = time.perf_counter() - begun
    context.set_offline(True)
    before = len(asked)
    requests: list[str] = []
    tab.on("request", lambda request: requests.append(request.url))
    said = score_file(tab, source, found, timeout=3600)
    result = {
        **compare(found, expected),
        "seconds_to_first_answer": round(ready, 2),
        "said": said,
        "megabytes_of_file": round(source.stat().st_size / 1e6, 1),
        "megabytes_peak_of_tab": round(_peak("renderer")),
        "requests_after_loading": len(requests) + len(asked) - before,
    }
    context.close()
    return result


def main() -> None:
    import pyarrow.parquet as pq
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rows", type=int, default=100_000, help="rows of the largest file")
    arguments = parser.parse_args()
    chance = random.Random(58)
    texts = [
        text for file in arguments.files for text in pq.read_table(file, columns=["text"])["text"].to_pylist()
    ]
    chance.shuffle(texts)
    of = functools.partial(chance.choices, texts)
    short = [text[:400] for text in of(k=arguments.rows)]
    inputs = {
        "1,000 texts, 400 of them odd": [*of(k=600), *(odd(text, chance) for text in of(k=400))],
        "20,000 texts": of(k=20_000),
        "many rows": short,
    }
    with (
        tempfile.TemporaryDirectory() as scratch,
        serve(build(Path(scratch, "site"))) as (address, asked),
        sync_playwright() as started,
    ):
        for name, some in inputs.items():
            browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            found = _measure(
                browser, address, asked, name.split(",")[0].replace(" ", "-"), some, Path(scratch)
            )
            print(json.dumps({"texts": name, "browser": browser.version, **found}), flush=True)
            browser.close()


if __name__ == "__main__":
    run(main)
