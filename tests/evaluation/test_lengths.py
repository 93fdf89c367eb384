import numpy as np

from sentcli.evaluation.lengths import scores_by_length
from sentcli.evaluation.metrics import wilson_interval

LABELS = np.array([0, 1, 1, 0, 1, 0])
PROBABILITIES = np.eye(2)[[0, 1, 0, 0, 1, 1]]  # the third and the last are wrong


def test_each_bin_holds_both_of_its_ends():
    bins = scores_by_length(LABELS, PROBABILITIES, [1, 31, 32, 63, 511, 512])
    assert [(part.name, part.examples) for part in bins] == [
        ("1-31", 2),
        ("32-63", 2),
        ("64-127", 0),
        ("128-255", 0),
        ("256-511", 1),
        ("512+", 1),
    ]
    assert [part.accuracy for part in bins] == [1, 0.5, None, None, 1, 0]
    assert bins[1].accuracy_interval == wilson_interval(1, 2)
    assert bins[2].accuracy_interval is None
