"""Intervals and tests of counts: published examples, plain recounts, and their size where nothing differs."""

import numpy as np
import pytest

from sentcli.scoring.evidence import interval_of, limit_of, p_of_falls, p_of_groups, tier_of, verdict_of


def test_the_interval_of_a_difference_is_newcombes():
    assert interval_of((48, 80), (56, 70)) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert interval_of((0, 0), (3, 3))[0] < 0 < interval_of((0, 0), (3, 3))[1]


@pytest.mark.parametrize(("count", "rows", "share"), [(2, 60, 0.6), (12, 3600, 0.75), (60, 240, 0.9)])
def test_groups_that_do_not_differ_seldom_seem_to(count, rows, share):
    draw = np.random.default_rng(1)
    sizes = (draw.multinomial(rows, [1 / count] * count) for _ in range(1000))
    ps = np.array([p_of_groups([*zip(draw.binomial(size, share), size, strict=True)]) for size in sizes])
    assert (ps <= 0.05).mean() == pytest.approx(0.05, abs=0.025)
    assert (ps <= 0.003).mean() <= 0.01


def test_groups_that_differ_do():
    assert p_of_groups([(90, 100), (60, 100), (75, 100)]) < 1e-4
    assert p_of_groups([(3, 3)]) == p_of_groups([]) == p_of_groups([(3, 3), (9, 9)]) == 1.0


def test_groups_that_do_not_differ_share_what_they_know():
    before, since = [(75, 100)] * 20, [(75, 100)] * 19 + [(60, 100)]
    *_, together = p_of_falls(before, since)
    (alone,) = p_of_falls(before[:1], since[-1:])
    assert together < 0.001 < 0.01 < alone
    assert p_of_falls([(0, 0)], [(0, 0)]) == [0.5]


@pytest.mark.parametrize("sizes", [(100, 20), (2880, 720), (7, 9)])
def test_a_group_that_does_not_change_seldom_seems_to(sizes):
    draw = np.random.default_rng(1)
    counts = [[(int(draw.binomial(size, 0.75)), size) for size in sizes] for _ in range(4000)]
    ps = np.array([p_of_falls([before], [since])[0] for before, since in counts])
    assert (ps <= 0.025).mean() <= 0.035
    assert (ps >= 0.975).mean() <= 0.035


def test_a_distribution_of_many_trials_is_nearly_normal():
    before, since = [(7500, 10_000), (7400, 10_000)], [(75_600, 100_000), (74_000, 100_000)]
    more = [(yes + 1, size + 1) for yes, size in since]
    assert p_of_falls(before, more) == pytest.approx(p_of_falls(before, since), abs=0.002)


def test_of_many_results_few_are_clear():
    assert limit_of([0.04] + [0.5] * 9) == 0.0
    assert tier_of(0.06, limit_of([0.06])) == ""
    assert limit_of([0.001, 0.02, 0.9]) == 0.02
    assert limit_of([]) == 0.0


@pytest.mark.parametrize(
    ("p", "verdict"),
    [
        (0.5, "they do not differ by more than chance (p = 0.50)"),
        (0.02, "they may differ: worth a look (p = 0.020)"),
        (1e-6, "they differ by more than chance (p < 0.001)"),
    ],
)
def test_a_verdict_has_its_p(p, verdict):
    assert verdict_of(p) == verdict
