"""LDAM against the paper's formula in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops
from scipy.special import logsumexp

from kilter._errors import ArgumentError
from kilter.losses.margins import LDAM, ldam, ldam_margins

pytestmark = pytest.mark.backend

ROWS = 12
COUNTS = np.array([810, 160, 10])


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    cosines = rng.uniform(-1, 1, (ROWS, 3)).astype(np.float32)
    return rng.integers(0, 3, ROWS), cosines


def test_margins_by_hand() -> None:
    # 16^(-1/4) = 1/2 and 81^(-1/4) = 1/3 of the rarest class's
    np.testing.assert_allclose(ldam_margins(COUNTS), [0.5 / 3, 0.25, 0.5])
    np.testing.assert_allclose(ldam_margins([7, 7], 0.3), 0.3)


@pytest.mark.parametrize(("max_margin", "scale"), [(0.5, 30.0), (0.2, 3.0), (0.0, 1.0)])
def test_values_are_the_papers(batch: tuple, max_margin: float, scale: float) -> None:
    y, z = batch
    # Cao et al. 2019, with the scale of the authors' code: only the true class's
    # logit is lowered, by C / n_y^(1/4), and before the scale.
    margin = max_margin * (COUNTS / COUNTS.min()) ** -0.25
    lowered = z.astype(np.float64) - np.eye(3)[y] * margin
    expected = logsumexp(scale * lowered, axis=1) - scale * lowered[np.arange(ROWS), y]
    found = ops.convert_to_numpy(ldam(y, z, counts=COUNTS, max_margin=max_margin, scale=scale))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    loss = LDAM(COUNTS, max_margin, scale, from_logits=True, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(y, z)), expected, rtol=1e-4, atol=1e-5)


def test_a_soft_row_has_every_margin_by_its_share(batch: tuple) -> None:
    _, z = batch
    shares = np.random.default_rng(1).dirichlet(np.ones(3), ROWS)
    lowered = 3 * (z - shares * ldam_margins(COUNTS))
    expected = logsumexp(lowered, axis=1) - (shares * lowered).sum(axis=1)
    found = ops.convert_to_numpy(ldam(shares, z, counts=COUNTS, scale=3.0))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_margin": -0.5}, "`max_margin` must be a finite number of at least 0"),
        ({"scale": -1.0}, "`scale` must be above 0; got -1.0"),
        ({"scale": 0.0}, "`scale` must be above 0"),
    ],
)
def test_arguments_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        LDAM(COUNTS, **arguments)
