"""Arrow columns, nested to any depth: their types, and their values in Python."""

import json
import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice, pairwise
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from sentcli.tables.convert import parse
from sentcli.tables.options import ResultColumn
from sentcli.tables.table import Table
from sentcli.tables.text_column import SAMPLE_ROWS, Choice, Sample

ColumnPath = tuple[str, tuple[int, ...], pa.DataType]  # its name, its indexes and its type
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}  # of a fraction of a second
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
# By the first word of the name of a type, such as timestamp[us].
_WRITTEN_OUT = {"date": date, "timestamp": datetime, "time": time, "duration": timedelta, "decimal": Decimal}
_KNOWN_EXTENSIONS = ("arrow.uuid", "arrow.bool8")  # for other extension types, the stored values are used


def arrow_type(kind: Any) -> pa.DataType:
    """Return the Arrow type of a type that `tables.convert` found."""
    if isinstance(kind, list):
        return pa.list_(arrow_type(kind[0]))
    if isinstance(kind, dict):
        return pa.struct([(name, arrow_type(field)) for name, field in kind.items()])
    return _ARROW_TYPES[kind]


def python_type(kind: pa.DataType) -> type | None:
    """Return the Python type of the values that `to_values` writes out, if there is one."""
    return _WRITTEN_OUT.get(re.split(r"[^a-z]", str(kind))[0])


def paths_of(schema: pa.Schema) -> list[ColumnPath]:
    """Return the name, the indexes and the type of each column, and after these of each field of a struct.

    The name of a field is its dotted path; a field whose path is the name of a column is left out.
    """
    found: list[ColumnPath] = [(field.name, (place,), field.type) for place, field in enumerate(schema)]
    for name, path, kind in found:  # grows
        for place in range(kind.num_fields if pa.types.is_struct(kind) else 0):
            field = kind.field(place)
            if (inner := f"{name}.{field.name}") not in schema.names:
                found.append((inner, (*path, place), field.type))
    return found


def batch_of(rows: Sequence[Sequence[Any]], table: Table) -> pa.RecordBatch:
    """Return rows as a record batch whose columns are `Table.kept_columns` with their types."""
    columns = [*zip(*rows, strict=True)] or [()] * len(table.kept)
    typed = zip(columns, [table.types.get(name, str) for name in table.kept_columns], strict=True)
    arrays = [pa.array(parse(values, kind), arrow_type(kind)) for values, kind in typed]
    return pa.record_batch(arrays, names=[*table.kept_columns])


def find_text_columns(
    schema: pa.Schema, begin: Sequence[pa.RecordBatch], wanted: str | None, where: str
) -> Choice:
    """Choose the columns to score among `paths_of` a schema; see `Sample.choose`."""
    paths = paths_of(schema)
    others = {name: f"is {kind}, not a string" for name, _, kind in paths if not _may_be_text(kind)}

    def first_values(path: tuple[int, ...]) -> list[Any]:
        rows = chain.from_iterable(to_rows(batch.slice(0, SAMPLE_ROWS), [path]) for batch in begin)
        return [row[0] for row in rows if isinstance(row, tuple)]

    values = [[] if name in others else first_values(path) for name, path, _ in paths]
    choice = Sample([name for name, _, _ in paths], others, wanted, where, values).choose()
    return choice._replace(places=tuple(paths[place][1] for place in choice.places))


def _may_be_text(kind: pa.DataType) -> bool:
    """Return whether a column may be the text column, as one whose values are all missing may."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return kind in (pa.string(), pa.large_string(), pa.string_view(), pa.null())


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
    coded = [leaf for leaf in leaves_of(column) if pa.types.is_dictionary(leaf.type)]
    ends = [(pc.min_max(leaf.indices).as_py(), len(leaf.dictionary)) for leaf in coded]
    return all(end["max"] is None or 0 <= end["min"] <= end["max"] < size for end, size in ends)


def has_finer(nanoseconds: pa.RecordBatch, microseconds: pa.RecordBatch) -> bool:
    """Return whether a time is finer than a microsecond, by the same columns read in two units.

    The columns may be nested to any depth. The product overflows as nanoseconds do.
    """
    fine, coarse = (leaves_of(rows.to_struct_array()) for rows in (nanoseconds, microseconds))
    pairs = zip(fine, coarse, strict=True)
    numbers = ((fine.cast(pa.int64()), pc.multiply(coarse.cast(pa.int64()), 1000)) for fine, coarse in pairs)
    return any(pc.any(pc.not_equal(*pair)).as_py() for pair in numbers)


def leaves_of(column: pa.Array) -> list[pa.Array]:
    """Return the innermost columns of a nested column, or the column itself."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return leaves_of(column.storage)
    if pa.types.is_struct(kind):
        return [leaf for part in column.flatten() for leaf in leaves_of(part)]
    return leaves_of(column.values) if pa.types.is_nested(kind) else [column]


def size_of(rows: pa.RecordBatch) -> int:
    """Return the size of rows in memory, without dictionaries, which batches share."""
    columns = (column.indices if pa.types.is_dictionary(column.type) else column for column in rows.columns)
    return sum(column.nbytes for column in columns)


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


def to_rows(rows: pa.RecordBatch, paths: Sequence[tuple[int, ...]]) -> list[tuple[Any, ...] | str]:
    """Return the values of some columns for each row, or why a row has a value that cannot be read."""
    try:
        return [*zip(*(to_values(column_at(rows, path)) for path in paths), strict=True)]
    except ValueError as error:
        if len(rows) == 1:
            return [str(error)]
    return [values for row in range(len(rows)) for values in to_rows(rows.slice(row, 1), paths)]


def _durations(column: pa.Array) -> list[str | None]:
    """Return durations as ISO 8601 has them, in seconds: PT93603.5S."""
    digits = _DIGITS[column.type.unit]
    counts = column.cast(pa.int64()).to_pylist()
    return [None if count is None else _iso_8601(Decimal(count).scaleb(-digits)) for count in counts]


def _iso_8601(seconds: Decimal) -> str:
    return f"{'-' * (seconds < 0)}PT{abs(seconds).normalize():f}S"


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
    pairs = zip(keys, items, strict=True)
    maps = [[*islice(pairs, stop - start)] for start, stop in pairwise(offsets)]
    valid = column.is_valid().to_pylist()
    return [pairs if is_valid else None for is_valid, pairs in zip(valid, maps, strict=True)]
