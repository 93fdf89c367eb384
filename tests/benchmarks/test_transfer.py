"""Models are compared on the probes."""

import sys

import pytest

pytest.importorskip("sklearn")

import transfer


@pytest.mark.parametrize("count", [1, 2])
def test_each_model_has_a_row_and_several_have_one_together(trained, monkeypatch, capsys, count):
    monkeypatch.setattr(sys, "argv", ["transfer.py", *[str(trained.path)] * count])
    transfer.main()
    _, names, *rows = capsys.readouterr().out.splitlines()
    assert names.split() == sorted(path.stem for path in transfer.PROBES.glob("*.csv"))
    figures = [row.split()[1:] for row in rows]
    assert [row.split()[0] for row in rows] == [str(trained.path)] * count + ["together"] * (count > 1)
    assert all(len(row) == 3 * len(names.split()) for row in figures)
    # The mean of equal logits is the same logits.
    assert all(row == figures[0] for row in figures)
