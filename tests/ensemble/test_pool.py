"""Averages of probabilities, with equal weights and with weights from validation."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from kilter._types import ValidationScores
from kilter.decide import Calibrator
from kilter.ensemble import Average, WeightedAverage
from kilter.ensemble import pool as module
from kilter.metrics import log_loss


def test_a_plain_average_is_the_mean():
    p = np.random.default_rng(0).dirichlet(np.ones(3), (4, 5))
    joined = Average.plain(members=4, classes=3).apply(p)
    np.testing.assert_allclose(joined, p.mean(axis=0), atol=1e-6)


def test_each_member_is_calibrated_before(members_of):
    members = members_of((0.3, 1.0))
    inflated = members[1].probabilities * [1, 12]
    inflated /= inflated.sum(axis=1, keepdims=True)
    members[1] = ValidationScores(members[1].labels, inflated)
    each = [Calibrator.fit(one).apply(one.probabilities) for one in members]
    joined = Average.fit(members).apply([one.probabilities for one in members])
    np.testing.assert_allclose(joined, np.mean(each, axis=0), atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_weights_are_the_best_of_the_posterior(members_of, n_classes):
    members = members_of((0.5, 3.0), n_classes=n_classes)
    labels = members[0].labels
    each = [Calibrator.fit(one).apply(one.probabilities) for one in members]
    true = np.array([p[np.arange(len(labels)), labels] for p in each])

    def posterior(first):
        weights = np.array([first, 1 - first])
        return -np.log(weights @ true).sum() - module.PRIOR / 2 * np.log(weights).sum()

    best = minimize_scalar(posterior, bounds=(1e-6, 1 - 1e-6), method="bounded").x
    weights = WeightedAverage.fit(members).weights
    assert weights[0] == pytest.approx(best, abs=1e-3)
    assert sum(weights) == pytest.approx(1)
    assert weights[0] > 0.8


def test_weights_help_where_a_member_is_useless(members_of):
    members, others = (members_of((0.3, 20.0), rows=3000, seed=seed) for seed in (1, 2))
    p = [one.probabilities for one in others]
    weighted, equal = (kind.fit(members).apply(p) for kind in (WeightedAverage, Average))
    assert log_loss(others[0].labels, weighted) < log_loss(others[0].labels, equal)


def test_few_rows_leave_weights_near_each_other(members_of):
    few = [ValidationScores(m.labels[:4], m.probabilities[:4]) for m in members_of((0.3, 5.0))]
    assert max(WeightedAverage.fit(few).weights) < 0.75
