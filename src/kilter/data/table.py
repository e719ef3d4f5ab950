"""Tables: from a file or a frame to a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from kilter._errors import ArgumentError, ArgumentTypeError, DataError, did_you_mean
from kilter._types import AnyFeatures, Column, Dataset, Features, Label, Schema
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
    given = open_table(source, target, drop=drop, group=group, time=time, text=text, name=name)
    embedded = {} if text is None or embed is None else {text: embed}
    return given.with_features(*_features(given.features(), embedded))


@dataclass(frozen=True)
class Labelled:
    """A table with the columns that have a role of their own, and what they hold."""

    name: str
    table: pa.Table
    roles: dict[str, str]
    labels: np.ndarray
    classes: tuple[Label, ...]

    def features(self) -> pa.Table:
        """Return the columns to learn from."""
        others = [column for column, role in self.roles.items() if role != "text"]
        return self.table.drop_columns(others)

    def with_features(
        self, columns: tuple[Column, ...], features: AnyFeatures, left_out: dict[str, str]
    ) -> Dataset:
        """Return the dataset; ``left_out`` has columns that are not learned from, and why."""
        named = {c: role for c, role in self.roles.items() if role not in ("target", "text")}
        of_role = {role: column for column, role in self.roles.items()}
        target, group, time = (of_role.get(role) for role in ("target", "group", "time"))
        schema = Schema(columns, str(target), self.classes, tuple((named | left_out).items()))
        return Dataset(
            self.name,
            schema,
            features,
            self.labels,
            None if group is None else read_groups(group, self.table[group]),
            None if time is None else read_times(time, self.table[time]),
        )


def open_table(
    source: Any,
    target: str,
    *,
    drop: Iterable[str],
    group: str | None,
    time: str | None,
    text: str | None,
    name: str | None,
) -> Labelled:
    """Read a table and its labels; the arguments are those of `load_table`."""
    drop = (drop,) if isinstance(drop, str) else tuple(drop)
    roles = _roles(target, drop, group, time, text)
    table = read(source, text=[] if text is None else [text])
    _refuse_unknown(roles, table.column_names)
    name = name or _name_of(source)
    if len(table) == 0:
        raise DataError(f"`{_name_of(source)}` has columns and no rows. Add rows to it.")
    return Labelled(name, table, roles, *read_labels(target, table[target]))


def _name_of(source: Any) -> str:
    return Path(source).stem if isinstance(source, str | os.PathLike) else "table"


def _roles(
    target: str,
    drop: tuple[str, ...],
    group: str | None,
    time: str | None,
    text: str | None,
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


def _refuse_unknown(roles: dict[str, str], names: list[str]) -> None:
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
