"""Labels in every form that people have, as the classes to draw by."""

from __future__ import annotations

from typing import Any

import numpy as np

from kilter import _containers
from kilter._errors import ArgumentError

NONE = -1
"""The class of rows without any label, where rows may have several."""


def to_positions(y: Any) -> np.ndarray:
    """Return the class of every row, int64 of shape (rows,); a soft row counts as its largest.

    Parameters
    ----------
    y : array of shape (rows,), (rows, 1) or (rows, classes)
        Positions of the classes, or one-hot or soft rows, of any numeric type.

    Raises
    ------
    ArgumentError
        If a position is no integer or a row of shares does not sum to 1.
    """
    y = _to_numbers(y)
    if y.ndim == 2 and y.shape[1] > 1:
        return _largest(y)
    if y.ndim != 1 and y.shape[1:] != (1,):
        raise ArgumentError(
            "`y` must have one label a row, positions of the classes or one-hot rows; got the "
            f"shape {y.shape}."
        )
    positions = y.reshape(-1).astype(np.int64)
    if (positions != y.reshape(-1)).any():
        raise ArgumentError(
            "`y` must be positions of the classes, which are integers; got fractions. Pass soft "
            "labels as rows with one column a class."
        )
    return positions


def drawn_classes(y: Any) -> np.ndarray:
    """Return the class to draw each row by, int64 of shape (rows,).

    That is its class; where rows have several labels (columns of 0 and 1 that do not sum to 1
    in every row) the rarest of them, and -1 for a row without any.

    Parameters
    ----------
    y : array, Series or DataFrame of shape (rows,), (rows, 1) or (rows, classes)
        Positions of the classes, one-hot or soft rows, or a column of 0 and 1 for each label.

    Raises
    ------
    ArgumentError
        If labels are not numbers, or neither classes, shares nor 0 and 1.

    Examples
    --------
    >>> import numpy as np
    >>> drawn_classes(np.array([[1, 0], [1, 0], [1, 1], [0, 0]])).tolist()
    [0, 0, 1, -1]
    """
    y = _to_numbers(to_array(y))
    return _rarest(y) if _has_many(y) else to_positions(y)


def to_array(values: Any, name: str = "y") -> np.ndarray:
    """Return labels or weights as an array; a Series or DataFrame of any library is one too."""
    if hasattr(values, "tocsr"):
        raise ArgumentError(
            f"`{name}` must be dense; got a sparse matrix. Pass `.toarray()` of it."
        )
    return _containers.to_array(values)


def _to_numbers(y: Any) -> np.ndarray:
    y = np.asarray(y)
    if y.dtype.kind not in "biuf" or not np.isfinite(y).all():
        raise ArgumentError(
            f"`y` must be finite numbers, positions of the classes; got {y.dtype} with values such "
            f"as {_example(y)}. Encode labels: `np.unique(y, return_inverse=True)[1]`; leave out "
            "rows whose label is missing."
        )
    return y


def _example(y: np.ndarray) -> str:
    numeric = y.dtype.kind in "biuf"
    return ", ".join(map(repr, (y[~np.isfinite(y)] if numeric else y.ravel())[:1].tolist()))


def _largest(shares: np.ndarray) -> np.ndarray:
    if not np.allclose(shares.sum(axis=1), 1, atol=1e-3):
        raise ArgumentError(
            "`y` must have one class a row, so that its columns sum to 1; got rows that do not. "
            "For targets with several classes a row pass the class to draw by."
        )
    return shares.argmax(axis=1)


def _has_many(y: np.ndarray) -> bool:
    indicator = y.ndim == 2 and y.shape[1] > 1 and bool(((y == 0) | (y == 1)).all())
    return indicator and bool((y.sum(axis=1) != 1).any())


def _rarest(y: np.ndarray) -> np.ndarray:
    rarest_first = np.argsort(y.sum(axis=0), kind="stable")
    found = rarest_first[(y[:, rarest_first] > 0).argmax(axis=1)]
    return np.where((y > 0).any(axis=1), found, NONE)
