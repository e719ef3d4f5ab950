"""Rows of inputs that are kept in any way, gathered into one array for each batch.

Only the rows of a batch are ever copied, made dense or read from disk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import narwhals as nw
import numpy as np

from kilter._containers import to_frame
from kilter._errors import ArgumentError


class Rows(Protocol):
    """What rows can be taken from."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all rows."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers."""

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return these rows as a new array, C-contiguous, of shape (len(rows), ...)."""


@dataclass(frozen=True)
class ArrayRows:
    """Rows of an array in memory or, if ``mapped``, on disk, where rows are read in order."""

    array: np.ndarray
    mapped: bool = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all rows."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers."""
        return self.array.dtype

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return these rows as a new array."""
        if not self.mapped:
            return self._take(rows)
        order = np.argsort(rows)
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        found[order] = self._take(rows[order])
        return found

    def _take(self, rows: np.ndarray) -> np.ndarray:
        # `take` is three times as fast as an index, but copies all of an array in other order.
        if self.array.flags.c_contiguous:
            return self.array.take(rows, axis=0)
        return np.ascontiguousarray(self.array[rows])


@dataclass(frozen=True)
class SparseRows:
    """Rows of a sparse matrix of scipy in the CSR format."""

    matrix: Any

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all rows."""
        return tuple(self.matrix.shape)

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers."""
        return np.dtype(self.matrix.dtype)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return these rows as a new, dense array."""
        return np.ascontiguousarray(self.matrix[rows].toarray())


@dataclass(frozen=True)
class FrameRows:
    """Rows of a table of which each column is an array."""

    columns: tuple[np.ndarray, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of all rows."""
        return len(self.columns[0]), len(self.columns)

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers: one that holds those of every column."""
        return np.result_type(*self.columns)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Return these rows as a new array."""
        found = np.empty((len(rows), len(self.columns)), self.dtype)
        for place, column in enumerate(self.columns):
            found[:, place] = column[rows]
        return found


def to_rows(values: Any, name: str = "x") -> Rows:
    """Return what rows can be taken from.

    Parameters
    ----------
    values : array, memory map, sparse matrix, DataFrame or Series
        Rows along the first axis. A DataFrame is one of any library that narwhals knows.
    name : str
        What errors call it.

    Raises
    ------
    ArgumentError
        If a column of a DataFrame is not numeric.

    Examples
    --------
    >>> import numpy as np
    >>> to_rows(np.eye(3)).take(np.array([2, 0])).tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """
    if hasattr(values, "tocsr"):
        return SparseRows(values.tocsr())
    frame = to_frame(values)
    if isinstance(frame, nw.DataFrame) and frame.columns:
        return FrameRows(tuple(_to_numbers(frame[column], name) for column in frame.columns))
    if isinstance(frame, nw.Series):
        return ArrayRows(_to_numbers(frame, name))
    return ArrayRows(np.asarray(values), mapped=isinstance(values, np.memmap))


def _to_numbers(column: Any, name: str) -> np.ndarray:
    if not (column.dtype.is_numeric() or column.dtype == nw.Boolean):
        raise ArgumentError(
            f"`{name}` must have columns of numbers; got `{column.name}` of {column.dtype}. Encode "
            "it, with `kilter.data.TableEncoder` or one column a category, or leave it out."
        )
    array = column.to_numpy()
    return array if array.dtype.kind in "biuf" else array.astype(np.float64)
