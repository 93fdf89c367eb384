"""Mail: the messages of an mbox, or one message; the rows have its subject, sender, date and text.

The text is what the sender wrote: the plain part, else the HTML without its tags, without quoted messages and
the signature. Dates are ISO 8601.
"""

import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from typing import Any

from sentcli.files.encodings import detect_encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Chunk, Cursor, Event
from sentcli.tables.line_reader import LineReader, check_length, too_long
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import signature_of
from sentcli.tables.table import Table, TextTable

_COLUMNS = ("subject", "from", "date", "text")
_ESCAPED = re.compile(rb"^>(?=>*From )", re.MULTILINE)
# What a reader of mail raises for what is none.
_DAMAGE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
_QUOTED = re.compile(
    r"^[ \t]*(>.*|(On|Am|Le|El) .{1,200}(\n.{1,200})?\b(wrote|schrieb|a écrit|escribió)\b.{,99}:[ \t]*)$",
    re.MULTILINE,
)
_END = re.compile(  # a signature or a message without marks
    r"^(-- ?|-+ ?original message ?-+|_{30,}|from: .+\n(sent|date): .+)$", re.MULTILINE | re.IGNORECASE
)
_HIDDEN = ("blockquote", "script", "style", "title")
_LINES = ("br", "div", "h1", "h2", "h3", "hr", "li", "p", "td", "th", "tr")
_TAG = re.compile(r"<(/?[a-z!][^\s<>]*+)[^<>]*+>", re.IGNORECASE)


def open_table(source: Source, options: ReadOptions, _: Table | None) -> TextTable:
    """Return the table of all mail; see `tables.open.open_table`."""
    return TextTable(source.name, options, _COLUMNS, texts=("text",), places=(3,))


def read(source: Source, table: TextTable, cursor: Cursor) -> Iterator[Chunk]:
    """Read one file; see `tables.open.read`."""
    return _MailReader(source, table).chunks(cursor)


class _MailReader(LineReader):
    def __init__(self, source: Source, table: TextTable) -> None:
        super().__init__(source, table)
        self._message = bytearray()

    def parse(self, lines: list[bytes]) -> Iterator[Event]:
        for line in lines:
            if line.startswith(b"From ") and self._message.endswith((b"\n\n", b"\n\r\n")):
                yield from self.finish() if signature_of(line) else ()
            self._message += line
        check_length(self._message, self._limit, self.name)

    def finish(self) -> Iterator[Event]:
        if self._message:
            raw, self._message = bytes(self._message), bytearray()
            yield self._event(raw)
            self.advance(raw.count(b"\n"), len(raw))

    def _event(self, raw: bytes) -> Event:
        """Return the row of a message, or a reject if it is none or too long."""
        if len(raw) > self._limit:
            return self.reject(raw, too_long(self._limit))
        try:
            values = _values_of(message_from_bytes(_ESCAPED.sub(b"", raw), policy=policy.default))
        except _DAMAGE as error:
            return self.reject(raw, f"not a message that can be read: {error or type(error).__name__}")
        return self.rows([values[-1]], [values], [raw])


def _values_of(message: EmailMessage) -> tuple[Any, ...]:
    if not message.keys():
        raise ValueError("it has no headers")
    subject, sender, date = (str(message[name] or "") for name in ("subject", "from", "date"))
    moment = getattr(message["date"], "datetime", None)
    return subject, sender, moment.isoformat() if moment else date, _text_of(message)


def _text_of(message: EmailMessage) -> str:
    """Return the text that the sender wrote."""
    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        text = "" if part is None else _decoded(part)  # a part without headers is false
        text = _seen_in(text) if kind == "html" else text.replace("\r\n", "\n")
        if text.strip():
            own = _END.split(text, maxsplit=1)[0]
            return _QUOTED.sub("", own).strip()
    if message.defects:
        raise ValueError(type(message.defects[0]).__name__)
    return ""


def _decoded(part: Any) -> str:
    """Return the text of a part in its encoding, else in the one that the bytes show."""
    data: bytes = part.get_payload(decode=True)
    declared = part.get_content_charset("us-ascii")
    try:
        return data.decode("cp1252" if declared == "iso-8859-1" else declared)  # as all programs of mail do
    except (LookupError, UnicodeDecodeError):
        name, is_plain = detect_encoding([data])
        if not is_plain:
            raise ValueError(f"its text is not {declared}") from None
        return data.decode(name)


def _seen_in(page: str) -> str:
    """Return the text of HTML that is seen, without quotes.

    The time is linear in the length, unlike that of `html.parser` before its fix of 2025.
    """
    first, *others = re.sub(r"\s+", " ", page).split("<!--")
    text, *pieces = _TAG.split(first + "".join(other.partition("-->")[2] for other in others))
    seen, hidden = [text], 0
    for tag, text in zip(pieces[::2], pieces[1::2], strict=True):
        name = tag.strip("/").lower()
        if name in _HIDDEN:
            hidden = max(0, hidden + (-1 if tag.startswith("/") else 1))
        if not hidden:
            seen.append(f"\n{text}" if name in _LINES else text)
    return unescape("".join(seen)).replace("\xa0", " ")
