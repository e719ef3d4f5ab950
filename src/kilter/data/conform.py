"""Turn rows to predict into features, as the training rows had them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from kilter._errors import SchemaError, did_you_mean
from kilter._types import AnyFeatures, Column, Features, Schema
from kilter.data.columns import all_numbers, any_number, block, kind_of, reads_as_numbers, stack
from kilter.data.conform_images import conform_images
from kilter.data.read import read
from kilter.data.texts import conform_texts

_WORDS = {
    "number": "numbers",
    "date": "dates",
    "boolean": "booleans",
    "category": "text",
    "embedding": "text",
}
_EMPTY_TYPES = {
    "number": pa.float64(),
    "date": pa.timestamp("us"),
    "boolean": pa.bool_(),
    "category": pa.large_string(),
    "embedding": pa.large_string(),
}


def conform(source: Any, schema: Schema) -> AnyFeatures:
    """Read rows to predict, in the shape that the model was trained on.

    Columns of a table are found by name, in any order. The target and the columns that training
    ignored may be there or not. For images see
    `kilter.data.conform_images`, for texts `kilter.data.texts.conform_texts`.

    Parameters
    ----------
    source
        A path to a CSV or Parquet file, or a dataframe; see `read`. No rows is fine. For images a
        folder, files, or an array; for texts also strings in a list.
    schema
        That of the training rows.

    Returns
    -------
    Features, Images or Texts
        The same columns as in training. A category that training did not know is -2.

    Raises
    ------
    SchemaError
        A column is missing, is one too many, or holds another kind of values.

    Examples
    --------
    >>> import pyarrow
    >>> from kilter.data import load
    >>> data = load(pyarrow.table({"city": ["Rome", "Oslo"], "fraud": [0, 1]}), "fraud")
    >>> conform(pyarrow.table({"city": ["Oslo", "Lima"]}), data.schema).codes.ravel().tolist()
    [0, -2]
    """
    if schema.kind == "image":
        return conform_images(source, schema)
    if schema.kind == "text":
        return conform_texts(source, schema)
    return _conform_table(source, schema)


def _conform_table(source: Any, schema: Schema) -> Features:
    words = [column.name for column in schema.columns if column.kind in ("category", "embedding")]
    table = read(source, text=words)
    _refuse_absent(schema, table.column_names)
    _refuse_extra(schema, table.column_names)
    for column in schema.columns:
        _refuse_retyped(column, table.schema.field(column.name).type)
        _refuse_numbers_as_words(column, table[column.name])
    blocks = {column.name: _conformed(column, table[column.name]) for column in schema.columns}
    return stack(schema.columns, blocks, len(table))


def _conformed(column: Column, values: pa.ChunkedArray) -> np.ndarray:
    if pa.types.is_null(values.type):
        values = values.cast(_EMPTY_TYPES[column.kind])
    return block(column, values)


def _refuse_absent(schema: Schema, names: list[str]) -> None:
    absent = [column.name for column in schema.columns if column.name not in names]
    if absent:
        listed = ", ".join(f"`{name}`" for name in absent)
        others = set(names) - {column.name for column in schema.columns} - {schema.target}
        raise SchemaError(
            f"the rows must have every column that the model was trained on; {listed} is not "
            f"there.{did_you_mean(absent[0], sorted(others))} Add it, empty where unknown."
        )


def _refuse_extra(schema: Schema, names: list[str]) -> None:
    known = {column.name for column in schema.columns} | dict(schema.ignored).keys()
    extra = [name for name in names if name not in known | {schema.target}]
    if extra:
        listed = ", ".join(f"`{name}`" for name in extra)
        raise SchemaError(
            f"the rows may have only columns that the training table had; {listed} was not in "
            "it. Remove it."
        )


def _refuse_retyped(column: Column, type_: pa.DataType) -> None:
    kind = kind_of(type_)
    if column.kind == "embedding" and kind == "category":
        return
    as_word = kind == "number" and column.kind == "category" and reads_as_numbers(column.vocabulary)
    if kind != column.kind and not as_word and not pa.types.is_null(type_):
        got = _WORDS[kind] if kind else "something else"
        raise SchemaError(
            f"`{column.name}` must hold {_WORDS[column.kind]}, as in the training table; it holds "
            f"{got} (`{type_}`). Convert it, or train again."
        )


def _refuse_numbers_as_words(column: Column, values: pa.ChunkedArray) -> None:
    """Refuse a column of a text file that held words and holds nothing but numbers now."""
    if column.kind != "category" or not _is_text(values.type):
        return
    if all_numbers(values.unique()) and not any_number(column.vocabulary):
        raise SchemaError(
            f"`{column.name}` must hold {_WORDS['category']}, as in the training table; it holds "
            "numbers. Put the right column there, or train again."
        )


def _is_text(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_))
