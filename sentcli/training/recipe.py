"""The recipe of a model: a file for `sentcli train --config` that trains the same model again."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sentcli.config import DataSet, settable
from sentcli.model.bundle import default_bundle_path
from sentcli.training.settings import Settings

_BARE_KEY = re.compile(r"[\w-]+", re.ASCII)


def recipe(settings: Settings, license: str | None = None) -> str:  # noqa: A002
    """Return as TOML everything that the model depends on, including defaults and what the data decided.

    Encode it with `surrogateescape`, because a path need not be valid UTF-8.
    """
    source, base = settings.source, settings.base
    first, resolved = source.data[0], settings.to_json()
    columns: dict[str, Any] = {"text_column": first.text_column, "label_column": first.label_column}
    is_plain = source.data == (DataSet(first.path, **columns),)
    start: dict[str, Any] = {"glove": settings.glove}
    if base:
        start = {"finetune": base.path.name if base.path == default_bundle_path() else base.path}
    values = {
        **({"dataset": first.path, **columns} if is_plain else {}),
        "positive": source.positive,
        "delimiter": source.csv.delimiter,
        "encoding": source.csv.encoding,
        "quotechar": source.csv.quotechar,
        "skip_lines": source.csv.skip_lines or None,
        "max_rejects": source.max_rejects,
        "validation": source.validation,
        **start,
        **{field.name: resolved[field.name] for field in settable()},
        "license": license,
    }
    lines = _pairs(values)
    for data in () if is_plain else source.data:
        lines += ["", "[[data]]", *_pairs(asdict(data))]
    return "".join(f"{line}\n" for line in lines)


def _pairs(table: Mapping[str, Any]) -> list[str]:
    """Return a line for each key with a value, spelled as options are."""
    spelled = {name.replace("_", "-"): value for name, value in table.items() if value is not None}
    return [f"{key} = {_toml(value)}" for key, value in spelled.items()]


def _toml(value: Any) -> str:
    """Return a value as TOML: as in JSON, except that TOML escapes DEL and writes tables with `=`."""
    if isinstance(value, Mapping):  # of labels, whose names keep their spelling
        keys = {key: key if _BARE_KEY.fullmatch(key) else _toml(key) for key in value}
        return f"{{ {', '.join(f'{keys[key]} = {_toml(value[key])}' for key in value)} }}"
    plain = value if isinstance(value, bool | int | float) else str(value)
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")
