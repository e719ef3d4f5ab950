"""Tables: from a file or a frame to a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kilter._errors import ArgumentError, ArgumentTypeError, DataError, did_you_mean
from kilter._types import Column, Dataset, Features, Schema
from kilter.data.columns import MISSING, block, describe, describe_texts, stack
from kilter.data.read import read
from kilter.data.target import read_groups, read_labels, read_times


def load_table(
    source: Any,
    target: str,
    *,
    text: str | None = None,
    embed: str | None = None,
    drop: Iterable[str] = (),
    group: str | None = None,
    time: str | None = None,
    name: str | None = None,
) -> Dataset:
    """Read a labelled table and decide what each column is.

    Use it first; then `audit` to look for trouble, and `split` before anything is fitted.

    Parameters
    ----------
    source
        A path to a CSV or Parquet file, or a dataframe; see `read`.
    target
        The column that holds the class. Any type; at most 1,000 classes.
    text, embed
        A column of texts, and the folder of the sentence model that turns each into numbers; see
        `kilter.data.embed.embed`. Without them text is categories.
    drop
        Columns that must not be used.
    group
        A column whose equal values must stay together, such as a patient.
    time
        A column to split by, so that models are tested on rows later than they learnt from.
    name
        What to call the data set; the file's name, or ``table``, where it is not given.

    Returns
    -------
    Dataset
        Numbers and dates as ``features.numbers`` (order: `number_names`), booleans and text
        as ``features.codes``. Columns with one value or none are left out, and are listed in
        ``schema.ignored`` with those that were named in `drop`, `group` and `time`.

    Raises
    ------
    ArgumentError
        A column that was named is not there, or is named twice.
    DataError
        A column cannot be used as it is: missing labels, one class, infinite values.

    Examples
    --------
    >>> import pyarrow
    >>> rows = {"age": [31, 54, None], "city": ["Rome", None, "Oslo"], "fraud": [0, 1, 0]}
    >>> data = load_table(pyarrow.table(rows), "fraud")
    >>> data.schema.classes, data.features.codes.ravel().tolist()
    ((0, 1), [1, -1, 0])
    """
    drop = (drop,) if isinstance(drop, str) else tuple(drop)
    roles = roles_of(target, drop, group, time, text)
    table = read(source, text=[] if text is None else [text])
    refuse_unknown(roles, table.column_names)
    roles = {column: role for column, role in roles.items() if role != "text"}  # it is a feature
    if len(table) == 0:
        raise DataError(f"`{name_of(source)}` has columns and no rows. Add rows to it.")
    labels, classes = read_labels(target, table[target])
    embedded = {} if text is None or embed is None else {text: embed}
    columns, features, idle = _features(table.drop_columns(list(roles)), embedded)
    ignored = {c: reason for c, reason in roles.items() if reason != "target"} | idle
    schema = Schema(columns, target, classes, tuple(ignored.items()))
    return Dataset(
        name or name_of(source),
        schema,
        features,
        labels,
        None if group is None else read_groups(group, table[group]),
        None if time is None else read_times(time, table[time]),
    )


def name_of(source: Any) -> str:
    """Return what a source is called if nobody says."""
    return Path(source).stem if isinstance(source, str | os.PathLike) else "table"


def roles_of(
    target: str,
    drop: tuple[str, ...],
    group: str | None,
    time: str | None,
    text: str | None = None,
) -> dict[str, str]:
    """Return the columns that have a role of their own, each with what it is."""
    _require_name(target, "target")
    roles = {target: "target"}
    named = [(name, "dropped") for name in dict.fromkeys(drop)]
    for name, role in [(text, "text"), *named, (group, "group"), (time, "time")]:
        if name is None:
            continue
        _require_name(name, role)
        if name in roles:
            raise ArgumentError(
                f"`{name}` can have one role only; it was named as {roles[name]} and as {role}."
            )
        roles[name] = role
    return roles


def _require_name(name: Any, role: str) -> None:
    if not isinstance(name, str):
        raise ArgumentTypeError(f"the {role} column must be given by name; got `{name!r}`.")


def refuse_unknown(roles: dict[str, str], names: list[str]) -> None:
    """Raise unless the table has all columns with a role."""
    for name, role in roles.items():
        if name not in names:
            listed = ", ".join(f"`{known}`" for known in names[:10])
            more = f" and {len(names) - 10:,} more" if len(names) > 10 else ""
            raise ArgumentError(
                f"`{name}` was named as {role}, and the table has no such column."
                f"{did_you_mean(name, names)} It has {listed}{more}."
            )


def _features(
    table: pa.Table, embedded: dict[str, str]
) -> tuple[tuple[Column, ...], Features, dict[str, str]]:
    described = [
        describe_texts(name, table[name], embedded[name])
        if name in embedded
        else describe(name, table[name])
        for name in table.column_names
    ]
    blocks = {column.name: block(column, table[column.name]) for column in described}
    idle = {name: reason for name, values in blocks.items() if (reason := _idleness(values))}
    columns = tuple(column for column in described if column.name not in idle)
    if not columns:
        raise DataError(
            "the table has no feature columns left: each is the target, was dropped, or is "
            f"constant ({', '.join(f'`{name}`' for name in idle) or 'none'}). Add columns."
        )
    return columns, stack(columns, blocks, len(table)), idle


def _idleness(values: np.ndarray) -> str:
    """Return why a column tells nothing, or an empty string."""
    if _all_missing(values):
        return "empty"
    return "constant" if (values == values[0]).all() else ""


def _all_missing(values: np.ndarray) -> bool:
    missing = np.isnan(values) if values.dtype.kind == "f" else values == MISSING
    return bool(missing.all())
