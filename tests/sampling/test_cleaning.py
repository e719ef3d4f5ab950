"""Cleaning against a search by hand through all pairs, and against imbalanced-learn."""

from __future__ import annotations

from typing import Any

import imblearn.under_sampling as classic
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.neighbors import NearestNeighbors

from kilter._errors import ArgumentError
from kilter.sampling import EditedNearestNeighbours, Neighbors, TomekLinks


def nearest(x: np.ndarray, k: int) -> np.ndarray:
    """Return the k nearest others of each row, of rows equally near the first first."""
    squares = ((x[:, None].astype(float) - x[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    return np.argsort(squares, axis=1, kind="stable")[:, :k]


def links(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return which rows are in a Tomek link."""
    near = nearest(x, 1)[:, 0]
    found = [near[near[row]] == row and y[near[row]] != y[row] for row in range(len(y))]
    return np.array(found, bool)


def edited(x: np.ndarray, y: np.ndarray, k: int, kind: str) -> np.ndarray:
    """Return which rows Wilson's editing drops."""
    found = []
    for row, near in enumerate(nearest(x, k)):
        if kind == "all":
            found.append(any(y[other] != y[row] for other in near))
        else:
            labels, votes = np.unique(y[near], return_counts=True)
            found.append(labels[votes.argmax()] != y[row])
    return np.array(found, bool)


def overlap(seed: int, counts: tuple[int, ...] = (80, 30, 12)) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of classes that overlap, mixed, no two pairs equally far apart."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    return rng.normal(size=(len(y), 3)) + 0.8 * y[:, None], y


def largest(y: np.ndarray) -> np.ndarray:
    """Return which rows are not of the smallest class."""
    labels, counts = np.unique(y, return_counts=True)
    return y != labels[counts.argmin()]


STRATEGIES = ["auto", "all", "majority", "not majority", [0, 2]]
EDITORS = [(3, "all"), (1, "all"), (3, "mode"), (4, "mode"), (7, "mode")]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
def test_tomek_links_are_those_of_imbalanced_learn(seed: int, strategy: Any) -> None:
    x, y = overlap(seed)
    ours, theirs = (kind(sampling_strategy=strategy) for kind in (TomekLinks, classic.TomekLinks))
    x2, y2 = ours.fit_resample(x, y)
    theirs.fit_resample(x, y)
    kept = np.sort(theirs.sample_indices_)
    assert len(kept) < len(y)
    np.testing.assert_array_equal(ours.sample_indices_, kept)
    np.testing.assert_array_equal(x2, x[kept])
    np.testing.assert_array_equal(y2, y[kept])


@pytest.mark.parametrize("strategy", STRATEGIES, ids=str)
@pytest.mark.parametrize(("k", "kind"), EDITORS)
def test_editing_is_that_of_imbalanced_learn(k: int, kind: str, strategy: Any) -> None:
    x, y = overlap(2)
    settings_ = {"n_neighbors": k, "kind_sel": kind, "sampling_strategy": strategy}
    ours = EditedNearestNeighbours(**settings_)
    theirs = classic.EditedNearestNeighbours(**settings_)
    x2, y2 = ours.fit_resample(x, y)
    theirs.fit_resample(x, y)
    kept = np.sort(theirs.sample_indices_)
    assert len(kept) < len(y)
    np.testing.assert_array_equal(ours.sample_indices_, kept)
    np.testing.assert_array_equal(x2, x[kept])
    np.testing.assert_array_equal(y2, y[kept])


# Whole numbers of a small range: many rows are equal, across classes too, and distances exact.
crowded = st.integers(0, 10_000).map(np.random.default_rng)


def crowd(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows = int(rng.integers(10, 60))
    y = rng.permutation(np.append([0, 0, 0, 0, 1, 1], rng.integers(0, 3, rows)))
    return rng.integers(0, 4, (len(y), 2)).astype(float), y


@settings(max_examples=40)
@given(crowded)
def test_tomek_links_among_equal_rows_are_those_of_the_definition(rng: Any) -> None:
    x, y = crowd(rng)
    stray = links(x, y)
    every = TomekLinks(sampling_strategy="all")
    every.fit_resample(x, y)
    np.testing.assert_array_equal(every.sample_indices_, np.flatnonzero(~stray))
    usual = TomekLinks()
    usual.fit_resample(x, y)
    np.testing.assert_array_equal(usual.sample_indices_, np.flatnonzero(~(stray & largest(y))))


@settings(max_examples=40)
@given(crowded, st.sampled_from(EDITORS))
def test_editing_among_equal_rows_is_that_of_the_definition(rng: Any, how: tuple) -> None:
    x, y = crowd(rng)
    stray = edited(x, y, *how)
    every = EditedNearestNeighbours(n_neighbors=how[0], kind_sel=how[1], sampling_strategy="all")
    every.fit_resample(x, y)
    np.testing.assert_array_equal(every.sample_indices_, np.flatnonzero(~stray))


def test_an_equal_row_of_another_class_is_a_link_where_imbalanced_learn_sees_none() -> None:
    # Two pairs of equal rows: imbalanced-learn takes the first of the nearest for the row itself,
    # which one of the two is not.
    x = np.array([[0.0], [0.0], [5.0], [5.0], [9.0], [9.5]])
    y = np.array([0, 1, 1, 0, 0, 0])
    assert links(x, y).tolist() == [True, True, True, True, False, False]
    ours, theirs = (kind(sampling_strategy="all") for kind in (TomekLinks, classic.TomekLinks))
    assert ours.fit_resample(x, y)[0].ravel().tolist() == [9, 9.5]
    assert len(theirs.fit_resample(x, y)[0]) > 2


def test_editing_sees_the_equal_row_and_not_itself() -> None:
    x = np.array([[0.0], [0.0], [0.0], [7.0], [7.1], [7.2]])
    y = np.array([0, 0, 1, 0, 0, 0])
    # One neighbour, the first of equals: rows 0 and 1 have each other, row 2 has row 0.
    every = {"n_neighbors": 1, "sampling_strategy": "all"}
    ours = EditedNearestNeighbours(**every)
    ours.fit_resample(x, y)
    assert ours.sample_indices_.tolist() == [0, 1, 3, 4, 5]


def test_a_tie_of_votes_goes_to_the_first_class() -> None:
    # The two nearest of each row of class "b" at 1 are one "a" and one "b": "a" wins.
    x = np.array([[0.0], [1.0], [2.1], [9.0], [9.5], [10.0]])
    y = np.array(["a", "b", "b", "a", "a", "a"])
    settings_ = {"n_neighbors": 2, "kind_sel": "mode", "sampling_strategy": "all"}
    sampler = EditedNearestNeighbours(**settings_)
    sampler.fit_resample(x, y)
    # 0.0 sees b, b; 1.0 sees a, b; 2.1 sees b, a; the rest see their own.
    assert sampler.sample_indices_.tolist() == [3, 4, 5]


@pytest.mark.parametrize("sampler", [TomekLinks(), EditedNearestNeighbours()], ids=str)
def test_names_of_classes_change_nothing(sampler: Any) -> None:
    x, y = overlap(3)
    sampler.fit_resample(x, y)
    kept = sampler.sample_indices_
    names = np.array(["ant", "bee", "cow"])[y]
    x2, y2 = sampler.fit_resample(pd.DataFrame(x), pd.Series(names, name="animal"))
    np.testing.assert_array_equal(sampler.sample_indices_, kept)
    np.testing.assert_array_equal(x2.to_numpy(), x[kept])
    assert y2.tolist() == names[kept].tolist()
    assert y2.name == "animal"


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize(
    "sampler", [TomekLinks(), EditedNearestNeighbours(kind_sel="mode")], ids=str
)
def test_sparse_rows_are_cleaned_as_dense_ones(sampler: Any, kind: Any) -> None:
    x, y = overlap(4)
    x = np.where(np.random.default_rng(0).random(x.shape) < 0.2, 0, x)
    expected = sampler.fit_resample(x, y)[0]
    found = sampler.fit_resample(kind(x), y)[0]
    assert type(found) is kind
    np.testing.assert_array_equal(found.toarray(), expected)


@pytest.mark.parametrize("sampler", [TomekLinks(), EditedNearestNeighbours()], ids=str)
def test_weights_of_the_rows_kept(sampler: Any) -> None:
    x, y = overlap(5)
    weights = sampler.fit_resample(x, y, np.arange(len(y)) / 7)[2]
    np.testing.assert_array_equal(weights, sampler.sample_indices_ / 7)


def test_a_search_of_ones_own() -> None:
    x, y = overlap(6)
    plain, own = TomekLinks(), TomekLinks(n_neighbors=NearestNeighbors(n_neighbors=2))
    np.testing.assert_array_equal(plain.fit_resample(x, y)[0], own.fit_resample(x, y)[0])
    # An estimator counts the row itself: 4 are 3 neighbours.
    editor = EditedNearestNeighbours(n_neighbors=3)
    for search in (Neighbors(4, verbose=False), NearestNeighbors(n_neighbors=4)):
        other = EditedNearestNeighbours(n_neighbors=search)
        np.testing.assert_array_equal(editor.fit_resample(x, y)[0], other.fit_resample(x, y)[0])


def test_distance_is_that_of_the_search() -> None:
    # By the sum of differences row 0 is next to row 1, by Euclid's distance to row 2.
    x = np.array([[0.0, 0.0], [3.0, 0.0], [2.0, 2.0], [20.0, 20.0], [21.0, 21.0], [22.5, 22.5]])
    y = np.array([0, 1, 0, 0, 0, 0])
    search = NearestNeighbors(n_neighbors=2, metric="manhattan")
    kept = TomekLinks(sampling_strategy="all", n_neighbors=search).fit_resample(x, y)[0]
    assert kept[:, 0].tolist() == [2, 20, 21, 22.5]
    kept = TomekLinks(sampling_strategy="all").fit_resample(x, y)[0]
    assert kept[:, 0].tolist() == [0, 20, 21, 22.5]


def test_more_neighbours_than_rows_are_all_of_them() -> None:
    x, y = np.array([[0.0], [1.0], [2.0]]), np.array([0, 0, 1])
    sampler = EditedNearestNeighbours(n_neighbors=9, sampling_strategy="all", kind_sel="mode")
    # The rows of class 0 see one row of each class, and the first wins; row 2 sees two others.
    assert sampler.fit_resample(x, y)[1].tolist() == [0, 0]


def test_classes_apart_lose_nothing() -> None:
    x, y = overlap(7)
    x += 100.0 * y[:, None]
    for sampler in (TomekLinks(), EditedNearestNeighbours()):
        x2, y2 = sampler.fit_resample(x, y)
        np.testing.assert_array_equal(x2, x)
        np.testing.assert_array_equal(y2, y)


def test_a_dict_is_no_strategy_of_cleaning() -> None:
    x, y = overlap(8)
    with pytest.raises(ValueError, match="'sampling_strategy'"):
        TomekLinks(sampling_strategy={0: 5}).fit_resample(x, y)
    with pytest.raises(ArgumentError, match="one label a row"):
        TomekLinks().fit_resample(x, np.ones((len(y), 2), int))
