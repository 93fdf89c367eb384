import io
import signal
import sys

import numpy as np
import pytest

from sentcli.errors import StopRequested
from sentcli.files import stop
from sentcli.scoring import scorer as scoring
from sentcli.scoring.scorer import Scorer, predict, progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "quiet", "drawn"),
    [(Terminal, False, True), (Terminal, True, False), (io.StringIO, False, False)],
)
def test_a_bar_is_drawn_on_a_terminal_unless_it_is_to_be_quiet(monkeypatch, stream, quiet, drawn):
    monkeypatch.setattr(sys, "stderr", stream())
    assert list(progress_bar([1, 2], quiet=quiet, desc="counting")) == [1, 2]
    assert ("counting" in sys.stderr.getvalue()) == drawn


def test_nothing_is_drawn_where_stderr_was_closed(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert list(progress_bar([1, 2], quiet=False)) == [1, 2]


def test_predictions_are_the_probabilities_of_the_scorer(trained, texts, monkeypatch):
    monkeypatch.setattr(scoring, "_PREDICTED", 50)
    with Scorer(trained, workers=1) as scorer:
        expected = scorer.probabilities(texts)
    assert np.array_equal(predict(trained, texts, quiet=True, workers=2), expected, equal_nan=True)


def test_a_stop_request_ends_a_prediction(trained):
    stop.install()
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(StopRequested):
        predict(trained, ["warm"], quiet=True, workers=1)
