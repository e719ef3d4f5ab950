"""What samplers share that make new rows between two rows of a table."""

from __future__ import annotations

import contextlib
import ctypes
import numbers
import warnings
from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from imblearn.over_sampling.base import BaseOverSampler
from scipy import sparse
from sklearn.base import clone
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import validate_data

from kilter._containers import category_columns, restore, take
from kilter._errors import ArgumentError
from kilter.sampling.base import FORMATS, Origins, Sampler, Trace
from kilter.sampling.blend import blend, to_type
from kilter.sampling.cells import parts
from kilter.sampling.neighbors import Neighbors, without_self

BLOCK = 1 << 18  # numbers that are mixed at once: they stay in the cache
NEIGHBORS = [
    Interval(numbers.Integral, 1, None, closed="left"),
    HasMethods(["kneighbors", "kneighbors_graph"]),
]


class Synthesizer(Sampler, BaseOverSampler):
    """Base of the samplers whose new rows lie on the line between two rows.

    A subclass says in ``_make`` of which two rows, and where between them.
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseOverSampler._parameter_constraints,
        "small_class": [StrOptions({"warn", "error"})],
    }

    def _read(self, X: Any) -> Any:
        return read_numbers(self, X)

    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        made = [
            self._make(X, y, code, count, generator)
            for code, count in self.sampling_strategy_.items()
            if count
        ]
        return appended(len(y), made)

    @abstractmethod
    def _make(
        self, X: Any, y: np.ndarray, code: int, count: int, generator: np.random.Generator
    ) -> Origins:
        """Say what ``count`` new rows of a class are made of."""

    def _build(self, X: Any, trace: Trace) -> Any:
        return restore(mix(trace.matrix, trace.origins), like=X)

    def _neighbors(
        self, X: Any, among: np.ndarray, neighbors: Any, code: int, rows: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the k nearest of some rows for each of them, or for ``rows`` of them.

        A class that has fewer rows than asked for has fewer neighbours, or is an error.
        """
        search, k = as_neighbors(neighbors)
        if len(among) <= k:
            self._tell_of_small(code, len(among), k)
            k = len(among) - 1
        if k == 0:
            return among[:, None]
        search.fit(X[among])
        if rows is None and isinstance(search, Neighbors):
            return among[search.kneighbors(n_neighbors=k, return_distance=False)]
        rows = among if rows is None else rows
        return among[neighbors_among(search, X[rows], np.searchsorted(among, rows), k)]

    def _tell_of_small(self, code: int, count: int, k: int) -> None:
        label = self._label(code)
        if self.small_class == "error":
            raise ArgumentError(
                f"`k_neighbors` must be below the number of rows of each class that is resampled; "
                f"got {k} and class {label!r} with {count}. Take {count - 1} or fewer, use "
                '`RandomOverSampler`, or `small_class="warn"`.'
            )
        use = f"its {count - 1} other rows" if count > 1 else "copies of it"
        warnings.warn(
            f"class {label!r} has {count} rows, too few for {k} neighbours: {use} are used",
            UserWarning,
            stacklevel=2,
        )


def read_numbers(sampler: Sampler, X: Any) -> Any:
    """Return a table as a matrix of finite numbers; images become rows."""
    categories = category_columns(X)
    if categories:
        raise ArgumentError(
            f"`X` must have columns of numbers only; {', '.join(categories)} hold categories, "
            "words or times. Use `SMOTENC` for categories, or encode them."
        )
    try:
        matrix = validate_data(sampler, X, accept_sparse=FORMATS, reset=True, allow_nd=True)
    except ValueError as error:
        found = str(error).splitlines()[0]
        if "contains NaN" not in found and "contains infinity" not in found:
            raise
        raise ArgumentError(
            f"`X` must be finite, as rows are compared and mixed as numbers: {found} Fill in what "
            "is missing first, such as by `SimpleImputer` in the same pipeline; "
            "`RandomOverSampler` and `RandomUnderSampler` take rows as they are."
        ) from None
    return matrix if matrix.ndim == 2 else matrix.reshape(len(matrix), -1)


def appended(old: int, made: list[Origins]) -> Origins:
    """Return the origins of a table and the new rows behind it, in the fewest bytes that do."""
    whole: Any = index_type(old)
    columns = zip(Origins(np.arange(old, dtype=whole)), *made, strict=True)
    kinds = whole, whole, np.float32
    return Origins(
        *(
            np.concatenate([part.astype(kind, copy=False) for part in column])
            for column, kind in zip(columns, kinds, strict=True)
        )
    )


def _trim_memory() -> None:
    """Give back what the search freed: glibc keeps up to 64 MiB, and the table is to come."""
    with contextlib.suppress(AttributeError, OSError, TypeError):  # other systems have no such
        ctypes.CDLL(None).malloc_trim(0)


def as_neighbors(neighbors: Any) -> tuple[Any, int]:
    """Return a search and how many neighbours are meant, from a number or an estimator.

    As in imbalanced-learn an estimator counts the row itself as its first neighbour.
    """
    if isinstance(neighbors, numbers.Integral):
        return Neighbors(int(neighbors)), int(neighbors)
    return clone(neighbors), neighbors.n_neighbors - 1


def neighbors_among(search: Any, x: Any, own: np.ndarray, k: int) -> np.ndarray:
    """Return the k nearest of the fitted rows, (queries, k), without the row that each one is."""
    distances, rows = search.kneighbors(x, n_neighbors=k + 1)
    return without_self(distances, rows, own)[1]


def pick(
    rows: np.ndarray, neighbors: np.ndarray, count: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows and one neighbour of each, both of shape (count,)."""
    links = generator.integers(neighbors.size, size=count, dtype=index_type(neighbors.size))
    which, place = np.divmod(links, neighbors.shape[1])
    # Most of the room before the table is theirs.
    mine = rows.astype(index_type(rows.max()))
    theirs = neighbors.astype(index_type(neighbors.max()))
    return mine[which], theirs[which, place]


def index_type(most: int) -> np.dtype:
    """Return the smaller type of integers that goes up to so many."""
    return np.dtype(np.int32 if most <= np.iinfo(np.int32).max else np.int64)


def mix(matrix: Any, origins: Origins) -> Any:
    """Return the rows of a table that come from these origins, in its own type.

    Integers and truths are mixed as fractions and rounded, never beyond what the type holds.
    """
    _trim_memory()
    if not len(origins.partners):
        return take(matrix, origins.rows)
    if sparse.issparse(matrix):
        return _mix_sparse(matrix, origins)
    out = np.empty((len(origins.rows), matrix.shape[1]), matrix.dtype)
    size = max(BLOCK // matrix.shape[1], 1)
    old, new = np.split(origins.rows, [origins.kept])
    for part in parts(len(old), size):
        # "clip" lets it write where it is told to: without it, take fills a buffer first.
        np.take(matrix, old[part], axis=0, out=out[part], mode="clip")
    made = out[len(old) :]
    for part in parts(len(new), size):
        rows, partners = take(matrix, new[part]), take(matrix, origins.partners[part])
        made[part] = blend(rows, partners, origins.shares[part])
    return out


def _mix_sparse(matrix: Any, origins: Origins) -> Any:
    table = matrix.tocsr()
    working = np.result_type(table.dtype, np.float32)
    mine = table[origins.rows[origins.kept :]].astype(working)
    way = sparse.diags_array(origins.shares) @ (table[origins.partners].astype(working) - mine)
    made = (mine + way).tocsr()
    made.data = to_type(made.data, table.dtype)
    return sparse.vstack([table[origins.rows[: origins.kept]], made], format=matrix.format)
