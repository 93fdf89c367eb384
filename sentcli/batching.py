"""Batches of texts of nearly one length: every padded step is computed for every row."""

import sys
from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from sentcli.text import PAD_ID

Ids = npt.NDArray[np.int64]  # [batch, tokens]
Lengths = npt.NDArray[np.int32]  # [batch]


def length_buckets(
    lengths: Sequence[int], batch_tokens: int, batch_rows: int = sys.maxsize
) -> list[npt.NDArray[np.intp]]:
    """Group rows of similar length, longest first, so that each padded batch fits the budget.

    :param lengths: tokens of each row.
    :param batch_tokens: rows x longest length of a batch stay below this; a longer row is a batch alone.
    :param batch_rows: rows of a batch at most.
    :returns: row numbers of each batch; together every row once.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    batches = []
    start = 0
    while start < len(order):
        rows = max(1, min(batch_rows, batch_tokens // max(1, lengths[order[start]])))
        batches.append(order[start : start + rows])
        start += rows
    return batches


def pad(sequences: Sequence[Sequence[int]]) -> tuple[Ids, Lengths]:
    """Put id sequences into one array, filled up with `<pad>` at the end.

    :param sequences: at least one, each of at least one id.
    :returns: ids `[batch, longest]` and lengths `[batch]`.
    """
    lengths = np.fromiter(map(len, sequences), np.int32, len(sequences))
    ids = np.full((len(sequences), lengths.max()), PAD_ID, np.int64)
    is_token = np.arange(ids.shape[1]) < lengths[:, None]
    ids[is_token] = np.fromiter(chain.from_iterable(sequences), np.int64, lengths.sum())
    return ids, lengths
