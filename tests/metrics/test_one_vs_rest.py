"""Odds that keep their digits, and the mean over the classes that have a value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras import ops
from scipy.special import expit

from kilter.metrics.one_vs_rest import columns, is_class, known, mean_of_defined, odds, ratio

pytestmark = pytest.mark.backend


def array(values: Any, dtype: str = "float32") -> Any:
    return ops.convert_to_tensor(np.asarray(values, dtype))


def test_odds_keep_their_digits_at_both_ends() -> None:
    z = np.array([-80.0, -20.0, 0.0, 20.0, 80.0])
    both = array(np.stack([expit(-z), expit(z)], axis=1))
    np.testing.assert_allclose(ops.convert_to_numpy(odds(both))[:, 1], np.exp(z), rtol=1e-5)
    many = np.array([[0.0, 1e-20, 1.0], [0.25, 0.25, 0.5], [0.0, 0.0, 1.0]])
    expected = [[0, 1e-20, 1e20], [1 / 3, 1 / 3, 1], [0, 0, 1e37]]
    np.testing.assert_allclose(ops.convert_to_numpy(odds(array(many))), expected, rtol=1e-5)


def test_what_a_row_without_weight_holds_does_not_matter() -> None:
    weights = array([0, np.nan, 2])
    p = array([[np.nan, np.inf], [0.5, 0.5], [0.25, 0.75]])
    assert ops.convert_to_numpy(known(p, weights)).tolist() == [[0, 0], [0, 0], [0.25, 0.75]]


def test_classes_are_columns() -> None:
    assert ops.convert_to_numpy(is_class(array([0, 2], "int32"), [2, 0])).tolist() == [
        [False, True],
        [True, False],
    ]
    assert ops.convert_to_numpy(columns(array([[1, 2, 3]]), [2, 0])).tolist() == [[3, 1]]


def test_the_mean_takes_what_is_defined() -> None:
    values = array([1, np.nan, 3])
    assert float(mean_of_defined(values, array([1, 0, 1], "bool"))) == 2
    assert float(mean_of_defined(values, array([0, 0, 0], "bool"))) == 0
    assert np.isnan(float(mean_of_defined(values, array([1, 1, 1], "bool"))))


def test_a_ratio_to_0_is_nan() -> None:
    found = ops.convert_to_numpy(ratio(array([1, 0, 3]), array([0, 0, 2])))
    np.testing.assert_array_equal(found, [np.nan, np.nan, 1.5])
