"""The cheap operations against numpy, for every shape that losses give them."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from kilter._ops import constant, lookup, one_hot, where

pytestmark = pytest.mark.backend

POSITIONS = np.array([[0, 2, 1], [2, 2, 0]], "int32")
TABLE = np.arange(12, dtype="float32").reshape(3, 4) ** 2


@pytest.mark.parametrize("table", [TABLE, TABLE[:, 0]], ids=["rows", "numbers"])
@pytest.mark.parametrize("positions", [POSITIONS, POSITIONS[0]], ids=["many axes", "flat"])
def test_lookup_is_numpys_indexing(table: np.ndarray, positions: np.ndarray) -> None:
    found = lookup(constant(table), ops.convert_to_tensor(positions))
    np.testing.assert_array_equal(ops.convert_to_numpy(found), table[positions])


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32"])
def test_one_hot_has_no_one_outside_the_classes(dtype: str) -> None:
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has single precision unless told otherwise")
    positions = np.array([[0, 2], [-1, 3]], "int32")
    rows = ops.convert_to_numpy(one_hot(ops.convert_to_tensor(positions), 3, dtype))
    np.testing.assert_array_equal(rows, [[[1, 0, 0], [0, 0, 1]], [[0, 0, 0], [0, 0, 0]]])
    assert rows.dtype == dtype


def test_where_takes_tensors_and_numbers_and_keeps_the_type() -> None:
    positions = ops.convert_to_tensor(POSITIONS)
    kept = ops.convert_to_numpy(where(positions > 1, positions, 0))
    np.testing.assert_array_equal(kept, np.where(POSITIONS > 1, POSITIONS, 0))
    assert kept.dtype == "int32"
    halves = ops.convert_to_numpy(where(positions > 1, 0.5, ops.cast(positions, "float32")))
    np.testing.assert_array_equal(halves, np.where(POSITIONS > 1, 0.5, POSITIONS))
    assert halves.dtype == "float32"


def test_a_constant_is_single_precision() -> None:
    made = constant(np.array([0.1, 2.0]))
    assert keras.backend.standardize_dtype(made.dtype) == "float32"
    np.testing.assert_array_equal(ops.convert_to_numpy(made), np.float32([0.1, 2.0]))
