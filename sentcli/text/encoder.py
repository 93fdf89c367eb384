"""From many texts to the ids of their words: `Vocab.encode(tokenize(text))` of each, all of them at once.

NumPy does on the bytes of many texts what the tokeniser does on a string, and pyarrow.compute looks the words
up: in a third of the time, with phrases in a sixth, most of it without the interpreter's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sentcli.files.textcolumn import TextBlock, TextColumn
from sentcli.text.forks import ForkSafeLock
from sentcli.text.tokenizer import IGNORED, REPLACEMENTS, tokenize
from sentcli.text.vocabulary import UNK_ID, Vocab

Numbers = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

# Characters, or bytes of texts in bytes. With fewer than these Python is done before pyarrow is loaded.
_BULK = 1 << 18
# What one call takes, so that several threads share the work on a window and none holds much.
_SLICE = 1 << 21
# What of it is cut into words at a time, which then lies in the processor's cache.
_BLOCK = 1 << 18

# Of a pair of words. With 20,000 phrases one in 26 shares its slot; the table is of one megabyte.
_HASH_BITS = 18

# What the tokeniser looks for, in bytes; UTF-8 has neither 0xFE nor 0xFF.
_SPACE, _SEPARATOR, _END = ord(" "), 0xFE, 0xFF
_BREAK = "<br />"
_MARKS = "".join(mark for mark, replacement in REPLACEMENTS if mark in replacement).encode()
_SEPARATING = "".join(mark for mark, replacement in REPLACEMENTS if replacement == " " and mark != _BREAK)
_SEPARATING += "\t\n\v\f\r\x1c\x1d\x1e\x1f"
# To lower case; what separates words becomes one byte, but for the space, which is part of a break.
_TABLE = (
    bytes(range(256))
    .lower()
    .translate(bytes.maketrans(_SEPARATING.encode(), bytes([_SEPARATOR] * len(_SEPARATING))))
)
# What str.split takes for white space beyond ASCII.
_SPACES = "\x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


@dataclass(frozen=True)
class Encoded:
    """Texts as ids that lie one after the other, those of one text together.

    :param ids: int32, `[ids of all texts]`.
    :param starts: of each text, the place of its first id in `ids`.
    :param lengths: of each text, its number of ids; 0 for a blank one.
    :param words: of each text, its number of words, of which a phrase has two.
    :param unknown: of each text, the words that are not in the vocabulary.
    """

    ids: Ids
    starts: Numbers
    lengths: Numbers
    words: Numbers
    unknown: Numbers

    @classmethod
    def of(cls, ids: Ids, lengths: Numbers, first_bigram: int) -> Self:
        """Take ids of texts that lie in order and without gaps.

        :param first_bigram: ids from this one on are phrases.
        """
        ends = np.cumsum(lengths)

        def count(wanted: npt.NDArray[np.bool_]) -> Numbers:
            return np.diff(np.searchsorted(np.flatnonzero(wanted), ends), prepend=0)

        words = lengths + count(ids >= first_bigram)
        return cls(ids, ends - lengths, lengths, words, count(ids == UNK_ID))

    @classmethod
    def join(cls, parts: Sequence["Encoded"]) -> "Encoded":
        """Put texts behind one another; at least one part."""
        bases = np.cumsum([0, *(len(part.ids) for part in parts)])
        return cls(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.starts + base for part, base in zip(parts, bases, strict=False)]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.words for part in parts]),
            np.concatenate([part.unknown for part in parts]),
        )


class Encoder:
    """Encodes texts with a vocabulary. Several threads may call it at the same time."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        self._lock = ForkSafeLock()
        self._made: _BulkEncoder | None = None

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts, in order; many of them as `slices` cuts them."""
        column = TextColumn.of(texts)
        sizes = column.sizes
        # A text of gigabytes has places that the bulk's numbers do not reach.
        if not len(sizes) or sizes.sum() < _BULK or sizes.max() > _SLICE:
            return self._encode_each(column)
        return self._bulk.encode(column)

    def _encode_each(self, texts: Sequence[str]) -> Encoded:
        lists = [self._vocab.encode(tokenize(text)) for text in texts]
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        ids = np.concatenate([np.empty(0, np.int32), *(np.array(ids, np.int32) for ids in lists)])
        return Encoded.of(ids, lengths, self._vocab.first_bigram)

    @property
    def _bulk(self) -> "_BulkEncoder":
        with self._lock:  # made once, whoever comes first
            self._made = self._made or _BulkEncoder(self._vocab)
            return self._made


def slices(texts: TextColumn, size: int = _SLICE) -> list[TextColumn]:
    """Cut texts into neighbours of about equal size, for as many calls of `Encoder.encode`.

    :param size: bytes or characters of a slice, about.
    """
    ends = np.cumsum(texts.sizes)
    total = int(ends[-1]) if len(ends) else 0
    count = -(-total // size)
    borders = np.searchsorted(ends, [total * part // count for part in range(1, count)]) + 1
    return [texts[start:end] for start, end in pairwise([0, *borders.tolist(), len(texts)]) if start < end]


class _BulkEncoder:
    """Encodes many texts; pyarrow is loaded when the first ones come."""

    def __init__(self, vocab: Vocab) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self._pa = pa
        # Arrow's own allocator takes 10 to 30 MB more, and gathers some over millions of rows.
        self._call = partial(pc.call_function, memory_pool=pa.system_memory_pool())
        # Not pa.scalar: that, pa.array and to_numpy load pandas where it is installed: 45 MB and 0.3 s.
        buffers = [None, pa.py_buffer(np.array([-1], np.int32))]
        self._not_found = pa.Array.from_buffers(pa.int32(), 1, buffers)[0]
        self._first_bigram = vocab.first_bigram
        # <pad> and <unk> stay out, as they do in Vocab.
        words = [word.encode() for word in vocab.words[UNK_ID + 1 : self._first_bigram]]
        self._words = pc.SetLookupOptions(self._strings(b"".join(words), [*map(len, words)]))
        self._phrases = _PhraseTable(vocab.bigrams) if vocab.bigrams else None

    def encode(self, texts: TextColumn) -> Encoded:
        """Encode texts, at least one."""
        blocks = [_Tokens.of(block) for block in slices(texts, _BLOCK)]
        letters = np.concatenate([tokens.letters for tokens in blocks])
        lengths = np.concatenate([tokens.lengths for tokens in blocks])
        counts = np.concatenate([tokens.counts for tokens in blocks])
        # For all blocks at once, since each call makes its own table of the vocabulary.
        ids = self._look_up(self._strings(letters, lengths))
        if self._phrases:
            ids, counts = self._joined(ids, counts, self._phrases)
        return Encoded.of(ids, counts, self._first_bigram)

    def _joined(self, ids: Ids, counts: Numbers, phrases: "_PhraseTable") -> tuple[Ids, Numbers]:
        """Put words that are phrases together, as `Vocab.encode` does.

        :returns: the ids with phrases, and how many each text has now.
        """
        ends = np.cumsum(counts)
        second = np.append(ids[1:], np.int32(UNK_ID))
        second[ends[ends > 0] - 1] = UNK_ID  # the next word is of another text
        starts, numbers = phrases.find(ids, second)
        # Of phrases in a row, each of which begins with the last word of the one before: every other one.
        order = np.arange(len(starts))
        first = np.maximum.accumulate(order * (np.diff(starts, prepend=-2) > 1))
        is_read = (order - first) & 1 == 0
        starts = np.compress(is_read, starts)
        ids[starts] = np.compress(is_read, numbers) + np.int32(self._first_bigram)
        is_kept = np.ones(len(ids), bool)
        is_kept[starts + 1] = False
        return np.compress(is_kept, ids), counts - np.diff(np.searchsorted(starts, ends), prepend=0)

    def _look_up(self, words: Any) -> Ids:
        """Give the id of each word, `<unk>` for those not there."""
        places = self._call("coalesce", [self._call("index_in", [words], self._words), self._not_found])
        ids: Ids = np.add(np.from_dlpack(places), UNK_ID + 1, dtype=np.int32)
        return ids

    def _strings(self, letters: Any, lengths: npt.ArrayLike) -> Any:
        """Make an array of strings that lie one behind the other in a buffer."""
        offsets = np.append(np.int32(0), np.cumsum(lengths, dtype=np.int32))
        buffers = map(self._pa.py_buffer, (offsets, letters))
        return self._pa.StringArray.from_buffers(len(offsets) - 1, *buffers)


class _PhraseTable:
    """Finds phrases by their two words: a hash table that NumPy goes through a column at a time.

    Each slot has the first of the phrases that fall into it, each phrase the next of them. Behind them all is
    a pair that no words make.

    :param pairs: the ids of the two words of each phrase; at least one.
    """

    def __init__(self, pairs: Sequence[tuple[int, int]]) -> None:
        self._none = len(pairs)
        self._first, self._second = np.array([*pairs, (-1, -1)], np.int32).T.copy()
        slots = _hashes(self._first[:-1], self._second[:-1])
        order = np.argsort(slots, kind="stable")
        shared = np.flatnonzero(slots[order[1:]] == slots[order[:-1]])
        self._slots = np.full(1 << _HASH_BITS, self._none, np.int32)
        self._slots[slots[order[::-1]]] = order[::-1]
        self._next = np.full(len(pairs) + 1, self._none, np.int32)
        self._next[order[shared]] = order[shared + 1]

    def find(self, first: Ids, second: Ids) -> tuple[Numbers, Ids]:
        """Give the places at which two words are a phrase, and its number there, from 0."""
        numbers = self._slots.take(_hashes(first, second), mode="clip")
        is_phrase = self._are(numbers, first, second)
        rest = np.flatnonzero(~is_phrase & self._has_next(numbers))
        while len(rest):
            numbers[rest] = self._next.take(numbers[rest])
            is_phrase[rest] = self._are(numbers[rest], first[rest], second[rest])
            rest = rest[~is_phrase[rest] & self._has_next(numbers[rest])]
        places = np.flatnonzero(is_phrase)
        return places, numbers[places]

    def _are(self, numbers: Ids, first: Ids, second: Ids) -> npt.NDArray[np.bool_]:
        """Tell whether phrases consist of these words."""
        are: npt.NDArray[np.bool_] = self._first.take(numbers, mode="clip") == first
        are &= self._second.take(numbers, mode="clip") == second
        return are

    def _has_next(self, numbers: Ids) -> npt.NDArray[np.bool_]:
        has_next: npt.NDArray[np.bool_] = self._next.take(numbers, mode="clip") != self._none
        return has_next


def _hashes(first: Ids, second: Ids) -> npt.NDArray[np.uint32]:
    """Give each two ids a number below `1 << _HASH_BITS`: the high bits of products with odd constants."""
    mixed = (first * np.int32(0x1B873593)) ^ (second * np.int32(0x27D4EB2F))
    return mixed.view(np.uint32) >> np.uint32(32 - _HASH_BITS)


@dataclass(frozen=True)
class _Tokens:
    """The tokens of texts, one behind the other.

    :param letters: their bytes in UTF-8.
    :param lengths: bytes of each token.
    :param counts: tokens of each text.
    """

    letters: Bytes
    lengths: Numbers
    counts: Numbers

    @classmethod
    def of(cls, texts: TextColumn) -> Self:
        """Do what `tokenize` does with each text."""
        text = _simplified(texts)
        is_letter = (text != _SPACE) & (text < _SEPARATOR)
        is_inside = is_letter.copy()  # of a word: a mark is a token of its own
        for mark in _MARKS:
            is_inside &= text != mark
        goes_on = np.append(False, is_inside[1:] & is_inside[:-1])
        firsts = np.flatnonzero(is_letter & ~goes_on)
        lasts = np.flatnonzero(is_letter[:-1] & ~goes_on[1:])
        ends = np.searchsorted(firsts, np.flatnonzero(text == _END))
        return cls(np.compress(is_letter, text), lasts - firsts + 1, np.diff(ends, prepend=0))


def _simplified(texts: TextColumn) -> Bytes:
    """Give the bytes of texts in lower case: `_END` behind each, a space or `_SEPARATOR` where words part."""
    end = bytes([_END])
    encoded = chain.from_iterable(map(_in_utf8, texts.parts))
    text = np.frombuffer(bytearray(end.join([*encoded, b""]).translate(_TABLE, IGNORED.encode())), np.uint8)
    starts = np.flatnonzero(text == ord(_BREAK[0]))
    for place, letter in enumerate(_BREAK.encode()):
        starts = starts[text.take(starts + place, mode="clip") == letter]
    for place in range(len(_BREAK)):
        text[starts + place] = _SPACE
    return text


def _in_utf8(texts: list[str] | TextBlock) -> list[bytes | memoryview]:
    """Give the bytes of each text; of one beyond ASCII in lower case, with plain spaces."""
    if isinstance(texts, TextBlock):
        encoded = texts.cut()
        for number in texts.wide:
            encoded[number] = _in_lower_case(texts[number])
        return encoded
    return [text.encode() if text.isascii() else _in_lower_case(text) for text in texts]


def _in_lower_case(text: str) -> bytes:
    text = text.lower()
    for space in _SPACES:  # one search for each is faster than a pattern of them all
        text = text.replace(space, "\t")
    return text.encode(errors="surrogatepass")
