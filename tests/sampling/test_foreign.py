"""How much of what is near a row is of other classes, whichever way it is searched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from kilter.sampling import Neighbors, foreign, nearest
from kilter.sampling.foreign import foreign_share, own_neighbors
from nearby import foreign_shares


@settings(max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    m=st.integers(1, 8),
    coarse=st.booleans(),
    dtype=st.sampled_from([np.float32, np.float64, np.int64, np.uint8]),
)
def test_shares_of_others_are_those_of_foreign_shares(
    seed: int, m: int, coarse: bool, dtype: type
) -> None:
    rng = np.random.default_rng(seed)
    # Of 25 or 10,000 places: the first means exact duplicates within and across the classes.
    x = rng.integers(0, 5 if coarse else 100, (60, 2)).astype(dtype)
    y = rng.permutation(np.repeat([0, 1, 2], [30, 20, 10]))
    rows = np.flatnonzero(y == rng.integers(3))
    np.testing.assert_allclose(foreign_share(x, y, rows, m), foreign_shares(x, y, rows, m))


@pytest.mark.parametrize("neighbors", [4, NearestNeighbors(n_neighbors=5)], ids=["int", "sklearn"])
@pytest.mark.parametrize("place", [0, 7, 19])
def test_a_row_among_duplicates_of_another_class_does_not_count_itself(
    neighbors: object, place: int
) -> None:
    # Its four neighbours are of the other class, whether or not the search found it first.
    y = np.zeros(20, int)
    y[place] = 1
    found = foreign_share(np.ones((20, 2)), y, np.array([place]), neighbors)
    assert found.tolist() == [1.0]


def test_a_duplicate_of_another_class_counts() -> None:
    x = np.array([[0.0], [0.0], [5.0], [5.0], [6.0]])
    y = np.array([0, 1, 1, 1, 0])
    assert foreign_share(x, y, np.arange(5), 1).tolist() == [1, 1, 0, 0, 1]
    assert foreign_share(x, y, np.arange(5), 4).tolist() == [0.75, 0.5, 0.5, 0.5, 0.75]


def test_more_neighbours_than_rows_are_all_the_others() -> None:
    x, y = np.arange(5.0)[:, None], np.array([0, 0, 0, 1, 1])
    expected = [0.5, 0.5, 0.5, 0.75, 0.75]
    assert foreign_share(x, y, np.arange(5), 50).tolist() == expected
    search = NearestNeighbors(n_neighbors=51)
    assert foreign_share(x, y, np.arange(5), search).tolist() == expected


def rare(rows: int, rarest: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.zeros(rows, int)
    y[rng.choice(rows, rarest, replace=False)] = 1
    return rng.standard_normal((rows, width)).astype(np.float32), y


@pytest.mark.parametrize("width", [2, 20], ids=["in cells", "scanned"])
@pytest.mark.parametrize("rarest", [2, 60, 100, 1000], ids="{} of 4000".format)
@pytest.mark.parametrize("m", [1, 5])
def test_a_planned_search_finds_the_same_shares(width, rarest, m, monkeypatch) -> None:
    monkeypatch.setattr(nearest, "SMALL", 1000)
    x, y = rare(4000, rarest, width)
    rows = np.flatnonzero(y)
    np.testing.assert_allclose(foreign_share(x, y, rows, m), foreign_shares(x, y, rows, m))


@pytest.mark.parametrize("m", [1, 5, 80])
def test_own_neighbors_are_those_of_scikit_learn(m: int) -> None:
    x, y = rare(300, 40, 3)
    rows = np.flatnonzero(y)
    search = NearestNeighbors(n_neighbors=min(m, 39)).fit(x[rows])
    expected = rows[search.kneighbors(return_distance=False)]
    found = own_neighbors(x, y, rows, m)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(foreign_share(x, y, rows, m, found), foreign_share(x, y, rows, m))


def test_own_neighbors_are_none_where_all_rows_are_searched() -> None:
    x, y = rare(300, 40, 3)
    rows = np.flatnonzero(y)
    assert own_neighbors(x, y, rows, NearestNeighbors(n_neighbors=5)) is None
    assert own_neighbors(sparse.csr_array(x), y, rows, 4) is None
    assert own_neighbors(x, y, rows[1:], 4) is None


def test_an_approximate_search_finds_nearly_the_same_shares(monkeypatch) -> None:
    monkeypatch.setattr(nearest, "SMALL", 1000)
    x, y = rare(8000, 800, 3)
    rows = np.flatnonzero(y)
    search = Neighbors(6, recall=0.9, verbose=False)
    expected = foreign_shares(x, y, rows, 5)
    found = foreign_share(x, y, rows, search)
    assert 0 < abs(found - expected).mean() < 0.1


@pytest.mark.parametrize("kind", ["sparse", "sklearn", "a part of the class"])
def test_what_cannot_be_searched_by_sides_is_searched_whole(kind, monkeypatch) -> None:
    monkeypatch.setattr(foreign, "_by_sides", None)
    x, y = rare(300, 40, 3)
    rows = np.flatnonzero(y)[:: 1 + (kind == "a part of the class")]
    search = NearestNeighbors(n_neighbors=5) if kind == "sklearn" else 4
    table = sparse.csr_array(x) if kind == "sparse" else x
    np.testing.assert_allclose(foreign_share(table, y, rows, search), foreign_shares(x, y, rows, 4))


def test_a_table_of_one_class_has_no_others() -> None:
    x, y = rare(30, 5, 2)
    assert foreign_share(x, np.zeros_like(y), np.arange(30), 4).tolist() == [0] * 30


@pytest.mark.parametrize("far", [1e6, 1e20, 1e40])
@pytest.mark.parametrize("planned", [False, True])
def test_rows_far_from_all_others_have_their_like_around_them(far, planned, monkeypatch) -> None:
    monkeypatch.setattr(nearest, "SMALL", 0 if planned else nearest.SMALL)
    x, y = np.random.default_rng(0).random((200, 2)), np.zeros(200, int)
    x[:10, 0], y[:20] = far, 1
    np.testing.assert_array_equal(foreign_share(x, y, np.arange(20), 5)[:10], 0)
    expected = foreign_shares(x[10:], y[10:], np.arange(10), 5)
    np.testing.assert_allclose(foreign_share(x, y, np.arange(20), 5)[10:], expected)
