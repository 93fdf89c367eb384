"""`sentcli explain`."""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sentcli.cli import options as common
from sentcli.cli.command import Command, argument, option
from sentcli.errors import UsageError, printable
from sentcli.files.sink import is_terminal

if TYPE_CHECKING:
    from sentcli.explain.explanation import Explanation
    from sentcli.explain.parts import Word

_MOST = 12  # phrases in the list below a text
# For a terminal with 256 colors, by strength. People who see red and green alike can tell teal from orange.
_BLACK, _TEALS, _ORANGES = 16, (152, 37), (223, 208)
_STRONG = 1.5  # log odds


@dataclass(frozen=True)
class ExplainOptions:
    """The options of `sentcli explain`."""

    texts: tuple[str, ...] = argument(metavar="[TEXTS]...", nargs=-1)
    model: Path | None = common.model()
    words: Path | None = common.words()
    json: bool = option("Print a JSON object per text, with all words.")


@click.command(cls=Command)
def explain(options: ExplainOptions) -> None:
    """Show why texts have their scores: words and sentences.

    Without TEXTS, each line of stdin is a text. The number of a word says how far the log odds of the label
    fall without the word; neighboring words of the same sign form one phrase. Each sentence is scored as a
    text of its own.

    In a terminal, words for the second label (positive) are teal, words against it orange and underlined, and
    unknown words dim. Elsewhere, and with NO_COLOR or TERM=dumb, they are marked as [+for], [-against] and
    [?unknown].

    \b
    Examples:
      sentcli explain "It isn't good, but the staff was lovely"
      sentcli explain --json < reviews.txt
      sentcli explain --model my-model "an absolute joy" "a waste of time"
    """
    from sentcli.scoring.pool import prefetch
    from sentcli.scoring.scorer import Scorer

    texts = options.texts
    if not texts and is_terminal(sys.stdin):
        raise UsageError("nothing to explain: add a text, or pipe lines to stdin; see sentcli explain --help")
    for text in filter(os.path.isfile, texts):
        raise UsageError(f"{text} is a file; to explain its lines: sentcli explain < {shlex.quote(text)}")
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    is_colored = is_terminal(sys.stdout) and not is_plain
    with Scorer(options.model, words=common.weights_of(options.words)) as scorer:
        # A thread of its own reads, so that a signal can end the wait for a line.
        for number, (text, _) in enumerate(prefetch(texts or _lines_of_stdin(), lambda _: None, 2)):
            (explanation,) = scorer.explain([text])
            if options.json:
                click.echo(json.dumps(explanation.to_json(), ensure_ascii=False))
            else:
                towards = scorer.labels[1] if len(scorer.labels) == 2 else explanation.label
                page = "\n".join(_lines(explanation, towards, is_colored=is_colored))
                click.echo(f"\n{page}" if number else page, color=is_colored)


def _lines_of_stdin() -> Iterator[str]:
    from sentcli.files.source import STANDARD, Source, inspect_input

    source, rest = Source(inspect_input(STANDARD)), b""
    while block := source.read():
        *lines, rest = (rest + block).split(b"\n")
        yield from (line.decode("utf-8", "replace").removesuffix("\r") for line in lines)
    if rest:
        yield rest.decode("utf-8", "replace")


def _lines(explanation: "Explanation", towards: str | None, *, is_colored: bool) -> Iterator[str]:
    """Yield an explanation for people.

    :param towards: the label for which parts above 0 speak.
    """
    if explanation.score is None:
        yield "no score: the text is blank, or the model knows none of its words"
        return
    yield f"{explanation.label} {explanation.score:.6f}"
    yield _marked(explanation, is_colored=is_colored)
    if len(explanation.sentences) > 1:
        yield "sentences:"
        for sentence in explanation.sentences:
            yield f"  {'' if sentence.score is None else f'{sentence.score:.6f}':8}  {_shown(sentence.text)}"
    if explanation.phrases:
        yield f"words for {towards} (+) and against (-):"
    for phrase in explanation.phrases[:_MOST]:
        yield f"  {phrase.part:+8.2f}  {_shown(phrase.text)}"
    if explanation.own_words:
        own = (f"{_shown(word.text)} {word.part:+.2f}" for word in explanation.own_words)
        yield f"of these by your own words: {', '.join(own)}"
    if explanation.unknown:
        yield f"unknown to the model: {', '.join(_shown(word.text) for word in explanation.unknown)}"


def _marked(explanation: "Explanation", *, is_colored: bool) -> str:
    """Return the text with its phrases and unknown words marked."""
    text, shown, end = explanation.text, "", 0
    for word in sorted([*explanation.phrases, *explanation.unknown], key=lambda word: word.start):
        if word.start >= end:  # no unknown word in a phrase
            shown += _shown(text[end : word.start]) + _mark(word, is_colored=is_colored)
            end = word.end
    return shown + _shown(text[end:])


def _mark(word: "Word", *, is_colored: bool) -> str:
    text = _shown(word.text)
    if not is_colored:
        sign = "+" if word.part > 0 else "-"
        return f"[{sign if word.is_known else '?'}{text}]"
    if not word.is_known:
        return click.style(text, dim=True)
    color = (_TEALS if word.part > 0 else _ORANGES)[abs(word.part) >= _STRONG]
    return click.style(text, fg=_BLACK, bg=color, underline=word.part < 0)


def _shown(text: str) -> str:
    """Return a text that a terminal can show, with its line breaks."""
    return "\n".join(map(printable, re.split("\r?\n", text)))
