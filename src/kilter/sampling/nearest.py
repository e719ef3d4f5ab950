"""How a search runs: into which cells it looks, on how many threads, with what progress."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.progress import track
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import ThreadpoolController

from kilter.sampling import device
from kilter.sampling.cells import (
    Cells,
    Each,
    cluster,
    finish,
    nearest_cells,
    parts,
    plane_distances,
    scatter,
    shuffled,
    turns,
)
from kilter.sampling.search import CrowdedError, Mutual, Scan

CHUNK = 16384  # queries that go through the cells together
SMALL = 10_000_000  # distances that are looked at before anything is planned
LONG = 3_000_000_000  # distances whose search shows its progress
TRIED = 64  # queries on which cells are tried
MEASURED = 512  # queries on which a recall is measured
SHARED = 100_000_000  # distances to try from which threads gain more than they lose in hand-overs
CELLED = 1.1  # what a distance costs among cells, where it costs 1 in a plain scan (1.04 to 1.17)


class Crew(NamedTuple):
    """How many threads there are, and what maps a function over tasks on them."""

    threads: int
    each: Each


class Nearest(NamedTuple):
    """What a search found: float64 and int64 of shape (queries, k), and its measured recall."""

    distances: np.ndarray
    rows: np.ndarray
    recall: float


class Search(NamedTuple):
    """Rows (rows, width), queries (queries, width) or None for the rows themselves, and how.

    Where ``enough`` (queries,) is given, any k rows nearer than that distance will do.
    Queries, if they are not the rows themselves, may be searched ``among`` some of these only.
    """

    x: np.ndarray
    queries: np.ndarray | None
    k: int
    recall: float = 1.0
    threads: int | None = None
    device: str = "auto"
    verbose: bool = False
    enough: np.ndarray | None = None
    among: np.ndarray | None = None

    @property
    def size(self) -> int:
        """How many rows are looked at."""
        return len(self.x if self.among is None else self.among)

    @property
    def asked(self) -> np.ndarray:
        """What is searched for."""
        return self.x if self.queries is None else self.queries

    @property
    def work(self) -> int:
        """Distances between all queries and all rows."""
        return len(self.asked) * self.size


class Trial(NamedTuple):
    """What came of cells on some of the queries.

    How many cells to look into (None for all that may be needed), the recall, and the share of
    all distances that lies in cells which the neighbours found do not rule out.
    """

    queries: int
    probes: int | None
    recall: float
    share: float


def find(search: Search) -> Nearest:
    """Find the k nearest rows of each query; without queries a row finds itself too.

    Where many rows are equally near, or one is so far away that float32 cannot tell the others
    apart, screening spares nothing, and scikit-learn searches.
    """
    try:
        return _find(search)
    except CrowdedError:
        return _elsewhere(search, _plain)


def _elsewhere(search: Search, way: Callable[[Search], tuple[np.ndarray, np.ndarray]]) -> Nearest:
    """Search by what knows whole tables only."""
    if search.among is None:
        return Nearest(*way(search), 1.0)
    distances, rows = way(search._replace(x=search.x[search.among], among=None))
    return Nearest(distances, search.among[rows], 1.0)


def _plain(search: Search) -> tuple[np.ndarray, np.ndarray]:
    plain = NearestNeighbors(n_neighbors=search.k, n_jobs=search.threads).fit(search.x)
    distances, rows = plain.kneighbors(search.asked)
    return distances.astype(np.float64, copy=False), rows


def _on_device(search: Search) -> tuple[np.ndarray, np.ndarray]:
    return device.nearest(search.x, search.asked, search.k)


def _find(search: Search) -> Nearest:
    if search.work <= SMALL:
        return _scan_all(search, Crew(1, map))
    if device.takes(search.device, search.work):
        return _elsewhere(search, _on_device)
    with _crew(search.threads) as crew:
        plan = _plan(search, crew)
        if plan is None:
            return _scan_all(search, crew)
        cells, trial = plan
        if trial.probes is not None and search.verbose:
            _say(trial, len(cells.ends))
        return Nearest(*_scan_some(search, cells, trial.probes, crew), trial.recall)


def _plan(search: Search, crew: Crew) -> tuple[Cells, Trial] | None:
    """Return cells and how many of them to look into, or None where a plain scan is faster."""
    count = int(np.clip(search.size**0.5 / 4, 16, 1024))
    # Dealing rows into cells looks at as many distances as so many queries do.
    if len(search.asked) < 4 * count or search.size < 16 * count:
        return None
    cells = cluster(search.x, count, search.queries, search.among, crew.each)
    trial = _try(search, cells, crew)
    # A plain scan needs half of the products where rows look for each other.
    worth = 0.5 if search.queries is None else 1
    return (cells, trial) if trial.share * CELLED <= worth else None


def _try(search: Search, cells: Cells, crew: Crew) -> Trial:
    """Search some of the queries exactly, and see how many cells would have been enough.

    A number of cells has to reach the recall on each half of these queries: one that only luck
    brought there on one of them will not on the other.
    """
    size = TRIED if search.recall == 1 else MEASURED
    sample = shuffled(len(search.asked))[-size:]  # the centres were found on the first ones
    queries = search.asked[sample]
    each = crew.each if len(sample) * search.size > SHARED else map
    distances, rows = Scan(cells, queries, search.k).run(each)
    needed = plane_distances(cells, queries)[1] <= (distances[:, -1:] / cells.scale) ** 2

    def share(seen: np.ndarray) -> float:
        return float((seen @ cells.sizes).mean() / search.size)

    exact = Trial(len(sample), None, 1.0, share(needed))
    if search.recall == 1:
        return exact
    order = turns(cells, queries)
    before = np.take_along_axis(order, cells.home[rows], axis=1)
    counts = np.ones_like(rows, bool) if search.queries is not None else rows != sample[:, None]
    halves = (before[part][counts[part]] for part in parts(len(sample), -(-len(sample) // 2)))
    probes = 1 + max(np.quantile(half, search.recall, method="inverted_cdf") for half in halves)
    found = float((before < probes)[counts].mean())
    fewer = Trial(len(sample), int(probes), found, share(needed & (order < probes)))
    return fewer if fewer.share < exact.share else exact


def _say(trial: Trial, cells: int) -> None:
    Console(stderr=True).print(
        f"approximate neighbours: recall {trial.recall:.3f} measured on {trial.queries} rows, "
        f"{trial.probes} of {cells} cells",
        highlight=False,
    )


def _scan_all(search: Search, crew: Crew) -> Nearest:
    """Look at every distance."""
    cells = scatter(search.x, search.queries, search.among, crew.each)
    if search.queries is not None:
        return Nearest(*_scan_some(search, cells, None, crew), 1.0)
    mutual = Mutual(cells, search.k)
    pairs = list(mutual.pairs())
    _work(lambda pair: mutual.meet(*pair), pairs, crew, search)
    return Nearest(*mutual.rank(crew.each), 1.0)


def _scan_some(
    search: Search, cells: Cells, probes: int | None, crew: Crew
) -> tuple[np.ndarray, np.ndarray]:
    """Send the queries through the cells, those of a cell together."""
    shape = len(search.asked), search.k
    distances, rows = np.empty(shape), np.empty(shape, np.int64)
    order = cells.order if search.queries is None else _by_cell(cells, search.queries)

    def scan(at: np.ndarray) -> None:
        enough = None if search.enough is None else search.enough[at]
        distances[at], rows[at] = Scan(cells, search.asked[at], search.k, probes, enough).run()

    # As many for each thread, so that none waits for another at the end.
    groups = -(-len(order) // (CHUNK * crew.threads)) * crew.threads
    _work(scan, np.array_split(order, min(groups, len(order))), crew, search)
    return distances, rows


def _by_cell(cells: Cells, queries: np.ndarray) -> np.ndarray:
    home = np.concatenate([nearest_cells(cells, queries[p]) for p in parts(len(queries), CHUNK)])
    return np.argsort(home, kind="stable")


def _work(function: Callable[[Any], None], tasks: list[Any], crew: Crew, search: Search) -> None:
    """Call the function on every task, and show a bar where that takes long."""
    console = Console(stderr=True)
    seen = console.is_terminal or console.is_jupyter
    hidden = not (search.verbose and seen and search.work > LONG)
    done, title = crew.each(function, tasks), "nearest neighbours"
    finish(track(done, title, len(tasks), console=console, transient=True, disable=hidden))


@contextlib.contextmanager
def _crew(threads: int | None) -> Iterator[Crew]:
    """Let libraries run on one thread, and yield the threads to run beside each other."""
    with _LIMIT as most:
        threads = most if threads is None or threads < 1 else threads
        with ThreadPoolExecutor(threads) as pool:
            yield Crew(threads, pool.map if threads > 1 else map)


class _Limit:
    """Libraries run on one thread while any search runs: the first limits, the last restores.

    Each for itself would save what another has limited, and leave that behind.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._searches = 0

    @functools.cached_property
    def _libraries(self) -> ThreadpoolController:
        return ThreadpoolController()  # NumPy's are loaded by now, and stay

    def __enter__(self) -> int:
        with self._lock:
            if not self._searches:
                pools = self._libraries.select(user_api="blas").info()
                self._threads = max((pool["num_threads"] for pool in pools), default=1)
                self._limiter = self._libraries.limit(limits=1)
            self._searches += 1
            return self._threads

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._searches -= 1
            if not self._searches:
                self._limiter.restore_original_limits()


_LIMIT = _Limit()
