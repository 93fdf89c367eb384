"""Batches of texts of nearly one length: every padded step is computed for every row."""

import sys
from collections.abc import Sequence
from itertools import chain

import numpy as np
import numpy.typing as npt

from sentcli.backends import Ids, Lengths
from sentcli.text.tokenizer import head_tokens
from sentcli.text.vocabulary import PAD_ID

# Fixed cost of a time step, in rows. A linear fit through 64 to 768 rows gives 45 (folded, 32 units). 6 is
# lower on purpose: padding stays under 3 % of the steps. With phrases, 8 would be 3 % faster but give 3.2 %.
_STEP_COST_ROWS = 6
_STRIDE = 16  # rows between two places where a batch may end


def length_buckets(
    lengths: npt.ArrayLike, batch_tokens: int, batch_rows: int = sys.maxsize
) -> list[npt.NDArray[np.intp]]:
    """Group rows of similar length, longest first, so that all batches together take the least time.

    Small batches have little padding; large ones share the fixed cost of a step among more rows. The cheapest
    cut through the sorted lengths weighs the two.

    :param lengths: tokens of each row.
    :param batch_tokens: rows x longest length of a batch do not exceed this.
    :param batch_rows: rows of a batch at most.
    :returns: row numbers of each batch; together every row once. No batch has one row, unless there is only
        one row in all: OnnxBackend would run it twice. To avoid one, a batch may exceed its limits by a row
        or two.
    """
    lengths = np.asarray(lengths, dtype=np.int64)
    order = np.argsort(-lengths, kind="stable")
    return np.split(order, _cheapest_cuts(lengths[order], batch_tokens, batch_rows)) if len(order) else []


def _cheapest_cuts(lengths: npt.NDArray[np.int64], batch_tokens: int, batch_rows: int) -> list[int]:
    """Give where all batches but the first begin.

    The cheapest way to a cut goes on from the cheapest way to one before it, so one pass finds it: dynamic
    programming.

    :param lengths: at least one, falling.
    """
    stride = max(2, min(_STRIDE, batch_rows // 8, batch_tokens // (8 * max(1, int(lengths[0])))))
    cuts = np.append(np.arange(0, max(len(lengths) - 1, 1), stride), len(lengths))
    starts, stops = cuts[:-1], cuts[1:]
    longest = np.maximum(lengths[starts], 1)
    reach = starts + np.minimum(batch_rows, batch_tokens // longest)
    firsts = np.minimum(np.searchsorted(reach, stops), np.arange(len(stops)))
    # A batch costs `longest * (stop - start + _STEP_COST_ROWS)`. This is, for each start, what of that does
    # not depend on the stop; what the batches before it cost is added when that is known.
    costs = np.append(longest * (_STEP_COST_ROWS - starts), 0)
    begins = [0]  # of each cut, the one at which the batch before it begins
    for end, (first, stop) in enumerate(zip(firsts.tolist(), stops.tolist(), strict=True), start=1):
        totals = longest[first:end] * stop
        totals += costs[first:end]
        best = int(totals.argmin())
        begins.append(first + best)
        costs[end] += totals[best]
    chosen = []
    end = begins[-1]
    while end:
        chosen.append(int(cuts[end]))
        end = begins[end]
    return chosen[::-1]


def pad(sequences: Sequence[Sequence[int] | npt.NDArray[np.int32]]) -> tuple[Ids, Lengths]:
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
    places = starts[:, None] + steps
    if lengths.max() > max_tokens:  # few batches have such texts
        places += (lengths - kept)[:, None] * (steps >= head_tokens(max_tokens))
    padded = ids.take(places, mode="clip").astype(np.int64)
    padded[steps >= kept[:, None]] = PAD_ID
    return padded, kept.astype(np.int32)
