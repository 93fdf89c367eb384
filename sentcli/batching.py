"""Batches of texts of nearly one length: every padded step is computed for every row."""

import sys
from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from sentcli.text import PAD_ID, head_tokens

Ids = npt.NDArray[np.int64]  # [batch, tokens]
Lengths = npt.NDArray[np.int32]  # [batch]


def length_buckets(
    lengths: npt.ArrayLike, batch_tokens: int, batch_rows: int = sys.maxsize
) -> list[npt.NDArray[np.intp]]:
    """Group rows of similar length, longest first, so that each padded batch fits the budget.

    :param lengths: tokens of each row.
    :param batch_tokens: rows x longest length of a batch do not exceed this.
    :param batch_rows: rows of a batch at most.
    :returns: row numbers of each batch; together every row once. No batch is of one row, unless there is but
        one: onnxruntime would compute it twice. For that a batch may exceed its limits by a row.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    batches = []
    start = 0
    while start < len(order):
        rows = max(2, min(batch_rows, batch_tokens // max(1, int(lengths[order[start]]))))
        if start + rows == len(order) - 1:
            rows += 1
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


def gather(
    ids: npt.NDArray[np.int32],
    starts: npt.NDArray[np.int64],
    lengths: npt.NDArray[np.int64],
    max_tokens: int,
) -> tuple[Ids, Lengths]:
    """Do what `truncate` and `pad` do for sequences that lie one after the other in one array.

    :param starts, lengths: where in `ids` each sequence is; at least one, each of at least one id.
    :param max_tokens: what is kept of a longer one.
    :returns: as `pad`.
    """
    kept = np.minimum(lengths, max_tokens)
    steps = np.arange(kept.max())
    left_out = (lengths - kept)[:, None] * (steps >= head_tokens(max_tokens))
    padded = ids.take(starts[:, None] + steps + left_out, mode="clip").astype(np.int64)
    padded[steps >= kept[:, None]] = PAD_ID
    return padded, kept.astype(np.int32)
