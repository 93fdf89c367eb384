import re
from pathlib import Path

import backends

from sentcli.config import BACKENDS


def test_each_runtime_is_timed_in_turn_and_compared_with_the_first(tmp_path: Path, monkeypatch) -> None:
    """Without models: a start takes 1 s, a row 1 ms; TorchScript errs in one label of two."""
    runs: list[tuple[str, str]] = []

    def score(model: Path, backend: str, source: Path, target: Path) -> float:
        runs.append((backend, source.name))
        rows = 1 if source.name == "one.csv" else 2
        scores = ("0.9", "0.4" if backend == "torchscript" else "0.6")[:rows]
        target.write_text("\n".join(["id,sentiment_score", *(f"{row},{s}" for row, s in enumerate(scores))]))
        return 1 + 0.001 * (0 if rows == 1 else rows)

    monkeypatch.setattr(backends, "score", score)
    monkeypatch.setattr(backends, "export", lambda model, folder, form, graph: folder / form)
    figures = backends.measure(Path("model"), Path("one.csv"), Path("reviews.csv"), tmp_path, rounds=2)
    assert {backend for backend, _ in runs} == {*BACKENDS}
    assert len(runs) == 2 * 2 * len(backends.RUNTIMES)
    assert runs[0][0] == runs[-1][0]  # each round has another first one
    _, first, *_, last = backends.table(figures).splitlines()
    assert re.fullmatch(r"onnxruntime, folded graph +1,000 +1,000 +1.00 +100.00% +0.0e\+00", first)
    assert re.fullmatch(r"TorchScript +1,000 +1,000 +1.00 +50.00% +2.0e-01", last)
