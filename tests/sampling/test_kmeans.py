"""KMeans-SMOTE: which clusters are chosen, how many rows each gets, and no overflow."""

from __future__ import annotations

import math
import warnings

import imblearn.over_sampling
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.spatial.distance import pdist
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans

from kilter._errors import ArgumentError
from kilter.sampling import KMeansSMOTE, class_clusters, kmeans
from kilter.sampling.kmeans import mean_distance


class Hundreds(ClusterMixin, BaseEstimator):
    """Take rows of the same hundred in the first column for a cluster."""

    n_clusters = 4  # imbalanced-learn asks

    def fit(self, x: np.ndarray, y: None = None) -> Hundreds:
        self.labels_ = (np.asarray(x)[:, 0] // 100).astype(int)
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        return (np.asarray(x)[:, 0] // 100).astype(int)


def clusters(*of: tuple[int, int, float], width: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Return clusters of (rows of class 0, rows of class 1, spread of class 1)."""
    rng = np.random.default_rng(0)
    x, y = [], []
    for place, (many, few, spread) in enumerate(of):
        rows = np.clip(rng.normal(size=(many + few, width)), -3, 3)
        rows[many:] *= spread
        rows[:, 0] += 50 + 100 * place
        x.append(rows)
        y.append(np.repeat([0, 1], [many, few]))
    return np.vstack(x), np.concatenate(y)


def made_by_cluster(sampler: KMeansSMOTE, x: np.ndarray, y: np.ndarray) -> list[int]:
    new = sampler.fit_resample(x, y)[0][len(x) :]
    return np.bincount((new[:, 0] // 100).astype(int), minlength=4).tolist()


def largest_remainder(weights: list[float], total: int) -> list[int]:
    exact = [weight / sum(weights) * total for weight in weights]
    found = [math.floor(share) for share in exact]
    rests = [share - whole for share, whole in zip(exact, found, strict=True)]
    for place in sorted(range(len(rests)), key=lambda i: -rests[i])[: total - sum(found)]:
        found[place] += 1
    return found


DATA = clusters((100, 30, 1.0), (60, 20, 3.0), (90, 12, 0.2), (40, 10, 2.0))


@pytest.mark.parametrize("exponent", ["auto", 0.0, 1.0, 2.5, -1.0])
@pytest.mark.parametrize("total", [218, 7])
def test_clusters_share_the_rows_by_sparsity(exponent: object, total: int) -> None:
    x, y = DATA
    sampler = KMeansSMOTE(
        kmeans_estimator=Hundreds(),
        cluster_balance_threshold=0.0,
        density_exponent=exponent,
        sampling_strategy={1: 72 + total},
        random_state=0,
    )
    weights = []
    for place in range(4):
        rows = x[(x[:, 0] // 100 == place) & (y == 1)]
        power = math.log(len(rows), 1.6) ** 1.8 * 0.16 if exponent == "auto" else exponent
        weights.append(np.mean(pdist(rows)) ** power / len(rows))
    assert made_by_cluster(sampler, x, y) == largest_remainder(weights, total)


def test_totals_are_exact_where_those_of_imbalanced_learn_are_not() -> None:
    x, y = DATA
    more = {
        "kmeans_estimator": Hundreds(),
        "cluster_balance_threshold": 0.0,
        "density_exponent": 0.0,
        "random_state": 0,
    }
    ours = KMeansSMOTE(**more).fit_resample(x, y)[1]
    theirs = imblearn.over_sampling.KMeansSMOTE(**more).fit_resample(x, y)[1]
    assert np.bincount(ours).tolist() == [290, 290]
    assert np.bincount(theirs)[1] > 290


def test_clusters_with_too_small_a_share_are_left_alone() -> None:
    x, y = DATA  # shares 30/130 = 0.23, 20/80 = 0.25, 12/102 = 0.12, 10/50 = 0.2
    expected = {0.12: [1, 1, 0, 1], 0.2: [1, 1, 0, 1], 0.21: [1, 1, 0, 0], 0.25: [0, 1, 0, 0]}
    for threshold, chosen in expected.items():
        sampler = KMeansSMOTE(
            kmeans_estimator=Hundreds(),
            cluster_balance_threshold=threshold,
            density_exponent=0.0,
            random_state=0,
        )
        made = made_by_cluster(sampler, x, y)
        assert [int(count > 0) for count in made] == chosen
        assert sum(made) == 218


def test_no_share_is_large_enough() -> None:
    sampler = KMeansSMOTE(kmeans_estimator=Hundreds(), cluster_balance_threshold=0.26)
    with pytest.raises(
        ArgumentError, match=r"`cluster_balance_threshold` must leave .*0\.26.*0\.25"
    ):
        sampler.fit_resample(*DATA)


@pytest.mark.parametrize(("k", "chosen"), [(2, [1, 1, 0]), (3, [1, 0, 0])])
def test_clusters_with_no_more_than_k_rows_are_left_alone(k: int, chosen: list[int]) -> None:
    x, y = clusters((20, 4, 1.0), (20, 3, 1.0), (20, 2, 1.0))
    sampler = KMeansSMOTE(
        kmeans_estimator=Hundreds(),
        cluster_balance_threshold=0.0,
        k_neighbors=k,
        density_exponent=0.0,
        random_state=0,
    )
    made = made_by_cluster(sampler, x, y)[:3]
    assert [int(count > 0) for count in made] == chosen
    assert sum(made) == 51


def test_no_cluster_has_enough_rows() -> None:
    x, y = clusters((20, 4, 1.0), (20, 3, 1.0))
    sampler = KMeansSMOTE(kmeans_estimator=Hundreds(), cluster_balance_threshold=0.0, k_neighbors=4)
    with pytest.raises(ArgumentError, match=r"at least 5 rows of class .*1"):
        sampler.fit_resample(x, y)


def test_the_threshold_by_itself_is_half_of_the_share_of_all_made() -> None:
    # 30 and 10 rows are made of classes 1 and 2: thresholds 3/8 and 1/8. The clusters hold
    # shares 0.35 and 0.4 of class 1, and 0.1 and 0.15 of class 2.
    place = np.repeat([0, 1], 100)
    y = np.concatenate([np.repeat([0, 1, 2], [55, 35, 10]), np.repeat([0, 1, 2], [45, 40, 15])])
    x = np.random.default_rng(0).normal(size=(200, 2))
    x[:, 0] += 50 + 100 * place
    sampler = KMeansSMOTE(
        kmeans_estimator=Hundreds(), sampling_strategy={1: 105, 2: 35}, random_state=0
    )
    new_x, new_y = sampler.fit_resample(x, y)
    assert np.bincount(new_y).tolist() == [100, 105, 35]
    assert (new_x[200:, 0] > 100).all()


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_no_new_row_lies_outside_its_cluster(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], [200, 60])
    x = rng.normal(size=(260, 2)) + 20 * rng.integers(0, 3, (260, 1))
    sampler = KMeansSMOTE(
        kmeans_estimator=3,
        cluster_balance_threshold=0.05,
        k_neighbors=3,
        random_state=seed,
    )
    made = sampler.fit_resample(x, y)[0][260:]
    # Cells of k-means are convex: the line between two rows of one stays in it.
    old = sampler.kmeans_estimator_.predict(x)
    chosen = {c for c in range(3) if (y[old == c] == 1).mean() >= 0.05 and y[old == c].sum() > 3}
    assert len(made) == 140
    assert set(sampler.kmeans_estimator_.predict(made).tolist()) <= chosen


def test_one_cluster_is_smote_in_the_whole_class() -> None:
    x, y = clusters((60, 10, 1.0), (60, 10, 1.0))
    more = {"cluster_balance_threshold": 0.9, "random_state": 0}
    found = KMeansSMOTE(kmeans_estimator=1, **more).fit_resample(x, y)[1]
    assert np.bincount(found).tolist() == [120, 120]


def test_a_number_is_that_of_k_means() -> None:
    x, y = DATA
    more = {"cluster_balance_threshold": 0.0, "random_state": 0}
    for number, expected in ((None, 8), (3, 3), (np.int64(2), 2)):
        sampler = KMeansSMOTE(kmeans_estimator=number, **more)
        sampler.fit_resample(x, y)
        assert len(sampler.kmeans_estimator_.cluster_centers_) == expected


def test_the_estimator_given_is_not_fitted_itself() -> None:
    mine = KMeans(4, n_init=1, random_state=0)
    sampler = KMeansSMOTE(kmeans_estimator=mine, cluster_balance_threshold=0.0, random_state=0)
    sampler.fit_resample(*DATA)
    assert not hasattr(mine, "labels_")
    assert sampler.kmeans_estimator_.n_clusters == 4


def test_clusters_are_found_on_a_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kmeans, "SAMPLE", 50)
    x, y = DATA
    sampler = KMeansSMOTE(kmeans_estimator=3, cluster_balance_threshold=0.0, random_state=0)
    found = sampler.fit_resample(x, y)[1]
    assert len(sampler.kmeans_estimator_.labels_) == 50
    assert np.bincount(found).tolist() == [290, 290]


# -- overflow


def far_apart(dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Return two clusters with 200 rows each of class 1, spread over 1e6 and 2e6."""
    rng = np.random.default_rng(0)
    rare = rng.normal(size=(400, 2)) * np.repeat([1e6, 2e6], 200)[:, None]
    x = np.vstack([rare, rng.normal(size=(1000, 2)) * 1e6])
    x[:, 0] += np.concatenate([np.repeat([0, 1e9], 200), np.repeat([0, 1e9], 500)])
    return x.astype(dtype), np.repeat([1, 0], [400, 1000])


class Halves(Hundreds):
    n_clusters = 2

    def fit(self, x: np.ndarray, y: None = None) -> Halves:
        self.labels_ = (np.asarray(x)[:, 0] > 5e8).astype(int)
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        return (np.asarray(x)[:, 0] > 5e8).astype(int)


HALVES = {"kmeans_estimator": Halves(), "cluster_balance_threshold": 0.0, "random_state": 0}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_of_distances_do_not_overflow(dtype: type) -> None:
    # 1e6 ** 12.5, as "auto" has it for 200 rows, is 1e75: float32 ends at 3e38.
    x, y = far_apart(dtype)
    found = KMeansSMOTE(**HALVES).fit_resample(x, y)
    weights = [float(np.mean(pdist(x[at : at + 200].astype(float)))) for at in (0, 200)]
    power = 0.16 * math.log(200, 1.6) ** 1.8
    expected = largest_remainder([(weight / weights[0]) ** power for weight in weights], 600)
    made = found[0][1400:]
    assert made.dtype == dtype
    assert [(made[:, 0] < 5e8).sum(), (made[:, 0] > 5e8).sum()] == expected
    assert np.isfinite(made).all()


def test_imbalanced_learn_overflows_there() -> None:
    x, y = far_apart(np.float32)
    sampler = imblearn.over_sampling.KMeansSMOTE(**HALVES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match="NaN"):  # inf / inf
            sampler.fit_resample(x, y)


def test_exponents_beyond_float64_are_fine_too() -> None:
    # 1e6 ** 100 is too large for float64: all rows go where the class is sparser by 2 ** 100.
    x, y = far_apart(np.float64)
    sampler = KMeansSMOTE(density_exponent=100, **HALVES)
    assert (sampler.fit_resample(x, y)[0][1400:, 0] > 5e8).all()


def test_a_cluster_of_duplicates_gets_no_row_beside_one_of_different_rows() -> None:
    x, y = clusters((30, 10, 0.0), (30, 10, 1.0))
    sampler = KMeansSMOTE(
        kmeans_estimator=Hundreds(), cluster_balance_threshold=0.0, random_state=0
    )
    assert made_by_cluster(sampler, x, y)[:2] == [0, 40]


@pytest.mark.parametrize("kmeans_estimator", [1, Hundreds()], ids=["one", "two"])
def test_duplicates_only_are_repeated(kmeans_estimator: object) -> None:
    x, y = clusters((30, 10, 0.0), (30, 10, 0.0))
    if kmeans_estimator == 1:
        x[y == 1] = x[y == 1][0]
    sampler = KMeansSMOTE(
        kmeans_estimator=kmeans_estimator, cluster_balance_threshold=0.0, random_state=0
    )
    new_x, new_y = sampler.fit_resample(x, y)
    assert np.bincount(new_y).tolist() == [60, 60]
    rare = {tuple(row) for row in x[y == 1].tolist()}
    assert {tuple(row) for row in new_x[80:].tolist()} <= rare


# -- the mean distance


@settings(max_examples=40)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(2, 40),
    dtype=st.sampled_from([np.float32, np.float64, np.uint8, np.int64, np.int8]),
    block=st.sampled_from([1, 7, 1024]),
)
def test_mean_distance_is_that_of_scipy(seed: int, rows: int, dtype: type, block: int) -> None:
    x = np.random.default_rng(seed).integers(-60, 60, (rows, 4))
    x = (x + 60 if dtype is np.uint8 else x).astype(dtype)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kmeans, "BLOCK", block)
        for kind in (np.asarray, sparse.csr_matrix, sparse.csc_array):
            expected = np.mean(pdist(x.astype(float)))
            assert mean_distance(kind(x)) == pytest.approx(expected, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(("dtype", "digits"), [(np.float32, 1e-3), (np.float64, 1e-6)])
def test_mean_distance_far_from_the_origin(dtype: type, digits: float) -> None:
    x = (np.random.default_rng(0).normal(size=(50, 3)) + 4096).astype(dtype)
    expected = np.mean(pdist(x.astype(float)))
    assert mean_distance(x) == pytest.approx(expected, rel=digits)


@pytest.mark.parametrize("scale", [1e-38, 1e-25, 1e25, 1e38])
def test_mean_distance_of_float32_does_not_leave_its_range(scale: float) -> None:
    # The squares of these distances are beyond float32, the distances are not.
    x = (np.random.default_rng(0).normal(size=(50, 3)) * scale).astype(np.float32)
    expected = np.mean(pdist(x.astype(float)))
    assert mean_distance(x) == pytest.approx(expected, rel=1e-4, abs=0)


def test_mean_distance_of_duplicates_is_nothing() -> None:
    assert mean_distance(np.full((9, 3), 0.1)) == 0
    assert mean_distance(np.full((9, 3), 0.1, np.float32)) == 0


def test_classes_are_parted_each_for_itself() -> None:
    rng = np.random.default_rng(0)
    places = np.repeat([0, 50, 100], 20)  # of class 1; class 2 lies at one, class 0 among all
    x = np.concatenate([rng.normal(50, 40, 90), places, np.full(5, 50)])[:, None]
    labels = np.repeat([0, 1, 2], [90, 60, 5])
    found = class_clusters(x, labels, [1, 2])
    assert set(found[labels == 0]) == {-1}
    assert len(set(zip(places, found[labels == 1], strict=True))) == 3  # a cluster a place
    assert len(set(found[labels == 2])) == 1  # five rows are not parted
    assert not set(found[labels == 1]) & set(found[labels == 2])
