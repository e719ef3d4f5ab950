"""Texts: from a column of a table to a dataset, and texts to predict."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa

from kilter._errors import ArgumentTypeError, DataError, SchemaError
from kilter._types import Column, Dataset, Schema, Texts
from kilter.data.columns import require_texts
from kilter.data.read import read
from kilter.data.table import open_table

BESIDE = "beside the text"


def load_texts(
    source: Any,
    target: str,
    text: str,
    *,
    drop: Iterable[str] = (),
    group: str | None = None,
    time: str | None = None,
    name: str | None = None,
) -> Dataset:
    """Read a column of texts with their classes.

    Use it for messages, reviews or notes; `kilter.compare` and ``kilter inspect`` call it where
    ``text`` is given. Other columns are left out.

    Parameters
    ----------
    source
        A path to a CSV or Parquet file, or a dataframe; see `read`.
    target
        The column that holds the class.
    text
        The column that holds the texts.
    drop, group, time, name
        As `load_table` has them.

    Returns
    -------
    Dataset
        ``features.texts`` has the texts, "" where one is missing. The columns that are left out
        are in ``schema.ignored``.

    Raises
    ------
    ArgumentError
        A column that was named is not there, or is named twice.
    DataError
        The column holds no texts, or labels are missing.

    Examples
    --------
    >>> import pyarrow
    >>> rows = {"note": ["see you", "free entry", "ok"], "spam": [0, 1, 0], "hour": [9, 3, 8]}
    >>> data = load_texts(pyarrow.table(rows), "spam", "note")
    >>> data.features.texts[1], data.schema.ignored
    ('free entry', (('hour', 'beside the text'),))
    """
    given = open_table(source, target, drop=drop, group=group, time=time, text=text, name=name)
    features = _texts(text, given.table[text])
    if not any(each.strip() for each in features.texts):
        raise DataError(f"`{text}` has no text in any row. Name the column that holds them.")
    beside = [column for column in given.features().column_names if column != text]
    return given.with_features((Column(text, "text"),), features, dict.fromkeys(beside, BESIDE))


def _texts(name: str, values: pa.ChunkedArray) -> Texts:
    if pa.types.is_null(values.type) or not len(values):
        values = pa.chunked_array([], pa.string()) if not len(values) else values.cast(pa.string())
    require_texts(name, values.type)
    return _of_list(values.cast(pa.large_string()).to_pylist())


def _of_list(texts: Sequence[str | None]) -> Texts:
    array = np.empty(len(texts), object)
    array[:] = ["" if text is None else text for text in texts]
    return Texts(array)


def conform_texts(source: Any, schema: Schema) -> Texts:
    """Read texts to predict.

    Parameters
    ----------
    source : path, dataframe, series, or sequence of str
        A table that has the column of texts, whatever else it has; or texts.
    schema : Schema
        Of the training texts.

    Raises
    ------
    SchemaError
        The table has no such column.
    DataError
        The column holds something else.
    ArgumentTypeError
        A sequence holds something else than strings.

    Examples
    --------
    >>> schema = Schema((Column("note", "text"),), "spam", (0, 1))
    >>> conform_texts(["free entry", None], schema).texts.tolist()
    ['free entry', '']
    """
    if (values := _listed(source)) is not None:
        return _of_list(_strings(values))
    (column,) = schema.columns
    table = read(source, text=[column.name])
    if column.name not in table.column_names:
        where = f"`{source}`" if isinstance(source, str | os.PathLike) else "the table"
        raise SchemaError(
            f"{where} must have the column `{column.name}`, whose texts the model was trained on; "
            f"it has {', '.join(f'`{name}`' for name in table.column_names[:10])}. Rename one."
        )
    return _texts(column.name, table[column.name])


def _listed(source: Any) -> list[Any] | None:
    """Return the values of a list, an array or a series; None of a table or a path."""
    if isinstance(source, pa.Array):
        return list(source.to_pylist())
    if isinstance(source, np.ndarray) and source.ndim != 1:
        raise ArgumentTypeError(
            f"texts in an array must have the shape (rows,); got {source.shape}. One text goes "
            "into a list."
        )
    if isinstance(source, list | tuple | np.ndarray):
        return list(source)
    found = nw.from_native(source, allow_series=True, pass_through=True)
    return found.to_list() if isinstance(found, nw.Series) else None


def _strings(values: list[Any]) -> list[str | None]:
    found = [None if _is_missing(value) else value for value in values]
    for value in found:
        if not isinstance(value, str | None):
            raise ArgumentTypeError(
                f"texts must be strings; got a `{type(value).__name__}` among them. Leave it out, "
                "or turn it into one."
            )
    return found


def _is_missing(value: Any) -> bool:
    """Tell what pandas puts in the place of a missing text: NaN, or NA, which is no bool."""
    return value is None or type(value).__name__ == "NAType" or value != value
