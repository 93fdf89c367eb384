"""What counts of two kinds of rows show, and what may be chance: intervals of a change, and tests.

A pair of counts is (successes, trials), such as positive rows and rows with a label.
"""

import math
from collections.abc import Sequence

import numpy as np

from sentcli.scoring.labels import Interval, wilson_interval

Counted = tuple[int, int]

_ALONE = 0.05  # the largest p of what holds alone
CHANCE = 0.1  # of what is called clear, the share that is chance
DIFFER = 0.003  # the largest p of groups that differ
_NO_SHARE = 0.5  # without a trial
_MANY = 100_000  # trials, of which a distribution is nearly normal


def share_of(counts: Counted) -> float:
    """Return the share of successes; a half without a trial."""
    return counts[0] / counts[1] if counts[1] else _NO_SHARE


def interval_of(before: Counted, since: Counted) -> Interval:
    """Return the 95 % interval of the difference of two shares, the second minus the first.

    R. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in
    Medicine 17 (1998), method 10.
    """
    (low_0, high_0), (low_1, high_1) = wilson_interval(*before), wilson_interval(*since)
    share_0, share_1 = share_of(before), share_of(since)
    below = math.hypot(share_1 - low_1, high_0 - share_0)
    above = math.hypot(high_1 - share_1, share_0 - low_0)
    return share_1 - share_0 - below, share_1 - share_0 + above


def p_of_groups(groups: Sequence[Counted]) -> float:
    """Return the p of groups that do not differ: chi-square, given the totals.

    Its exact mean and variance make it right for small groups too. J. Dawson, "A simplified expression for
    the variance of the chi-square function on a contingency table", Biometrika 41 (1954). The tail is that of
    E. Wilson and M. Hilferty, "The distribution of chi-square", PNAS 17 (1931).
    """
    successes, trials = np.array([group for group in groups if group[1]], np.float64).reshape(-1, 2).T
    size, total, count = trials.sum(), successes.sum(), len(trials)
    if count < 2 or total in (0, size) or size < 4:
        return 1.0
    share = total / size
    chi = ((successes - trials * share) ** 2 / trials).sum() / (share * (1 - share))
    free = [(parts - 1) * (size - parts) / (size - 1) for parts in (2, count)]
    spread = size / total + size / (size - total), (size / trials).sum()
    skew = [(sums - parts**2) / (size - 2) for sums, parts in zip(spread, (2, count), strict=True)]
    mean = (count - 1) * size / (size - 1)
    variance = 2 * size / (size - 3) * (free[0] - skew[0]) * (free[1] - skew[1])
    variance += size**2 / (size - 1) * skew[0] * skew[1]
    ninth = variance / (9 * mean**2)  # 2 / 9 of the inverse degrees of freedom
    return _upper_tail(((chi / mean) ** (1 / 3) - 1 + ninth) / math.sqrt(ninth)) if variance > 0 else 1.0


def p_of_falls(before: Sequence[Counted], since: Sequence[Counted]) -> list[float]:
    """Return for each group the one-sided p of so few successes, if nothing changed; 1 - p is of a rise.

    The groups share what they have in common: if they did not differ before, each one's former share is known
    from all of them. So p is that of the beta-binomial distribution of the successes, after a beta
    distribution of the groups' shares that is fitted by its moments (empirical Bayes), with the mid-p.
    """
    prior = _prior(before)
    return [_p_of_fall(prior, *pair) for pair in zip(before, since, strict=True)]


def _p_of_fall(prior: tuple[float, float], before: Counted, since: Counted) -> float:
    successes, trials = since
    yes, no = prior[0] + before[0], prior[1] + before[1] - before[0]
    if trials > _MANY:
        share, size = yes / (yes + no), yes + no
        spread = math.sqrt(share * (1 - share) * trials * (size + trials) / (size + 1))
        return _upper_tail((trials * share - successes) / spread)
    at = np.arange(trials)
    steps = np.log(trials - at) + np.log(at + yes) - np.log(at + 1.0) - np.log(trials - at - 1 + no)
    logs = np.concatenate([[0.0], np.cumsum(steps)])
    odds = np.exp(logs - logs.max())
    return float((odds[:successes].sum() + odds[successes] / 2) / odds.sum())


def _prior(groups: Sequence[Counted]) -> tuple[float, float]:
    """Return the parameters of the beta distribution of the shares of groups: Jeffreys' for a single one."""
    successes, trials = np.array([group for group in groups if group[1]], np.float64).reshape(-1, 2).T
    if len(trials) < 2:
        return 0.5, 0.5
    size = trials.sum()
    share = (successes.sum() + 0.5) / (size + 1)
    chi = ((successes - trials * share) ** 2 / trials).sum() / (share * (1 - share))
    # The variance between groups by that in them.
    excess = (chi - (len(trials) - 1)) / (size - (trials**2).sum() / size)
    weight = 1 / min(0.5, max(excess, 1 / (size + 1))) - 1
    return share * weight, (1 - share) * weight


def limit_of(ps: Sequence[float], chance: float = CHANCE) -> float:
    """Return the largest p of a family that is clear: of the clear ones, this share is chance.

    Y. Benjamini and Y. Hochberg, "Controlling the False Discovery Rate", Journal of the Royal Statistical
    Society B 57 (1995).
    """
    passed = [p for rank, p in enumerate(sorted(ps), start=1) if p <= chance * rank / len(ps)]
    return min(_ALONE, max(passed, default=0.0))


def tier_of(p: float, limit: float) -> str:
    """Return `clear`, or `worth a look` of a result that holds only alone, or "" of what may be chance."""
    return "clear" if p <= limit else "worth a look" if p < _ALONE else ""


def verdict_of(p: float) -> str:
    """Return whether groups differ, for a message."""
    shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
    differ = {
        "clear": "they differ by more than chance",
        "worth a look": "they may differ: worth a look",
        "": "they do not differ by more than chance",
    }
    return f"{differ[tier_of(p, DIFFER)]} ({shown})"


def _upper_tail(z: float) -> float:
    return math.erfc(z / math.sqrt(2)) / 2
