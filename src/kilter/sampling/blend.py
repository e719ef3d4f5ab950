"""Rows between two rows, in the type that they have."""

from __future__ import annotations

import numpy as np


def blend(own: np.ndarray, others: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return ``own + shares * (others - own)`` in the type of ``own``.

    Parameters
    ----------
    own, others : array of shape (rows, ...)
        Rows and their partners.
    shares : array of shape (rows,)
        How much of the partner goes in; below 0 a row moves away from it.

    Examples
    --------
    >>> import numpy as np
    >>> row, partner = np.array([[200, 9]], "uint8"), np.array([[10, 8]], "uint8")
    >>> blend(row, partner, np.array([0.5], "float32")).tolist()
    [[105, 8]]
    """
    working = np.result_type(own, np.float32)
    row = own.astype(working, copy=False)
    moved = np.subtract(others, row, dtype=working)
    # In place from here on, as these are many numbers.
    moved *= shares.astype(working).reshape(-1, *(1,) * (own.ndim - 1))
    moved += row
    return to_type(moved, own.dtype)


def to_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return numbers in a type: rounded where it is whole, never beyond what it holds.

    Examples
    --------
    >>> import numpy as np
    >>> to_type(np.array([1.6, 300.0, -2.0]), np.dtype("uint8"))
    array([  2, 255,   0], dtype=uint8)
    """
    if dtype.kind not in "biu":
        return values.astype(dtype, copy=False)
    lowest, highest = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    whole = np.rint(values)
    # As a float the largest integer of 64 bits is one too many.
    beyond = whole >= highest
    held = np.where(beyond, 0, whole).clip(lowest).astype(dtype)
    held[beyond] = highest
    return held
