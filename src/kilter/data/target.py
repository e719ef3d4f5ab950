"""Read what is not a feature: the labels, the groups and the times."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kilter._errors import DataError
from kilter._types import Label
from kilter.data.columns import as_numbers, as_text, date_parts, kind_of, require_kind

_MOST_CLASSES = 1000
_MOST_FRACTIONS = 50


def read_labels(name: str, values: pa.ChunkedArray) -> tuple[np.ndarray, tuple[Label, ...]]:
    """Return the label of every row as a position in the sorted classes, and the classes."""
    values = _without_missing(name, "target", values)
    found = pc.unique(values)
    _refuse_many(name, found)
    ordered = sorted(found.to_pylist())
    _refuse_one_class(name, ordered)
    positions = pc.index_in(values, value_set=pa.array(ordered, values.type))
    labels = positions.to_numpy().astype(np.int64)
    return labels, tuple(_as_label(value) for value in ordered)


def read_groups(name: str, values: pa.ChunkedArray) -> np.ndarray:
    """Return the group of every row as an int64 code."""
    values = _without_missing(name, "group", values)
    return pc.index_in(values, value_set=pc.unique(values)).to_numpy().astype(np.int64)


def read_times(name: str, values: pa.ChunkedArray) -> np.ndarray:
    """Return the time of every row as float64: the number itself, or days since 1970."""
    values = _without_missing(name, "time", values)
    kind = kind_of(values.type)
    times = as_numbers(values) if kind == "number" else date_parts(_as_dates(name, values))[:, 0]
    if not np.isfinite(times).all():
        raise DataError(f"`{name}` is the time of a row and must be finite; some are infinite.")
    return times


def _as_dates(name: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    kind = kind_of(values.type)
    if kind == "date":
        return values
    try:
        if kind == "category":
            return values.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        pass
    raise DataError(
        f"`{name}` is the time of a row and must hold numbers or dates such as 2024-05-31; it "
        f"holds `{values.type}` of another form. Convert it before."
    )


def _without_missing(name: str, role: str, values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return the values, categories decoded; raise where one is missing."""
    kind = require_kind(name, values.type)
    missing = values.is_null(nan_is_null=True)
    if count := pc.sum(missing).as_py() or 0:
        first = pc.index(missing, True).as_py() + 1
        rows = "row" if count == 1 else "rows"
        raise DataError(
            f"`{name}` is the {role} and must be known in every row; it is missing in {count:,} "
            f"{rows}, the first being row {first:,} (counted from 1). Fill or remove those rows."
        )
    if kind == "category":
        return pa.chunked_array([as_text(values)])
    return values.cast(pa.float64()) if pa.types.is_decimal(values.type) else values


def _refuse_many(name: str, found: pa.Array) -> None:
    if pa.types.is_floating(found.type) and not np.isfinite(as_numbers(_chunked(found))).all():
        raise DataError(f"`{name}` is the target and must be finite; some labels are infinite.")
    if len(found) > _MOST_CLASSES or (len(found) > _MOST_FRACTIONS and _fractional(found)):
        raise DataError(
            f"`{name}` must name classes, and it has {len(found):,} different values: that looks "
            "like a quantity to predict by regression, or an identifier. Name another column as "
            "the target, or cut it into classes."
        )


def _fractional(found: pa.Array) -> bool:
    return pa.types.is_floating(found.type) and bool((np.asarray(found) % 1 != 0).any())


def _refuse_one_class(name: str, found: list[Any]) -> None:
    if len(found) == 1:
        raise DataError(
            f"`{name}` is the target and must have two classes or more; it has one class: "
            f"every row is `{_as_label(found[0])}`. Check that the rows of the other class were "
            "not filtered."
        )


def _as_label(value: Any) -> Label:
    """Return a label that JSON can hold."""
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return float(value) if isinstance(value, decimal.Decimal) else value


def _chunked(array: pa.Array) -> pa.ChunkedArray:
    return pa.chunked_array([array])
