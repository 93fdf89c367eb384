"""Character encodings for readers that split bytes into lines and decode each line separately."""

import codecs
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise

from sentcli.errors import OutputError, UsageError, option

BOM = "\ufeff"
WIDE = ("utf-32", "utf-16")  # This order matters: a mark of UTF-32 begins with one of UTF-16.
AUTO = "auto"  # the value of an option that lets the bytes decide
# Encodings whose bytes may depend on an earlier line, or that can write a line end with letters.
_NOT_BY_LINES = re.compile("iso2022|hz$|utf-7$|raw-unicode-escape$")
# Dashes and bullets, prices, inches, degrees: marks that touch no letter.
_SYMBOL = re.compile(rb"(?<![A-Za-z\x80-\xff])[\x80-\x9f\xa3\xb0\xb2\xbd](?![A-Za-z\x80-\xff])")
_TOUCHES_ASCII = re.compile(rb"[A-Za-z][\x80-\xff]|[\x80-\xff][A-Za-z]")
_LATIN_RUN = 2.5  # mean bytes beyond ASCII next to ASCII letters; runs of other letters are longer
_NOT_ISO = re.compile(rb"[\x80-\x9f]")  # quotation marks and dashes of Windows
_ISO = ("iso8859-2", "iso8859-9", "iso8859-15")
_EURO = b"\xa4"  # in ISO 8859-15; in these a sign that nobody uses
_NOT_EURO = ("cp1252", "iso8859-1")
_DOS = tuple(f"cp{number}" for number in (437, 850, 852, 857, 865))
_RARE = tuple(f"iso8859-{number}" for number in (3, 4, 13, 16))
_LATIN = ("cp1250", "cp1254", "cp1257", "cp1258", "mac-roman", *_NOT_EURO, *_ISO, *_DOS, *_RARE)
_SAMPLE = 1 << 20  # bytes, from the block with the first byte that is not UTF-8
_SHARE = 10  # minimum number of lines for one damaged line
_SWITCHES = (b"\x1b$", b"~{")  # in bytes of ASCII, to the letters of ISO 2022 and HZ
_BIG_ENDIAN = re.compile(rb"\0(\0\0)?[\t\n\r -~]")  # an ASCII character in UTF-16 or UTF-32


def marked_encoding(start: bytes) -> str | None:
    """Return `utf-16` or `utf-32` if an input begins with its byte order mark, else None."""
    marks = {name: (BOM.encode(f"{name}-le"), BOM.encode(f"{name}-be")) for name in WIDE}
    return next((name for name in WIDE if start.startswith(marks[name])), None)


def detect_encoding(blocks: Iterable[bytes]) -> tuple[str, bool]:
    """Return the encoding of an input, and whether the bytes show it plainly; if not, it may be empty.

    :param blocks: the bytes of the input, which are read up to the first character beyond ASCII; if that
        is not UTF-8, to their end.
    :returns: UTF-16 or UTF-32 by its mark or its zeros, `ascii`, `utf-8` and `cp1252` plainly.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    blocks = iter(blocks)
    for number, block in enumerate(blocks):
        if number == 0 and (marked := marked_encoding(block)):
            return marked, True
        # Zeros of UTF-16 and UTF-32 without a mark, or a switch of alphabets; single bytes are found faster.
        switches = any(switch[:1] in block and switch in block for switch in _SWITCHES)
        if switches or (number == 0 and b"\0" in block):
            name = _detect(block)
            is_wide = name.startswith(WIDE) and (b"\n" in block) <= ("\n" in block.decode(name, "replace"))
            if is_wide or _NOT_BY_LINES.match(name):
                return name, True
        try:
            if not decoder.decode(block).isascii():
                return "utf-8", True
        except UnicodeDecodeError:
            return likely_encoding((block + b"".join(blocks))[:_SAMPLE])
    return "ascii", True


def likely_encoding(data: bytes) -> tuple[str, bool]:
    """Return the encoding that explains the bytes beyond ASCII, and whether UTF-8 or cp1252 does it plainly.

    It is plainly cp1252 if a detector finds the same letters. Few lines of other letters than Latin ones are
    damaged.
    """
    text = data.decode("utf-8", "replace")
    if len(text) - len(text.encode("ascii", "ignore")) >= 2 * text.count("\ufffd"):
        return "utf-8", True
    lines = _SYMBOL.sub(b"", data).splitlines(keepends=True)
    letters = b"".join(line for line in lines if not line.isascii())
    others = len(letters) - len(letters.decode("ascii", "ignore"))
    is_latin = others <= _LATIN_RUN * len(_TOUCHES_ASCII.findall(letters))
    bad_lines = sum("\ufffd" in line for line in text.split("\n"))
    if not is_latin and _SHARE * bad_lines <= text.count("\n"):
        return "utf-8", True
    name = _detect(letters, _LATIN if is_latin else None) if letters else "cp1252"
    is_western = letters.decode(name or "ascii", "replace") == letters.decode("cp1252", "replace")
    return ("cp1252", True) if is_western else (name, False)


def _detect(data: bytes, among: Sequence[str] | None = None) -> str:
    """Return the encoding that statistics of letters in many languages show; empty for none."""
    from chardet import detect  # takes 40 ms, and few inputs are not UTF-8

    unlikely = _ISO if _NOT_ISO.search(data) else _NOT_EURO if _EURO in data else ()
    found = detect(data, include_encodings=among, exclude_encodings=("ascii", *unlikely), compat_names=False)
    return found["encoding"] or ""


@dataclass(frozen=True)
class Encoding:
    """A character encoding in whose bytes line ends can be found.

    :param name: the name of the Python codec, including the byte order of UTF-16 and UTF-32.
    """

    name: str
    unit: int
    newline: bytes
    carriage_return: bytes

    @classmethod
    def named(cls, name: str | None, start: bytes = b"", field: str = "encoding") -> "Encoding":
        """Return the encoding of a name.

        :param name: any of Python's text encodings; None: UTF-8.
        :param start: the first bytes of the input, whose byte order mark decides the byte order of UTF-16 and
            UTF-32. Without a mark it is little-endian, unless `start` is a big-endian ASCII character.
        """
        try:
            known = codecs.lookup(name or "utf-8").name
            if known in WIDE:
                is_big = start.startswith(BOM.encode(f"{known}-be")) or _BIG_ENDIAN.match(start)
                known += "-be" if is_big else "-le"
            known = known.removesuffix("-sig")
            newline, carriage_return, letter = (character.encode(known) for character in "\n\ra")
            unit = len(letter)
            is_plain = "a\r\na".encode(known) == letter + carriage_return + newline + letter
            is_plain &= letter.decode(known, "replace") == "a"
            if _NOT_BY_LINES.match(known):
                hint = "its lines cannot be read alone; convert the file to UTF-8"
                raise UsageError(f"{option(field)} {name!r:.200}: {hint}")
            if is_plain and len(newline) == len(carriage_return) == unit:
                return cls(known, unit, newline, carriage_return)
        except (LookupError, ValueError):  # unknown, or not from text to bytes
            pass
        raise UsageError(f"{option(field)} {name!r:.200} is not one of Python's text encodings")

    @cached_property
    def is_plain(self) -> bool:
        """Whether line ends have the same bytes as in ASCII."""
        return (self.newline, self.carriage_return) == (b"\n", b"\r")

    @property
    def decode(self) -> Callable[[bytes], str]:
        """The function that decodes a line and refuses invalid bytes."""
        return bytes.decode if self.name == "utf-8" else partial(bytes.decode, encoding=self.name)

    def encode(self, text: str) -> bytes:
        """Encode a label or the name of a column."""
        try:
            return text.encode(self.name)
        except UnicodeEncodeError:
            what = f"{text!r:.200} cannot be written in {self.name}, as the input is"
            raise OutputError(f"{what}; try {option('output_format', 'jsonl')}") from None

    def byte_order_mark(self, start: bytes) -> bytes:
        """Return the byte order mark at the start of an input, or empty bytes."""
        mark = BOM.encode(self.name) if self.name.startswith("utf-") else b""
        return mark if start.startswith(mark) else b""

    def line_end(self, line: bytes | bytearray) -> bytes:
        """Return the line end of a physical line, or empty bytes if it has none."""
        ends = (self.carriage_return + self.newline, self.newline, self.carriage_return)
        return next((end for end in ends if line.endswith(end)), b"")

    def cut_line_end(self, line: bytes) -> tuple[bytes, bytes]:
        """Cut a record from its line end."""
        end = self.line_end(line)
        return line[: len(line) - len(end)], end

    def cut_line_ends(self, lines: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Cut records from their line ends, which all have but the last."""
        data = b"".join(lines)
        end = b"\r\n" if b"\r" in data else b"\n"
        counts = {data.count(mark) for mark in (b"\n", end[:1], end)}
        if self.is_plain and data.endswith(end) and counts == {len(lines)}:  # usually they are all alike
            return data.split(end)[:-1], [end] * len(lines)
        cut = [*map(self.cut_line_end, lines)]
        return [record for record, _ in cut], [end for _, end in cut]

    def split(self, data: bytes, *, universal: bool) -> tuple[list[bytes], bytes]:
        """Split bytes into physical lines, each with its line end.

        :param universal: a single carriage return ends a line too.
        :returns: the lines, and the rest; a carriage return at the end belongs to the rest.
        """
        if universal and self.is_plain and self.unit == 1:  # takes half the time
            lines = data.splitlines(keepends=True)
            return lines, lines.pop() if lines and not data.endswith(b"\n") else b""
        import numpy as np  # --help does not need it

        units = np.frombuffer(data, f"<u{self.unit}", len(data) // self.unit)
        line_feed, carriage_return = np.frombuffer(self.newline + self.carriage_return, units.dtype)
        ends = np.flatnonzero(units == line_feed)
        if universal and self.carriage_return in data:
            returns = np.flatnonzero(units[:-1] == carriage_return)
            ends = np.sort(np.append(ends, returns[units[returns + 1] != line_feed]))
        borders = [0, *((ends + 1) * self.unit).tolist()]
        return [data[start:stop] for start, stop in pairwise(borders)], data[borders[-1] :]


UTF_8 = Encoding.named(None)
