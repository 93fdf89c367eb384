"""Examples: what they say of their texts, and how they become batches."""

import numpy as np
import torch
from labeled_examples import labeled_examples

from sentcli.training.corpus import Examples, collate

CPU = torch.device("cpu")
IDS = [[2, 3, 4], [5], [6, 7], [8, 9, 10, 11]]


def test_the_label_is_the_most_probable_class():
    examples = labeled_examples(IDS, np.array([1, 0, 2, 1]), 3)
    assert examples.labels.tolist() == [1, 0, 2, 1]
    assert examples.lengths.tolist() == [3, 1, 2, 4]
    examples = Examples([np.array([2], np.int32)], np.array([[0.2, 0.5, 0.3]], np.float32))
    assert examples.labels.tolist() == [1]


def test_texts_in_the_middle_have_no_label_whatever_their_weight():
    targets = np.array([[0.25, 0.75], [1.2, 6.8], [5, 5], [0, 0.1]], np.float32)
    examples = Examples(labeled_examples(IDS, np.zeros(4, int), 2).ids, targets)
    assert examples.has_label.tolist() == [False, True, False, True]
    assert examples.take(examples.has_label.nonzero()[0]).labels.tolist() == [1, 1]


def test_collate_pads_its_rows_and_may_change_them():
    examples = labeled_examples(IDS, np.array([1, 0, 1, 0]), 2)
    ids, lengths, targets = collate(examples, np.array([2, 0]), CPU)
    assert ids.tolist() == [[6, 7, 0], [2, 3, 4]]
    assert lengths.tolist() == [2, 3]
    assert targets.tolist() == [[0, 1], [0, 1]]
    ids, lengths, _ = collate(examples, np.array([2, 1]), CPU, lambda text: np.repeat(text, 2))
    assert ids.tolist() == [[6, 6, 7, 7], [5, 5, 0, 0]]
    assert lengths.tolist() == [4, 2]
    assert examples.ids[2].tolist() == [6, 7]
