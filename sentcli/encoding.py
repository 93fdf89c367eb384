"""From many texts to the ids of their words: `Vocab.encode(tokenize(text))` of each, most of them at once.

pyarrow.compute does on a whole column what the tokeniser does on a string, in a third of the time and without
the interpreter's lock. It goes by ASCII alone: lower case beyond that comes from Python, and a text with
white space beyond that, or with what has no UTF-8, is encoded in Python altogether.
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

# Characters. With fewer than these Python is done before pyarrow is loaded.
_BULK = 1 << 18
# What one call takes, so that several threads share the work on a window and none holds much.
_SLICE = 1 << 21

# What str.split takes for white space and pyarrow does not; the lone surrogates have no UTF-8.
_ASCII_SPACES = "\x1c\x1d\x1e\x1f"
_SPACES = "\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_SURROGATES = "\ud800-\udfff"


@dataclass(frozen=True)
class Encoded:
    """The words of texts, as ids that lie one after the other, those of one text together.

    :param ids: int32, `[words of all texts]`.
    :param starts: of each text, the place of its first word in `ids`.
    :param lengths: of each text, its number of words; 0 for a blank one.
    :param unknown: of each text, the words that are not in the vocabulary.
    """

    ids: npt.NDArray[np.int32]
    starts: Numbers
    lengths: Numbers
    unknown: Numbers

    @classmethod
    def of(cls, ids: npt.NDArray[np.int32], lengths: Numbers) -> Self:
        """Take ids of texts that lie in order and without gaps."""
        ends = np.cumsum(lengths)
        unknown = np.cumsum(np.append(0, ids == UNK_ID))
        starts = ends - lengths
        return cls(ids, starts, lengths, unknown[ends] - unknown[starts])

    @classmethod
    def join(cls, parts: Sequence["Encoded"]) -> "Encoded":
        """Put texts behind one another; at least one part."""
        bases = np.cumsum([0, *(len(part.ids) for part in parts)])
        return cls(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.starts + base for part, base in zip(parts, bases, strict=False)]),
            np.concatenate([part.lengths for part in parts]),
            np.concatenate([part.unknown for part in parts]),
        )

    def take(self, order: npt.NDArray[np.intp]) -> "Encoded":
        """Give the texts in another order."""
        return Encoded(self.ids, self.starts[order], self.lengths[order], self.unknown[order])


class Encoder:
    """Encodes texts with a vocabulary. Several threads may call it at the same time."""

    def __init__(self, vocab: Vocab) -> None:
        self._vocab = vocab

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts, in order; many of them as `slices` cuts them."""
        if sum(map(len, texts)) < _BULK:
            return self._encode_each(texts)
        plain: list[int] = []
        odd: list[int] = []
        for number, text in enumerate(texts):
            (plain if self._bulk.takes(text) else odd).append(number)
        bulk = self._bulk.encode([texts[number] for number in plain])
        if not odd:
            return bulk
        others = self._encode_each([texts[number] for number in odd])
        return Encoded.join([bulk, others]).take(np.argsort(plain + odd))

    def _encode_each(self, texts: Sequence[str]) -> Encoded:
        lists = [self._vocab.encode(tokenize(text)) for text in texts]
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        ids = np.concatenate([np.empty(0, np.int32), *(np.array(ids, np.int32) for ids in lists)])
        return Encoded.of(ids, lengths)

    @cached_property
    def _bulk(self) -> "_BulkEncoder":
        return _BulkEncoder(self._vocab)


def slices(texts: Sequence[str]) -> list[Sequence[str]]:
    """Cut texts into neighbours of about equal size, for as many calls of `Encoder.encode`."""
    ends = np.cumsum([len(text) for text in texts])
    total = int(ends[-1]) if len(ends) else 0
    count = -(-total // _SLICE)
    borders = np.searchsorted(ends, [total * part // count for part in range(1, count)]) + 1
    return [texts[start:end] for start, end in pairwise([0, *borders.tolist(), len(texts)]) if start < end]


class _BulkEncoder:
    """Encodes a column of texts; pyarrow is loaded when the first one comes."""

    def __init__(self, vocab: Vocab) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        self._pa, self._pc = pa, pc
        # Arrow's own allocator takes 10 to 30 MB more, and gathers some over millions of rows.
        self._call = partial(pc.call_function, memory_pool=pa.system_memory_pool())
        # <pad> and <unk> stay out, as they do in Vocab.
        self._words = pc.SetLookupOptions(self._column(vocab.words[UNK_ID + 1 :]))
        # Not pa.scalar: that, pa.array and to_numpy load pandas where it is installed: 45 MB and 0.3 s.
        unknown = pa.py_buffer(np.array([-1], np.int32))
        self._not_found = pa.Array.from_buffers(pa.int32(), 1, [None, unknown])[0]
        self._odd = re.compile(f"[{_SPACES}{_SURROGATES}]")

    def takes(self, text: str) -> bool:
        """Tell whether white space is to pyarrow what it is to Python, and the text fits into a column."""
        if len(text) > _SLICE:
            return False
        if text.isascii():
            return not any(space in text for space in _ASCII_SPACES)
        return not self._odd.search(text)

    def encode(self, texts: Sequence[str]) -> Encoded:
        """Encode texts that it takes."""
        call, pc = self._call, self._pc
        column = call("ascii_lower", [self._column(texts)])
        for mark, replacement in REPLACEMENTS:
            column = call("replace_substring", [column], pc.ReplaceSubstringOptions(mark, replacement))
        column = call("ascii_trim_whitespace", [column])
        sizes = call("binary_length", [column])
        has_words = call("cast", [sizes], pc.CastOptions(self._pa.bool_()))
        # Of a blank text pyarrow makes an empty word.
        words = call("ascii_split_whitespace", [call("array_filter", [column, has_words])])
        lengths = np.zeros(len(texts), np.int64)
        lengths[np.from_dlpack(sizes) > 0] = np.diff(np.from_dlpack(words.offsets))
        numbers = call("index_in", [words.flatten()], self._words)
        found = np.from_dlpack(call("coalesce", [numbers, self._not_found]))
        return Encoded.of(np.add(found, UNK_ID + 1, dtype=np.int32), lengths)

    def _column(self, texts: Sequence[str]) -> Any:
        """Make the column of its buffers: four times as fast as from a list of strings."""
        encoded = [(text if text.isascii() else text.lower()).encode() for text in texts]
        offsets = np.zeros(len(texts) + 1, np.int32)
        np.cumsum([*map(len, encoded)], out=offsets[1:])
        buffers = map(self._pa.py_buffer, (offsets, b"".join(encoded)))
        return self._pa.StringArray.from_buffers(len(texts), *buffers)
