"""The areas of a few steps by hand, and sums that do not drift."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kilter.metrics.areas import (
    Steps,
    area_under_precision_recall,
    area_under_roc,
    ranked_steps,
    running_sums,
)

pytestmark = pytest.mark.backend

# In falling order: a positive, a tie of both, a negative.
SCORES = np.array([[0.1, 0.9, 0.5, 0.5]], np.float32)
POSITIVES = np.array([[0, 1, 0, 1]], np.float32)


def by_hand() -> Steps:
    return ranked_steps(*(ops.convert_to_tensor(one) for one in (SCORES, POSITIVES, 1 - POSITIVES)))


def test_ties_begin_and_end_together() -> None:
    steps = by_hand()
    assert ops.convert_to_numpy(steps.tp).tolist() == [[1, 2, 2, 2]]
    assert ops.convert_to_numpy(steps.fp).tolist() == [[0, 1, 1, 2]]
    assert ops.convert_to_numpy(steps.tp_before).tolist() == [[0, 1, 1, 2]]
    assert ops.convert_to_numpy(steps.fp_before).tolist() == [[0, 0, 0, 1]]


def test_areas_by_hand() -> None:
    assert float(area_under_precision_recall(by_hand())) == pytest.approx((1 + 2 / 3) / 2)
    assert float(area_under_roc(by_hand())) == pytest.approx((1.5 + 2) / 4)
    # Up to a rate of 1/4 the curve rises from (0, 1/2) to (1/4, 3/4).
    area, chance = (0.5 + 0.75) / 2 / 4, 1 / 32
    expected = (1 + (area - chance) / (1 / 4 - chance)) / 2
    assert float(area_under_roc(by_hand(), 0.25)) == pytest.approx(expected)


def test_long_sums_do_not_drift() -> None:
    values = np.random.default_rng(0).random((2, 1, 100_000)).astype(np.float32)
    sums = ops.convert_to_numpy(running_sums(ops.convert_to_tensor(values)))
    np.testing.assert_allclose(sums, np.cumsum(values.astype(float), axis=-1), rtol=1e-6)
