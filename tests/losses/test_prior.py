"""Logit adjustment and balanced softmax against the papers' formulas in float64."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops
from scipy.special import logsumexp
from scipy.special import softmax as softmax64

from kilter._errors import ArgumentError
from kilter.losses.prior import BalancedSoftmax, LogitAdjusted, balanced_softmax, logit_adjusted

pytestmark = pytest.mark.backend

ROWS = 12  # as in `batch`
COUNTS = np.array([900, 90, 10])
PRIOR = COUNTS / COUNTS.sum()


@pytest.mark.parametrize("tau", [0.0, 1.0, 1.5])
def test_logit_adjustment_is_the_papers(batch: tuple, tau: float) -> None:
    y, z = batch
    # Menon et al. 2021: log(1 + sum (pi_y' / pi_y)^tau exp(f_y' - f_y))
    ratio = (PRIOR[None, :] / PRIOR[y][:, None]) ** tau
    own = z.astype(np.float64)[np.arange(ROWS), y][:, None]
    expected = np.log((ratio * np.exp(z - own)).sum(axis=1))  # the term of y itself is the 1
    found = ops.convert_to_numpy(logit_adjusted(y, z, counts=COUNTS, tau=tau))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    loss = LogitAdjusted(COUNTS, tau, from_logits=True, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(y, z)), expected, rtol=1e-4, atol=1e-5)


def test_balanced_softmax_is_the_papers(batch: tuple) -> None:
    y, z = batch
    # Ren et al. 2020
    weighted = COUNTS * np.exp(z.astype(np.float64))
    expected = -np.log(weighted[np.arange(ROWS), y] / weighted.sum(axis=1))
    found = ops.convert_to_numpy(balanced_softmax(y, z, counts=COUNTS))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    for loss in (BalancedSoftmax, LogitAdjusted):
        found = ops.convert_to_numpy(loss(COUNTS, from_logits=True, reduction=None)(y, z))
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_single_sigmoid_is_shifted_by_the_log_odds(batch: tuple) -> None:
    y, z = batch[0] % 2, batch[1][:, :1]
    shifted = z[:, 0].astype(np.float64) + np.log(100 / 900)
    expected = np.logaddexp(0, np.where(y == 1, -shifted, shifted))
    loss = LogitAdjusted([900, 100], from_logits=True, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(y, z)), expected, rtol=1e-4, atol=1e-5)


def test_a_soft_row_is_the_mean_over_its_classes(batch: tuple) -> None:
    _, z = batch
    shares = np.random.default_rng(1).dirichlet(np.ones(3), ROWS)
    adjusted = z.astype(np.float64) + np.log(PRIOR)
    expected = logsumexp(adjusted, axis=1) - (shares * adjusted).sum(axis=1)
    found = ops.convert_to_numpy(balanced_softmax(shares, z, counts=COUNTS))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_the_best_plain_softmax_is_that_of_equal_classes() -> None:
    # At the optimum softmax(z + log prior) is the posterior, so softmax(z) ~ posterior / prior.
    posterior = np.array([0.6, 0.3, 0.1])
    best = np.tile(np.log(posterior / PRIOR), (ROWS, 1)).astype(np.float32)
    shares = np.tile(posterior, (ROWS, 1))
    entropy = -(posterior * np.log(posterior)).sum()
    found = ops.convert_to_numpy(logit_adjusted(shares, best, counts=COUNTS))
    np.testing.assert_allclose(found, entropy, rtol=1e-5)
    assert softmax64(best[0]).argmax() == 2  # the rarest class is the most over its prior


@pytest.mark.parametrize("tau", [-1.0, float("nan"), float("inf")])
def test_tau_is_checked(tau: float) -> None:
    with pytest.raises(ArgumentError, match="`tau` must be a finite number of at least 0"):
        LogitAdjusted(COUNTS, tau)
