"""Figures as `benchmarks/throughput.py` and `benchmarks/limit.py` write them, invented."""


def record(key, pipeline, accuracy, **more):
    values = {
        "key": key,
        "title": key.capitalize(),
        "short": key,
        "how": "all cores",
        "is_peer": key != "sentcli",
        "published": None,
        "rows": 1000,
        "pipeline": pipeline,
        "model": [speed * 2 for speed in pipeline],
        "memory_mib": 1234,
        "accuracy": accuracy,
        "accuracy_rows": 1000,
    }
    return values | more


def result(*records, **more):
    machine = {"processor": "Zen", "cores": 2, "vector_instructions": ["avx2"], "gpu": None}
    machine["versions"] = {"sentcli": "1.0"}
    return {
        "machine": machine,
        "dataset": {"name": "imdb", "split": "test", "rows": 1000},
        "settings": {"repeats": 2, "times": 3, "seconds": 10},
        "systems": list(records),
        "left_out": [],
    } | more


def size(**more):
    """Ten reviews of 100 tokens, ten milliseconds a review on two cores."""
    seconds = {
        "bare folded": (0.04, 0.08),
        "bare folded, one core": (0.08, 0.08),
        "bare folded, int8, one core": (0.064, 0.064),
        "bare folded, separate gates, one core": (0.08, 0.08),
        "bare folded, coupled gates, one core": (0.05, 0.05),
        "bare folded, forget gates, one core": (0.04, 0.04),
        "bare LSTM operators": (0.08, 0.16),
        "whole pipeline": (0.05, 0.095),
        "whole pipeline, two processes": (0.05, 0.004),
        "whole pipeline, one worker": (0.1, 0.1),
        "reading": (0.002, 0.002),
        "reading and encoding": (0.008, 0.008),
        "all but the model": (0.01, 0.01),
    }
    nodes = {"recurrent product": 4, "gate functions": 2, "gate arithmetic and pooling": 1}
    return {
        "name": "hidden 32",
        "hidden": 32,
        "gates": "separate",
        "embedding": 100,
        "cores": 2,
        "reviews": 10,
        "tokens": 1000,
        "steps": 1250,
        "rows_a_batch": 10,
        "seconds": {name: [pair] * 3 for name, pair in seconds.items()},
        "locked_us": [900.0, 1000.0, 1100.0],
        "nodes": nodes | {"table look-ups": 1, "all": 10},
        "limits": {
            "product FLOP/s": 5e10,
            "products alone": 2e6,
            "products alone, not folded": 1e6,
            "products and gate functions": 1.5e6,
            "reached": 1e6,
        },
    } | more
