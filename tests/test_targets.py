"""Targets and outputs in every shape that Keras users have."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import expit, log_expit, softmax

from kilter._errors import ArgumentError
from kilter._targets import (
    at_least_single,
    is_known,
    is_positions,
    known_rows,
    row_weights,
    to_logits,
    to_probabilities,
    to_shares,
    to_truth,
)

pytestmark = pytest.mark.backend

Z = np.array([[-3.0], [0.0], [2.0]], np.float32)
WIDE = np.array([[2.0, 0.0, 1.0], [0.0, 2.0, 1.0], [2.0, 0.0, 1.0]], np.float32)


def array(tensor: Any) -> np.ndarray:
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("outputs", [Z, Z[:, 0]], ids=["a column", "flat"])
def test_one_column_becomes_two(outputs: np.ndarray) -> None:
    both = np.concatenate([expit(-Z), expit(Z)], axis=1)
    np.testing.assert_allclose(array(to_probabilities(outputs, True)), both, rtol=1e-6)
    np.testing.assert_allclose(softmax(array(to_logits(outputs, True)), axis=1), both, rtol=1e-6)
    p = expit(outputs)
    np.testing.assert_allclose(array(to_probabilities(p, False)), both, rtol=1e-6)
    logs = np.concatenate([log_expit(-Z), log_expit(Z)], axis=1)
    np.testing.assert_allclose(array(to_logits(p, False)), logs, rtol=1e-5)


def test_a_column_a_class_stays() -> None:
    p = softmax(WIDE, axis=1)
    np.testing.assert_array_equal(array(to_logits(WIDE, True)), WIDE)
    np.testing.assert_array_equal(array(to_probabilities(p, False)), p)
    np.testing.assert_allclose(array(to_probabilities(WIDE, True)), p, rtol=1e-6)
    np.testing.assert_allclose(array(to_logits(p, False)), np.log(p), rtol=1e-6)


def test_a_probability_of_zero_has_a_finite_logarithm() -> None:
    logs = array(to_logits(np.array([[0.0, 1.0], [1.0, 0.0]], np.float32), False))
    assert np.isfinite(logs).all()
    assert logs.min() == pytest.approx(np.log(1e-37), rel=1e-5)


def test_logits_taken_for_probabilities_are_not_a_number() -> None:
    assert np.isnan(array(to_logits(WIDE, False))).any()
    assert np.isnan(array(to_logits(Z, False))).any(axis=1).tolist() == [True, False, True]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_raised(dtype: str) -> None:
    half = ops.cast(ops.convert_to_tensor(Z), dtype)
    assert "float32" in str(at_least_single(half).dtype)
    assert "float32" in str(to_logits(half, True).dtype)


def test_integers_are_positions() -> None:
    for targets in ([2, 0, 1], [[2], [0], [1]], np.array([2.0, 0.0, 1.0])):
        truth = to_truth(np.asarray(targets), WIDE)
        assert is_positions(truth)
        assert array(truth).tolist() == [2, 0, 1]


def test_rows_of_shares_stay() -> None:
    soft = np.array([[0.2, 0.5, 0.3], [1, 0, 0], [0, 0, 1]])
    truth = to_truth(soft, WIDE)
    assert not is_positions(truth)
    np.testing.assert_allclose(array(truth), soft, rtol=1e-6)


@pytest.mark.parametrize("shape", [(3,), (3, 1)])
@pytest.mark.parametrize("outputs", [Z, Z[:, 0]], ids=["a column", "flat"])
def test_one_column_takes_the_share_of_class_one(outputs: np.ndarray, shape: tuple) -> None:
    truth = to_truth(np.array([0, 1, 0.25]).reshape(shape), outputs)
    np.testing.assert_allclose(array(truth), [[1, 0], [0, 1], [0.75, 0.25]])


def test_positions_as_shares() -> None:
    np.testing.assert_array_equal(
        array(to_shares(ops.convert_to_tensor([2, 0], "int32"), 3)), [[0, 0, 1], [1, 0, 0]]
    )


def test_what_is_no_class_counts_as_class_0() -> None:
    truth, known = known_rows(ops.convert_to_tensor([2, 3, -1], "int32"), 3)
    assert array(truth).tolist() == [2, 0, 0]
    assert array(known).tolist() == [True, False, False]


def test_what_is_no_class_is_not_known() -> None:
    positions = ops.convert_to_tensor([0, 2, 3, -1], "int32")
    assert array(is_known(positions, 3)).tolist() == [True, True, False, False]
    shares = ops.convert_to_tensor([[0.0, 1.0], [-1.0, 2.0]])
    assert array(is_known(shares, 2)).tolist() == [True, False]


@pytest.mark.parametrize("given", [[1, 2], [[1], [2]], [[1, 1, 1], [2, 2, 2]]])
def test_a_weight_is_that_of_all_below_it(given: list) -> None:
    rows = ops.zeros((2, 3))
    found = array(row_weights(np.array(given), rows))
    np.testing.assert_array_equal(found, [[1, 1, 1], [2, 2, 2]])


def test_weights_of_columns_are_refused() -> None:
    with pytest.raises(ArgumentError, match="`sample_weight` must have one weight a label"):
        row_weights(np.ones((2, 3)), ops.zeros(2))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="shapes are known elsewhere")
def test_an_unknown_number_of_columns_is_asked_for() -> None:
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((None, None))], autograph=False)
    def read(y: Any) -> Any:
        return to_truth(y, tf.zeros((2, 3)))

    with pytest.raises(ArgumentError, match="`y_true` must have a known number of columns"):
        read(np.zeros((2, 1), np.float32))


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (np.eye(2), np.zeros((2, 1)), "which has one column; got the shape"),
        (np.zeros((2, 2, 2)), np.zeros((2, 3)), "which has 3 columns; got the shape"),
        (np.eye(2), np.zeros((2, 3)), "the positions of the classes or 3 columns"),
    ],
)
def test_shapes_that_do_not_belong_together(
    y_true: np.ndarray, y_pred: np.ndarray, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        to_truth(y_true, y_pred)
