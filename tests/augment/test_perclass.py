"""PerClass: who is changed, how often, by which layers, in any pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from kilter._errors import ArgumentError
from kilter.augment import PerClass

pytestmark = pytest.mark.backend

COUNTS = [800, 400, 80]
Y = np.repeat([0, 1, 2], 2000)
SIX = np.array([0, 1, 2, 2, 1, 0])
X = np.arange(1.0, 6001, dtype=np.float32)[:, None]


def negative() -> keras.layers.Layer:
    """Return a layer that is easy to see: it turns the sign."""
    return layers.Rescaling(-1.0)


def changed_shares(per_class: PerClass, x: np.ndarray = X, y: np.ndarray = Y) -> np.ndarray:
    """Return the share of changed rows of each class, after a look at every row."""
    changed, _ = per_class(x, y)
    assert np.isin(changed / x, [-1, 1]).all()
    return np.array([(changed[y == k] < 0).mean() for k in range(3)])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"counts": COUNTS}, [0, 0.5, 0.9]),  # 1 - n_k / n_max
        ({"counts": COUNTS, "least": 0.6}, [0.6, 0.6, 0.9]),
        ({"probabilities": [0.25, 0, 1]}, [0.25, 0, 1]),
    ],
)
def test_rarer_classes_are_changed_more_often(arguments: dict, expected: list[float]) -> None:
    per_class = PerClass(negative(), **arguments)
    np.testing.assert_allclose(per_class.probabilities, expected)
    # four standard errors of 2000 draws
    np.testing.assert_allclose(changed_shares(per_class), expected, atol=0.045)
    certain = np.isin(expected, [0, 1])
    np.testing.assert_array_equal(changed_shares(per_class)[certain], np.array(expected)[certain])


def test_labels_pass_through() -> None:
    for y in (Y, Y[:, None].astype("float32"), np.eye(3)[Y]):
        per_class = PerClass(negative(), probabilities=[0, 1, 0])
        x, labels = per_class(X, y)
        assert labels is y
        np.testing.assert_array_equal(x < 0, (Y == 1)[:, None])


def test_a_seed_chooses_the_same_rows_and_new_ones_each_time() -> None:
    one, other = (PerClass(negative(), COUNTS, seed=7) for _ in range(2))
    first, second = one(X, Y)[0], one(X, Y)[0]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(other(X, Y)[0], first)
    np.testing.assert_array_equal(other(X, Y)[0], second)


MANY = [
    lambda: keras.Sequential([layers.Rescaling(-1.0), layers.GaussianNoise(0.1, seed=0)]),
    lambda: layers.Pipeline([layers.Rescaling(-1.0), layers.Rescaling(2.0)]),
    lambda: layers.GaussianNoise(0.1, seed=0),  # does nothing unless in training
]


@pytest.mark.parametrize("make", MANY)
def test_one_layer_or_many_in_arrays_tensors_and_graphs(
    make: Callable[[], keras.layers.Layer],
) -> None:
    tf = pytest.importorskip("tensorflow")
    x, y = X[:6], SIX
    per_class = PerClass(make(), probabilities=[0, 1, 1])
    tensors = per_class(ops.convert_to_tensor(x), ops.convert_to_tensor(y))
    assert all(map(ops.is_tensor, tensors))
    data = tf.data.Dataset.from_tensors((x, y)).map(per_class)
    assert [tuple(spec.shape) for spec in data.element_spec] == [(6, 1), (6,)]
    graph = next(iter(data.as_numpy_iterator()))
    for found in (per_class(x, y)[0], ops.convert_to_numpy(tensors[0]), graph[0]):
        assert found.dtype == np.float32
        np.testing.assert_array_equal((found == x)[:, 0], y == 0)
    np.testing.assert_array_equal(graph[1], y)


def test_structures_of_inputs() -> None:
    twice = keras.layers.Identity()
    x = {"a": X, "b": 2 * X}
    changed, _ = PerClass(twice, probabilities=[0, 0.5, 1])(x, Y)
    np.testing.assert_array_equal(changed["b"], x["b"])


@pytest.mark.parametrize("make", [negative, *MANY])
def test_it_comes_back_from_its_config(make: Callable[[], keras.layers.Layer]) -> None:
    per_class = PerClass(make(), COUNTS, least=0.2, seed=4)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(per_class)))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is PerClass
    assert type(again.layer) is type(per_class.layer)
    assert again.get_config() == per_class.get_config()
    np.testing.assert_array_equal(again(X[:6], SIX)[0], per_class(X[:6], SIX)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "`counts` or `probabilities` must be given"),
        ({"counts": COUNTS, "probabilities": [0, 1, 1]}, "and not both"),
        ({"counts": COUNTS, "least": 1.5}, "must lie in \\[0, 1\\]"),
        ({"probabilities": [0, -1]}, "must lie in \\[0, 1\\]"),
        ({"probabilities": [0.5]}, "one a class"),
        ({"counts": [3, 0]}, "`counts` must be"),
    ],
)
def test_probabilities_are_checked(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        PerClass(negative(), **arguments)


def test_labels_must_fit_the_classes() -> None:
    with pytest.raises(ArgumentError, match="`y` must hold positions 0 to 1"):
        PerClass(negative(), [9, 1])(X, Y)
