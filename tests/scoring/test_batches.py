import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sentcli.scoring.batches import gather, length_buckets, pad
from sentcli.text.tokenizer import truncate


@pytest.mark.parametrize(
    ("lengths", "limits", "batches"),
    [
        ([], (100,), []),
        ([3, 10, 3, 1, 4, 0], (12,), [[1, 4], [0, 2, 3, 5]]),
        ([2] * 6, (4,), [[0, 1], [2, 3], [4, 5]]),  # equal lengths stay in order
        ([1, 2, 9, 1, 1, 1], (1000, 2), [[2, 1], [0, 3], [4, 5]]),
        ([9, 8, 1], (9,), [[0, 1, 2]]),  # no row alone
        ([7], (1,), [[0]]),
        ([1] * 8, (8,), [[0, 1, 2, 3, 4, 5, 6, 7]]),
    ],
)
def test_batches_by_hand(lengths: list[int], limits: tuple[int, ...], batches: list[list[int]]) -> None:
    assert [batch.tolist() for batch in length_buckets(lengths, *limits)] == batches


@pytest.mark.parametrize(
    ("lengths", "limits", "sizes"),
    [
        ([400] * 64 + [50] * 320, (100_000, 512), [64, 320]),
        ([400] * 10 + [50] * 6, (1_000_000, 16), [10, 6]),
    ],
)
def test_a_batch_ends_where_lengths_fall(
    lengths: list[int], limits: tuple[int, int], sizes: list[int]
) -> None:
    assert [len(batch) for batch in length_buckets(lengths, *limits)] == sizes


@given(
    lengths=st.lists(st.integers(0, 600)), batch_tokens=st.integers(1, 4096), batch_rows=st.integers(1, 50)
)
def test_buckets_are_a_partition_within_budget(
    lengths: list[int], batch_tokens: int, batch_rows: int
) -> None:
    batches = [batch.tolist() for batch in length_buckets(lengths, batch_tokens, batch_rows)]
    rows = [row for batch in batches for row in batch]
    assert sorted(rows) == list(range(len(lengths)))
    assert [lengths[row] for row in rows] == sorted(lengths, reverse=True)
    sizes = [(len(batch), max(1, lengths[batch[0]])) for batch in batches]
    assert all(count >= min(2, len(lengths)) for count, _ in sizes)
    for count, longest in sizes[:-1]:
        assert count == 2 or (count * longest <= batch_tokens and count <= batch_rows)
    for count, longest in sizes[-1:]:
        assert count <= 3 or ((count - 1) * longest <= batch_tokens and count - 1 <= batch_rows)


def test_pad_by_hand() -> None:
    ids, lengths = pad([[5], (7, 8, 9), np.array([0, 2])])
    assert ids.tolist() == [[5, 0, 0], [7, 8, 9], [0, 2, 0]]
    assert lengths.tolist() == [1, 3, 2]
    assert (ids.dtype, lengths.dtype) == (np.int64, np.int32)
    assert ids.flags.c_contiguous


@given(
    sequences=st.lists(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=40), min_size=1),
    max_tokens=st.integers(1, 50),
    gap=st.integers(0, 3),
)
def test_gather_truncates_and_pads_what_lies_in_one_array(
    sequences: list[list[int]], max_tokens: int, gap: int
) -> None:
    flat, starts = [], []
    for sequence in reversed(sequences):  # not in order, and something between them
        starts.insert(0, len(flat))
        flat += [*sequence, *[99] * gap]
    lengths = np.array([len(sequence) for sequence in sequences])
    found = gather(np.array(flat, np.int32), np.array(starts), lengths, max_tokens)
    wanted = pad([truncate(sequence, max_tokens) for sequence in sequences])
    for one, other in zip(found, wanted, strict=True):
        assert one.tolist() == other.tolist()
        assert one.dtype == other.dtype


def test_the_texts_of_a_chunk_need_little_padding_and_few_batches() -> None:
    """Were the fixed cost of a step set higher, more would be padded; lower, batches would be many."""
    lengths = np.clip(np.random.default_rng(0).lognormal(5.2, 0.6, 4096), 1, 512).astype(int)
    batches = length_buckets(lengths, 98_304, 512)
    steps = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert 1 - lengths.sum() / steps <= 0.06
    assert len(batches) <= 25
