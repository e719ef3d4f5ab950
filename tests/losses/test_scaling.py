"""Vector scaling against the paper's formulas in float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops
from scipy.special import logsumexp

from kilter._errors import ArgumentError
from kilter.losses.prior import logit_adjusted
from kilter.losses.scaling import VS, vs, vs_scale

pytestmark = pytest.mark.backend

ROWS = 12  # as in `batch`
COUNTS = np.array([900, 90, 10])
PRIOR = COUNTS / COUNTS.sum()


def test_scale_by_hand() -> None:
    np.testing.assert_allclose(vs_scale([400, 100], 0.5), [1, 0.5])
    np.testing.assert_allclose(vs_scale([400, 100], 0.0), 1)


def test_many_classes_are_the_papers(batch: tuple) -> None:
    y, z = batch
    gamma, tau = 0.2, 1.25
    # Kini et al. 2021, with the authors' parameters
    delta, iota = (COUNTS / COUNTS.max()) ** gamma, tau * np.log(PRIOR)
    scaled = delta * z.astype(np.float64) + iota
    expected = logsumexp(scaled, axis=1) - scaled[np.arange(ROWS), y]
    found = ops.convert_to_numpy(vs(y, z, counts=COUNTS, gamma=gamma, tau=tau))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    loss = VS(COUNTS, gamma, tau, from_logits=True, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(y, z)), expected, rtol=1e-4, atol=1e-5)


def test_one_column_is_the_papers_binary_form(batch: tuple) -> None:
    y, z = batch[0] % 2, batch[1][:, :1]
    counts, weights, gamma, tau = np.array([900, 100]), np.array([0.5, 4.0]), 0.4, 0.75
    # Kini et al. 2021: w_y log(1 + exp(iota_y - delta_y y f(x))), y = -1 or 1
    delta = (counts / counts.max()) ** gamma
    iota = tau * np.log(counts[::-1] / counts)  # as in logit adjustment: the other over it
    signed = np.where(y == 1, 1, -1) * z[:, 0].astype(np.float64)
    expected = weights[y] * np.logaddexp(0, iota[y] - delta[y] * signed)
    loss = VS(counts, gamma, tau, class_weights=weights, from_logits=True, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(y, z)), expected, rtol=1e-4, atol=1e-5)
    two = np.concatenate([np.zeros_like(z), z], axis=1)
    assert (
        np.abs(ops.convert_to_numpy(loss(y, two)) - expected).max() > 0.1
    )  # a factor a column instead


def test_without_a_scale_it_is_logit_adjustment(batch: tuple) -> None:
    y, z = batch
    expected = ops.convert_to_numpy(logit_adjusted(y, z, counts=COUNTS))
    found = ops.convert_to_numpy(VS(COUNTS, gamma=0.0, from_logits=True, reduction=None)(y, z))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("arguments", [{"gamma": -0.1}, {"tau": -0.1}, {"tau": float("nan")}])
def test_arguments_are_checked(arguments: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=f"`{next(iter(arguments))}` must be a finite number"):
        VS(COUNTS, **arguments, from_logits=True)
