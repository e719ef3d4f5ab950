"""Neighbours against a search by hand through all pairs, and against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors

from kilter._errors import ArgumentError
from kilter.sampling import Neighbors, class_neighbors
from kilter.sampling.neighbors import without_self


def brute_force(x: np.ndarray, labels: np.ndarray, row: int, k: int) -> np.ndarray:
    """Return the sorted distances of a row's k nearest others of its class."""
    others = np.flatnonzero((labels == labels[row]) & (np.arange(len(x)) != row))
    return np.sort(np.linalg.norm(x[others] - x[row], axis=1))[:k]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(6, 60),
    k=st.integers(1, 6),
    coarse=st.booleans(),
)
def test_distances_are_those_of_brute_force(seed: int, rows: int, k: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    x = np.round(x) if coarse else x  # many ties and exact duplicates
    labels = np.sort(rng.integers(0, 3, rows))
    found = class_neighbors(x, labels, k)
    assert found.shape == (rows, k)
    assert found.dtype == np.int32
    for row in range(rows):
        others = int((labels == labels[row]).sum()) - 1
        if others == 0:
            assert set(found[row]) == {row}
            continue
        assert (labels[found[row]] == labels[row]).all()
        assert row not in found[row]
        assert len(set(found[row])) == min(k, others)
        distances = np.sort(np.linalg.norm(x[found[row][: min(k, others)]] - x[row], axis=1))
        np.testing.assert_allclose(distances, brute_force(x, labels, row, k), atol=1e-7)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, [[4, 4, 4, 4, 4]]),
        (2, [[5, 5, 5, 5, 5], [4, 4, 4, 4, 4]]),
        (3, [[5, 6, 5, 6, 5], [4, 6, 4, 6, 4], [5, 4, 5, 4, 5]]),
    ],
)
def test_tiny_classes_repeat_what_they_have(size: int, expected: list[list[int]]) -> None:
    x = np.array([[0.0], [1.0], [2.0], [3.0], *([10.0 + i**2] for i in range(size))])
    labels = np.array([0] * 4 + [1] * size)
    assert class_neighbors(x, labels, k=5)[4:].tolist() == expected


def test_duplicates_are_neighbours_of_each_other_and_never_of_themselves() -> None:
    x = np.zeros((8, 2))
    found = class_neighbors(x, np.zeros(8, int), k=3)
    for row in range(8):
        assert row not in found[row]
        assert len(set(found[row])) == 3


def test_rows_need_not_be_sorted_by_class() -> None:
    x = np.array([[0.0], [100.0], [1.0], [101.0], [3.0]])
    assert class_neighbors(x, np.array([0, 1, 0, 1, 0]), k=1).ravel().tolist() == [2, 3, 0, 1, 2]


X = np.random.default_rng(0).standard_normal((300, 4))
QUERIES = np.random.default_rng(1).standard_normal((40, 4))


@pytest.mark.parametrize("queries", [None, QUERIES], ids=["own", "others"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_it_finds_what_scikit_learn_finds(queries: np.ndarray | None, dtype: type) -> None:
    asked = None if queries is None else queries.astype(dtype)
    ours, theirs = (
        kind(n_neighbors=6).fit(X.astype(dtype)) for kind in (Neighbors, NearestNeighbors)
    )
    found, expected = ours.kneighbors(asked), theirs.kneighbors(asked)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-6)
    np.testing.assert_array_equal(found[1], expected[1])
    np.testing.assert_array_equal(ours.kneighbors(asked, 2, False), expected[1][:, :2])
    for mode in ("connectivity", "distance"):
        graph, reference = (one.kneighbors_graph(asked, mode=mode) for one in (ours, theirs))
        np.testing.assert_allclose(graph.toarray(), reference.toarray(), rtol=1e-6)


def test_integers_are_not_compared_in_their_own_type() -> None:
    x = np.array([[0], [200], [255]], np.uint8)
    distances, rows = Neighbors(1).fit(x).kneighbors()
    assert rows.ravel().tolist() == [1, 2, 1]
    assert distances.ravel().tolist() == [200, 55, 55]


@pytest.mark.parametrize("queries", [None, QUERIES], ids=["own", "others"])
def test_sparse_rows_have_the_neighbours_of_dense_ones(queries: np.ndarray | None) -> None:
    table = sparse.csr_matrix(X)
    asked = None if queries is None else sparse.csr_matrix(queries)
    found = Neighbors(3).fit(table).kneighbors(asked)
    expected = Neighbors(3).fit(X).kneighbors(queries)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-7)
    np.testing.assert_array_equal(found[1], expected[1])


def test_a_row_is_never_its_own_neighbour_whatever_its_duplicates() -> None:
    x = np.repeat([[0.0], [5.0]], 20, axis=0)
    rows = Neighbors(7).fit(x).kneighbors(return_distance=False)
    assert (rows != np.arange(40)[:, None]).all()
    assert (x[rows, 0] == x).all()


def test_without_self_leaves_out_the_last_where_the_own_row_was_missed() -> None:
    distances, rows = np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([[0, 5], [6, 7]])
    left = without_self(distances, rows, np.array([0, 1]))
    assert left[0].tolist() == [[1.0], [2.0]]
    assert left[1].tolist() == [[5], [6]]


@pytest.mark.parametrize(
    ("arguments", "asked", "message"),
    [
        ({"recall": 0}, {}, "`recall` must be above 0 and at most 1; got 0"),
        ({"recall": 1.5}, {}, "`recall` must be"),
        ({"device": "tpu"}, {}, "`device` must be auto, cpu or gpu; got `tpu`"),
        ({"n_neighbors": 300}, {}, "`n_neighbors` must be from 1 to 299, of 300 fitted rows"),
        ({"n_neighbors": 301}, {"X": QUERIES}, "must be from 1 to 300"),
        ({}, {"n_neighbors": 0}, "`n_neighbors` must be from 1"),
    ],
)
def test_what_cannot_be_searched_is_refused(arguments: dict, asked: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Neighbors(**arguments).fit(X).kneighbors(**asked)


@pytest.mark.parametrize("queries", [None, QUERIES], ids=["own", "others"])
def test_what_is_near_enough_will_do(queries: np.ndarray | None) -> None:
    search = Neighbors(3).fit(X)
    asked = X if queries is None else queries
    nearest = search.kneighbors(queries)[0]
    distances, rows = search.kneighbors(queries, enough=np.full(len(asked), np.inf))
    assert distances.shape == rows.shape == (len(asked), 3)
    np.testing.assert_allclose(distances, np.linalg.norm(X[rows] - asked[:, None], axis=2))
    none = search.kneighbors(queries, enough=np.zeros(len(asked)))[0]
    np.testing.assert_array_equal(none, nearest)
    for bad in (np.zeros(2), [-1.0] * len(asked), [np.nan] * len(asked)):
        with pytest.raises(ArgumentError, match="`enough` must have one distance of at least 0"):
            search.kneighbors(queries, enough=bad)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_rows_can_be_searched_among_some_of_those_fitted(kind) -> None:
    x, among = np.arange(10.0)[:, None], np.array([9, 2, 4])
    search = Neighbors().fit(kind(x))
    found = search.kneighbors(kind(x[[0, 5]]), 2, return_distance=False, among=among)
    assert found.tolist() == [[2, 4], [4, 2]]
    with pytest.raises(ArgumentError, match="`n_neighbors` must be from 1 to 3, of 3 fitted"):
        search.kneighbors(kind(x), 4, among=among)
    with pytest.raises(ArgumentError, match="`among` must come with `X`"):
        search.kneighbors(among=among)
    small = search.kneighbors(kind(x[:1]), 2, return_distance=False, among=among.astype(np.uint8))
    assert small.tolist() == [[2, 4]]
    assert small.dtype == np.int64
    for bad in ([10], [-1], [0.5], [[1]]):
        with pytest.raises(ArgumentError, match="`among` must be positions of fitted rows"):
            search.kneighbors(kind(x), 1, among=bad)


def test_a_graph_has_two_modes() -> None:
    with pytest.raises(ArgumentError, match="`mode` must be connectivity or distance; got `x`"):
        Neighbors().fit(X).kneighbors_graph(mode="x")


def test_it_is_cloned_and_says_what_it_searched() -> None:
    search = clone(Neighbors(3, recall=0.9, n_jobs=2, verbose=False)).fit(X)
    search.kneighbors()
    assert (search.recall, search.n_jobs, search.recall_) == (0.9, 2, 1.0)
    assert (search.n_samples_fit_, search.n_features_in_) == (300, 4)
