"""Labels of any type and shape are counted; tests/test_weights.py has the usual ones."""

from __future__ import annotations

import numpy as np
import pytest

from kilter._errors import ArgumentError
from kilter.tally import tally
from kilter.weights import class_counts, class_weights


def test_keys_are_the_labels_where_they_are_whole_numbers() -> None:
    assert [list(part) for part in tally([7, -1, 7], None)] == [[-1, 7], [1, 2]]
    assert [list(part) for part in tally(["b", "a", "b"], None)] == [[0, 1], [1, 2]]
    assert [list(part) for part in tally([0.5, 1.5, 1.5], None)] == [[0, 1], [1, 2]]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_many_one_hot_rows_are_all_counted(dtype: str) -> None:
    y = np.zeros((10_000, 2), dtype)
    y[:9000, 0] = y[9000:, 1] = 1
    assert class_counts(y).tolist() == [9000, 1000]


def test_positions_that_look_like_one_hot_rows() -> None:
    tokens = np.array([[0, 0, 1], [1, 0, 0]])
    assert class_counts(tokens, multi_label=False).tolist() == [4, 2]
    assert class_counts(tokens).tolist() == [1, 0, 1]
    mask = np.eye(3, dtype="uint8")[np.zeros((2, 4), int)]
    with pytest.raises(ArgumentError, match="one-hot pixels as floats"):
        class_counts(mask)
    assert class_counts(mask.astype("float32")).tolist() == [8, 0, 0]


def test_labels_far_apart_in_a_small_type() -> None:
    assert class_weights(np.array([-100, 100, 100, 27], "int8"), "inverse").keys() == {
        -100,
        27,
        100,
    }


def test_whole_numbers_among_objects_are_the_keys() -> None:
    assert class_weights(np.array([1, 2, 2], object)).keys() == {1, 2}
