"""Rows dealt into cells, so that a search can pass over those that are too far away."""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

CELL = 1024  # rows of an arbitrary cell
DEALT = 4096  # rows that are compared with all centres at once: short tasks cost threads time
FACED = 1024  # queries whose planes are found at once, which takes several tables
Each = Callable[..., Iterable[Any]]  # maps a function over tasks: `map`, or on many threads


class CrowdedError(Exception):
    """Float32 cannot tell which rows are the nearest: too many are, or they are too far away."""


@dataclass(frozen=True)
class Cells:
    """Rows of a table sorted by cell, ready for products.

    ``order`` (rows,) says which row of ``x`` lies where, ``ends`` (cells,) where each cell ends,
    ``centers`` (cells, width) what is subtracted from its rows. ``products`` is float32 of
    shape (rows, width + 2): -2 times the row less its centre, the square of that difference,
    and 1; its product with (query, 1, square of the query) is the squared distance.
    ``norms`` (cells,) is the largest squared distance of a row from ``middle`` (width,); it is
    None where cells are arbitrary: no planes divide them, and the middle is the centre of all.
    Differences in all of these are in units of ``scale``, so that no square overflows.
    """

    x: np.ndarray
    middle: np.ndarray
    scale: float
    order: np.ndarray
    ends: np.ndarray
    centers: np.ndarray
    products: np.ndarray
    norms: np.ndarray | None = None

    @property
    def parted(self) -> bool:
        """Whether planes divide the cells."""
        return self.norms is not None

    @property
    def sizes(self) -> np.ndarray:
        """How many rows each cell has."""
        return np.diff(self.ends, prepend=0)

    @property
    def home(self) -> np.ndarray:
        """The cell of each row of the table; the first for those that lie in none."""
        home = np.zeros(len(self.x), np.int64)
        home[self.order] = np.repeat(np.arange(len(self.ends)), self.sizes)
        return home

    def relative(self, queries: np.ndarray, center: np.ndarray) -> np.ndarray:
        """Return queries less a centre, in units of the scale."""
        return (queries - center) * self.x.dtype.type(1 / self.scale)

    def rows(self, cell: int) -> slice:
        """Return where the rows of a cell lie."""
        return slice(self.ends[cell - 1] if cell else 0, self.ends[cell])


def scatter(
    x: np.ndarray,
    queries: np.ndarray | None = None,
    among: np.ndarray | None = None,
    each: Each = map,
) -> Cells:
    """Deal rows into arbitrary cells, to scan them all.

    Parameters
    ----------
    x : array of shape (rows, width)
        The table.
    queries : array of shape (queries, width), optional
        What is searched for, if not the rows.
    among : int array, optional
        The rows to deal, all if not given.
    each : callable
        Maps a function over tasks.
    """
    rows = np.arange(len(x)) if among is None else among
    middle, scale = spread(x, queries, rows, each)
    order = rows[shuffled(len(rows))]
    count = -(-len(order) // CELL)
    ends = np.arange(1, count + 1) * len(order) // count  # all alike: none has next to no rows
    centers = np.tile(middle, (len(ends), 1))
    return _fill(Cells(x, middle, scale, order, ends, centers, _room(order, x)), each)


def cluster(
    x: np.ndarray,
    cells: int,
    queries: np.ndarray | None = None,
    among: np.ndarray | None = None,
    each: Each = map,
) -> Cells:
    """Deal rows into cells around centres of k-means; the rest is as in `scatter`."""
    rows = np.arange(len(x)) if among is None else among
    middle, scale = spread(x, queries, rows, each)
    sample = rows[shuffled(len(rows))[: 64 * cells]]
    kmeans = KMeans(cells, init="random", n_init=1, max_iter=5, random_state=0)
    with warnings.catch_warnings():
        # Fewer distinct rows than centres make some of these equal: such cells are empty.
        warnings.simplefilter("ignore", ConvergenceWarning)
        kmeans.fit((x[sample] - middle) * x.dtype.type(1 / scale))
    centers = kmeans.cluster_centers_.astype(x.dtype) * x.dtype.type(scale) + middle
    home, norm = _deal(x, rows, middle, scale, centers, each)
    norms = np.zeros(len(centers))
    np.maximum.at(norms, home, norm)
    order = rows[np.argsort(home, kind="stable")]
    ends = np.cumsum(np.bincount(home, minlength=len(centers)))
    return _fill(Cells(x, middle, scale, order, ends, centers, _room(order, x), norms), each)


def spread(
    x: np.ndarray,
    queries: np.ndarray | None = None,
    rows: np.ndarray | None = None,
    each: Each = map,
) -> tuple[np.ndarray, float]:
    """Return the mean row, and a power of two that no row or query is farther from it than.

    Of the table only these rows count, all if they are not given.

    Raises
    ------
    CrowdedError
        If differences are beyond what the type of the rows holds.
    """
    rows = np.arange(len(x)) if rows is None else rows

    def look(part: slice) -> tuple[np.ndarray, ...]:
        some = x[rows[part]]
        return some.sum(axis=0, dtype=np.float64), some.min(axis=0), some.max(axis=0)

    total, low, high = map(np.stack, zip(*each(look, parts(len(rows), DEALT)), strict=True))
    middle = total.sum(axis=0) / len(rows)
    ends = [low.min(axis=0), high.max(axis=0)]
    if queries is not None:
        ends += [queries.min(axis=0), queries.max(axis=0)]
    most = max(float(abs(end.astype(np.float64) - middle).max()) for end in ends)
    kind = np.finfo(x.dtype)
    if most > 0 and not 4 * float(kind.tiny) < most < float(kind.max) / 4:
        raise CrowdedError
    return middle.astype(x.dtype), 2.0 ** np.ceil(np.log2(most)) if most > 0 else 1.0


def shuffled(rows: int) -> np.ndarray:
    """Return rows in an arbitrary order: centres are found on the first of them."""
    return np.random.default_rng(0).permutation(rows)


def _room(order: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.ones((len(order), x.shape[1] + 2), np.float32)


def _fill(cells: Cells, each: Each) -> Cells:
    def fill(cell: int) -> None:
        at = cells.rows(cell)
        relative = cells.relative(cells.x[cells.order[at]], cells.centers[cell])
        relative = relative.astype(np.float32, copy=False)
        np.multiply(relative, -2, out=cells.products[at, :-2])
        cells.products[at, -2] = squares(relative)

    finish(each(fill, range(len(cells.ends))))
    return cells


def _deal(
    x: np.ndarray,
    rows: np.ndarray,
    middle: np.ndarray,
    scale: float,
    centers: np.ndarray,
    each: Each,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest centre of each of the rows, and its squared distance to the middle."""
    home, norm = np.empty(len(rows), np.int64), np.empty(len(rows))
    unit = x.dtype.type(1 / scale)
    centers = (centers - middle) * unit

    def deal(part: slice) -> None:
        relative = (x[rows[part]] - middle) * unit
        home[part] = _to_centers(relative, centers).argmin(axis=1)
        norm[part] = squares(relative)

    finish(each(deal, parts(len(rows), DEALT)))
    return home, norm


def _to_centers(x: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Return squared distances of rows to centres, both less the middle, (rows, centers)."""
    return squares(x)[:, None] - 2 * (x @ centers.T) + squares(centers)


def nearest_cells(cells: Cells, queries: np.ndarray) -> np.ndarray:
    """Return the cell with the nearest centre for each query; the first of arbitrary ones."""
    if not cells.parted:
        return np.zeros(len(queries), int)
    return _from_queries(cells, queries).argmin(axis=1)


def turns(cells: Cells, queries: np.ndarray) -> np.ndarray:
    """Return before which other cells each query comes to a cell, (queries, cells), from 0."""
    return _from_queries(cells, queries).argsort(axis=1).argsort(axis=1)


def _from_queries(cells: Cells, queries: np.ndarray) -> np.ndarray:
    relative, centers = (cells.relative(x, cells.middle) for x in (queries, cells.centers))
    return _to_centers(relative, centers)


def facing(products: np.ndarray) -> np.ndarray:
    """Return what the products of rows are to be taken with to get their squared distances."""
    faces = products * np.float32(-0.5)
    faces[:, -2:] = products[:, :-3:-1]
    return faces


def squares(x: np.ndarray) -> np.ndarray:
    """Return the squared length of each row, the last axis."""
    return np.einsum("...j,...j->...", x, x)


def parts(length: int, size: int) -> Iterator[slice]:
    """Yield slices of at most this size that cover the length."""
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def finish(done: Iterable[None]) -> None:
    """Wait for what a map does."""
    deque(done, maxlen=0)


def rounding(width: int, squares: Any) -> Any:
    """Bound the error of squared distances that float32 adds up from products.

    Parameters
    ----------
    width : int
        How many products.
    squares : float or array
        The squared lengths of the two rows, added.
    """
    kind = np.finfo(np.float32)
    return (width + 8) * (kind.eps * squares + kind.tiny)  # what is tiny may be lost whole


def plane_distances(
    cells: Cells, queries: np.ndarray, probes: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return each query's own cell, and the least squared distance of the rows of each cell.

    The second has the shape (queries, cells); a cell that is not among the ``probes`` nearest
    is infinitely far. Rounding is taken off, so that no row is nearer than it says.
    """
    if not cells.parted:
        return nearest_cells(cells, queries), _by_column(len(queries), len(cells.ends))
    home = np.empty(len(queries), np.int64)
    lower = _by_column(len(queries), len(cells.centers))
    centers = cells.relative(cells.centers, cells.middle)
    between = _to_centers(*2 * (centers.astype(np.float64),))
    for part in parts(len(queries), FACED):
        relative = cells.relative(queries[part], cells.middle)
        to_centers = _to_centers(relative, centers)
        home[part] = to_centers.argmin(axis=1)
        norms = squares(relative)[:, None] + cells.norms + squares(centers)
        slack = 4 * rounding(queries.shape[1], norms)
        lower[part] = _to_planes(to_centers, between[home[part]], slack)
        if probes is not None and probes < len(centers):
            reach = np.partition(to_centers, probes - 1, axis=1)[:, probes - 1]
            lower[part][to_centers > reach[:, None]] = np.inf
    return home, lower


def _by_column(queries: int, cells: int) -> np.ndarray:
    """Return zeros that lie together by cell, as they are read; untouched they take no room."""
    return np.zeros((cells, queries), np.float32).T


def _to_planes(to_centers: np.ndarray, between: np.ndarray, slack: np.ndarray) -> np.ndarray:
    """Return squared distances to the planes between the nearest centre and each other one."""
    ahead = np.maximum(to_centers - to_centers.min(axis=1, keepdims=True) - slack, 0)
    planes = np.divide(ahead**2, 4 * between, out=np.zeros_like(ahead), where=between > 0)
    return planes * (1 - 1e-6)  # so that float32 does not round it up
