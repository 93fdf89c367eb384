"""Pieces of Markdown that hold whatever a user calls his files and labels."""

import re
from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; a bar in a cell would end it, and is unescaped within code too."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Set a text that may hold any character as code, on one line."""
    text = one_line(text)
    fence = "`" * (_longest_ticks(text) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"


def block(lines: str) -> str:
    """Set lines as a block of shell code."""
    fence = "`" * max(3, _longest_ticks(lines) + 1)
    return f"{fence}sh\n{lines}\n{fence}"


def no_option(path: str) -> str:
    """Spell a path so that no command takes it for an option."""
    return f"./{path}" if path.startswith("-") else path


def one_line(text: str) -> str:
    return "".join(
        character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text
    )


def four(value: float | None) -> str:
    """Write a figure to four digits; one that is not defined, None or NaN, is a dash."""
    return "-" if value is None or value != value else f"{value:.4f}"


def interval(bounds: Sequence[float] | None) -> str:
    return f"{bounds[0]:.4f} to {bounds[1]:.4f}" if bounds else "-"


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)
