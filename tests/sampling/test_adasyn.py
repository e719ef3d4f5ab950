"""ADASYN: how many rows are made of which row, and totals that are exact."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.neighbors import NearestNeighbors

from kilter._errors import ArgumentError
from kilter.sampling import ADASYN
from kilter.sampling.base import Origins, new_generator


def origins_of(sampler: ADASYN, x: np.ndarray, y: np.ndarray) -> Origins:
    return sampler._trace(x, y, new_generator(sampler.random_state))[2]


def foreign(x: np.ndarray, y: np.ndarray, label: int, k: int) -> list[int]:
    """Return how many of the k nearest others of each row of a class are of another one."""
    found = []
    for row in np.flatnonzero(y == label):
        distances = ((x - x[row]) ** 2).sum(axis=1)
        distances[row] = np.inf
        near = np.argsort(distances, kind="stable")[:k]
        found.append(int((y[near] != label).sum()))
    return found


def largest_remainder(weights: list[int], total: int) -> tuple[list[int], set[int]]:
    """Share out a total: what every row has at least, and the rows that may have one more."""
    exact = [Fraction(weight * total, sum(weights)) for weight in weights]
    whole = [int(share) for share in exact]
    rests = [share - least for share, least in zip(exact, whole, strict=True)]
    limit = sorted(rests, reverse=True)[: total - sum(whole)]
    return whole, {row for row, rest in enumerate(rests) if limit and rest >= limit[-1]}


def blobs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1, 2], [60, 25, 11]))
    return rng.normal(size=(96, 2)) + 1.2 * y[:, None], y


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 6), coarse=st.booleans())
def test_rows_come_in_proportion_to_the_others_around_them(seed: int, k: int, coarse: bool) -> None:
    x, y = blobs(seed)
    x = np.round(x) if coarse else x  # duplicates within and across classes
    assume(all(any(foreign(x, y, label, k)) for label in (1, 2)))
    origins = origins_of(ADASYN(n_neighbors=k, random_state=seed), x, y)
    made = np.bincount(origins.rows[96:], minlength=96)
    assert made[y == 0].sum() == 0
    for label, total in ((1, 35), (2, 49)):
        times = made[y == label]
        assert times.sum() == total  # what rounding each row by itself would not give
        least, may_have_more = largest_remainder(foreign(x, y, label, k), total)
        for row, (time, fewest) in enumerate(zip(times, least, strict=True)):
            assert time == fewest or (time == fewest + 1 and row in may_have_more)


def test_by_hand() -> None:
    # Two neighbours each. At 4.5 both are others, at 8 one is (4.5 and 5 tie not: 3.5 and 3),
    # at 9 none of 8 and 10 is, at 10 none: shares 1, 1/2, 0 and 0 of six rows are 4 and 2.
    x = np.array([0, 1, 2, 3, 4, 5, 6, 4.5, 8, 9, 10])[:, None]
    x = np.vstack([x, [[-1], [-2], [-3]]]).astype(float)
    y = np.array([0] * 7 + [1] * 4 + [0] * 3)
    assert foreign(x, y, 1, 2) == [2, 1, 0, 0]
    origins = origins_of(ADASYN(n_neighbors=2, random_state=0), x, y)
    assert np.bincount(origins.rows[14:], minlength=14).tolist() == [0] * 7 + [4, 2] + [0] * 5


@pytest.mark.parametrize("seed", range(5))
def test_totals_are_exact_for_any_strategy(seed: int) -> None:
    x, y = blobs(seed)
    strategy = {1: 25 + 7 * seed + 1, 2: 100 + seed}
    found = ADASYN(sampling_strategy=strategy, random_state=0).fit_resample(x, y)[1]
    assert np.bincount(found).tolist() == [60, *strategy.values()]


def test_partners_are_neighbours_within_the_class_drawn_evenly() -> None:
    x, y = blobs(0)
    sampler = ADASYN(n_neighbors=4, sampling_strategy={2: 6011}, random_state=0)
    origins = origins_of(sampler, x, y)
    rows = np.flatnonzero(y == 2)
    near = NearestNeighbors(n_neighbors=4).fit(x[rows]).kneighbors(return_distance=False)
    made = np.searchsorted(rows, origins.rows[96:])
    for row in np.unique(made):
        partners, counts = np.unique(origins.partners[made == row], return_counts=True)
        assert partners.tolist() == sorted(rows[near[row]].tolist())
        assert stats.chisquare(counts).pvalue > 1e-3
    assert stats.kstest(origins.shares, "uniform").pvalue > 1e-3


def test_new_rows_lie_between_the_two() -> None:
    x, y = blobs(0)
    made = ADASYN(random_state=0).fit_resample(x, y)[0][96:]
    origins = origins_of(ADASYN(random_state=0), x, y)
    mine, theirs = x[origins.rows[96:]], x[origins.partners]
    expected = mine + origins.shares[:, None].astype(float) * (theirs - mine)
    np.testing.assert_allclose(made, expected, atol=1e-12)


def test_a_class_that_stands_apart_is_an_error() -> None:
    rng = np.random.default_rng(0)
    x = np.vstack([rng.normal(size=(40, 2)), rng.normal(size=(12, 2)) + 100])
    y = np.array(["a"] * 40 + ["b"] * 12)
    with pytest.raises(ArgumentError, match=r"`y` must have rows of class .*'b'.*Use `SMOTE`"):
        ADASYN().fit_resample(x, y)


def test_fewer_rows_than_hard_ones_are_dealt_to_the_hardest() -> None:
    x, y = blobs(3)
    weights = np.array(foreign(x, y, 1, 5))
    assert (weights > 0).sum() > 3
    origins = origins_of(ADASYN(sampling_strategy={1: 28}, random_state=0), x, y)
    chosen = np.searchsorted(np.flatnonzero(y == 1), origins.rows[96:])
    assert len(chosen) == 3
    assert weights[chosen].min() >= np.sort(weights)[-3]


@pytest.mark.parametrize("k", [0, "a"])
def test_a_number_of_neighbours_must_be_one(k: object) -> None:
    with pytest.raises(ValueError, match="'n_neighbors' parameter"):
        ADASYN(n_neighbors=k).fit_resample(*blobs(0))
