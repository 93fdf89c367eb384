"""Examples: what they say of their texts, and how they become batches."""

import numpy as np
import torch
from labeled_examples import labeled_examples

from sentcli.training.examples import Examples, collate, evaluation_batches

CPU = torch.device("cpu")
IDS = [[2, 3, 4], [5], [6, 7], [8, 9, 10, 11]]


def test_labels_are_certain_targets():
    examples = labeled_examples(IDS, np.array([1, 0, 2, 1]), 3)
    assert examples.targets.dtype == np.float32
    assert examples.targets.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert examples.labels.tolist() == [1, 0, 2, 1]
    assert examples.lengths.tolist() == [3, 1, 2, 4]


def test_the_label_of_a_probability_is_the_most_probable_class():
    examples = Examples([np.array([2], np.int32)], np.array([[0.2, 0.5, 0.3]], np.float32))
    assert examples.labels.tolist() == [1]


def test_two_sets_become_one_in_order():
    left = labeled_examples(IDS[:1], np.array([1]), 2)
    right = labeled_examples(IDS[1:], np.array([0, 1, 0]), 2)
    both = left + right
    assert [ids.tolist() for ids in both.ids] == IDS
    assert both.labels.tolist() == [1, 0, 1, 0]
    assert len(left + Examples([], np.empty((0, 2), np.float32))) == 1


def test_a_set_may_be_learnt_several_times():
    examples = labeled_examples(IDS[:2], np.array([1, 0]), 2)
    thrice = 3 * examples
    assert [ids.tolist() for ids in thrice.ids] == IDS[:2] * 3
    assert thrice.targets.tolist() == examples.targets.tolist() * 3
    assert len(3 * Examples([], np.empty((0, 2), np.float32))) == 0


def test_collate_pads_and_keeps_the_targets_of_its_rows():
    examples = labeled_examples(IDS, np.array([1, 0, 1, 0]), 2)
    ids, lengths, targets = collate(examples, np.array([2, 0]), CPU)
    assert ids.tolist() == [[6, 7, 0], [2, 3, 4]]
    assert lengths.tolist() == [2, 3]
    assert targets.tolist() == [[0, 1], [0, 1]]


def test_collate_may_change_texts():
    examples = labeled_examples(IDS, np.array([1, 0, 1, 0]), 2)
    ids, lengths, _ = collate(examples, np.array([2, 1]), CPU, lambda text: np.repeat(text, 2))
    assert ids.tolist() == [[6, 6, 7, 7], [5, 5, 0, 0]]
    assert lengths.tolist() == [4, 2]
    assert examples.ids[2].tolist() == [6, 7]


def test_evaluation_takes_every_row_once():
    examples = labeled_examples([[2] * length for length in range(1, 300)], np.zeros(299, np.int64), 2)
    seen = []
    for rows, (ids, lengths, _) in evaluation_batches(examples, CPU):
        assert ids.numel() <= 32_768
        assert lengths.tolist() == examples.lengths[rows].tolist()
        seen += rows.tolist()
    assert sorted(seen) == list(range(299))
