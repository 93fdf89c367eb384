"""Arrow columns, nested to any depth: their types, and their values in Python."""

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sentcli.tables.convert import parse, to_text
from sentcli.tables.options import ResultColumn
from sentcli.tables.table import Table
from sentcli.tables.text_column import Choice, Sample

_MOST_MICROSECONDS = (1 << 63) // 1000 - 1  # the last one before nanoseconds overflow
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 1000, "ns": 1}
_OUT_OF_RANGE = "<value out of range"  # pyarrow's text for such a time
_ARROW_TYPES = {
    str: pa.string(),
    bool: pa.bool_(),
    int: pa.int64(),
    float: pa.float64(),
    date: pa.date32(),
    datetime: pa.timestamp("us"),
    time: pa.time64("us"),
    timedelta: pa.duration("us"),
}
_WRITTEN_OUT: tuple[tuple[Callable[[pa.DataType], bool], type], ...] = (
    (pa.types.is_date, date),
    (pa.types.is_timestamp, datetime),
    (pa.types.is_time, time),
    (pa.types.is_duration, timedelta),
    (pa.types.is_decimal, Decimal),
)
_KNOWN_EXTENSIONS = ("arrow.uuid", "arrow.bool8")  # for other extension types, the stored values are used


def arrow_type(kind: Any) -> pa.DataType:
    """Return the Arrow type of a type that `tables.types` found."""
    if isinstance(kind, list):
        return pa.list_(arrow_type(kind[0]))
    if isinstance(kind, dict):
        return pa.struct([(name, arrow_type(field)) for name, field in kind.items()])
    return _ARROW_TYPES[kind]


def python_type(kind: pa.DataType) -> type | None:
    """Return the Python type of the values that `to_values` writes out, if there is one."""
    return next((each for is_kind, each in _WRITTEN_OUT if is_kind(kind)), None)


def is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def paths_of(schema: pa.Schema) -> list[tuple[str, tuple[int, ...], pa.DataType]]:
    """Return the name, the indexes and the type of each column, and after these of each field of a struct.

    The name of a field is its dotted path; a field whose path is the name of a column is left out.
    """
    found: list[tuple[str, tuple[int, ...], pa.DataType]] = [
        (field.name, (place,), field.type) for place, field in enumerate(schema)
    ]
    for name, path, kind in found:  # grows
        for place in range(kind.num_fields if pa.types.is_struct(kind) else 0):
            field = kind.field(place)
            if (inner := f"{name}.{field.name}") not in schema.names:
                found.append((inner, (*path, place), field.type))
    return found


def batch_of(rows: Sequence[Sequence[Any]], table: Table) -> pa.RecordBatch:
    """Return rows as a record batch whose columns are `Table.kept_columns` with their types."""
    columns = [*zip(*rows, strict=True)] or [()] * len(table.kept)
    kinds = [table.types.get(name, str) for name in table.kept_columns]
    arrays = [*map(_array, columns, kinds)]
    return pa.record_batch(arrays, names=[*table.kept_columns])


def _array(values: Sequence[Any], kind: Any) -> pa.Array:
    if kind is str:
        return pa.array([value if value is None else to_text(value) for value in values], pa.string())
    return pa.array(parse(values, kind), arrow_type(kind))


def find_text_columns(
    paths: Sequence[tuple[str, tuple[int, ...], pa.DataType]],
    begin: Iterable[pa.RecordBatch],
    wanted: str | None,
    where: str,
) -> Choice:
    """Choose the columns to score among `paths_of` a schema; see `Sample.choose`."""
    # A column of type null has only missing values; it may be the text column.
    others = {
        name: f"is {kind}, not a string"
        for name, _, kind in paths
        if not (is_text(kind) or pa.types.is_null(kind))
    }
    values = [
        [value for rows in begin if name not in others for value in readable(column_at(rows, path))]
        for name, path, _ in paths
    ]
    choice = Sample([name for name, _, _ in paths], others, wanted, where, values).choose()
    return choice._replace(places=tuple(paths[place][1] for place in choice.places))


def readable(column: pa.Array, *other: Any) -> list[Any]:
    """Return the values of a column, with `other` for each that cannot be read."""
    with suppress(ValueError):
        return to_values(column)
    rows = [column.slice(row, 1) for row in range(len(column))]
    return [*other] if len(rows) == 1 else [value for row in rows for value in readable(row, *other)]


def result_field(column: ResultColumn) -> pa.Field:
    if column.items:
        return pa.field(column.name, pa.list_(pa.struct(column.items)))
    whole = pa.int64() if column.is_integer else pa.string()
    return pa.field(column.name, pa.float64() if column.is_number else whole)


def result_array(column: ResultColumn, values: Sequence[Any]) -> pa.Array:
    """Return the values of a new column as files have them: numbers have six decimals."""
    if column.is_number:
        values = [None if number is None else round(number, 6) for number in values]
    elif column.items:
        names = [name for name, _ in column.items]
        lists = [None if text is None else json.loads(text) for text in values]
        values = [of and [dict(zip(names, item, strict=True)) for item in of] for of in lists]
    return pa.array(values, result_field(column).type)


def column_at(rows: pa.RecordBatch, path: tuple[int, ...]) -> pa.Array:
    """Return a column, or the field of a struct, by its indexes."""
    column = rows.column(path[0])
    for place in path[1:]:
        column = column.flatten()[place]  # unlike `field`, null where the struct is null
    return column


def has_valid_indices(column: pa.Array) -> bool:
    """Return whether all indices are within their dictionary. pyarrow does not check, and may crash."""
    for leaf in leaves_of(column):
        if pa.types.is_dictionary(leaf.type):
            found = pc.min_max(leaf.indices)
            low, high = found["min"].as_py(), found["max"].as_py()
            if high is not None and not 0 <= low <= high < len(leaf.dictionary):
                return False
    return True


def compare_times(nanoseconds: pa.RecordBatch, microseconds: pa.RecordBatch) -> tuple[bool, bool]:
    """Compare the same columns of times, nested to any depth, read in two units.

    :returns: whether nanoseconds overflow for a time; whether a time is finer than a microsecond.
    """
    far = fine = False
    for some in zip(nanoseconds.columns, microseconds.columns, strict=True):
        for leaves in zip(*map(leaves_of, some), strict=True):
            short, long = (np.asarray(leaf.cast(pa.int64()).fill_null(0)) for leaf in leaves)
            far |= bool((np.abs(long) > _MOST_MICROSECONDS).any())
            fine |= bool((short != long * 1000).any())  # overflows as nanoseconds do
    return far, fine


def leaves_of(column: pa.Array) -> list[pa.Array]:
    """Return the innermost columns of a nested column, or the column itself."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return leaves_of(column.storage)
    if pa.types.is_struct(kind):
        return [leaf for part in column.flatten() for leaf in leaves_of(part)]
    return leaves_of(column.values) if pa.types.is_nested(kind) else [column]


def own_bytes(column: pa.Array) -> int:
    """Return the size of a column in memory, without its dictionary, which batches share."""
    return int(column.indices.nbytes if pa.types.is_dictionary(column.type) else column.nbytes)


def to_values(column: pa.Array) -> list[Any]:
    """Return the values of a column as Python objects, nested to any depth; times and decimals as strings.

    Python's times have no nanoseconds (pyarrow needs pandas for them) and no year 10000. An fp32 number
    becomes the number with its shortest digits, as other programs write it.

    :raises ValueError: for a string that is not UTF-8, a time out of range, or a struct with a repeated name.
    """
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType) and kind.extension_name not in _KNOWN_EXTENSIONS:
        return to_values(column.storage)
    if pa.types.is_dictionary(kind):
        # All rows share the dictionary: a bad value costs only the rows that refer to it.
        used = pc.unique(column.indices)
        values = dict(zip(used.to_pylist(), to_values(column.dictionary.take(used)), strict=True))
        return [values[index] for index in column.indices.to_pylist()]
    if pa.types.is_struct(kind):
        return _structs(column)
    if pa.types.is_map(kind):
        return _maps(column)
    if pa.types.is_nested(kind):
        return _lists(column)
    if pa.types.is_duration(kind):
        return _durations(column)
    if pa.types.is_temporal(kind):
        column = _to_iso(column)
    elif pa.types.is_decimal(kind):
        column = column.cast(pa.string())
    elif pa.types.is_float32(kind):
        digits = column.cast(pa.string())  # the shortest digits that identify the number: 19.99
        return [None if number is None else float(number) for number in digits.to_pylist()]
    return column.to_pylist()  # type: ignore[no-any-return]


def _durations(column: pa.Array) -> list[str | None]:
    """Return durations as ISO 8601 has them, in seconds: PT93603.5S."""
    unit = _NANOSECONDS[column.type.unit]
    counts = column.cast(pa.int64()).to_pylist()
    return [None if count is None else _iso_8601(count * unit) for count in counts]


def _iso_8601(nanoseconds: int) -> str:
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    exact = f"{seconds}.{fraction:09}".rstrip("0").rstrip(".")
    return f"{'-' * (nanoseconds < 0)}PT{exact}S"


def _to_iso(column: pa.Array) -> pa.Array:
    """Convert times to strings; times with a zone in UTC, with a Z."""
    kind = column.type
    has_zone = pa.types.is_timestamp(kind) and kind.tz
    texts = (column.cast(pa.timestamp(kind.unit)) if has_zone else column).cast(pa.string())
    if pc.any(pc.starts_with(texts, _OUT_OF_RANGE)).as_py():
        raise ValueError("a time is out of range")
    return pc.binary_join_element_wise(texts, "Z", "") if has_zone else texts


def _structs(column: pa.Array) -> list[dict[str, Any] | None]:
    names = [field.name for field in column.type]
    valid = column.is_valid().to_pylist()
    if len(set(names)) < len(names) and any(valid):
        raise ValueError("a struct has two fields of the same name")
    rows = zip(valid, *map(to_values, column.flatten()), strict=True)
    return [dict(zip(names, values, strict=True)) if is_valid else None for is_valid, *values in rows]


def _lists(column: pa.Array) -> list[list[Any] | None]:
    items = iter(to_values(column.flatten()))
    lengths = pc.list_value_length(column).to_pylist()
    return [None if length is None else list(islice(items, length)) for length in lengths]


def _maps(column: pa.Array) -> list[list[tuple[Any, Any]] | None]:
    """Return maps as lists of pairs.

    Do not cast to lists: if a map has columns of nulls, pyarrow makes some too short, and aborts.
    """
    offsets = column.offsets.to_pylist()
    first, last = offsets[0], offsets[-1]
    keys, items = (to_values(part.slice(first, last - first)) for part in (column.keys, column.items))
    pairs = [*zip(keys, items, strict=True)]
    places = ((start - first, stop - first) for start, stop in pairwise(offsets))
    valid = column.is_valid().to_pylist()
    return [
        pairs[start:stop] if is_valid else None for is_valid, (start, stop) in zip(valid, places, strict=True)
    ]
