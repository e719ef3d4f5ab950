"""Exact search for the nearest rows: screened in float32, ranked in float64.

Rows are kept in cells. A block of products of a cell with some queries gives distances that
are right within a known error; what lies within that error of the best so far is a
candidate, and candidates are ranked again by differences in float64. So the answer is exact
although the bulk of the work is a matrix product in single precision.

Where the data has structure, cells are those of k-means and a cell is passed over once no
row in it can be near enough: a row of cell l is at least as near to its centre as to the
centre h of the query's own cell, so its distance to the query q is at least
(|q - l|² - |q - h|²) / 2|l - h|, the distance to the plane between the two. Where that
spares nothing, as on isotropic noise in many dimensions, cells are arbitrary and all are
scanned; rows that look for each other then share their products.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from kilter.sampling.cells import (
    Cells,
    CrowdedError,
    Each,
    facing,
    finish,
    parts,
    plane_distances,
    rounding,
    squares,
)

BLOCK = 1 << 20  # distances of one product: they stay in the cache
QUERIES = 1024  # most queries of one product
GROUP = 8  # rows whose smallest stands for them in a first bound
WORD = 8  # truths that one integer holds
UNBUFFERED = 256  # numbers: NumPy copies a limit again and again to fill a larger buffer
GUESS = 2048  # rows that give a first bound
PLACE = np.uint32  # of a query, or of a row: half of what an index is, and there are many
NUMBERS = 1 << 18  # numbers of the pairs that are ranked at once: they stay in the cache
FRESH = 1  # new candidates for each neighbour asked for that are kept before they are sorted in
CROWD = 100  # candidates for each neighbour asked for, from which on float32 tells too little
FEW = 1024  # queries that may have as many candidates as these have: one may have all of a cell


class Best:
    """The nearest rows found so far for each of some queries.

    ``limit`` is the k-th smallest squared distance so far, as float32 has it; what float32
    has is right within ``slack``. Both have the shape (queries,), and so has ``enough``: a
    query with k rows that are surely nearer than that, squared, is done.
    """

    def __init__(self, queries: int, k: int, enough: np.ndarray | None = None) -> None:
        self._k = k
        self.limit = np.full(queries, np.inf, np.float32)
        self.slack = np.zeros(queries, np.float32)
        self._enough = enough
        self._sure = np.zeros(queries, np.int64)
        self._found = _nothing()
        self._new: list[tuple[np.ndarray, ...]] = []
        self._pending = self._added = 0
        self._lock = threading.Lock()

    @property
    def reach(self) -> np.ndarray:
        """Squared distances, as float32 has them, that may still be among the best."""
        return self.limit + 2 * self.slack

    def seeks(self, lower: np.ndarray) -> np.ndarray:
        """Return whether each query wants rows that are no nearer than this, (queries,)."""
        return (lower <= self.reach) & (self._sure < self._k)

    def allow(self, queries: np.ndarray, error: np.ndarray) -> None:
        """Count on distances of some queries that are wrong by at most so much."""
        with self._lock:
            self.slack[queries] = np.maximum(self.slack[queries], error)

    def add(self, queries: np.ndarray, places: np.ndarray, distances: np.ndarray) -> None:
        """Add candidates: the query, where the row lies, and the squared distance."""
        with self._lock:
            self._new.append((queries.astype(PLACE), places.astype(PLACE), distances))
            self._pending += len(queries)
            self._added += len(queries)
            if self._enough is not None:
                sure = queries[distances + self.slack[queries] < self._enough[queries]]
                self._sure += np.bincount(sure, minlength=len(self._sure))
            if self._added > CROWD * self._k * max(len(self.limit), FEW):
                raise CrowdedError
            if self._pending > FRESH * self._k * len(self.limit):
                self._tighten()

    def _tighten(self) -> tuple[np.ndarray, ...]:
        """Drop and return candidates by what is known now, sorted by query and distance."""
        found = zip(self._found, *self._new, strict=True)
        queries, places, distances = (np.concatenate(parts) for parts in found)
        # A float that is not negative sorts as its bits do: one sort of integers does it.
        bits = np.maximum(distances, 0).view(np.uint32)
        order = np.argsort(queries.astype(np.uint64) << np.uint64(32) | bits)
        queries, places, distances = queries[order], places[order], distances[order]
        starts = self._starts(queries)
        full = np.diff(starts) >= self._k
        self.limit[full] = distances[starts[:-1][full] + self._k - 1]
        near = distances <= self.reach[queries]
        self._found = queries[near], places[near], distances[near]
        self._new, self._pending = [], 0
        return self._found

    def rank(
        self, x: np.ndarray, order: np.ndarray, asked: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and rows, (queries, k), ranked by differences in float64."""
        queries, places, _ = self._tighten()
        starts = self._starts(queries)
        counts = np.diff(starts)
        if (counts < self._k).any():  # distances were beyond what float32 holds
            raise CrowdedError
        distances = np.empty((len(asked), self._k))
        rows = np.empty((len(asked), self._k), np.int64)
        for some in _alike(counts, NUMBERS // x.shape[1]):
            ahead = np.arange(counts[some].max())
            at = np.minimum(ahead, counts[some, None] - 1)
            found = order[places[starts[some, None] + at]]
            mine = asked[some].astype(np.float64)
            apart = np.sqrt(squares(mine[:, None] - x.take(found, axis=0)))
            apart[ahead > at], found[ahead > at] = np.inf, len(x)  # there are no more
            first = np.lexsort((found, apart), axis=1)[:, : self._k]
            distances[some] = np.take_along_axis(apart, first, axis=1)
            rows[some] = np.take_along_axis(found, first, axis=1)
        return distances, rows

    def _starts(self, queries: np.ndarray) -> np.ndarray:
        """Return where the candidates of each query begin among sorted ones, and their end."""
        return np.searchsorted(queries, np.arange(len(self.limit) + 1, dtype=queries.dtype))


def _alike(counts: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Yield places with about equal counts, as many as have at most so many in all, or one."""
    order = np.argsort(-counts, kind="stable")
    start = 0
    while start < len(order):
        stop = start + max(most // counts[order[start]], 1)
        yield order[start:stop]
        start = stop


def _nothing() -> tuple[np.ndarray, ...]:
    return np.empty(0, PLACE), np.empty(0, PLACE), np.empty(0, np.float32)


class Scan:
    """Some queries on their way through the cells.

    Parameters
    ----------
    cells : Cells
        The rows to search.
    queries : array of shape (queries, width)
        What to search for.
    k : int
        How many of the nearest rows, at most as many as there are.
    probes : int, optional
        A query sees only as many cells, those with the nearest centres, or more while it has
        found fewer than k rows. The search is approximate then.
    enough : array of shape (queries,), optional
        A query is content with any k rows that are nearer than this distance.
    """

    def __init__(
        self,
        cells: Cells,
        queries: np.ndarray,
        k: int,
        probes: int | None = None,
        enough: np.ndarray | None = None,
    ) -> None:
        self._cells, self._queries, self._k = cells, queries, k
        self._same: np.ndarray | None = None
        self._home, self._lower = plane_distances(cells, queries, probes)
        self._best = Best(len(queries), k, None if enough is None else (enough / cells.scale) ** 2)
        if not cells.parted:  # they have one centre
            self._same = self._face(slice(None), cells.middle)

    def run(self, each: Each = map) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and rows, float64 and int64 of shape (queries, k).

        Nearest first; of rows equally near the one that comes first. ``each`` maps a function
        over cells; but for ``enough``, what is found does not hang on their order.
        """
        finish(each(self._open, np.unique(self._home)))
        needs = (self._lower <= self._best.reach[:, None]).sum(axis=0)
        wanted = np.argsort(-needs, kind="stable")[: np.count_nonzero(needs)]
        finish(each(self._visit, wanted))
        return self._best.rank(self._cells.x, self._cells.order, self._queries)

    def _open(self, cell: int) -> None:
        """Look into a cell for the queries whose own it is, which bounds their distances."""
        rows = self._cells.rows(cell)
        rest = min(rows.start + GUESS, rows.stop)
        for at, query in self._relative(cell, self._home == cell):
            block = self._cells.products[rows.start : rest] @ query.T
            self._best.limit[at] = _kth_bound(block, self._k)
            self._collect(block, at, rows.start)
            self._look(slice(rest, rows.stop), at, query)
            self._lower[at, cell] = np.nan  # never again

    def _visit(self, cell: int) -> None:
        """Look into a cell for all queries that may have a neighbour in it."""
        for at, query in self._relative(cell, self._best.seeks(self._lower[:, cell])):
            self._look(self._cells.rows(cell), at, query)

    def _look(self, rows: slice, at: np.ndarray, query: np.ndarray) -> None:
        for part in parts(rows.stop - rows.start, BLOCK // len(at)):
            start = rows.start + part.start
            self._collect(self._cells.products[start : rows.start + part.stop] @ query.T, at, start)

    def _collect(self, block: np.ndarray, at: np.ndarray, start: int) -> None:
        """Take the candidates from a block of distances, (rows, queries)."""
        places, columns = _within(block, self._best.reach[at])
        self._best.add(at[columns], places + start, block[places, columns])

    def _relative(self, cell: int, which: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield some queries and what the products of the cell's rows are to be taken with."""
        most = self._cells.products[self._cells.rows(cell), -2].max(initial=0)
        positions = np.flatnonzero(which)
        for part in parts(len(positions), QUERIES):
            at = positions[part]
            query = self._face(at, self._cells.centers[cell])
            self._best.allow(at, rounding(self._queries.shape[1], query[:, -1] + most))
            yield at, query

    def _face(self, at: Any, center: np.ndarray) -> np.ndarray:
        if self._same is not None:
            return self._same[at]
        relative = self._cells.relative(self._queries[at], center)
        face = np.ones((len(relative), relative.shape[1] + 2), np.float32)
        face[:, :-2] = relative
        face[:, -1] = squares(face[:, :-2])
        return face


class Mutual:
    """The rows of arbitrary cells that look for each other: each product serves both.

    Parameters
    ----------
    cells : Cells
        The rows, dealt by `scatter`.
    k : int
        How many of the nearest rows, at most as many as there are. A row finds itself too.
    """

    def __init__(self, cells: Cells, k: int) -> None:
        self._cells, self._k = cells, k
        squared = cells.products[:, -2]
        self._bests = [Best(size, k) for size in cells.sizes]
        for cell, best in enumerate(self._bests):
            best.slack[:] = rounding(cells.x.shape[1], squared[cells.rows(cell)] + squared.max())

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield the pairs of cells to meet, each with itself first."""
        cells = len(self._cells.ends)
        for ahead in range(cells // 2 + 1):
            half = 2 * ahead == cells and ahead > 0
            yield from (
                (one, (one + ahead) % cells) for one in range(cells // 2 if half else cells)
            )

    def meet(self, one: int, other: int) -> None:
        """Let the rows of two cells see each other."""
        mine, theirs = self._cells.rows(one), self._cells.rows(other)
        block = self._cells.products[mine] @ facing(self._cells.products[theirs]).T
        best = self._bests[other]
        if one == other:
            best.limit[:] = _kth_bound(block, self._k)
        rows, columns = _within(block, best.reach)
        best.add(columns, rows + mine.start, block[rows, columns])
        if one != other:
            best = self._bests[one]
            rows, columns = _within(block, best.reach[:, None])
            best.add(rows, columns + theirs.start, block[rows, columns])

    def rank(self, each: Each = map) -> tuple[np.ndarray, np.ndarray]:
        """Return distances and rows, float64 and int64 of shape (rows, k), as `Scan.run`."""
        x, order = self._cells.x, self._cells.order
        distances, rows = np.empty((len(x), self._k)), np.empty((len(x), self._k), np.int64)

        def rank(cell: int) -> None:
            at = order[self._cells.rows(cell)]
            distances[at], rows[at] = self._bests[cell].rank(x, order, x[at])

        finish(each(rank, range(len(self._bests))))
        return distances, rows


def _groups(block: np.ndarray) -> np.ndarray:
    """Return the smallest of each group of rows; the last group may be smaller."""
    whole = len(block) // GROUP * GROUP
    smallest = block[:whole].reshape(-1, GROUP, block.shape[1]).min(axis=1)
    if whole == len(block):
        return smallest
    return np.vstack([smallest, block[whole:].min(axis=0)])


def _kth_bound(block: np.ndarray, k: int) -> np.ndarray:
    """Return what the k-th smallest of each column does not exceed, shape (columns,)."""
    smallest = _groups(block)
    # k groups hold k values that are no larger than the largest of their minima.
    smallest = smallest if len(smallest) >= 4 * k else block
    if len(smallest) < k:
        return np.full(block.shape[1], np.inf, np.float32)
    return np.partition(np.ascontiguousarray(smallest.T), k - 1, axis=1)[:, k - 1]


def _within(block: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns where the block is at most the limit, which is broadcast."""
    rows, columns = block.shape
    near = np.zeros((rows, -(-columns // WORD)), np.uint64)
    before = np.setbufsize(UNBUFFERED)
    try:
        np.less_equal(block, limit, out=near.view(bool)[:, :columns])
    finally:
        np.setbufsize(before)
    # Hits are few, and eight truths are compared at once as one integer. To take some and to look
    # for them in one dimension are each several times as fast as an index and as in two.
    words = np.flatnonzero(near != 0)
    hits = np.flatnonzero(near.view(bool).reshape(-1, WORD).take(words, axis=0))
    at, bit = np.divmod(hits, WORD)
    row, word = np.divmod(words.take(at), near.shape[1])
    return row, word * WORD + bit
