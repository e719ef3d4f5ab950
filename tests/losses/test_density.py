"""GHM-C against the paper's definition, bin by bin in float64."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from keras import ops
from scipy.special import expit, softmax

from differentiate import gradients
from kilter._errors import ArgumentError
from kilter.losses.density import GHMC, ghm_c

pytestmark = pytest.mark.backend

ROWS = 40


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 3, ROWS), (2 * rng.normal(size=(ROWS, 3))).astype(np.float32)


def harmony(sizes: np.ndarray, bins: int) -> np.ndarray:
    """Return Li et al. 2019's N / (rows in the bin * bins that are not empty)."""
    edges = np.linspace(0, 1, bins + 1)
    filled = [(sizes >= low) & (sizes < high) for low, high in itertools.pairwise(edges)]
    filled = [members for members in filled if members.any()]
    weights = np.zeros(len(sizes))
    for members in filled:
        weights[members] = len(sizes) / members.sum() / len(filled)
    return weights


@pytest.mark.parametrize("bins", [1, 10, 30])
def test_two_classes_are_the_papers(batch: tuple, bins: int) -> None:
    y, z = batch[0] % 2, batch[1][:, :1]
    p = expit(z[:, 0].astype(np.float64))
    weights = harmony(np.abs(p - y), bins)
    assert weights.mean() == pytest.approx(1)
    expected = weights * -np.log(np.where(y == 1, p, 1 - p))
    loss = GHMC(bins, from_logits=True, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(y, z)), expected, rtol=1e-4, atol=1e-6)


def test_many_classes_go_by_the_true_classs_probability(batch: tuple) -> None:
    y, z = batch
    p = softmax(z.astype(np.float64), axis=1)[np.arange(ROWS), y]
    expected = harmony(1 - p, 10) * -np.log(p)
    np.testing.assert_allclose(ops.convert_to_numpy(ghm_c(y, z)), expected, rtol=1e-4, atol=1e-6)


def test_a_soft_row_goes_by_its_own_gradient(batch: tuple) -> None:
    _, z = batch
    shares = np.random.default_rng(1).dirichlet(np.ones(3), ROWS)
    p = softmax(z.astype(np.float64), axis=1)
    expected = harmony(np.abs(p - shares).sum(axis=1) / 2, 10) * -(shares * np.log(p)).sum(axis=1)
    np.testing.assert_allclose(
        ops.convert_to_numpy(ghm_c(shares, z)), expected, rtol=1e-4, atol=1e-6
    )


def test_no_gradient_flows_through_the_weights(batch: tuple) -> None:
    y, z = batch
    p = softmax(z.astype(np.float64), axis=1)
    weights = harmony(1 - p[np.arange(ROWS), y], 10)
    found = gradients(lambda logits: ops.sum(ghm_c(y, logits)), z)
    np.testing.assert_allclose(found, weights[:, None] * (p - np.eye(3)[y]), rtol=1e-3, atol=1e-5)


def test_a_crowd_of_easy_rows_weighs_as_much_as_a_few_hard_ones() -> None:
    p = np.r_[np.full(36, 0.97), np.full(4, 0.55)]
    z = np.log(p / (1 - p))[:, None].astype(np.float32)
    found = ops.convert_to_numpy(
        GHMC(from_logits=True, reduction=None)(np.ones(ROWS), z)
    ) / -np.log(p)
    assert found[:36].sum() == pytest.approx(found[36:].sum(), rel=1e-4)


@pytest.mark.parametrize("bins", [0, 2.5, -3, float("nan")])
def test_bins_are_checked(bins: Any) -> None:
    with pytest.raises(ArgumentError, match="`bins` must be a whole number of at least 1"):
        GHMC(bins)
