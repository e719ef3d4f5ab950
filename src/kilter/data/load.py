"""Turn what a user has into a `Dataset`: a table, its texts, or a folder of images."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from kilter._errors import ArgumentError, ArgumentTypeError, SourceError
from kilter._types import Dataset
from kilter.data.images import load_images
from kilter.data.table import load_table
from kilter.data.texts import load_texts


def load(
    source: Any,
    target: str | None = None,
    *,
    text: str | None = None,
    embed: str | None = None,
    drop: Iterable[str] = (),
    group: str | None = None,
    time: str | None = None,
    size: Any = None,
    broken: str = "refuse",
    name: str | None = None,
) -> Dataset:
    """Read labelled rows: of a table, its texts, or images.

    Use it first; then `audit` to look for trouble, and `split` before anything is fitted.

    Parameters
    ----------
    source
        A path to a CSV or Parquet file, a dataframe (see `read`), or a folder that has a folder
        of images for each class (see `load_images`).
    target
        The column that holds the class. Any type; at most 1,000 classes. Images have none: the
        folder of an image is its class.
    text
        The column that holds texts to learn from; other columns are left out then. See
        `load_texts`.
    embed
        The folder of a sentence model that turns ``text`` into numbers, beside other columns; see
        `load_table`.
    drop, group, time
        Of a table: columns that must not be used, that keep rows together, that order them. See
        `load_table`.
    size, broken
        Of images: what they are brought to, and what to do about damaged files.
    name
        What to call the data set; the file's or folder's name, or ``table``, if not given.

    Returns
    -------
    Dataset

    Raises
    ------
    ArgumentError
        An argument is for the other kind of source, or names a column that is not there.
    DataError
        The rows cannot be used as they are: missing labels, one class, infinite values.
    SourceError
        A file is not there or cannot be read.

    Examples
    --------
    >>> import pyarrow
    >>> rows = {"age": [31, 54, None], "city": ["Rome", None, "Oslo"], "fraud": [0, 1, 0]}
    >>> data = load(pyarrow.table(rows), "fraud")
    >>> data.schema.classes, data.features.codes.ravel().tolist()
    ((0, 1), [1, -1, 0])
    """
    drop = (drop,) if isinstance(drop, str) else tuple(drop)
    of_table: dict[str, Any] = {"target": target, "text": text, "embed": embed}
    of_table |= {"drop": drop or None, "group": group, "time": time}
    if is_folder(source):
        _refuse(of_table, "is for tables: the class of an image is the name of its folder")
        return load_images(source, size=size, broken=broken, name=name)
    of_images = {"size": size, "broken": None if broken == "refuse" else broken}
    _refuse(of_images, "is for a folder of images, and this is a table")
    if target is None:
        _refuse_absent(source)
        raise ArgumentTypeError(
            "`target` must name the column with the classes (`--target`). Only a folder of images "
            "needs none."
        )
    options: dict[str, Any] = {"drop": drop, "group": group, "time": time, "name": name}
    if embed is not None:
        if text is None:
            raise ArgumentError("`embed` needs `text`, the column with the texts. Name it.")
        return load_table(source, target, text=text, embed=str(embed), **options)
    if text is not None:
        return load_texts(source, target, text, **options)
    return load_table(source, target, **options)


def is_folder(source: Any) -> bool:
    """Tell a folder of images from a table."""
    return isinstance(source, str | os.PathLike) and os.path.isdir(source)


def _refuse_absent(source: Any) -> None:
    if isinstance(source, str | os.PathLike) and not os.path.exists(source):
        raise SourceError(f"`{source}` does not exist. Check the path.")


def _refuse(given: dict[str, Any], why: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise ArgumentError(f"`{name}` {why}; got {value!r}. Leave it out.")
