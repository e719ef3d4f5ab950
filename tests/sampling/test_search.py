"""The search finds what looking at every distance in float64 finds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from kilter.sampling import search
from kilter.sampling.cells import cluster, scatter
from kilter.sampling.search import CrowdedError, Mutual, Scan


def truth(x: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return distances and rows by brute force; of equally near rows the first comes first."""
    distances = cdist(queries.astype(np.float64), x.astype(np.float64))
    rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(distances, rows, axis=1), rows


def meet_all(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    mutual = Mutual(scatter(x), k)
    for pair in mutual.pairs():
        mutual.meet(*pair)
    return mutual.rank()


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let small tables have several cells, blocks and ranked parts."""
    monkeypatch.setattr("kilter.sampling.cells.CELL", 37)
    monkeypatch.setattr(search, "BLOCK", 29 * 41)
    monkeypatch.setattr(search, "QUERIES", 41)
    monkeypatch.setattr(search, "GUESS", 20)
    monkeypatch.setattr(search, "NUMBERS", 300)
    monkeypatch.setattr(search, "CROWD", 10**9)


@settings(max_examples=60)
@given(
    seed=st.integers(0, 1000),
    rows=st.integers(2, 300),
    width=st.integers(1, 12),
    scale=st.sampled_from([-25, -3, 0, 3, 25]),
    offset=st.sampled_from([0, 100, 1e5]),
    coarse=st.booleans(),
    double=st.booleans(),
    data=st.data(),
)
def test_all_three_ways_find_the_nearest(
    seed: int,
    rows: int,
    width: int,
    scale: int,
    offset: float,
    coarse: bool,
    double: bool,
    data: st.DataObject,
) -> None:
    k = data.draw(st.integers(1, min(rows, 15)))
    x = np.random.default_rng(seed).standard_normal((rows, width)) * 10.0**scale + offset
    x = (np.round(x) if coarse else x).astype(np.float64 if double else np.float32)
    distances, nearest = truth(x, x, k)
    ways = {"scan": Scan(scatter(x), x, k).run(), "mutual": meet_all(x, k)}
    if rows > 20:
        ways["cells"] = Scan(cluster(x, 5), x, k).run()
        with ThreadPoolExecutor(3) as pool:
            ways["threads"] = Scan(cluster(x, 5), x, k).run(pool.map)
    for name, found in ways.items():
        np.testing.assert_allclose(found[0], distances, rtol=1e-9, atol=1e-12, err_msg=name)
        if coarse and not offset:  # where rounding of the reference decides nothing
            np.testing.assert_array_equal(found[1], nearest, err_msg=name)


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many distances each block has that is looked at."""
    sizes: list[int] = []
    within = search._within

    def counted(block: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes.append(block.size)
        return within(block, limit)

    monkeypatch.setattr(search, "_within", counted)
    return sizes


def test_structure_spares_most_distances(looked: list[int]) -> None:
    rng = np.random.default_rng(0)
    x = (30 * rng.standard_normal((10, 1, 8)) + rng.standard_normal((10, 300, 8))).reshape(-1, 8)
    found = Scan(cluster(x, 30), x[::10], 5).run()[1]
    np.testing.assert_array_equal(found, truth(x, x[::10], 5)[1])
    assert sum(looked) < 0.2 * len(x) * len(x[::10])


def test_few_probes_miss_some_and_many_miss_none() -> None:
    x = np.random.default_rng(0).standard_normal((2000, 6)).astype(np.float32)
    cells, nearest = cluster(x, 20), truth(x, x, 5)[1]
    recalls = []
    for probes in (1, 4, 20):
        found = Scan(cells, x, 5, probes).run()[1]
        hits = [len(set(a) & set(b)) for a, b in zip(found, nearest, strict=True)]
        recalls.append(np.mean(hits) / 5)
    assert recalls[0] < recalls[1] < recalls[2] == 1


def test_cells_with_too_few_rows_are_not_enough() -> None:
    x = np.arange(12.0)[:, None] ** 3
    cells = cluster(x, 6)
    assert np.diff(cells.ends, prepend=0).max() < 5
    distances, rows = Scan(cells, x, 5, probes=1).run()
    assert [len(set(row)) for row in rows.tolist()] == [5] * 12
    assert (distances[:, 0] == 0).all()


@pytest.mark.parametrize("cells", [1, 2, 3, 4, 7])
def test_every_two_cells_meet_once(cells: int) -> None:
    mutual = Mutual(scatter(np.zeros((37 * cells, 1))), 1)
    met = [frozenset(pair) for pair in mutual.pairs()]
    assert len(met) == len(set(met)) == cells * (cells + 1) // 2


@pytest.mark.parametrize("way", ["scan", "mutual"])
def test_a_crowd_of_equally_near_rows_is_told(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "CROWD", 20)
    monkeypatch.setattr(search, "FEW", 1)
    x = np.zeros((400, 3))
    with pytest.raises(CrowdedError):
        Scan(scatter(x), x, 3).run() if way == "scan" else meet_all(x, 3)


@pytest.mark.parametrize("deal", [scatter, lambda x: cluster(x, 20)], ids=["scatter", "cluster"])
@pytest.mark.parametrize("seed", range(5))
def test_a_query_with_enough_near_rows_is_done(deal, seed: int, looked: list[int]) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2000, 6)).astype(np.float32) * 100
    queries, k = x[:50] + np.float32(0.5), 3
    distances, rows = truth(x, queries, 30)
    # For every other query, 30 rows are nearer than what is enough; for the rest only 2 are.
    enough = np.where(np.arange(50) % 2 == 0, distances[:, -1], distances[:, 2])
    Scan(deal(x), queries, k).run()
    whole = sum(looked)
    far, found = Scan(deal(x), queries, k, enough=enough).run()
    assert sum(looked) - whole < whole
    assert (far[::2] < enough[::2, None]).all()
    assert [len(set(row)) for row in found.tolist()] == [k] * 50
    np.testing.assert_array_equal(found[1::2], rows[1::2, :k])
    np.testing.assert_allclose(far, cdist(queries, x)[np.arange(50)[:, None], found], rtol=1e-5)


def test_a_search_leaves_the_buffer_of_numpy_as_it_was() -> None:
    before, x = np.getbufsize(), np.random.default_rng(0).standard_normal((100, 3))
    meet_all(x, 4)
    Scan(cluster(x, 3), x, 4).run()
    assert np.getbufsize() == before
    # A block that does not compare fails within; the size is put back then too.
    with pytest.raises(ValueError, match="broadcast"):
        search._within(np.zeros((2, 3), np.float32), np.zeros(4, np.float32))
    assert np.getbufsize() == before
