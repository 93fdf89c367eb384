"""The bulk encoder: `Vocab.encode(words_of(text))` for many texts at once.

NumPy splits the bytes of many texts as `words_of` splits a string, and pyarrow looks up the words.
This takes a third of the time, with bigrams a sixth, and most of it does not hold the interpreter's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Any
from unicodedata import category

import numpy as np
import numpy.typing as npt

from sentcli.text.normalize import plain
from sentcli.text.tokenizer import UNK_ID, Vocab, words_of

Numbers = npt.NDArray[np.int64]
Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

# Sizes in characters. Fewer than this are encoded in Python, without loading pyarrow.
_BULK = 1 << 18
# Characters to look up at once: more need more memory, fewer take more time, because each call builds a hash
# table of the vocabulary.
_SLICE = 1 << 22
# Characters to split and to search for bigrams at once, so that they stay in the processor's cache.
_BLOCK = 1 << 18

# Size of a hash of two words. Of 20,000 bigrams, one in 26 shares its slot; the table takes 1 MB.
_HASH_BITS = 18

# The bytes that separate words and texts; UTF-8 has neither.
_SEPARATOR, _END = 0xFE, 0xFF


@dataclass(frozen=True)
class Encoded:
    """The ids of texts, one text after the other.

    An empty text has no known word with a letter or a symbol such as an emoji; its length is 0.
    """

    ids: Ids  # [ids of all texts]
    starts: Numbers  # for each text, the index of its first id
    lengths: Numbers  # for each text, its number of ids
    words: Numbers  # for each text, its number of words; a bigram has two
    unknown: Numbers  # for each text, its number of words that are not in the vocabulary
    shares: Floats  # for each text, the share of unknown words, without marks; NaN for a text without words


class Encoder:
    """Encodes texts with a vocabulary. Several threads may call it at the same time."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab
        words = " ".join(vocab.words).split(" ")
        meanings = np.array([word.islower() or _has_meaning(word) for word in words], np.int8)
        meanings[: UNK_ID + 1] = 0
        singles, of_bigrams = np.split(meanings, [vocab.first_bigram])
        # For each id, its number of words that are not only digits and marks.
        self._meanings = np.append(singles, of_bigrams[::2] + of_bigrams[1::2])

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts, in order."""
        parts = [self._encode(part) for part in slices(texts, _SLICE)]
        ids = np.concatenate([np.empty(0, np.int32), *(part for part, _ in parts)])
        lengths = np.concatenate([np.empty(0, np.int64), *(part for _, part in parts)])
        ends = np.cumsum(lengths)
        starts = ends - lengths

        def count(selected: npt.NDArray[np.bool_]) -> Numbers:
            return np.diff(np.searchsorted(np.flatnonzero(selected), ends), prepend=0)

        words = lengths + count(ids >= self._vocab.first_bigram)
        # With one more element, so that a blank text at the end has a place.
        meanings = np.append(self._meanings.take(ids, mode="clip"), np.int8(0))
        known = np.add.reduceat(meanings, starts, dtype=np.int64) * (lengths > 0)
        lengths[known == 0] = 0
        unknown = count(ids == UNK_ID)
        with np.errstate(invalid="ignore"):  # no words divided by no words
            return Encoded(ids, starts, lengths, words, unknown, unknown / (unknown + known))

    def _encode(self, texts: Sequence[str]) -> tuple[Ids, Numbers]:
        """Return the ids of all texts, and the number of ids of each text."""
        sizes = [*map(len, texts)]
        # Offsets in a text of gigabytes do not fit into 32 bits.
        if sum(sizes) >= _BULK and max(sizes, default=0) <= _SLICE:
            return self._encode_bulk(texts)
        lists = [self._vocab.encode(words_of(text)) for text in texts]
        ids = np.concatenate([np.empty(0, np.int32), *(np.array(ids, np.int32) for ids in lists)])
        return ids, np.fromiter(map(len, lists), np.int64, len(lists))

    def _encode_bulk(self, texts: Sequence[str]) -> tuple[Ids, Numbers]:
        """Encode texts with at least one character in total, as `_encode` does."""
        blocks = [_tokens(block) for block in slices(texts, _BLOCK)]
        letters, lengths, counts = zip(*blocks, strict=True)
        ids = self._look_up(np.concatenate(letters), np.concatenate(lengths))
        if not self._vocab.bigrams:
            return ids, np.concatenate(counts)
        parts = np.split(ids, np.cumsum([*map(len, lengths)])[:-1])
        joined = [self._join(*part) for part in zip(parts, counts, strict=True)]
        ids, kept = map(np.concatenate, zip(*joined, strict=True))
        return ids, kept

    def _join(self, ids: Ids, counts: Numbers) -> tuple[Ids, Numbers]:
        """Replace pairs of words by bigrams, as `Vocab.encode` does."""
        ends = np.cumsum(counts)
        second = np.append(ids[1:], np.int32(UNK_ID))
        second[ends[ends > 0] - 1] = UNK_ID  # the next word belongs to another text
        starts, numbers = self._bigrams.find(ids, second)
        # Bigrams in a run overlap: each begins with the last word of the previous one. Take every other one.
        order = np.arange(len(starts))
        first = np.maximum.accumulate(order * (np.diff(starts, prepend=-2) > 1))
        is_taken = (order - first) & 1 == 0
        starts = np.compress(is_taken, starts)
        ids[starts] = np.compress(is_taken, numbers) + np.int32(self._vocab.first_bigram)
        is_kept = np.ones(len(ids), bool)
        is_kept[starts + 1] = False
        return np.compress(is_kept, ids), counts - np.diff(np.searchsorted(starts, ends), prepend=0)

    def _look_up(self, letters: Bytes, lengths: Numbers) -> Ids:
        """Return the id of each word of a buffer; unknown words get the id of `<unk>`."""
        import pyarrow as pa  # a few texts do not need it

        # When dictionaries are unified, equal words get one index, and those of the vocabulary keep theirs.
        # pyarrow.compute has a function for this, but takes 40 ms to import. Arrow's own allocator would take
        # 10 to 30 MB more, and grow over millions of rows.
        words = pa.chunked_array([self._words, _dictionary(letters, lengths)])
        indices = words.unify_dictionaries(pa.system_memory_pool()).chunk(1).indices
        ids: Ids = np.add(np.from_dlpack(indices), UNK_ID + 1, dtype=np.int32)
        ids[ids > len(self._words) + UNK_ID] = UNK_ID
        return ids

    @cached_property
    def _words(self) -> Any:
        """The words of the vocabulary without <pad> and <unk>, as in Vocab."""
        words = [word.encode() for word in self._vocab.words[UNK_ID + 1 : self._vocab.first_bigram]]
        return _dictionary(b"".join(words), [*map(len, words)])

    @cached_property
    def _bigrams(self) -> "_BigramTable":
        return _BigramTable(self._vocab.bigrams)


def _has_meaning(word: str) -> bool:
    """Return whether a word has a letter or a symbol, not only digits and marks."""
    return any(character.isalpha() or category(character) == "So" for character in word)


def slices(texts: Sequence[str], size: int) -> list[Sequence[str]]:
    """Cut a sequence of texts into slices of about equal size."""
    ends = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)))
    total = int(ends[-1]) if len(ends) else 0
    count = -(-total // size)
    borders = np.searchsorted(ends, [total * part // count for part in range(1, count)]) + 1
    return [texts[start:end] for start, end in pairwise([0, *borders.tolist(), len(texts)]) if start < end]


def _dictionary(letters: Bytes | bytes, lengths: Numbers | list[int]) -> Any:
    """Return an Arrow array of the words in a buffer, each an entry of its dictionary."""
    import pyarrow as pa

    offsets = np.append(np.int32(0), np.cumsum(lengths, dtype=np.int32))
    # Not pa.array, which imports pandas if it is installed: 45 MB and 0.3 s.
    words = pa.StringArray.from_buffers(len(lengths), pa.py_buffer(offsets), pa.py_buffer(letters))
    order = pa.py_buffer(np.arange(len(lengths), dtype=np.int32))
    indices = pa.Array.from_buffers(pa.int32(), len(lengths), [None, order])
    return pa.DictionaryArray.from_arrays(indices, words, safe=False)


class _BigramTable:
    """Finds bigrams by their two words: a hash table that NumPy searches for many pairs at once.

    Each slot holds the first bigram with its hash, and each bigram holds the next one with the same hash. The
    last entry is a pair that matches no words.

    :param pairs: the ids of the two words of each bigram; at least one.
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
        """Return the indices at which the two words are a bigram, and the numbers of the bigrams."""
        numbers = self._slots.take(_hashes(first, second), mode="clip")
        is_bigram = self._are(numbers, first, second)
        rest = np.flatnonzero(~is_bigram & (numbers != self._none))
        while len(rest):
            numbers[rest] = self._next.take(numbers[rest])
            is_bigram[rest] = self._are(numbers[rest], first[rest], second[rest])
            rest = rest[~is_bigram[rest] & (numbers[rest] != self._none)]
        places = np.flatnonzero(is_bigram)
        return places, numbers[places]

    def _are(self, numbers: Ids, first: Ids, second: Ids) -> npt.NDArray[np.bool_]:
        """Return for each bigram whether it consists of these words."""
        are: npt.NDArray[np.bool_] = self._first.take(numbers, mode="clip") == first
        are &= self._second.take(numbers, mode="clip") == second
        return are


def _hashes(first: Ids, second: Ids) -> npt.NDArray[np.uint32]:
    """Return a hash below `1 << _HASH_BITS` for each pair: the high bits of products with odd constants."""
    mixed = (first * np.int32(0x1B873593)) ^ (second * np.int32(0x27D4EB2F))
    return mixed.view(np.uint32) >> np.uint32(32 - _HASH_BITS)


@cache  # scoring single texts needs them often
def _tables() -> tuple[bytes, bytes]:
    """Return what each byte of a text becomes, and whether it belongs to a word."""
    changed, in_word = bytearray(range(256)), bytearray([1] * _END + [0])
    # All characters in one text, each between two digits, with a word of its own between them.
    words = words_of(" x ".join(f"0{chr(code)}0" for code in range(128)))
    for code, part in enumerate(" ".join(words).split(" x ")):
        tokens = part.split()  # one: a letter; two: a separator; three: a mark
        changed[code] = _SEPARATOR if len(tokens) == 2 else ord("".join(tokens)[1])
        in_word[code] = len(tokens) == 1
    return bytes(changed), bytes(in_word)


def _tokens(texts: Sequence[str]) -> tuple[Bytes, Numbers, Numbers]:
    """Split texts as `words_of` does.

    :returns: the concatenated tokens of all texts in UTF-8, the bytes of each token, and the number of tokens
        of each text.
    """
    end = chr(_END)
    # One character per byte, as Python stores ASCII, so that joining and encoding only copy bytes.
    data = (end.join(map(_byte_string, texts)) + end).encode("latin-1")
    changed, in_word_by_byte = _tables()
    text = np.frombuffer(data.translate(changed), np.uint8)
    in_token, in_word = text < _SEPARATOR, np.frombuffer(data.translate(in_word_by_byte), bool)
    is_continued = np.append(False, in_word[1:] & in_word[:-1])
    firsts = np.flatnonzero(in_token & ~is_continued)
    lasts = np.flatnonzero(in_token[:-1] & ~is_continued[1:])
    ends = np.searchsorted(firsts, np.flatnonzero(text == _END))
    lengths = lasts - firsts + 1
    # Of equal letters in a row, `normalize` keeps two.
    is_repeated = text[1:] == text[:-1]
    repeated = np.flatnonzero(is_repeated[1:] & is_repeated[:-1]) + 2
    repeated = repeated[(text[repeated] >= ord("a")) & (text[repeated] <= ord("z"))]
    in_token[repeated] = False
    np.subtract.at(lengths, np.searchsorted(firsts, repeated, "right") - 1, 1)
    return np.compress(in_token, text), lengths, np.diff(ends, prepend=0)


def _byte_string(text: str) -> str:
    """Return a text with the rules for ASCII left to do, as one character per byte of UTF-8."""
    text = plain(text)
    return text if text.isascii() else text.encode(errors="surrogatepass").decode("latin-1")
