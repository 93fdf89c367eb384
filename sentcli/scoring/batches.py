"""Batches of texts of similar length, because padding costs as much time as tokens do."""

import sys
from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from sentcli.backends import Ids, Lengths
from sentcli.text.tokenizer import PAD_ID, head_tokens

# Fixed cost of a time step, in rows. With 4,096 reviews per chunk and the included model, values from 10 to
# 24 take the same time; 6 takes 8 % more and 32 takes 5 % more.
_STEP_COST_ROWS = 12
_STRIDE = 16  # rows between two places where a batch may end
# The maximum size of a batch: smaller batches are slow because each call of an operator has a fixed cost,
# larger ones because their state does not fit the processor's cache.
BATCH_TOKENS = 98_304  # padding included
BATCH_ROWS = 512


def length_buckets(
    lengths: npt.ArrayLike, batch_tokens: int, batch_rows: int = sys.maxsize
) -> list[npt.NDArray[np.intp]]:
    """Group rows of similar length, longest first, so that all batches together take the least time.

    Small batches have little padding; large batches share the fixed cost of a step among more rows. The
    cheapest cuts through the sorted lengths balance the two. Dynamic programming finds them: the cheapest
    cuts up to a place extend the cheapest cuts up to an earlier place.

    :param lengths: tokens of each row.
    :param batch_tokens: upper bound of a batch's number of rows times its longest length.
    :param batch_rows: upper bound of a batch's number of rows.
    :returns: row numbers of each batch; each row is in one batch. No batch has a single row, which
        OnnxBackend would run twice, unless there is only one row in total. A batch may exceed its limits by
        a row or two to avoid that.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    if not len(order):
        return []
    lengths = lengths[order]
    stride = max(2, min(_STRIDE, batch_rows // 8, batch_tokens // (8 * max(1, int(lengths[0])))))
    cuts = np.append(np.arange(0, max(len(lengths) - 1, 1), stride), len(lengths))
    starts, stops = cuts[:-1], cuts[1:]
    longest = np.maximum(lengths[starts], 1)
    reach = starts + np.minimum(batch_rows, batch_tokens // longest)
    firsts = np.minimum(np.searchsorted(reach, stops), np.arange(len(stops)))
    # A batch costs `longest * (stop - start + _STEP_COST_ROWS)`. `costs` holds, for each start, the part that
    # does not depend on the stop; the cost of the batches before it is added once it is known.
    costs = np.append(longest * (_STEP_COST_ROWS - starts), 0)
    begins = [0]  # for each cut, the cut at which the batch before it begins
    for end, (first, stop) in enumerate(zip(firsts.tolist(), stops.tolist(), strict=True), start=1):
        totals = longest[first:end] * stop
        totals += costs[first:end]
        best = int(totals.argmin())
        begins.append(first + best)
        costs[end] += totals[best]
    chosen, end = [], -1
    while end := begins[end]:
        chosen.append(int(cuts[end]))
    return np.split(order, chosen[::-1])


def pad(sequences: Sequence[Sequence[int] | npt.NDArray[np.int32]]) -> tuple[Ids, Lengths]:
    """Put sequences of ids into one array, padded with `<pad>` at the end.

    :param sequences: at least one, each of at least one id.
    :returns: ids `[batch, longest]` and lengths `[batch]`.
    """
    ids, starts, lengths = join(sequences)
    return gather(ids, starts, lengths, lengths.max())


def join(
    sequences: Sequence[Sequence[int] | npt.NDArray[np.int32]],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the ids of sequences in one array, and the start and the length of each sequence."""
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    ids = np.fromiter(chain.from_iterable(sequences), np.int32, lengths.sum())
    return ids, np.cumsum(lengths) - lengths, lengths


def gather(
    ids: npt.NDArray[np.int32], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64], max_tokens: int
) -> tuple[Ids, Lengths]:
    """Truncate and pad sequences that lie in one array, as `truncate` and `pad` do.

    :param starts, lengths: the place of each sequence in `ids`; at least one, each of at least one id.
    """
    kept = np.minimum(lengths, max_tokens)
    steps = np.arange(kept.max())
    places = starts[:, None] + steps
    if lengths.max() > max_tokens:  # few batches have such texts
        places += (lengths - kept)[:, None] * (steps >= head_tokens(max_tokens))
    padded = ids.take(places, mode="clip").astype(np.int64)
    shortest = kept.min()
    padded[:, shortest:][steps[shortest:] >= kept[:, None]] = PAD_ID
    return padded, kept.astype(np.int32)
