"""SVM-SMOTE: which support vectors are used, and rows that widen the class."""

from __future__ import annotations

import imblearn.over_sampling
import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors
from sklearn.svm import SVC

from kilter._errors import ArgumentError
from kilter.sampling import SVMSMOTE
from kilter.sampling.base import Origins, new_generator


class Chosen(BaseEstimator):
    """Take the rows that are given for support vectors."""

    def __init__(self, rows: tuple[int, ...] = ()) -> None:
        self.rows = rows

    def fit(self, x: np.ndarray, y: np.ndarray) -> Chosen:
        self.support_ = np.array(self.rows, int)
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        raise NotImplementedError


# Ten rows of class 1 at 0, 1, .., 9 far from class 0, and three among class 0: at 103 with its
# neighbours 101, 102 of class 1 too, and others further on; at 120 there are others only.
FAR = np.arange(10.0)
NEAR = np.array([101.0, 103.0, 120.0])
OTHERS = np.concatenate([np.arange(104.0, 119), np.arange(121.5, 141), np.arange(200.0, 230)])
X = np.concatenate([OTHERS, FAR, NEAR])[:, None]
Y = np.repeat([0, 1], [len(OTHERS), 13])
START = len(OTHERS)
SAFE, DANGER, NOISE = START + 4, START + 11, START + 12


def made_from(support: tuple[int, ...], **more: object) -> Origins:
    sampler = SVMSMOTE(
        svm_estimator=Chosen(support),
        m_neighbors=4,
        k_neighbors=2,
        **{"random_state": 0, "sampling_strategy": {1: 513}} | more,
    )
    return sampler._trace(X, Y, new_generator(sampler.random_state))[2]


def blobs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1, 2], [70, 30, 20]))
    return rng.normal(size=(120, 2)) + 1.5 * y[:, None], y


def test_the_rows_of_these_tests_are_what_they_are_called() -> None:
    near = NearestNeighbors(n_neighbors=4).fit(X).kneighbors(return_distance=False)
    shares = (Y[near] != 1).mean(axis=1)
    assert shares[[SAFE, DANGER, NOISE]].tolist() == [0, 0.75, 1]


@pytest.mark.parametrize(
    ("support", "toward", "away"),
    [
        ((DANGER,), 500, 0),  # no vector is safe
        ((SAFE,), 0, 500),  # none is in danger
        ((NOISE, SAFE), 0, 500),
        ((DANGER, NOISE, 0, 1), 500, 0),
    ],
)
def test_totals_are_exact_if_all_or_no_vector_is_in_danger(
    support: tuple[int, ...], toward: int, away: int
) -> None:
    origins = made_from(support)
    assert len(origins.shares) == 500
    assert (origins.shares > 0).sum() == toward
    assert (origins.shares < 0).sum() == away


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("total", [1, 2, 3, 50])
def test_totals_are_exact_with_both(seed: int, total: int) -> None:
    origins = made_from((SAFE, DANGER), random_state=seed, sampling_strategy={1: 13 + total})
    assert len(origins.rows) == len(X) + total
    made = origins.rows[len(X) :]
    assert set(made.tolist()) <= {SAFE, DANGER}
    assert (origins.shares[made == DANGER] >= 0).all()
    assert (origins.shares[made == SAFE] <= 0).all()


def test_about_half_of_the_rows_go_each_way() -> None:
    # The share of rows towards a neighbour has a Beta(10, 10) distribution over the seeds.
    found = [
        (made_from((SAFE, DANGER), random_state=seed).rows[len(X) :] == DANGER).mean()
        for seed in range(50)
    ]
    assert stats.kstest(found, stats.beta(10, 10).cdf).pvalue > 1e-3
    assert np.std(found) == pytest.approx(stats.beta(10, 10).std(), abs=0.03)


@pytest.mark.parametrize("step", [0.1, 0.5, 1.0])
def test_rows_from_safe_vectors_leave_the_neighbour_by_the_step_at_most(step: float) -> None:
    origins = made_from((SAFE,), out_step=step)
    assert stats.kstest(-origins.shares / step, "uniform").pvalue > 1e-3
    sampler = SVMSMOTE(
        svm_estimator=Chosen((SAFE,)),
        m_neighbors=4,
        k_neighbors=2,
        out_step=step,
        sampling_strategy={1: 513},
        random_state=0,
    )
    made = sampler.fit_resample(X, Y)[0][len(X) :, 0]
    # The vector is at 4, its neighbours at 3 and 5: away from them is up to a step either side.
    assert np.abs(made - 4).max() <= step + 1e-6
    assert np.abs(made - 4).max() > 0.9 * step
    assert 0.4 < (made > 4).mean() < 0.6


def test_rows_from_vectors_in_danger_lie_between_them_and_a_neighbour() -> None:
    origins = made_from((DANGER,))
    assert stats.kstest(origins.shares, "uniform").pvalue > 1e-3
    assert set(origins.partners.tolist()) == {START + 10, START + 12}  # 101 and 120: within class


def test_vectors_are_those_of_the_machine() -> None:
    x, y = blobs(0)
    sampler = SVMSMOTE(random_state=0, sampling_strategy={1: 2030, 2: 2020})
    origins = sampler._trace(x, y, new_generator(sampler.random_state))[2]
    near = NearestNeighbors(n_neighbors=10).fit(x).kneighbors(return_distance=False)
    shares = (y[near] != y[:, None]).mean(axis=1)
    made = origins.rows[120:]
    for label in (1, 2):
        support = SVC().fit(x, y).support_
        mine = support[(y[support] == label) & (shares[support] < 1)]
        assert set(made[y[made] == label].tolist()) == set(mine.tolist())
    assert ((origins.shares >= 0) == (shares[made] >= 0.5)).mean() > 0.99  # a share of -0 is 0
    assert (y[origins.partners] == y[made]).all()


def test_rows_are_distributed_as_those_of_imbalanced_learn() -> None:
    # One split between both ways for all rows of a class: many seeds with few rows each.
    x, y = blobs(1)
    found = []
    for kind in (SVMSMOTE, imblearn.over_sampling.SVMSMOTE):
        samplers = (kind(random_state=s, sampling_strategy={1: 70}) for s in range(25))
        found.append(np.vstack([sampler.fit_resample(x, y)[0][120:] for sampler in samplers]))
    for projection in ([1, 0], [0, 1], [1, -1]):
        ours, theirs = (rows @ projection for rows in found)
        # A quantile is off by the split's share too, so the limit is for one row in two.
        assert stats.ks_2samp(ours, theirs).statistic < 0.1


def test_all_vectors_are_noise() -> None:
    with pytest.raises(ArgumentError, match=r"`y` must have support vectors of class .*1.*noise"):
        made_from((NOISE, 0))


def test_no_vector_of_the_class_at_all() -> None:
    with pytest.raises(ArgumentError, match="`y` must have support vectors"):
        made_from((0, 1))


def test_a_machine_without_vectors_is_an_error() -> None:
    with pytest.raises(ArgumentError, match=r"`svm_estimator` must have `support_`.*Logistic"):
        SVMSMOTE(svm_estimator=LogisticRegression()).fit_resample(*blobs(0))


def test_the_machine_given_is_not_fitted_itself() -> None:
    machine = SVC(C=3.0)
    sampler = SVMSMOTE(svm_estimator=machine, random_state=0)
    sampler.fit_resample(*blobs(0))
    assert not hasattr(machine, "support_")
    assert sampler.svm_estimator_.C == 3.0
    assert sampler.svm_estimator_ is not machine


@pytest.mark.parametrize("step", [0, -0.5, 1.5])
def test_a_step_out_of_range_is_an_error(step: float) -> None:
    with pytest.raises(ValueError, match="'out_step' parameter"):
        SVMSMOTE(out_step=step).fit_resample(*blobs(0))


def test_weights_of_rows_that_widen_the_class_stay_weights() -> None:
    # Away from a partner of weight 10 a row of weight 1 would weigh 1 - 9 / 2: less than nothing,
    # which no estimator takes.
    x, y = blobs(0)
    weights = np.where(np.random.default_rng(0).random(120) < 0.5, 1.0, 10.0)
    found = SVMSMOTE(random_state=0).fit_resample(x, y, weights)[2]
    np.testing.assert_array_equal(found[:120], weights)
    assert found.min() >= 0
