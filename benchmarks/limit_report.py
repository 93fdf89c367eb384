"""From what `limit.py` measured to its tables: limits, where the time goes, what more cores would give."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from sentcli.scoring.cores import processes_for

Found = dict[str, Any]  # what `limit.json` says of one model

PARTS = ("recurrent product", "gate functions", "gate arithmetic and pooling", "table look-ups")
_SHARES = {"hidden 32": 0.70, "hidden 64": 0.85}  # of the bare graph, promised of the whole pipeline
_CORES = (1, 2, 4, 8, 16, 32, 64)
_ASSUMED = (
    "Assumed: no core ever waits; all cores are as fast as this one, however many are busy; memory keeps up; "
    "the lock changes hands for nothing; the work under the lock does not grow with the threads; scoring for "
    "another process takes no longer than for oneself."
)


def arithmetic(found: Found) -> dict[str, float]:
    """Count the floating-point operations a token, both directions; a product and its sum are two."""
    hidden, embedding, gates = found["hidden"], found["embedding"], count_gates(found)
    return {
        "recurrent product": 2 * 2 * hidden * gates * hidden,
        "input product, which folding leaves out": 2 * 2 * embedding * gates * hidden,
        "sigmoids and tanhs": 2 * (gates + 1) * hidden,
        # Its look-up added to each gate; three for the state, one for an output gate, two for pooling.
        "adding, gates, pooling": 2 * (gates + (5 if found["gates"] == "forget" else 6)) * hidden,
    }


def count_gates(found: Found) -> int:
    """Give how many of a step's gates are computed, the new values of the state among them."""
    return {"separate": 4, "coupled": 3, "forget": 2}[found["gates"]]


def clock(found: Found, name: str) -> float:
    return statistics.median(seconds for seconds, _ in found["seconds"][name])


def cpu(found: Found, name: str) -> float:
    return statistics.median(seconds for _, seconds in found["seconds"][name])


def ratio(found: Found, slow: str, fast: str, *, one_core: bool = False) -> list[float]:
    """Give how many times as fast `fast` is: median, lowest, highest of the rounds.

    :param one_core: by the processor's seconds, not by the clock.
    """
    pairs = zip(found["seconds"][slow], found["seconds"][fast], strict=True)
    rounds = [one[one_core] / other[one_core] for one, other in pairs]
    return [statistics.median(rounds), min(rounds), max(rounds)]


def padding(found: Found) -> float:
    """Give the share of the computed steps that are no tokens."""
    return float(1 - found["tokens"] / found["steps"])


def where_it_goes(found: Found) -> dict[str, float]:
    """Split what a review costs on the whole machine, in microseconds of a core."""
    a_review = 1e6 / found["reviews"]
    model = cpu(found, "bare folded, one core") * a_review
    nodes, shares = found["nodes"], {}
    useful = model * (1 - padding(found))
    # The profiler counts its own work to the nodes: where they come to more than the whole, they share it.
    whole = max(nodes["all"], sum(nodes[part] for part in PARTS))
    for part in PARTS:
        shares[part] = nodes[part] / whole * useful
    shares["between the nodes"] = useful - sum(shares.values())
    shares["padding"] = model - useful
    reading, encoding = cpu(found, "reading") * a_review, cpu(found, "reading and encoding") * a_review
    rest = cpu(found, "all but the model") * a_review
    shares |= {"reading": reading, "encoding, batches": encoding - reading, "writing": rest - encoding}
    spent = cpu(found, "whole pipeline") * a_review
    shares["in each other's way"] = spent - model - rest  # caches, locks, threads that take turns
    shares["gaps, a core idle"] = found["cores"] * clock(found, "whole pipeline") * a_review - spent
    return shares


def predictions(found: Found) -> list[tuple[int, float, str, int, float, str]]:
    """Give for more cores: reviews/s of one process, what bounds them; processes by default, the same."""
    core = cpu(found, "whole pipeline") / found["reviews"]
    lock = statistics.median(found["locked_us"]) / 1e6
    commander = cpu(found, "whole pipeline, two processes") / found["reviews"]
    rows = []
    for cores in _CORES:
        one = {"cores": cores / core, "lock": 1 / lock}
        processes = processes_for(cores)
        more = {"cores": cores / core, "locks": processes / lock, "reading, writing": 1 / commander}
        rows.append((cores, *_least(one), processes, *_least(more if processes > 1 else one)))
    return rows


def _least(rates: dict[str, float]) -> tuple[float, str]:
    bound = min(rates, key=rates.__getitem__)
    return rates[bound], bound


def report(found: Found) -> Iterator[str]:
    """Lay out what was measured of one model."""
    cores = found["cores"]
    each = found["tokens"] / found["reviews"]
    yield f"\n## {found['name']}: {found['reviews']:,} reviews, {each:.0f} tokens each\n"
    yield "| a token | FLOP |\n|---|---:|"
    yield from (f"| {name} | {count:,.0f} |" for name, count in arithmetic(found).items())
    bounds = found["limits"]
    rate = bounds["product FLOP/s"] / 1e9
    yield f"\nProducts of {found['rows_a_batch']:.0f} rows: {rate:.1f} GFLOP/s a core.\n"
    yield "| one core | tokens/s | reached of it |\n|---|---:|---:|"
    for name in ("products alone, not folded", "products alone", "products and gate functions", "reached"):
        yield f"| {name} | {bounds[name]:,.0f} | {bounds['reached'] / bounds[name]:.0%} |"
    int8, coupled, forget = (
        ratio(found, f"bare folded{slow}, one core", f"bare folded, {fast}, one core", one_core=True)
        for slow, fast in (
            ("", "int8"),
            (", separate gates", "coupled gates"),
            (", coupled gates", "forget gates"),
        )
    )
    yield "\nFolded, the recurrent product in int8: {:.2f} times fp32 ({:.2f} to {:.2f}).".format(*int8)
    yield "Folded, coupled gates: {:.2f} times separate ones ({:.2f} to {:.2f}).".format(*coupled)
    yield "Folded, the forget gate alone: {:.2f} times coupled ones ({:.2f} to {:.2f}).".format(*forget)
    total = cores * clock(found, "whole pipeline") / found["reviews"] * 1e6
    yield f"\n| where a review's time goes, {cores} cores | us of a core | share |\n|---|---:|---:|"
    for name, us in where_it_goes(found).items():
        yield f"| {name} | {us:.1f} | {us / total:.1%} |"
    yield f"| together | {total:.1f} | |"
    yield f"\nUnder the interpreter lock: {statistics.median(found['locked_us']):.1f} us a review."
    handed = cpu(found, "whole pipeline, two processes") / found["reviews"] * 1e6
    yield f"Where others score, the process that reads and writes is busy for {handed:.1f} us a review.\n"
    yield "| cores | reviews/s of one process | bound by | processes by default | reviews/s | bound by |"
    yield "|---:|---:|---|---:|---:|---|"
    for cores, one, lock, processes, more, bound in predictions(found):
        yield f"| {cores} | {one:,.0f} | {lock} | {processes} | {more:,.0f} | {bound} |"
    yield f"\n{_ASSUMED}"


def must_show(found: Found) -> Iterator[str]:
    """Put the ratios that the project promises against what they have to be."""
    name = found["name"]
    whole = ratio(found, "bare folded", "whole pipeline")
    if needed := _SHARES.get(name):
        yield _at_least(needed, f"{name}: whole pipeline / bare folded graph", whole)
    folding = ratio(found, "bare LSTM operators", "bare folded")
    yield _at_least(1.7, f"{name}: folded graph / LSTM operators, all cores", folding)
    workers = ratio(found, "whole pipeline, one worker", "whole pipeline")
    yield _at_least(1.8, f"{name}: {found['cores']} workers / one", workers)
    yield _at_most(3, f"{name}: padding, % of the steps", 100 * padding(found))
    yield _at_most(30, f"{name}: us a review under the lock", statistics.median(found["locked_us"]))


def _at_least(needed: float, name: str, values: Sequence[float]) -> str:
    median, low, high = values
    reached = "" if median >= needed else ": NOT reached"
    return f"{name}: {median:.2f} ({low:.2f} to {high:.2f}), needed {needed:.2f}{reached}"


def _at_most(allowed: float, name: str, value: float) -> str:
    return f"{name}: {value:.1f}, at most {allowed}{'' if value <= allowed else ': NOT reached'}"
