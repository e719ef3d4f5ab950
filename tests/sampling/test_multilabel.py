"""Rows with several labels: label sets as classes, and ML-SMOTE by the paper's rules."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import imblearn.over_sampling as classic
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors

from kilter._errors import ArgumentError
from kilter.sampling import (
    MLSMOTE,
    SMOTE,
    LabelPowerset,
    Neighbors,
    RandomOverSampler,
    RandomUnderSampler,
    TomekLinks,
)
from kilter.sampling.multilabel import rare_labels, read_label_sets

# Label 0 has 8 rows, label 1 four, label 2 two. IRLbl is 1, 2 and 4 and their mean 7 / 3.
Y = np.array([[1, 0, 0]] * 4 + [[1, 1, 0]] * 2 + [[1, 1, 1]] * 2)
X = np.array([0.0, 1, 2, 3, 10, 11, 20, 24])[:, None]


def by_paper(labels: np.ndarray) -> list[int]:
    """Return the labels whose IRLbl is above MeanIR, as the paper writes it."""
    counts = [int(sum(column)) for column in labels.T]
    ratios = {label: Fraction(max(counts), count) for label, count in enumerate(counts) if count}
    return [label for label, ratio in ratios.items() if ratio > sum(ratios.values()) / len(ratios)]


def test_rare_labels_by_hand() -> None:
    assert rare_labels(Y).tolist() == [2]
    # 10, 5, 2 and 2 rows: 1, 2, 5 and 5 with a mean of 3.25
    counts = [10, 5, 2, 2]
    assert rare_labels(np.arange(10)[:, None] < counts).tolist() == [2, 3]


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6).filter(any))
def test_rare_labels_are_those_of_the_paper(counts: list[int]) -> None:
    labels = (np.arange(30)[:, None] < counts).astype(int)
    assert rare_labels(labels).tolist() == by_paper(labels)


def test_labels_that_no_row_has_are_not_rare() -> None:
    assert rare_labels(np.array([[1, 0], [1, 0]])).tolist() == []
    assert rare_labels(np.zeros((3, 2), int)).tolist() == []


def test_ml_smote_by_hand() -> None:
    sampler = MLSMOTE(k_neighbors=1, random_state=0)
    x2, y2 = sampler.fit_resample(X, Y)
    assert sampler.rare_labels_.tolist() == [2]
    np.testing.assert_array_equal(x2[:8], X)
    np.testing.assert_array_equal(y2[:8], Y)
    # A new row for each of the two rows with label 2, between them, with the labels of both.
    assert len(x2) == 10
    assert ((x2[8:] > 20) & (x2[8:] < 24)).all()
    assert y2[8:].tolist() == [[1, 1, 1]] * 2


def test_at_least_half_of_the_row_and_its_neighbours_have_a_label() -> None:
    # Rows with label 1 are 10 to 13; with 3 neighbours each sees them all. Of these four all
    # have label 1, two (half) label 2 and one label 3.
    x = np.arange(14.0)[:, None]
    y = np.zeros((14, 4), int)
    y[:10, 0] = 1
    y[10:, 1] = 1
    y[[10, 13], 2] = 1
    y[12, 3] = 1
    y[0, 2] = y[1, 2] = y[2:5, 3] = 1
    sampler = MLSMOTE(k_neighbors=3, random_state=0)
    x2, y2 = sampler.fit_resample(x, y)
    # 10, 4, 4, 4: 1 and three of 2.5, with a mean of 2.125
    assert sampler.rare_labels_.tolist() == [1, 2, 3]
    assert y2[14:18].tolist() == [[0, 1, 1, 0]] * 4
    assert ((x2[14:18] >= 10) & (x2[14:18] <= 13)).all()


def test_with_one_neighbour_a_label_of_either_is_half() -> None:
    y = np.array([[1, 0, 0]] * 6 + [[1, 1, 0], [0, 1, 1]])
    x = np.arange(8.0)[:, None]
    # 7, 2 and 1 rows: 1, 3.5 and 7, with a mean of 3.83: the last label alone is rare, in one row
    # that has no neighbour and is repeated.
    x2, y2 = MLSMOTE(k_neighbors=1, random_state=0).fit_resample(x, y)
    assert y2[8:].tolist() == [[0, 1, 1]]
    assert x2[8:].tolist() == [[7]]
    # Without it label 1 is rare, and a label that one of two rows has is one that half have.
    x2, y2 = MLSMOTE(k_neighbors=1, random_state=0).fit_resample(x, y[:, :2])
    assert y2[8:].tolist() == [[1, 1]] * 2
    assert ((x2[8:] >= 6) & (x2[8:] <= 7)).all()


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 6))
def test_every_new_row_follows_the_rules(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    labels = (rng.random((60, 4)) < [0.8, 0.4, 0.15, 0.1]).astype(int)
    x = rng.normal(size=(60, 3))
    sampler = MLSMOTE(k_neighbors=k, random_state=seed)
    x2, y2 = sampler.fit_resample(x, labels)
    rare = by_paper(labels)
    assert sampler.rare_labels_.tolist() == rare
    place = 60
    for label in rare:
        rows = np.flatnonzero(labels[:, label])
        for row in rows:
            distances = np.linalg.norm(x[rows] - x[row], axis=1)
            distances[rows == row] = np.inf
            near = rows[np.argsort(distances)[: min(k, len(rows) - 1)]]
            every = np.append(row, near)
            assert y2[place].tolist() == (2 * labels[every].sum(axis=0) >= len(every)).tolist()
            assert on_a_segment(x2[place], x[row], x[near if len(near) else [row]])
            place += 1
    assert len(x2) == len(y2) == place


def on_a_segment(point: np.ndarray, start: np.ndarray, ends: np.ndarray) -> bool:
    """Return whether a point lies between a row and one of others."""
    ways = ends - start
    share = ((point - start) * ways).sum(axis=1) / np.maximum((ways**2).sum(axis=1), 1e-300)
    gap = np.abs(start + share[:, None] * ways - point).max(axis=1)
    return bool(((gap < 1e-6) & (share > -1e-6) & (share < 1 + 1e-6)).any())


def test_partners_and_shares_are_drawn_evenly() -> None:
    # The one rare label has 400 rows of two places: a partner is either neighbour.
    x = np.concatenate([np.zeros(2000), np.tile([0.0, 1.0], 200)])[:, None]
    y = np.column_stack([np.ones(2400), np.arange(2400) >= 2000]).astype(int)
    x2 = MLSMOTE(k_neighbors=399, random_state=0).fit_resample(x, y)[0][2400:].ravel()
    assert len(x2) == 400
    # Half of the partners lie in the other place; five standard errors of a share of 400
    moved = (x2 > 0) & (x2 < 1)
    assert moved.mean() == pytest.approx(200 / 399, abs=5 * 0.5 / 20)
    shares = np.abs(x2 - x[2000:].ravel())[moved]  # of the way to the other place
    assert shares.mean() == pytest.approx(0.5, abs=5 * 12**-0.5 / np.sqrt(moved.sum()))


def test_balanced_labels_make_no_rows() -> None:
    y = np.array([[0, 1], [1, 0]] * 4)
    x2, y2 = MLSMOTE().fit_resample(X, y)
    np.testing.assert_array_equal(x2, X)
    np.testing.assert_array_equal(y2, y)


def test_a_seed_gives_the_same_rows_again() -> None:
    one, two, other = (MLSMOTE(random_state=seed).fit_resample(X, Y)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


def test_weights_go_along() -> None:
    x2, _, weights = MLSMOTE(random_state=0).fit_resample(X, Y, X[:, 0])
    np.testing.assert_allclose(weights, x2[:, 0], rtol=1e-6)


@pytest.mark.parametrize("search", [Neighbors(2, verbose=False), NearestNeighbors(n_neighbors=2)])
def test_an_estimator_counts_the_row_itself(search: Any) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 2)), Y
    expected = MLSMOTE(k_neighbors=1, random_state=0).fit_resample(x, y)[0]
    found = MLSMOTE(k_neighbors=search, random_state=0).fit_resample(x, y)[0]
    np.testing.assert_array_equal(found, expected)


KINDS: dict[str, Any] = {
    "list": np.ndarray.tolist,
    "truths": lambda y: y.astype(bool),
    "bytes": lambda y: y.astype(np.uint8),
    "floats": lambda y: y.astype(np.float32),
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "pandas": lambda y: pd.DataFrame(y.astype(np.int8), columns=list("abc"), index=range(8, 16)),
    "polars": lambda y: pl.DataFrame(y, schema=dict.fromkeys("abc", pl.UInt8)),
}


def dense(y: Any) -> np.ndarray:
    return y.toarray() if sparse.issparse(y) else np.asarray(y)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "sampler", [MLSMOTE(random_state=0), LabelPowerset(RandomOverSampler(random_state=0))], ids=str
)
def test_labels_come_back_as_they_came(sampler: Any, kind: str) -> None:
    expected, labels = sampler.fit_resample(X, Y)
    given_ = KINDS[kind](Y)
    x2, y2 = sampler.fit_resample(X, given_)
    np.testing.assert_array_equal(x2, expected)
    assert type(y2) is type(given_)
    np.testing.assert_array_equal(dense(y2), labels)
    for attribute in ("dtype", "schema", "columns", "dtypes"):
        if hasattr(given_, attribute):
            assert np.all(getattr(y2, attribute) == getattr(given_, attribute))


@pytest.mark.parametrize(
    "kind", [sparse.csr_matrix, pd.DataFrame, np.ndarray.tolist, pl.DataFrame, np.asfortranarray]
)
@pytest.mark.parametrize(
    "sampler",
    [MLSMOTE(random_state=0), LabelPowerset(SMOTE(random_state=0, k_neighbors=1))],
    ids=str,
)
def test_rows_come_back_as_they_came(sampler: Any, kind: Any) -> None:
    x = np.column_stack([X, X[::-1] ** 2])
    expected, labels = sampler.fit_resample(x, Y)
    given_ = kind(x)
    x2, y2 = sampler.fit_resample(given_, Y)
    assert type(x2) is type(given_)
    np.testing.assert_allclose(dense(x2), expected, rtol=1e-6)
    np.testing.assert_array_equal(y2, labels)


def test_images_of_several_labels() -> None:
    images = np.arange(8 * 12, dtype=np.uint8).reshape(8, 2, 2, 3)
    x2, y2 = MLSMOTE(random_state=0).fit_resample(images, Y)
    assert x2.shape == (len(y2), 2, 2, 3)
    assert x2.dtype == np.uint8


def sets(y: np.ndarray) -> dict[tuple, int]:
    found, counts = np.unique(y, axis=0, return_counts=True)
    return dict(zip(map(tuple, found.tolist()), counts.tolist(), strict=True))


@pytest.mark.parametrize(
    ("sampler", "count"),
    [
        (RandomOverSampler(random_state=0), 4),
        (RandomOverSampler(random_state=0, shrinkage=1), 4),
        (RandomUnderSampler(random_state=0), 2),
        (SMOTE(random_state=0, k_neighbors=1), 4),
        (classic.RandomOverSampler(random_state=0), 4),
        (classic.SMOTE(random_state=0, k_neighbors=1), 4),
    ],
    ids=["ros", "noise", "rus", "smote", "imblearn-ros", "imblearn-smote"],
)
def test_every_set_of_labels_is_a_class(sampler: Any, count: int) -> None:
    powerset = LabelPowerset(sampler)
    x2, y2 = powerset.fit_resample(X, Y)
    assert sets(Y) == {(1, 0, 0): 4, (1, 1, 0): 2, (1, 1, 1): 2}
    assert sets(y2) == dict.fromkeys(sets(Y), count)
    assert powerset.label_sets_.tolist() == [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    # The same as by hand: sets numbered, resampled, and looked up.
    codes = Y.sum(axis=1) - 1
    expected, found = clone(sampler).fit_resample(X, codes)
    np.testing.assert_array_equal(x2, expected)
    np.testing.assert_array_equal(y2, powerset.label_sets_[found])


def test_a_powerset_takes_weights_and_a_strategy() -> None:
    # Sets in order: 0 is (1, 0, 0), 2 is (1, 1, 1)
    sampler = RandomOverSampler(sampling_strategy=lambda codes: {2: 3}, random_state=0)
    x2, y2, weights = LabelPowerset(sampler).fit_resample(X, Y, X[:, 0] * 2)
    assert sets(y2) == {(1, 0, 0): 4, (1, 1, 0): 2, (1, 1, 1): 3}
    np.testing.assert_array_equal(weights, x2[:, 0] * 2)


def test_a_powerset_cleans() -> None:
    x = np.array([0.0, 1.0, 2.0, 3.0, 3.1, 8.0])[:, None]
    y = np.array([[0, 1]] * 4 + [[1, 1]] * 2)
    x2, y2 = LabelPowerset(TomekLinks(sampling_strategy="all")).fit_resample(x, y)
    assert x2.ravel().tolist() == [0, 1, 2, 8]
    assert y2.tolist() == [[0, 1]] * 3 + [[1, 1]]


def test_the_sampler_that_was_given_stays_as_it_was() -> None:
    sampler = RandomOverSampler(random_state=0)
    powerset = LabelPowerset(sampler)
    powerset.fit_resample(X, Y)
    assert not hasattr(sampler, "sampling_strategy_")
    assert powerset.sampler_.sampling_strategy_ == {1: 2, 2: 2}
    powerset.set_params(sampler__random_state=7)
    assert clone(powerset).sampler.random_state == 7


EVERY = [MLSMOTE(), LabelPowerset(RandomOverSampler())]


@pytest.mark.parametrize("sampler", EVERY, ids=str)
@pytest.mark.parametrize(
    "y",
    [
        None,
        [0, 1, 1, 0],
        [[0, 1], [1, 2], [0, 0], [1, 1]],
        [[0, 0.5], [1, 1], [0, 0], [1, 1]],
        [[0, np.nan], [1, 1], [0, 0], [1, 1]],
        [["a"], ["b"], ["a"], ["b"]],
        [["a"], ["a", "b"], [], ["b"]],
        np.zeros((4, 2, 2)),
    ],
    ids=str,
)
def test_what_are_no_columns_of_labels(sampler: Any, y: Any) -> None:
    with pytest.raises(ArgumentError, match=r"`y` must .*`MultiLabelBinarizer`"):
        sampler.fit_resample(X[:4], y)


@pytest.mark.parametrize("sampler", EVERY, ids=str)
def test_lengths_must_agree(sampler: Any) -> None:
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        sampler.fit_resample(X[:-1], Y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        sampler.fit_resample(X, Y, np.ones(7))


@pytest.mark.parametrize("k", [0, -1, "five", None, 1.5])
def test_a_number_of_neighbours_is_checked(k: Any) -> None:
    with pytest.raises(ValueError, match="k_neighbors"):
        MLSMOTE(k_neighbors=k).fit_resample(X, Y)


def test_missing_numbers_are_an_error() -> None:
    x = X.copy()
    x[3] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        MLSMOTE().fit_resample(x, Y)


@pytest.mark.parametrize("kind", KINDS)
def test_label_sets_are_read_of_every_kind(kind: str) -> None:
    np.testing.assert_array_equal(read_label_sets(KINDS[kind](Y)), Y)
