"""Borderline-SMOTE: which rows are in danger, and what is made of them."""

from __future__ import annotations

from typing import Any

import imblearn.over_sampling
import numpy as np
import pytest
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from kilter.sampling import BorderlineSMOTE, Neighbors
from kilter.sampling.base import Origins, new_generator
from nearby import foreign_shares

KINDS = ["borderline-1", "borderline-2"]


def blobs(seed: int, counts: tuple[int, ...] = (80, 30, 20)) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of classes that overlap, in no order, without ties."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    return rng.normal(size=(len(y), 2)) + 1.2 * y[:, None], y


def weighted(n_neighbors: int) -> NearestNeighbors:
    """Return a search with an array among its parameters, which `==` does not compare."""
    scales = {"V": np.array([1.0, 4.0])}
    return NearestNeighbors(n_neighbors=n_neighbors, metric="seuclidean", metric_params=scales)


def origins_of(sampler: BorderlineSMOTE, x: np.ndarray, y: np.ndarray) -> Origins:
    return sampler._trace(x, y, new_generator(sampler.random_state))[2]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("m", [4, 7])
def test_danger_is_that_of_imbalanced_learn(seed: int, kind: str, m: int) -> None:
    x, y = blobs(seed)
    ours = BorderlineSMOTE(kind=kind, m_neighbors=m, random_state=0)
    theirs = imblearn.over_sampling.BorderlineSMOTE(kind=kind, m_neighbors=m, random_state=0)
    new_y = ours.fit_resample(x, y)[1]
    theirs.fit_resample(x, y)
    assert ours.in_danger_indices.keys() == theirs.in_danger_indices.keys() == {1, 2}
    for label, rows in theirs.in_danger_indices.items():
        assert 0 < len(rows) < (y == label).sum()
        np.testing.assert_array_equal(ours.in_danger_indices[label], rows)
    assert np.bincount(new_y).tolist() == [80] * 3


def test_danger_by_hand() -> None:
    # Class 1 is at 10 (noise: 9, 11 are others), 20 and 21 (danger: each other and one other),
    # 30, 31, 32 (safe but for the ends, whose nearest two are of the class).
    x = np.array([9, 11, 19, 22, 50, 60, 70, 80, 10, 20, 21, 30, 31, 32.0])[:, None]
    y = np.repeat([0, 1], [8, 6])
    sampler = BorderlineSMOTE(m_neighbors=2, k_neighbors=1, random_state=0)
    new_x = sampler.fit_resample(x, y)[0]
    assert sampler.in_danger_indices[1].tolist() == [9, 10]
    assert new_x[14:].shape == (2, 1)
    assert ((new_x[14:] >= 20) & (new_x[14:] <= 21)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_new_rows_start_from_rows_in_danger(kind: str) -> None:
    x, y = blobs(3)
    sampler = BorderlineSMOTE(kind=kind, m_neighbors=6, random_state=0)
    origins = origins_of(sampler, x, y)
    made = origins.rows[130:]
    for label in (1, 2):
        rows = np.flatnonzero(y == label)
        share = foreign_shares(x, y, rows, 6)
        danger = rows[(share >= 0.5) & (share < 1)]
        assert set(made[y[made] == label].tolist()) == set(danger.tolist())


def test_partners_of_the_first_kind_are_neighbours_within_the_class() -> None:
    x, y = blobs(3)
    sampler = BorderlineSMOTE(k_neighbors=3, sampling_strategy={2: 2020}, random_state=0)
    origins = origins_of(sampler, x, y)
    made = origins.rows[130:]
    rows = np.flatnonzero(y == 2)
    near = NearestNeighbors(n_neighbors=3).fit(x[rows]).kneighbors(return_distance=False)
    danger = sampler.in_danger_indices[2]
    expected = {(row, p) for row in danger for p in rows[near[np.searchsorted(rows, row)]]}
    assert set(zip(made.tolist(), origins.partners.tolist(), strict=True)) == expected
    assert stats.kstest(origins.shares, "uniform").pvalue > 1e-3


@pytest.mark.filterwarnings("ignore:class 2 has 20 rows")
@pytest.mark.parametrize(
    ("k", "m", "searches"),
    [
        (3, 6, 1),
        (6, 6, 1),
        (7, 6, 2),
        (3, Neighbors(7), 1),
        (3, Neighbors(7, n_jobs=1), 2),
        (NearestNeighbors(n_neighbors=4), 6, 2),
        (weighted(4), weighted(7), 1),  # that of the partners; the other is of the whole table
        (25, 30, 2),
    ],
)
def test_the_class_is_searched_once_where_one_search_finds_both(
    k: Any, m: Any, searches: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = blobs(3)
    only = {"k_neighbors": k, "m_neighbors": m, "sampling_strategy": {2: 90}, "random_state": 0}
    fitted = []
    for kind in (Neighbors, NearestNeighbors):
        fit = kind.fit
        monkeypatch.setattr(
            kind, "fit", lambda self, X, fit=fit: [fitted.append(len(X)), fit(self, X)][1]
        )
    once = origins_of(BorderlineSMOTE(**only), x, y)
    assert fitted.count((y == 2).sum()) == searches
    monkeypatch.setattr(BorderlineSMOTE, "_are_found", lambda sampler, own: False)
    twice = origins_of(BorderlineSMOTE(**only), x, y)
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_array_equal(one, other)


def test_partners_of_the_second_kind_come_from_all_and_others_are_approached_by_half() -> None:
    x, y = blobs(3)
    sampler = BorderlineSMOTE(
        k_neighbors=4, kind="borderline-2", sampling_strategy={2: 4020}, random_state=0
    )
    origins = origins_of(sampler, x, y)
    made = origins.rows[130:]
    near = NearestNeighbors(n_neighbors=4).fit(x).kneighbors(return_distance=False)
    expected = {(row, p) for row in sampler.in_danger_indices[2] for p in near[row]}
    assert set(zip(made.tolist(), origins.partners.tolist(), strict=True)) == expected
    same = y[origins.partners] == 2
    assert 0 < same.mean() < 1
    assert stats.kstest(origins.shares[same], "uniform").pvalue > 1e-3
    assert stats.kstest(origins.shares[~same], stats.uniform(0, 0.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_new_rows_lie_between_the_two(kind: str) -> None:
    x, y = blobs(1)
    made = BorderlineSMOTE(kind=kind, random_state=0).fit_resample(x, y)[0][130:]
    origins = origins_of(BorderlineSMOTE(kind=kind, random_state=0), x, y)
    mine, theirs = x[origins.rows[130:]], x[origins.partners]
    expected = mine + origins.shares[:, None].astype(float) * (theirs - mine)
    np.testing.assert_allclose(made, expected, atol=1e-12)


def test_rows_of_the_first_kind_are_distributed_as_those_of_imbalanced_learn() -> None:
    x, y = blobs(5)
    more = {"sampling_strategy": {1: 3030}, "random_state": 0}
    ours = BorderlineSMOTE(**more).fit_resample(x, y)[0][130:]
    theirs = imblearn.over_sampling.BorderlineSMOTE(**more).fit_resample(x, y)[0][130:]
    for projection in ([1, 0], [0, 1], [1, -1]):
        assert stats.ks_2samp(ours @ projection, theirs @ projection).pvalue > 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_with_no_row_in_danger_stays_as_it_is(kind: str) -> None:
    rng = np.random.default_rng(0)
    x = np.vstack([rng.normal(size=(40, 2)), rng.normal(size=(12, 2)) + 100])
    y = np.array(["a"] * 40 + ["b"] * 12)
    sampler = BorderlineSMOTE(kind=kind, random_state=0, m_neighbors=5)
    with pytest.warns(UserWarning, match="class .*'b'.* has no row in danger"):
        new_x, new_y, weights = sampler.fit_resample(x, y, np.arange(52.0))
    np.testing.assert_array_equal(new_x, x)
    np.testing.assert_array_equal(new_y, y)
    np.testing.assert_array_equal(weights, np.arange(52))
    assert {k: v.tolist() for k, v in sampler.in_danger_indices.items()} == {"b": []}


def test_one_class_in_danger_and_one_not() -> None:
    x, y = blobs(0)
    x[y == 2] += 100
    with pytest.warns(UserWarning, match="class .*2.* has no row in danger"):
        new_y = BorderlineSMOTE(random_state=0).fit_resample(x, y)[1]
    assert np.bincount(new_y).tolist() == [80, 80, 20]


def test_a_class_of_one_row_is_noise() -> None:
    x, y = blobs(0, counts=(30, 1))
    with pytest.warns(UserWarning, match="no row in danger"):
        new_y = BorderlineSMOTE().fit_resample(x, y)[1]
    assert np.bincount(new_y).tolist() == [30, 1]


def test_danger_is_kept_by_label() -> None:
    x, y = blobs(2)
    sampler = BorderlineSMOTE(random_state=0)
    sampler.fit_resample(x, y)
    named = BorderlineSMOTE(random_state=0)
    named.fit_resample(x, np.array(["z", "y", "x"])[y])
    assert named.in_danger_indices.keys() == {"x", "y"}
    for name, label in (("y", 1), ("x", 2)):
        np.testing.assert_array_equal(
            named.in_danger_indices[name], sampler.in_danger_indices[label]
        )


def test_the_kind_must_be_one_of_two() -> None:
    with pytest.raises(ValueError, match="'kind' parameter"):
        BorderlineSMOTE(kind="borderline-3").fit_resample(*blobs(0))
