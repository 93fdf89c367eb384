"""The n-grams of texts, numbered, and which text has which."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import overload

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array, vstack

from sentcli.text.tokenizer import tokenize
from sentcli.text.vocabulary import PAD, UNK_ID, Vocab

Tokens = Sequence[Sequence[str]]  # the tokens of each text
_Ids = npt.NDArray[np.int64]

_BLOCK = 2048  # texts at a time: it bounds the memory, not the result


class TokenizedTexts(Sequence[list[str]]):
    """The tokens of texts, made anew each time: kept, those of a million reviews would take 18 GB."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[list[str]]:
        return map(tokenize, self._texts)

    @overload
    def __getitem__(self, place: int) -> list[str]: ...
    @overload
    def __getitem__(self, place: slice) -> list[list[str]]: ...
    def __getitem__(self, place: int | slice) -> list[str] | list[list[str]]:
        if isinstance(place, slice):
            return [*map(tokenize, self._texts[place])]
        return tokenize(self._texts[place])


class NgramIndex:
    """The n-grams seen often enough, numbered: first all words, then all pairs, and so on.

    A word and a shorter n-gram are numbers, so that a longer n-gram is the number of all its words but the
    last, times the size of the vocabulary, plus its last word: one sorted array of integers for each length.
    Every longer n-gram that begins with one that is left out is at least as rare, so nothing is missed.

    :param longest: the number of words in the longest n-gram.
    :param min_count: n-grams seen less often in these texts are left out.
    """

    def __init__(self, tokens: Tokens, longest: int, min_count: int) -> None:
        self._vocab = Vocab.build(tokens, min_count)
        self._tables: list[_Ids] = []
        words = grams = self._words(tokens)
        for _ in range(longest - 1):
            keys = self._extend(grams, words)
            table, counts = count_keys(keys[keys >= 0])
            self._tables.append(table[counts >= min_count])
            grams = _find(self._tables[-1], keys)

    def __len__(self) -> int:
        return sum(self._sizes())

    def presence(self, tokens: Tokens) -> csr_array:
        """Give a matrix `[texts, n-grams]`: 1 where the text has the n-gram."""
        return vstack([csr_array((0, len(self))), *self.blocks(tokens)], format="csr")

    def blocks(self, tokens: Tokens) -> Iterator[csr_array]:
        """Give the rows of `presence`, those of some texts at a time."""
        for start in range(0, len(tokens), _BLOCK):
            yield self._block(tokens[start : start + _BLOCK])

    def _block(self, tokens: Tokens) -> csr_array:
        rows = np.repeat(np.arange(len(tokens)), [len(text) + 1 for text in tokens])
        cells = []
        first = 0
        for grams, size in zip(self._by_length(tokens), self._sizes(), strict=True):
            known = np.flatnonzero(grams >= 0)
            cells.append(rows[known] * len(self) + first + grams[known])
            first += size
        places, _ = count_keys(np.concatenate(cells))
        row, column = np.divmod(places, len(self))
        ends = np.searchsorted(row, np.arange(len(tokens) + 1))
        indices = column.astype(np.int32), ends.astype(np.int32)  # int64 would be kept, and is slower
        return csr_array((np.ones(len(row)), *indices), shape=(len(tokens), len(self)))

    def _sizes(self) -> list[int]:
        return [len(self._vocab), *map(len, self._tables)]

    def _by_length(self, tokens: Tokens) -> Iterator[_Ids]:
        """Give, for each length, the numbers of the n-grams that begin at each place, -1 for unknown ones."""
        words = grams = self._words(tokens)
        yield grams
        for table in self._tables:
            grams = _find(table, self._extend(grams, words))
            yield grams

    def _words(self, tokens: Tokens) -> _Ids:
        """Give the numbers of all words in a row; -1 for an unknown one and after each text."""
        encoded = (self._vocab.encode((*text, PAD)) for text in tokens)
        words = np.fromiter(chain.from_iterable(encoded), np.int64)
        words[words == UNK_ID] = -1
        return words

    def _extend(self, grams: _Ids, words: _Ids) -> _Ids:
        """Give the key of each n-gram with the word after it, -1 where one of the two is unknown."""
        following = words[len(words) - len(grams) + 1 :]
        known = (grams[:-1] >= 0) & (following >= 0)
        return np.where(known, grams[:-1] * len(self._vocab) + following, -1)


def count_keys(keys: _Ids) -> tuple[_Ids, _Ids]:
    """Give the different keys in order and how often each occurs: `np.unique`, but 20 times as fast."""
    keys = np.sort(keys)
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    return keys[starts], np.diff(starts, append=len(keys))


def _find(table: _Ids, keys: _Ids) -> _Ids:
    """Give the place of each key in a sorted table, -1 where it is not there."""
    places = np.searchsorted(table[:-1], keys)
    return np.where(table[places] == keys, places, -1) if len(table) else np.full(len(keys), -1)
