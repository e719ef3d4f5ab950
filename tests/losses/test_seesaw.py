"""Seesaw loss against the paper's formula in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops
from scipy.special import softmax

from differentiate import gradients
from kilter._errors import ArgumentError
from kilter.losses.seesaw import Seesaw, seesaw

pytestmark = pytest.mark.backend

ROWS = 12  # as in `batch`
COUNTS = np.array([900, 90, 10])


def seesaw_softmax(y: np.ndarray, z: np.ndarray, p: float, q: float) -> np.ndarray:
    """Return Wang et al. 2021's softmax, entry by entry."""
    shares, found = softmax(z.astype(np.float64), axis=1), np.zeros(z.shape)
    for row, (own, logits) in enumerate(zip(y, z.astype(np.float64), strict=True)):
        terms = np.exp(logits)
        for other in set(range(3)) - {own}:
            mitigation = min(1, COUNTS[other] / COUNTS[own]) ** p
            compensation = max(1, shares[row, other] / max(shares[row, own], 0.01)) ** q
            terms[other] *= mitigation * compensation
        found[row] = terms / terms.sum()
    return found


@pytest.mark.parametrize(("p", "q"), [(0.8, 2.0), (0.8, 0.0), (0.0, 2.0), (0.0, 0.0)])
def test_values_are_the_papers(batch: tuple, p: float, q: float) -> None:
    y, z = batch
    expected = -np.log(seesaw_softmax(y, z, p, q)[np.arange(ROWS), y])
    found = ops.convert_to_numpy(seesaw(y, z, counts=COUNTS, mitigation=p, compensation=q))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    loss = Seesaw(COUNTS, p, q, from_logits=True, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(y, z)), expected, rtol=1e-4, atol=1e-5)


def test_no_gradient_flows_through_the_factors(batch: tuple) -> None:
    y, z = batch
    expected = seesaw_softmax(y, z, 0.8, 2.0) - np.eye(3)[y]
    found = gradients(lambda logits: ops.sum(seesaw(y, logits, counts=COUNTS)), z)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_mitigation_by_hand() -> None:
    # Even logits: log(1 + (1/10)^p + (1/90)^p) for the frequent class, log 3 for the rarest
    z = np.zeros((ROWS, 3), np.float32)
    found = ops.convert_to_numpy(seesaw(np.resize([0, 2], ROWS), z, counts=COUNTS, mitigation=1.0))
    np.testing.assert_allclose(found[0], np.log(1 + 1 / 10 + 1 / 90), rtol=1e-5)
    np.testing.assert_allclose(found[1], np.log(3), rtol=1e-5)


def test_compensation_has_a_bound() -> None:
    # p_y counts as .01 at least: C is 100^2 at most
    z = np.tile(np.array([50, -50, -50], np.float32), (ROWS, 1))
    found = ops.convert_to_numpy(seesaw(np.full(ROWS, 2), z, counts=COUNTS))
    np.testing.assert_allclose(found, 100 + np.log(100**2), rtol=1e-5)


@pytest.mark.parametrize("arguments", [{"mitigation": -0.1}, {"compensation": -2.0}])
def test_exponents_are_checked(arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=f"`{next(iter(arguments))}` must be a finite number"):
        Seesaw(COUNTS, **arguments)
