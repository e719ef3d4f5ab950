"""Turn one arrow column into its kind, its vocabulary and its block of values."""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kilter._errors import DataError
from kilter._types import Column, Features
from kilter.data.embed import embed, width

DATE_PARTS: Final = ("days", "month", "weekday", "hour")
NUMERIC: Final = ("number", "date", "embedding")
_BOOLEANS: Final = ("false", "true")
_MICROSECONDS_A_DAY: Final = 86_400_000_000
MISSING: Final = -1
UNSEEN: Final = -2


def kind_of(type_: pa.DataType) -> str | None:
    """Return the kind of a column of this arrow type, or None where kilter has none."""
    is_ = pa.types
    if is_.is_dictionary(type_):
        return None if kind_of(type_.value_type) is None else "category"
    if is_.is_string(type_) or is_.is_large_string(type_) or is_.is_string_view(type_):
        return "category"
    if is_.is_integer(type_) or is_.is_floating(type_) or is_.is_decimal(type_):
        return "number"
    if is_.is_date(type_) or is_.is_timestamp(type_) or is_.is_time(type_):
        return "date"
    if is_.is_null(type_):
        return "number"
    return "boolean" if is_.is_boolean(type_) else None


def require_kind(name: str, type_: pa.DataType) -> str:
    """Return the kind, or raise with the name of the column."""
    kind = kind_of(type_)
    if kind is None:
        raise DataError(
            f"`{name}` must hold numbers, text, booleans or dates; it holds `{type_}`. Turn it "
            f"into plain columns, or drop it with `drop=` (`--drop {name}`)."
        )
    return kind


def describe(name: str, values: pa.ChunkedArray) -> Column:
    """Return name, kind and vocabulary of a column."""
    kind = require_kind(name, values.type)
    if kind == "category":
        found = pc.unique(as_text(values)).drop_null().to_pylist()
        return Column(name, kind, tuple(sorted(found)))
    return Column(name, kind, _BOOLEANS if kind == "boolean" else ())


def describe_texts(name: str, values: pa.ChunkedArray, folder: str) -> Column:
    """Return a column of texts that the model in a folder turns into numbers."""
    require_texts(name, values.type)
    return Column(name, "embedding", (folder,), (width(folder),))


def require_texts(name: str, type_: pa.DataType) -> None:
    """Raise unless a column of this type holds texts."""
    if kind_of(type_) != "category":
        raise DataError(
            f"`{name}` must hold texts; it holds `{type_}`. Name the column with the texts, or "
            "leave `text` out: other columns are read as a table."
        )


def block(column: Column, values: pa.ChunkedArray) -> np.ndarray:
    """Return the values of a column as a block of shape (rows, 1), wider where it becomes several.

    A date becomes 4 numbers, an embedded text as many as its model gives.
    """
    if column.kind == "number":
        return _finite(column.name, as_numbers(values))[:, None]
    if column.kind == "date":
        return date_parts(values)
    if column.kind == "embedding":
        return embed(as_text(values).fill_null("").to_pylist(), column.vocabulary[0])
    if column.kind == "boolean":
        return _boolean_codes(values)[:, None]
    return _codes(as_text(values), column.vocabulary)[:, None]


def as_text(values: pa.ChunkedArray) -> pa.Array:
    """Return the values as large strings, categories decoded and whole floats without ``.0``."""
    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if pa.types.is_floating(values.type) and _all_whole(values):
        values = values.cast(pa.int64(), safe=False)
    return _one_array(values.cast(pa.large_string()))


def _all_whole(values: pa.ChunkedArray) -> bool:
    return bool(pc.all(pc.equal(values, pc.round(values))).as_py())


def as_numbers(values: pa.ChunkedArray) -> np.ndarray:
    """Return the values as float64, NaN where missing."""
    return _one_array(values.cast(pa.float64(), safe=False)).to_numpy(zero_copy_only=False)


def _one_array(values: pa.ChunkedArray) -> pa.Array:
    return pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)


def _finite(name: str, numbers: np.ndarray) -> np.ndarray:
    infinite = np.flatnonzero(np.isinf(numbers))
    if len(infinite):
        raise DataError(
            f"`{name}` must be finite or missing; {len(infinite):,} of its values are infinite, "
            f"the first in row {infinite[0] + 1:,} (counted from 1). Replace them before."
        )
    return numbers


def _boolean_codes(values: pa.ChunkedArray) -> np.ndarray:
    codes = _one_array(values.cast(pa.int32())).fill_null(MISSING)
    return codes.to_numpy(zero_copy_only=False)


def _codes(words: pa.Array, vocabulary: tuple[str, ...]) -> np.ndarray:
    found = pc.index_in(words, value_set=pa.array(vocabulary, pa.large_string()))
    codes = found.fill_null(UNSEEN).to_numpy(zero_copy_only=False).astype(np.int32)
    codes[words.is_null().to_numpy(zero_copy_only=False)] = MISSING
    return codes


def date_parts(values: pa.ChunkedArray) -> np.ndarray:
    """Return days since 1970, month (1-12), weekday (Monday is 0) and hour, shape (rows, 4)."""
    ticks, missing = _microseconds(values)
    whole = ticks // _MICROSECONDS_A_DAY
    month = whole.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12 + 1
    parts = np.column_stack(
        [
            ticks / _MICROSECONDS_A_DAY,
            month,
            (whole + 3) % 7,  # 1970 began on a Thursday
            ticks % _MICROSECONDS_A_DAY // (_MICROSECONDS_A_DAY // 24),
        ]
    ).astype(np.float64)
    parts[missing] = np.nan
    return parts


def _microseconds(values: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return microseconds since 1970 in UTC, a bare time being one of its first day."""
    unit = pa.time64("us") if pa.types.is_time(values.type) else pa.timestamp("us")
    array = _one_array(values.cast(unit, safe=False).cast(pa.int64()))
    missing = array.is_null().to_numpy(zero_copy_only=False)
    return array.fill_null(0).to_numpy(zero_copy_only=False), missing


def reads_as_numbers(vocabulary: tuple[str, ...]) -> bool:
    """Whether some category, a zip code say, is one that a CSV reader takes for a number."""
    return any(re.fullmatch(r"-?\d+", word) for word in vocabulary)


def all_numbers(words: pa.Array) -> bool:
    """Whether there are words, and each is a number."""
    known = words.drop_null()
    try:
        known.cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return len(known) > 0


def any_number(vocabulary: tuple[str, ...]) -> bool:
    """Whether some category is a number in words."""
    return any(all_numbers(pa.array([word])) for word in vocabulary)


def stack(columns: tuple[Column, ...], blocks: dict[str, np.ndarray], rows: int) -> Features:
    """Put the blocks of these columns side by side."""
    numbers = [blocks[column.name] for column in columns if column.kind in NUMERIC]
    codes = [blocks[column.name] for column in columns if column.kind not in NUMERIC]
    return Features(
        np.column_stack([np.empty((rows, 0)), *numbers]),
        np.column_stack([np.empty((rows, 0), np.int32), *codes]),
    )
