"""What every Keras metric does first: one shape for all inputs, and nan for what has no meaning."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import expit, softmax

from kilter._errors import ArgumentError
from kilter.metrics.base import Scores
from kilter.metrics.rates import Recall

pytestmark = pytest.mark.backend

P = np.array([0.1, 0.6, 0.7, 0.9], np.float32)
TWO = np.stack([1 - P, P], axis=1)
THREE = np.array([[0.5, 0.3, 0.2], [0.1, 0.6, 0.3], [0.2, 0.1, 0.7], [0.8, 0.1, 0.1]], np.float32)
LABELS = np.array([0, 1, 1, 0])


class Seen(Scores):
    """Keeps what a child is told of the last batch."""

    def create(self, n_classes: int) -> None:
        self.created = n_classes

    def add(self, *batch: Any) -> None:
        self.labels, self.rows, self.weights = map(ops.convert_to_numpy, batch)


def seen(y: Any, p: Any, sample_weight: Any = None, **options: Any) -> Seen:
    metric = Seen(name="seen", **options)
    metric.update_state(np.asarray(y), np.asarray(p, np.float32), sample_weight)
    return metric


@pytest.mark.parametrize("y", [LABELS, LABELS[:, None], LABELS.astype(float), LABELS > 0])
@pytest.mark.parametrize("p", [P, P[:, None], TWO])
def test_two_classes_have_two_columns_whatever_came(y: np.ndarray, p: np.ndarray) -> None:
    metric = seen(y, p)
    assert metric.created == 2
    assert metric.labels.tolist() == LABELS.tolist()
    np.testing.assert_allclose(metric.rows, TWO, rtol=1e-6)
    assert metric.weights.tolist() == [1] * 4


@pytest.mark.parametrize(
    "y",
    [
        np.array([0, 2, 1, 0]),
        np.array([[0.0], [2.0], [1.0], [0.0]]),
        np.eye(3)[[0, 2, 1, 0]],
        np.eye(3, dtype=int)[[0, 2, 1, 0]],
        0.9 * np.eye(3)[[0, 2, 1, 0]] + 0.1 / 3,  # smoothed labels
    ],
)
def test_three_classes_as_positions_or_as_rows(y: np.ndarray) -> None:
    metric = seen(y, THREE)
    assert metric.labels.tolist() == [0, 2, 1, 0]
    np.testing.assert_array_equal(metric.rows, THREE)
    assert metric.weights.tolist() == [1] * 4


def test_logits_become_probabilities() -> None:
    z = np.array([-2.0, 0.0, 1.0, 30.0])
    np.testing.assert_allclose(seen(LABELS, z, from_logits=True).rows[:, 1], expit(z), rtol=1e-6)
    wide = 5 * THREE
    np.testing.assert_allclose(
        seen(LABELS, wide, from_logits=True).rows, softmax(wide, axis=1), rtol=1e-6
    )


def test_pixels_are_rows_and_an_images_weight_is_that_of_its_pixels() -> None:
    y = np.array([[[0, 1]], [[1, 2]]])
    p = THREE.reshape(2, 1, 2, 3)
    assert seen(y, p).labels.tolist() == [0, 1, 1, 2]
    np.testing.assert_array_equal(seen(y, p).rows, THREE)
    assert seen(y, p, np.array([2.0, 3.0])).weights.tolist() == [2, 2, 3, 3]
    assert seen(y, p, np.arange(4).reshape(y.shape)).weights.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_weights_as_a_list_and_as_a_column(shape: tuple[int, ...]) -> None:
    weights = np.array([0.5, 0, 2, 3]).reshape(shape)
    assert seen(LABELS, TWO, weights).weights.tolist() == [0.5, 0, 2, 3]


@pytest.mark.parametrize(
    ("y", "p"),
    [
        ([0, 1, -1, 0], TWO),
        ([0, 1, 2, 0], TWO),
        ([1, 1, 2, 1], P),  # classes 1 and 2 instead of 0 and 1
        ([1, 1, -1, 1], P),
        (np.array([[1, 0], [1, 0], [1, 1], [0, 1]]), TWO),  # several labels a row
        (np.array([[1, 0], [1, 0], [0, 0], [0, 1]]), TWO),  # none
        (LABELS, [0.1, 0.9, 1.5, 0.2]),  # logits
        (LABELS, [0.1, 0.9, np.nan, 0.2]),
        (LABELS, [[0.1, 0.9], [0.4, 0.6], [-2, 3], [0.5, 0.5]]),
    ],
)
def test_a_row_without_a_meaning_weighs_nan(y: Any, p: Any) -> None:
    weights = seen(y, p).weights
    np.testing.assert_array_equal(np.isnan(weights), [False, False, True, False])
    ignored = seen(y, p, np.array([1.0, 1.0, 0.0, 1.0]))
    assert ignored.weights.tolist() == [1, 1, 0, 1]
    assert set(ignored.labels) <= {0, 1}


def test_half_precision_may_round_beyond_one() -> None:
    assert seen(LABELS, [0, 0.5, 1.0009766, -0.0005]).weights.tolist() == [1] * 4


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ArgumentError, match="`y_true` must have one label a row"):
        seen(LABELS[:, None, None], TWO)
    with pytest.raises(ArgumentError, match=r"`y_true` must have the positions .* got 3 columns"):
        seen(np.eye(3), TWO)
    with pytest.raises(ArgumentError, match="`sample_weight` must have one weight a label"):
        seen(LABELS, TWO, np.ones((4, 2)))
    metric = seen(LABELS, TWO)
    with pytest.raises(ArgumentError, match=r"`y_pred` must have 2 classes, .* got 3"):
        metric.update_state(LABELS, THREE)


def test_a_metric_comes_back_from_its_config() -> None:
    again = Seen.from_config(Seen(name="mine", from_logits=True).get_config())
    assert (again.name, again.from_logits, again.dtype) == ("mine", True, "float32")


def test_masked_steps_do_not_count() -> None:
    words = np.array([[1, 2, 0, 0], [3, 0, 0, 0]])
    tags = np.array([[1, 0, 0, 0], [1, 0, 0, 0]])  # two of class 1, one of class 0, and padding
    model = keras.Sequential([keras.Input((4,)), keras.layers.Embedding(4, 2, mask_zero=True)])
    model.layers[0].set_weights([np.array([[1, 0], [0, 1], [0, 1], [0, 1]])])  # padding: 0
    model.compile(loss="sparse_categorical_crossentropy", metrics=[Recall(average=0)])
    assert model.evaluate(words, tags, verbose=0, return_dict=True)["recall"] == 0
