"""From many texts to the ids of their words: `Vocab.encode(tokenize(text))` of each, all of them at once.

NumPy does on the bytes of many texts what the tokeniser does on a string, and pyarrow.compute looks the words
up: in a third of the time, with phrases in a sixth, most of it without the interpreter's lock.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from sentcli.text import REPLACEMENTS, UNK_ID, Vocab, tokenize

Numbers = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

# Characters. With fewer than these Python is done before pyarrow is loaded.
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
_DELETED = "".join(mark for mark, replacement in REPLACEMENTS if not replacement).encode()
_SEPARATING = "".join(mark for mark, replacement in REPLACEMENTS if replacement == " " and mark != _BREAK)
_SEPARATING += "\t\n\v\f\r\x1c\x1d\x1e\x1f"
# To lower case; what separates words becomes one byte, but for the space, which is part of a break.
_TABLE = (
    bytes(range(256))
    .lower()
    .translate(bytes.maketrans(_SEPARATING.encode(), bytes([_SEPARATOR] * len(_SEPARATING))))
)
# What str.split takes for white space beyond ASCII.
_SPACES = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


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
    def of(cls, ids: Ids, lengths: Numbers, first_phrase: int) -> Self:
        """Take ids of texts that lie in order and without gaps.

        :param first_phrase: ids from this one on are phrases.
        """
        ends = np.cumsum(lengths)

        def count(wanted: npt.NDArray[np.bool_]) -> Numbers:
            return np.diff(np.searchsorted(np.flatnonzero(wanted), ends), prepend=0)

        words = lengths + count(ids >= first_phrase)
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

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts, in order; many of them as `slices` cuts them."""
        sizes = [*map(len, texts)]
        # A text of gigabytes has places that the bulk's numbers do not reach.
        if not sizes or sum(sizes) < _BULK or max(sizes) > _SLICE:
            return self._encode_each(texts)
        return self._bulk.encode(texts)

    def _encode_each(self, texts: Sequence[str]) -> Encoded:
        lists = [self._vocab.encode(tokenize(text)) for text in texts]
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        ids = np.concatenate([np.empty(0, np.int32), *(np.array(ids, np.int32) for ids in lists)])
        return Encoded.of(ids, lengths, self._vocab.first_phrase)

    @cached_property
    def _bulk(self) -> "_BulkEncoder":
        return _BulkEncoder(self._vocab)


def slices(texts: Sequence[str], size: int = _SLICE) -> list[Sequence[str]]:
    """Cut texts into neighbours of about equal size, for as many calls of `Encoder.encode`.

    :param size: characters of a slice, about.
    """
    ends = np.cumsum([len(text) for text in texts])
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
        self._not_found = self._array(pa.int32(), np.array([-1], np.int32))[0]
        self._first_phrase = vocab.first_phrase
        # <pad> and <unk> stay out, as they do in Vocab.
        words = [word.encode() for word in vocab.words[UNK_ID + 1 : self._first_phrase]]
        self._words = pc.SetLookupOptions(self._strings(b"".join(words), [*map(len, words)]))
        self._has_phrases = bool(vocab.phrases)
        first, second = np.array([*vocab.phrases], np.int32).reshape(-1, 2).T
        self._phrases = pc.SetLookupOptions(self._pairs(first, second))
        # A hash table that NumPy goes through a column at a time. Each slot has one phrase, the first of all
        # that fall into it, or none: behind the phrases is a pair that no words make.
        self._first, self._second = (np.append(ids, np.int32(-1)) for ids in (first, second))
        numbers, slots = np.arange(len(first), dtype=np.int32), _hashes(first, second)
        self._slots = np.full(1 << _HASH_BITS, len(first), np.int32)
        self._slots[slots[::-1]] = numbers[::-1]
        self._is_crowded = np.zeros(1 << _HASH_BITS, bool)
        self._is_crowded[slots[self._slots[slots] != numbers]] = True

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts, at least one."""
        blocks = [_Tokens.of(block) for block in slices(texts, _BLOCK)]
        letters = np.concatenate([tokens.letters for tokens in blocks])
        lengths = np.concatenate([tokens.lengths for tokens in blocks])
        counts = np.concatenate([tokens.counts for tokens in blocks])
        # For all blocks at once, since each call makes its own table of the vocabulary.
        ids = self._look_up(self._strings(letters, lengths), self._words, UNK_ID + 1)
        if self._has_phrases:
            ids, counts = self._joined(ids, counts)
        return Encoded.of(ids, counts, self._first_phrase)

    def _joined(self, ids: Ids, counts: Numbers) -> tuple[Ids, Numbers]:
        """Put words that are phrases together, as `Vocab.encode` does.

        :returns: the ids with phrases, and how many each text has now.
        """
        ends = np.cumsum(counts)
        second = np.append(ids[1:], np.int32(UNK_ID))
        second[ends[ends > 0] - 1] = UNK_ID  # the next word is of another text
        phrases = self._find(ids, second)
        starts = np.flatnonzero(phrases >= self._first_phrase)
        # Of phrases in a row, each of which begins with the last word of the one before: every other one.
        numbers = np.arange(len(starts))
        first = np.maximum.accumulate(numbers * (np.diff(starts, prepend=-2) > 1))
        starts = np.compress((numbers - first) & 1 == 0, starts)
        ids[starts] = phrases[starts]
        is_kept = np.ones(len(ids), bool)
        is_kept[starts + 1] = False
        return np.compress(is_kept, ids), counts - np.diff(np.searchsorted(starts, ends), prepend=0)

    def _find(self, first: Ids, second: Ids) -> Ids:
        """Give the phrase that each two words are; less than the first phrase where they are none."""
        hashes = _hashes(first, second)
        slots = self._slots.take(hashes, mode="clip")
        is_phrase = self._first.take(slots, mode="clip") == first
        is_phrase &= self._second.take(slots, mode="clip") == second
        phrases: Ids = np.where(is_phrase, slots + np.int32(self._first_phrase), np.int32(UNK_ID))
        rest = np.flatnonzero(self._is_crowded.take(hashes, mode="clip") & ~is_phrase)
        phrases[rest] = self._look_up(
            self._pairs(first[rest], second[rest]), self._phrases, self._first_phrase
        )
        return phrases

    def _look_up(self, values: Any, options: Any, first: int) -> Ids:
        """Give the place of each value in the options' set, counted from `first`; less for one not there."""
        places = self._call("coalesce", [self._call("index_in", [values], options), self._not_found])
        ids: Ids = np.add(np.from_dlpack(places), first, dtype=np.int32)
        return ids

    def _strings(self, letters: Any, lengths: npt.ArrayLike) -> Any:
        """Make an array of strings that lie one behind the other in a buffer."""
        offsets = np.append(np.int32(0), np.cumsum(lengths, dtype=np.int32))
        buffers = map(self._pa.py_buffer, (offsets, letters))
        return self._pa.StringArray.from_buffers(len(offsets) - 1, *buffers)

    def _pairs(self, first: npt.NDArray[Any], second: npt.NDArray[Any]) -> Any:
        """Make an array of one number for each two ids."""
        return self._array(self._pa.int64(), first * np.int64(1 << 32) + second)

    def _array(self, kind: Any, values: npt.NDArray[Any]) -> Any:
        return self._pa.Array.from_buffers(kind, len(values), [None, self._pa.py_buffer(values)])


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
    def of(cls, texts: Sequence[str]) -> Self:
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


def _simplified(texts: Sequence[str]) -> Bytes:
    """Give the bytes of texts in lower case: `_END` behind each, a space or `_SEPARATOR` where words part."""
    end = bytes([_END])
    encoded = [
        text.encode() if text.isascii() else _SPACES.sub("\t", text.lower()).encode(errors="surrogatepass")
        for text in texts
    ]
    text = np.frombuffer(bytearray(end.join([*encoded, b""]).translate(_TABLE, _DELETED)), np.uint8)
    starts = np.flatnonzero(text == ord(_BREAK[0]))
    for place, letter in enumerate(_BREAK.encode()):
        starts = starts[text.take(starts + place, mode="clip") == letter]
    for place in range(len(_BREAK)):
        text[starts + place] = _SPACE
    return text
