"""Mail: the messages of an mbox, or one message; the rows have its subject, sender, date and text.

The text is what the sender wrote: the plain part, else the HTML without its tags, without quoted messages and
the signature. Dates are ISO 8601.
"""

import re
from collections.abc import Iterator, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import unescape
from typing import Any

from sentcli.files.encodings import detect_encoding
from sentcli.files.source import Source
from sentcli.tables.chunk import Event
from sentcli.tables.line_reader import LineReader, check_length, too_long
from sentcli.tables.options import ReadOptions
from sentcli.tables.registry import signature_of
from sentcli.tables.table import Table, TextTable

_COLUMNS = ("subject", "from", "date", "text")
_ESCAPED = re.compile(rb"^>(?=>*From )", re.MULTILINE)
# What a reader of mail raises for what is none.
_DAMAGE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)
_INTRODUCTION = r"(On|Am|Le|El) .{1,200}(\n.{1,200})?\b(wrote|schrieb|a écrit|escribió)\b.{,99}:"
_QUOTED = re.compile(rf"(?m)^[ \t]*(>.*|{_INTRODUCTION}[ \t]*)$")
# A signature, or a quoted message without marks.
_END = re.compile(r"(?im)^(-- ?|-+ ?original message ?-+|_{30,}|from: .+\n(sent|date): .+)$")
_HIDDEN = ("blockquote", "script", "style", "title")
_COMMENT = re.compile(r"(?s)<!--.*?(?:-->|\Z)")
_TAG = re.compile(r"<(/?[a-z!][^\s<>]*+)[^<>]*+>", re.IGNORECASE)
_LINES = ("br", "div", "h1", "h2", "h3", "hr", "li", "p", "td", "th", "tr")


def open_table(source: Source, options: ReadOptions, _: Table | None) -> TextTable:
    """Return the table of all mail; see `tables.open.open_table`."""
    return TextTable(source.name, options, _COLUMNS, places=(3,))


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
        """Yield the row of a message, or a reject if it is none or too long."""
        raw, self._message = bytes(self._message), bytearray()
        if len(raw) > self._limit:
            yield self.reject(raw, too_long(self._limit))
        elif raw:
            try:
                values = _values_of(message_from_bytes(_ESCAPED.sub(b"", raw), policy=policy.default))
                yield self.rows([values[-1]], [values], [raw])
            except _DAMAGE as error:
                yield self.reject(raw, f"not a message that can be read: {error}")
        self.advance(raw.count(b"\n"), len(raw))


read = _MailReader.read


def _values_of(message: EmailMessage) -> Sequence[str]:
    if not message.keys():
        raise ValueError("it has no headers")
    subject, sender, date = (str(message[name] or "") for name in _COLUMNS[:3])
    moment = getattr(message["date"], "datetime", None)
    text = _decoded(message, "plain").replace("\r\n", "\n")
    text = text if text.strip() else _seen_in(_decoded(message, "html"))
    if message.defects and not text.strip():
        raise ValueError(type(message.defects[0]).__name__)
    own = _QUOTED.sub("", _END.split(text, maxsplit=1)[0])
    return subject, sender, moment.isoformat() if moment else date, own.strip()


def _decoded(message: EmailMessage, kind: str) -> str:
    """Return the part with the text in its encoding, else in the one that the bytes show; empty for none."""
    part: Any = message.get_body((kind,))
    if part is None:  # one without headers is false
        return ""
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
    text, *pieces = _TAG.split(re.sub(r"\s+", " ", _COMMENT.sub("", page)))
    seen, hidden = [text], 0
    for tag, text in zip(pieces[::2], pieces[1::2], strict=True):
        name = tag.strip("/").lower()
        if name in _HIDDEN:
            hidden = max(0, hidden + (-1 if tag.startswith("/") else 1))
        if not hidden:
            seen.append(f"\n{text}" if name in _LINES else text)
    return unescape("".join(seen)).replace("\xa0", " ")
