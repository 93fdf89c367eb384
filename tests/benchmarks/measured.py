"""Invented figures in the shape that `benchmarks/throughput.py` writes."""


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
