"""Expected cost by hand and against draws of decisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops
from scipy.special import softmax

from kilter import cost_matrix
from kilter._errors import ArgumentError
from kilter.decide import Costs
from kilter.losses.cost import ExpectedCost, expected_cost

pytestmark = pytest.mark.backend

ROWS = 12  # as in `batch`
COSTS = np.array([[0.0, 1.0, 2.0], [3.0, 0.0, 1.0], [9.0, 8.0, 1.0]])


def test_values_are_the_mean_costs_of_decisions(batch: tuple) -> None:
    y, z = batch
    p = softmax(z.astype(np.float64), axis=1)
    rule = Costs(COSTS)
    each = [[rule.expected_cost([own], [k]) for k in range(3)] for own in y]
    expected = (p * each).sum(axis=1)
    np.testing.assert_allclose(
        ops.convert_to_numpy(expected_cost(y, z, costs=COSTS)), expected, rtol=1e-5
    )
    loss = ExpectedCost(COSTS, from_logits=True, reduction=None)
    np.testing.assert_allclose(ops.convert_to_numpy(loss(y, z)), expected, rtol=1e-5)


def test_class_weights_are_costs_by_another_name(batch: tuple) -> None:
    y, z = batch
    weights = [0.5, 1.0, 4.0]
    by_weights = ExpectedCost(cost_matrix([1, 1, 1]), class_weights=weights, from_logits=True)
    by_costs = ExpectedCost(cost_matrix(weights), from_logits=True)
    assert ops.convert_to_numpy(by_weights(y, z)) == pytest.approx(
        ops.convert_to_numpy(by_costs(y, z)), rel=1e-5
    )
    p = softmax(z.astype(np.float64), axis=1)[np.arange(ROWS), y]
    expected = (np.array(weights)[y] * (1 - p)).mean()
    assert ops.convert_to_numpy(by_costs(y, z)) == pytest.approx(expected, rel=1e-5)


def test_a_soft_row_mixes_costs(batch: tuple) -> None:
    _, z = batch
    shares = np.random.default_rng(1).dirichlet(np.ones(3), ROWS)
    expected = (shares @ COSTS * softmax(z.astype(np.float64), axis=1)).sum(axis=1)
    np.testing.assert_allclose(
        ops.convert_to_numpy(expected_cost(shares, z, costs=COSTS)), expected, rtol=1e-5
    )


@pytest.mark.parametrize("costs", [[1, 2], [[0, 1]], [[0, float("nan")], [1, 0]], [[0], [1]]])
def test_costs_must_be_square_and_finite(costs: Any) -> None:
    with pytest.raises(ArgumentError, match="`costs` must be finite numbers of shape"):
        ExpectedCost(costs)


def test_a_right_decision_must_not_be_dearer() -> None:
    with pytest.raises(ArgumentError, match="`costs` must not make a right decision dearer"):
        ExpectedCost([[0, 1], [0, 1]])
