import os

import pytest

from sentcli.scoring import pool
from sentcli.scoring.pool import usable_cores


@pytest.fixture(autouse=True)
def eight_cores(monkeypatch, tmp_path):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(pool, "_GROUPS", tmp_path)
    monkeypatch.setattr(pool, "_OWN_GROUP", tmp_path / "own")


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
    ],
)
def test_usable_cores_are_those_of_affinity_and_quota(tmp_path, quota, usable):
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    assert usable_cores() == usable


def test_a_quota_of_a_group_counts_for_those_in_it(tmp_path):
    (tmp_path / "own").write_text("0::/user.slice/job.scope\n")
    inner = tmp_path / "user.slice" / "job.scope"
    inner.mkdir(parents=True)
    (inner / "cpu.max").write_text("max 100000\n")
    assert usable_cores() == 8
    (inner.parent / "cpu.max").write_text("300000 100000\n")
    assert usable_cores() == 3
    (inner / "cpu.max").write_text("200000 100000\n")
    assert usable_cores() == 2


@pytest.mark.parametrize(("counted", "usable"), [(6, 6), (None, 1)])
def test_without_affinity_as_on_macos_all_cores_count(monkeypatch, counted, usable):
    monkeypatch.delattr("os.sched_getaffinity")
    monkeypatch.setattr("os.cpu_count", lambda: counted)
    assert usable_cores() == usable


def test_a_group_may_have_a_name_that_is_no_utf8(tmp_path):
    (tmp_path / "own").write_bytes(b"0::/job-\xff\n")
    group = tmp_path / os.fsdecode(b"job-\xff")
    group.mkdir()
    (group / "cpu.max").write_text("300000 100000\n")
    assert usable_cores() == 3
