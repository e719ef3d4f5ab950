"""Under-samplers of imbalanced-learn: the same rows, with more kinds of labels and tables."""

from __future__ import annotations

from typing import Any

import imblearn.under_sampling as classic
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.tree import DecisionTreeClassifier

from kilter._errors import ArgumentError
from kilter.sampling import ClusterCentroids, InstanceHardnessThreshold, NearMiss, Neighbors

NAMES = np.array(["ant", "bee", "cow"])
FEWER = "ignore:The number of the samples to be selected:UserWarning"


@pytest.fixture(params=[0, 1])
def table(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of three classes that overlap: 70, 40 and 20, mixed."""
    rng = np.random.default_rng(request.param)
    y = rng.permutation(np.repeat([0, 1, 2], [70, 40, 20]))
    return rng.normal(size=(130, 3)) + y[:, None], y


@pytest.mark.filterwarnings(FEWER)
@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("strategy", ["auto", {0: 30, 1: 25}, "majority"], ids=str)
def test_near_miss_keeps_the_rows_of_imbalanced_learn(
    table: tuple, version: int, strategy: Any
) -> None:
    x, y = table
    settings = {"version": version, "sampling_strategy": strategy}
    ours, theirs = NearMiss(**settings), classic.NearMiss(**settings)
    x2, y2 = ours.fit_resample(x, y)
    theirs.fit_resample(x, y)
    assert set(ours.sample_indices_) == set(theirs.sample_indices_)
    assert len(ours.sample_indices_) == len(theirs.sample_indices_) < len(y)
    np.testing.assert_array_equal(x2, x[ours.sample_indices_])
    np.testing.assert_array_equal(y2, y[ours.sample_indices_])


def test_near_miss_by_hand() -> None:
    # Class 1 lies at 0 and 10. Mean distances of 1, 4 and 20 to the nearest row of it are
    # 1, 4 and 10 (version 1 with one neighbour); to the farthest 9, 6 and 20 (version 2).
    x = np.array([[1.0], [4.0], [20.0], [0.0], [10.0]])
    y = np.array([0, 0, 0, 1, 1])
    for version, expected in ((1, 1.0), (2, 4.0)):
        sampler = NearMiss(version=version, n_neighbors=1, sampling_strategy=lambda y: {0: 1})
        x2, y2 = sampler.fit_resample(x, y)
        assert x2[y2 == 0].ravel().tolist() == [expected]
        assert x2[y2 == 1].ravel().tolist() == [0, 10]


@pytest.mark.filterwarnings(FEWER)
@pytest.mark.parametrize("version", [1, 2, 3])
def test_near_miss_with_names_of_classes_and_columns(table: tuple, version: int) -> None:
    x, y = table
    expected = NearMiss(version=version)
    expected.fit_resample(x, y)
    sampler = NearMiss(version=version)
    frame, labels = pd.DataFrame(x, columns=list("abc")), pd.Series(NAMES[y], name="animal")
    x2, y2, weights = sampler.fit_resample(frame, labels, np.arange(130))
    kept = expected.sample_indices_
    np.testing.assert_array_equal(sampler.sample_indices_, kept)
    pd.testing.assert_frame_equal(x2, frame.iloc[kept].reset_index(drop=True))
    pd.testing.assert_series_equal(y2, labels.iloc[kept].reset_index(drop=True))
    np.testing.assert_array_equal(weights, kept)


@pytest.mark.filterwarnings(FEWER)
@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("search", [Neighbors(4, verbose=False), NearestNeighbors(n_neighbors=4)])
def test_near_miss_with_a_search_of_ones_own(table: tuple, version: int, search: Any) -> None:
    x, y = table
    settings = {"version": version, "n_neighbors": search, "n_neighbors_ver3": search}
    ours, theirs = NearMiss(**settings), classic.NearMiss(**settings)
    ours.fit_resample(x, y)
    theirs.fit_resample(x, y)
    assert set(ours.sample_indices_) == set(theirs.sample_indices_)


@pytest.mark.parametrize("model", [LogisticRegression(), DecisionTreeClassifier(random_state=0)])
@pytest.mark.parametrize("seed", [0, 3])
def test_instance_hardness_keeps_the_rows_of_imbalanced_learn(
    table: tuple, model: Any, seed: int
) -> None:
    x, y = table
    settings = {"estimator": model, "random_state": seed, "cv": 4}
    ours, theirs = (
        kind(**settings) for kind in (InstanceHardnessThreshold, classic.InstanceHardnessThreshold)
    )
    ours.fit_resample(x, y)
    theirs.fit_resample(x, y)
    np.testing.assert_array_equal(np.sort(ours.sample_indices_), np.sort(theirs.sample_indices_))
    assert len(ours.sample_indices_) < len(y)


def test_instance_hardness_takes_names_of_classes(table: tuple) -> None:
    x, y = table
    theirs = classic.InstanceHardnessThreshold(estimator=LogisticRegression(), random_state=0)
    theirs.fit_resample(x, y)
    ours = InstanceHardnessThreshold(estimator=LogisticRegression(), random_state=0)
    x2, y2 = ours.fit_resample(x, NAMES[y])
    np.testing.assert_array_equal(np.sort(ours.sample_indices_), np.sort(theirs.sample_indices_))
    np.testing.assert_array_equal(x2, x[ours.sample_indices_])
    assert y2.tolist() == NAMES[y[ours.sample_indices_]].tolist()
    assert set(ours.sampling_strategy_) == {"ant", "bee"}


@pytest.mark.parametrize("shift", [1, -5, 0.5])
def test_instance_hardness_takes_any_numbers_as_classes(table: tuple, shift: float) -> None:
    # A class is not a position among the probabilities of the classifier.
    x, y = table
    one, other = (
        InstanceHardnessThreshold(estimator=LogisticRegression(), random_state=0) for _ in "ab"
    )
    one.fit_resample(x, y)
    other.fit_resample(x, np.array([7, 1, 4])[y] * 2 + 2 * shift)
    # The classes are in another order now: the folds may differ, what is kept of which hardly.
    kept = [np.bincount(y[sampler.sample_indices_], minlength=3) for sampler in (one, other)]
    assert np.abs(kept[0] - kept[1]).max() <= 3
    assert kept[0][2] == kept[1][2] == 20


def test_instance_hardness_by_hand() -> None:
    # Two of ten rows of class 0 lie in the middle of class 1: they are the hard ones.
    x = np.concatenate([np.arange(8) / 10, [9.1, 9.3], 9 + np.arange(8) / 10])[:, None]
    y = np.repeat([0, 1], [10, 8])
    sampler = InstanceHardnessThreshold(estimator=LogisticRegression(), random_state=0, cv=2)
    sampler.fit_resample(x, y)
    assert np.sort(sampler.sample_indices_).tolist() == [*range(8), *range(10, 18)]


def test_weights_go_along_with_rows_that_are_kept(table: tuple) -> None:
    x, y = table
    sampler = InstanceHardnessThreshold(estimator=LogisticRegression(), random_state=0)
    weights = sampler.fit_resample(x, y, np.arange(130.0))[2]
    np.testing.assert_array_equal(weights, sampler.sample_indices_)


@pytest.mark.parametrize("voting", ["auto", "hard", "soft"])
@pytest.mark.parametrize(
    "model", [None, KMeans(n_init=2, random_state=1), MiniBatchKMeans(n_init=1, random_state=0)]
)
@pytest.mark.parametrize("labels", [[0, 1, 2], NAMES, [4, 2, 9]], ids=str)
def test_cluster_centroids_are_those_of_imbalanced_learn(
    table: tuple, voting: str, model: Any, labels: Any
) -> None:
    x, y = table
    y = np.asarray(labels)[y]
    settings = {"voting": voting, "estimator": model, "random_state": 0}
    x2, y2 = ClusterCentroids(**settings).fit_resample(x, y)
    expected, labels_ = classic.ClusterCentroids(**settings).fit_resample(x, y)
    np.testing.assert_array_equal(y2, labels_)
    np.testing.assert_allclose(x2, expected)
    assert np.unique(y2, return_counts=True)[1].tolist() == [20, 20, 20]


def test_hard_centroids_are_rows_and_soft_ones_not(table: tuple) -> None:
    x, y = table
    rows = set(map(tuple, x))
    hard, labels = ClusterCentroids(voting="hard", random_state=0).fit_resample(x, y)
    assert set(map(tuple, hard)) <= rows
    soft = ClusterCentroids(voting="soft", random_state=0).fit_resample(x, y)[0]
    assert not set(map(tuple, soft[labels == 0])) <= rows
    assert set(map(tuple, soft[labels == 2])) <= rows  # the smallest class stays


def test_centroids_of_tables_of_other_kinds(table: tuple) -> None:
    x, y = table
    x = x.astype(np.float32)
    sampler = ClusterCentroids(voting="soft", random_state=0)
    expected, labels = sampler.fit_resample(x, y)
    assert expected.dtype == np.float32
    frame = pd.DataFrame(x, columns=list("abc"))
    x2, y2 = sampler.fit_resample(frame, pd.Series(NAMES[y], name="animal"))
    np.testing.assert_allclose(x2.to_numpy(), expected)
    assert x2.dtypes.tolist() == frame.dtypes.tolist()
    assert y2.tolist() == NAMES[labels].tolist()
    assert y2.name == "animal"
    found = sampler.fit_resample(sparse.csr_matrix(x), y)[0]
    assert isinstance(found, sparse.csr_matrix)
    np.testing.assert_allclose(found.toarray(), expected, atol=1e-5)


def test_centroids_of_one_hot_labels(table: tuple) -> None:
    x, y = table
    sampler = ClusterCentroids(random_state=0)
    hot = np.eye(3)[y]
    x2, y2 = sampler.fit_resample(x, hot)
    expected, labels = sampler.fit_resample(x, y)
    np.testing.assert_array_equal(x2, expected)
    np.testing.assert_array_equal(y2, np.eye(3)[labels])


def test_centres_of_whole_numbers_are_rounded_in_frames() -> None:
    table = pd.DataFrame({"a": [0, 1, 1, 20, 21, 22, 50, 60], "b": [0.0, 1, 1, 0, 1, 1, 9, 9]})
    y = [0] * 6 + [1] * 2
    x2 = ClusterCentroids(voting="soft", random_state=0).fit_resample(table, y)[0]
    # The means of 0, 1, 1 and of 20, 21, 22 are 2/3, which is 1, and 21.
    assert sorted(x2["a"][:2]) == [1, 21]
    assert x2["a"].dtype == table["a"].dtype
    np.testing.assert_allclose(x2["b"][:2], 2 / 3)


def test_centres_of_whole_numbers_are_rounded_in_arrays() -> None:
    x = np.array([[0], [1], [1], [20], [21], [22], [50], [60]])
    y = [0] * 6 + [1] * 2
    x2 = ClusterCentroids(voting="soft", random_state=0).fit_resample(x, y)[0]
    assert x2.dtype == x.dtype
    assert sorted(x2[:2, 0]) == [1, 21]


def test_centres_have_no_weights(table: tuple) -> None:
    x, y = table
    with pytest.raises(ArgumentError, match="`sample_weight`"):
        ClusterCentroids().fit_resample(x, y, np.ones(130))


def test_nothing_is_left_behind_in_the_sampler(table: tuple) -> None:
    sampler = ClusterCentroids(random_state=0)
    sampler.fit_resample(*table)
    assert not any(np.size(value) > 20 for value in vars(sampler).values())
