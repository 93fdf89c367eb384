"""The page docs/commands.md, made of the help of all commands."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from textwrap import dedent

import click

from sentcli.cli import main

COMMANDS = ("score", "explain", "report", "train", "evaluate", "export")

_START = """# Command reference

This page has what `--help` says of each command; `docs/references.py` writes it. [Common tasks](tasks.md),
[Reading files](inputs.md) and [Writing results](outputs.md) explain the options with examples.
[Settings](training-settings.md) lists what the file of `--config` can hold.
"""


class Markdown(click.HelpFormatter):
    """Writes help as Markdown: sections as headings, options as tables, examples as blocks of code."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        self.parts.append(code("text", f"{prog} {args}"))

    def write_text(self, text: str) -> None:
        for paragraph in text.split("\n\n"):
            title, _, lines = paragraph.removeprefix("\b\n").partition("\n")
            if title == "Examples:":
                self.parts += [title, code("sh", dedent(lines))]
            elif paragraph.startswith("\b\n"):  # click keeps its lines
                self.parts.append(code("text", f"{title}\n{lines}"))
            else:
                self.parts.append(escaped(" ".join(paragraph.split())))

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        self.parts.append(f"### {name}")
        yield

    def write_dl(self, rows: Sequence[tuple[str, str]], *widths: int, **more: int) -> None:
        lines = []
        for option, meaning in rows:
            names, bracket, choices = option.partition(" [")
            choices = escaped((bracket + choices).replace("|", " | "))  # a browser can wrap them
            lines.append(f"| <code>{escaped(names)}</code>{choices} | {escaped(' '.join(meaning.split()))} |")
        self.parts.append("\n".join(["| option | meaning |", "|---|---|", *lines]))


def code(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```"


def escaped(text: str) -> str:
    return re.sub(r"([*\\])", r"\\\1", text).replace("<", "&lt;").replace("|", "&#124;")


def page() -> str:
    """Return the page."""
    context = main.make_context("sentcli", [], resilient_parsing=True)
    parts = [_START.strip()]
    for name in COMMANDS:
        command, formatter = main.get_command(context, name), Markdown()
        assert command is not None
        command.format_help(command.make_context(name, [], parent=context, resilient_parsing=True), formatter)
        parts += [f"## sentcli {name}", *formatter.parts]
    return "\n\n".join(parts) + "\n"
