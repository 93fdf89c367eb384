"""Data sets in files, written as people and the hub write them."""

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = [("A warm and clever film.", "good"), ("Two hours I want back.", "bad"), ("", "good")]


def write(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return str(path)


def write_hub_layout(folder: Path, names: tuple[str, ...] = ("neg", "pos")) -> str:
    splits = {"train": ([1, 0, 1], "fine"), "test": ([0, 1], "dull"), "unsupervised": ([-1, -1], "who knows")}
    for split, (labels, text) in splits.items():
        table = pa.table({"text": [f"{text} {n}" for n in range(len(labels))], "label": labels})
        (folder / "data").mkdir(parents=True, exist_ok=True)
        pq.write_table(table, folder / "data" / f"{split}-00000-of-00001.parquet")
    files = "".join(f"  - split: {split}\n    path: data/{split}-*\n" for split in splits)
    classes = "".join(f"          '{index}': {name}\n" for index, name in enumerate(names))
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: plain\n  data_files:\n{files}  default: true\n"
        "dataset_info:\n  config_name: plain\n  features:\n  - name: text\n    dtype: string\n"
        f"  - name: label\n    dtype:\n      class_label:\n        names:\n{classes}---\n"
    )
    return str(folder)


def csv_of(rows: list[tuple[str, str]], separator: str = ",") -> str:
    return "".join(f'"{text}"{separator}{label}\n' for text, label in [("text", "label"), *rows])


def parquet_of(rows: list[tuple[str, str]]) -> bytes:
    texts, labels = zip(*rows, strict=True)
    pq.write_table(pa.table({"text": texts, "label": labels}), file := io.BytesIO())
    return file.getvalue()


def jsonl_of(rows: list[tuple[str, str]]) -> str:
    return "".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows)
