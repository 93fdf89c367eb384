import pytest

from sentcli import cores
from sentcli.cores import processes_for, shares, usable_cores


@pytest.mark.parametrize(
    ("quota", "usable"),
    [
        (None, 8),
        ("max 100000\n", 8),
        ("150000 100000\n", 2),
        ("50000 100000\n", 1),
        ("900000 100000\n", 8),
        ("", 8),
        ("what is this", 8),
        ("1 0\n", 8),
    ],
)
def test_usable_cores_are_those_of_affinity_and_quota(monkeypatch, tmp_path, quota, usable):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(cores, "_CPU_QUOTA", tmp_path / "cpu.max")
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores() == usable


def test_up_to_eight_threads_need_no_other_process():
    found = {threads: processes_for(threads) for threads in (1, 2, 8, 9, 16, 17, 24, 25, 64, 256)}
    assert found == {1: 1, 2: 1, 8: 1, 9: 2, 16: 2, 17: 3, 24: 3, 25: 4, 64: 4, 256: 4}


@pytest.mark.parametrize(
    ("threads", "processes", "expected"),
    [(8, 2, [4, 4]), (9, 2, [4, 5]), (17, 3, [5, 6, 6]), (2, 3, [1, 1, 1]), (7, 1, [7])],
)
def test_processes_share_threads(threads, processes, expected):
    assert shares(threads, processes) == expected
