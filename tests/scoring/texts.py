"""Texts of every kind, and what a scorer says of them."""

from dataclasses import dataclass

BLANK = (None, "", "   ", "\t\n", "<br />", ";:")
ODD = ("x", "Wonderful!", "ein Film für Zoë … wonderful", "dull " * 300, "ΣΑΣ", "🎬 warm", "\x00", "a.b.c")


@dataclass(frozen=True)
class Piece:
    texts: list[str | None]


def pairs(scores):
    return list(zip(scores.labels, scores.scores, strict=True))
