"""Write the generated parts of the documentation: `python docs/references.py`.

They are the references, the tables of settings and of exports; with the argument `transcripts`, also what
commands print.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import api_page
import click
import commands_page
import exports_table

from sentcli.cli import main

ROOT = Path(__file__).parents[1]
PAGES = {
    path.name: path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"))
}
_HOME = "/home/you"  # stands for the folder that a transcript runs in


def read(name: str) -> str:
    """Return the text of a page."""
    return PAGES[name].read_text("utf-8")


def run_transcripts(page: str, folder: Path) -> str:
    """Run each transcript of a page in a folder, and return the page with what the commands print.

    A `cat` of a file that does not exist creates it.
    """
    scripts = Path(sys.executable).parent
    assert (scripts / "sentcli").exists(), "install sentcli in this environment first"
    path = f"{scripts}{os.pathsep}{os.environ['PATH']}"
    for name in ("benchmarks", "exports", "tests"):
        (folder / name).symlink_to(ROOT / name)

    def run(found: re.Match[str]) -> str:
        command, printed = found.groups()
        file = folder / command.removeprefix("cat ")
        if command.startswith("cat ") and not file.exists():
            file.write_text(printed, "utf-8")
            return found[0]
        line = f"exec 2>&1\n{command}"
        done = subprocess.run(
            ["bash", "-c", line], cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        return f"$ {command}\n{done.stdout.replace(str(folder), _HOME)}"

    def run_block(found: re.Match[str]) -> str:
        body = re.sub(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", run, found[1], flags=re.MULTILINE)
        return f"```console\n{body}```"

    return re.sub(r"^```console\n(.*?)^```$", run_block, read(page), flags=re.MULTILINE | re.DOTALL)


def settings_table() -> str:
    """Return the settings of `sentcli train` as a Markdown table."""
    command = main.get_command(click.Context(main), "train")
    assert command is not None
    lines = ["| setting | meaning | values | default | option |", "|---|---|---|---|---|"]
    for option in command.params:
        name = max(option.opts, key=len).removeprefix("--")
        if not isinstance(option, click.Option) or name in ("config", "overwrite", "quiet"):
            continue
        kind = "`true`, `false`" if option.is_flag else "text"
        if choices := re.fullmatch(r"\[(.*)\]", option.make_metavar(click.Context(command))):
            kind = ", ".join(f"`{choice}`" for choice in choices[1].split("|"))
        elif option.type.name.startswith(("integer", "float")):
            kind = "whole number" if option.type.name.startswith("integer") else "number"
        elif name == "data":
            kind = "tables"
        default = (
            "" if option.is_flag or not isinstance(option.default, str | int | float) else option.default
        )
        is_option = "" if option.hidden else "yes"
        lines.append(f"| `{name}` | {option.help} | {kind} | {default} | {is_option} |")
    return "\n".join(lines)


def with_settings(page: str) -> str:
    start, end = "<!-- settings -->\n", "\n<!-- end of settings -->"
    return page.partition(start)[0] + start + settings_table() + end + page.partition(end)[2]


if __name__ == "__main__":
    PAGES["api.md"].write_text(api_page.page(), "utf-8")
    PAGES["commands.md"].write_text(commands_page.page(), "utf-8")
    settings = "training-settings.md"
    PAGES[settings].write_text(with_settings(read(settings)), "utf-8")
    PAGES["inputs.md"].write_text(exports_table.with_exports(read("inputs.md")), "utf-8")
    for name, path in PAGES.items() if "transcripts" in sys.argv else ():
        with tempfile.TemporaryDirectory() as folder:
            path.write_text(run_transcripts(name, Path(folder)), "utf-8")
