"""Shares, blends, and the bridge between arrays, tensors and `tf.data`."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from kilter._errors import ArgumentError
from kilter.augment import Mixup
from kilter.augment.base import blend, on_host, to_shares

pytestmark = pytest.mark.backend


def test_blend_weighs_rows() -> None:
    x = np.array([[0, 10], [100, 200]], np.uint8)
    mixed = blend(x, x[::-1], np.array([0.25, 1.0]))
    assert mixed.dtype == np.float32
    assert mixed.tolist() == [[75, 152.5], [100, 200]]


def test_blend_weighs_pixels() -> None:
    x = np.arange(8.0).reshape(1, 2, 2, 2)
    mixed = blend(x, -x, np.array([[[1, 0], [0.5, 1]]]))
    assert mixed.tolist() == [[[[0, 1], [-2, -3]], [[0, 0], [6, 7]]]]


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "bool"])
def test_positions_become_shares(dtype: str) -> None:
    y = np.array([1, 0, 1], dtype)
    assert to_shares(y, 3).tolist() == [[0, 1, 0], [1, 0, 0], [0, 1, 0]]
    assert to_shares(y[:, None], 3).dtype == np.float32
    np.testing.assert_array_equal(to_shares(y[:, None], 3), to_shares(y, 3))


def test_soft_rows_stay() -> None:
    y = np.array([[0.25, 0.75], [1, 0]])
    for n_classes in (None, 2):
        assert to_shares(y, n_classes).tolist() == y.tolist()


@pytest.mark.parametrize(
    ("y", "n_classes", "message"),
    [
        ([0, 1], None, "`n_classes` must be given"),
        ([0, 3], 3, "`y` must hold positions 0 to 2; got 0 to 3"),
        ([-1, 1], 3, "`y` must hold positions 0 to 2; got -1 to 1"),
        (np.eye(2), 3, "`y` must have positions of the classes or 3 columns; got 2"),
    ],
)
def test_labels_that_do_not_fit_are_refused(y: object, n_classes: int, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        to_shares(np.asarray(y), n_classes)


def double(x: np.ndarray) -> list[np.ndarray]:
    assert isinstance(x, np.ndarray)
    return [np.float32(2) * x]


def test_arrays_stay_arrays_and_tensors_tensors() -> None:
    x = np.ones((2, 3), np.float32)
    (array,) = on_host(double, [x], [(2, 3)])
    assert isinstance(array, np.ndarray)
    (tensor,) = on_host(double, [ops.convert_to_tensor(x)], [(2, 3)])
    assert ops.is_tensor(tensor)
    np.testing.assert_array_equal(ops.convert_to_numpy(tensor), array)


def test_a_graph_of_tensorflow_runs_it_on_any_backend() -> None:
    tf = pytest.importorskip("tensorflow")
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    data = tf.data.Dataset.from_tensors(x).map(lambda x: on_host(double, [x], [(2, 3)])[0])
    assert data.element_spec.shape == (2, 3)
    np.testing.assert_array_equal(next(iter(data)).numpy(), 2 * x)


@pytest.mark.parametrize("y", [np.array(["a", "b"]), np.array([0.0, np.nan])])
def test_labels_that_are_no_numbers_are_said(y: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="`y` must be finite numbers, positions of the classes"):
        to_shares(y, 2)


def test_a_single_label_is_no_batch() -> None:
    with pytest.raises(ArgumentError, match="`y` must have the labels of a batch"):
        Mixup(n_classes=2)(np.zeros(3), np.array(1))


def test_the_numbers_of_a_batch_do_not_hang_on_those_before() -> None:
    x, y = np.arange(8.0)[:, None], np.eye(2)[np.arange(8) % 2]
    mixup = Mixup(seed=3)
    first = mixup.for_batch(2, 5)(x, y)
    mixup(x, y)
    for again in (mixup.for_batch(2, 5), Mixup.from_config(mixup.get_config()).for_batch(2, 5)):
        np.testing.assert_array_equal(again(x, y)[0], first[0])
    for other in (mixup.for_batch(5, 2), mixup.for_batch(2, 4), Mixup(seed=4).for_batch(2, 5)):
        assert (other(x, y)[0] != first[0]).any()
