import numpy as np

from sentcli.evaluation.metrics import wilson_interval
from sentcli.evaluation.slices import lengths_of, scores_by_length


def test_a_slice_of_lengths_includes_both_ends():
    is_right = np.array([True, True, False, True, True, False])
    slices = scores_by_length(is_right, [1, 31, 32, 63, 511, 512])
    assert [(lengths_of(part), part["examples"]) for part in slices] == [
        ("1-31", 2),
        ("32-63", 2),
        ("64-127", 0),
        ("128-255", 0),
        ("256-511", 1),
        ("512+", 1),
    ]
    assert [part["accuracy"] for part in slices] == [1, 0.5, None, None, 1, 0]
    assert slices[1]["accuracy_interval"] == wilson_interval(1, 2)
    assert slices[2]["accuracy_interval"] is None
