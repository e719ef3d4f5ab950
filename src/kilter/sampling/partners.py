"""SMOTE on the fly: what a repeated row is mixed with, found once, mixed anew each time."""

from __future__ import annotations

from typing import Any

import numpy as np

from kilter._errors import ArgumentError
from kilter.sampling.indices import BalancedIndices
from kilter.sampling.neighbors import class_neighbors
from kilter.sampling.rows import Rows


class Partners:
    """The neighbours of the rows of classes that are drawn more often than they have rows.

    Parameters
    ----------
    rows : Rows
        The inputs; those of a class are flattened, in floats, for the search.
    indices : BalancedIndices
        What is drawn.
    k : int
        Neighbours a row, of its own class.
    """

    def __init__(self, rows: Rows, indices: BalancedIndices, k: int) -> None:
        self._rows, self._indices, self._k = rows, indices, k
        self._near = np.empty((0, k), np.int32)
        self._known = np.zeros(len(indices.counts), bool)
        self._shift = np.zeros_like(indices.starts)  # from a place to its line of `_near`

    def find(self, quotas: np.ndarray) -> None:
        """Search the classes that are to be drawn more often than they have rows.

        Parameters
        ----------
        quotas : int array of shape (classes,)
            Draws of each class in an epoch. What was found for others is kept.
        """
        for label in np.flatnonzero((quotas > self._indices.counts) & ~self._known).tolist():
            start, line = self._indices.starts[label], len(self._near)
            found = (start + self._search(label)).astype(np.int32)
            self._near = np.concatenate([self._near, found])
            self._shift[label], self._known[label] = line - start, True

    def of(self, places: np.ndarray, chances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Choose for each repeated place a partner, as a place, and its share.

        Parameters
        ----------
        places : int array of shape (draws,)
            What is drawn, of classes that were searched.
        chances : float array of shape (draws,)
            Random numbers in [0, 1). Times k, the whole part of one is the number of the
            neighbour, and what is left is the share: even in [0, 1), whichever it is.
        """
        lines = places + self._shift[self._indices.labels_at(places)]
        scaled = self._k * chances.astype(np.float64)  # in float32 it could reach k
        chosen = scaled.astype(np.int64)
        return self._near[lines, chosen], (scaled - chosen).astype(np.float32)

    def _search(self, label: int) -> np.ndarray:
        rows = self._indices.circle_of(label)
        x = self._rows.take(rows).reshape(len(rows), -1)
        x = x if x.dtype.kind == "f" else x.astype(np.float32)
        if not np.isfinite(x).all():
            raise ArgumentError(
                "`x` must be finite for SMOTE, which looks for neighbours; got NaN or infinite "
                "numbers. Fill them in first, or leave `mix` out."
            )
        return class_neighbors(x, np.zeros(len(x), np.int64), self._k, verbose=True)


def check_mixable(x: Any) -> None:
    """Raise unless inputs are one array whose numbers can be averaged.

    Parameters
    ----------
    x : Rows, or a structure of them
        The inputs of a model.
    """
    if not hasattr(x, "take"):
        raise ArgumentError(
            "`x` must be one array for SMOTE, which looks for neighbours in it; got a structure of "
            "inputs. Leave `mix` out and pass `augment=kilter.augment.Mixup(...)`, or encode them "
            "into one array."
        )
    if not (x.dtype.kind == "f" or (x.dtype.kind in "iu" and x.dtype.itemsize < 4)):
        raise ArgumentError(
            "`x` must be floats, or integers of 8 or 16 bits such as pixels, for SMOTE; got "
            f"{x.dtype}, which may be categories or tokens, and those have no mean. Pass "
            '`x.astype("float32")` where they are amounts; else leave `mix` out: rows are repeated.'
        )
