"""What the losses with one number a batch share: weights, masks, classes, shapes, Keras."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import expit

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter._export import register
from kilter.losses.batch import BatchLoss, as_class_shares, as_rows, class_mean

pytestmark = pytest.mark.backend

ROWS, STEPS = 6, 4


@register
class MeanOfTrue(BatchLoss):
    """The weighted mean of the true class's probability: nothing could be simpler."""

    def __init__(self, *, name: str = "mean_of_true", **options: Any) -> None:
        super().__init__(name=name, **options)

    def batch(self, truth: Any, probabilities: Any, weights: Any) -> Any:
        shares, p, w = as_rows(truth, probabilities, weights)
        return ops.sum(w * shares * p) / ops.sum(w)


@pytest.fixture
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, ROWS), rng.random(ROWS).astype(np.float32)


@pytest.fixture
def tokens() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(3), (ROWS, STEPS)).astype(np.float32)
    return rng.integers(0, 3, (ROWS, STEPS)), p


def of_true(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    if p.ndim == 1:
        return np.where(y > 0, p, 1 - p)
    return np.take_along_axis(p, y[..., None], -1)[..., 0]


def value(y: Any, p: Any, *weights: Any, **options: Any) -> float:
    return float(ops.convert_to_numpy(MeanOfTrue(**options)(y, p, *weights)))


def test_targets_and_outputs_come_in_every_shape(rows: tuple) -> None:
    y, p = rows
    z = np.log(p / (1 - p))
    expected = of_true(y, p).mean()
    for targets in (y, y[:, None], y.astype("uint8"), y.astype(bool)):
        for outputs in (p, p[:, None]):
            assert value(targets, outputs) == pytest.approx(expected, rel=1e-5)
    assert value(y, z, from_logits=True) == pytest.approx(expected, rel=1e-5)
    for targets in (y, np.eye(2, dtype=np.float32)[y]):
        columns = np.stack([1 - p, p], axis=1)
        assert value(targets, columns) == pytest.approx(expected, rel=1e-5)
        assert value(targets, np.log(columns), from_logits=True) == pytest.approx(
            expected, rel=1e-5
        )


def test_sample_weights_act_inside_the_sums(rows: tuple) -> None:
    y, p = rows
    weights = np.array([0, 1, 2, 3, 0.5, 0], np.float32)
    expected = np.average(of_true(y, p), weights=weights)
    for given in (weights, weights[:, None], weights.astype(np.float64)):
        assert value(y, p, given) == pytest.approx(expected, rel=1e-5)
    assert value(y, p, 7.0) == pytest.approx(of_true(y, p).mean(), rel=1e-5)


def test_weights_of_texts_are_those_of_their_tokens(tokens: tuple) -> None:
    y, p = tokens
    by_text = np.arange(ROWS, dtype=np.float32)
    by_token = np.random.default_rng(2).random((ROWS, STEPS)).astype(np.float32)
    for given, full in [(by_text, by_text[:, None] * np.ones((1, STEPS))), (by_token, by_token)]:
        expected = np.average(of_true(y, p), weights=full)
        assert value(y, p, given) == pytest.approx(expected, rel=1e-5)
        assert value(y, p, given[..., None]) == pytest.approx(expected, rel=1e-5)


def test_a_weight_a_column_is_refused(rows: tuple) -> None:
    y, p = rows
    with pytest.raises(ArgumentError, match="`sample_weight` must have one weight a label"):
        MeanOfTrue()(y, p, np.ones((ROWS, 2), np.float32))


def test_masked_steps_count_for_nothing(tokens: tuple) -> None:
    y, _ = tokens
    x = np.random.default_rng(3).normal(size=(ROWS, STEPS, 2)).astype(np.float32)
    x[:, -1] = 0  # the last step is padding
    x[0, 1:] = 0
    model = keras.Sequential(
        [
            keras.Input((STEPS, 2)),
            keras.layers.Masking(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("sgd", loss=MeanOfTrue())
    real = np.any(x != 0, axis=-1)
    for by_text in (np.ones(ROWS, np.float32), np.arange(1, ROWS + 1, dtype=np.float32)):
        expected = np.average(
            of_true(y, model.predict(x, verbose=0)), weights=real * by_text[:, None]
        )
        found = model.evaluate(x, y, sample_weight=by_text, verbose=0)
        assert found == pytest.approx(expected, rel=1e-4)


def test_a_model_of_two_outputs_weighs_each(rows: tuple) -> None:
    y, x = rows
    inputs = keras.Input((1,))
    outputs = {
        "rare": keras.layers.Dense(1, name="rare")(inputs),
        "kind": keras.layers.Dense(2, activation="softmax", name="kind")(inputs),
    }
    model = keras.Model(inputs, outputs)
    losses = {"rare": MeanOfTrue(from_logits=True), "kind": MeanOfTrue()}
    model.compile("sgd", loss=losses, loss_weights={"rare": 1.0, "kind": 2.0})
    weights = {"rare": np.arange(ROWS, dtype=np.float32), "kind": np.ones(ROWS, np.float32)}
    targets = {"rare": y, "kind": 1 - y}
    before = model.predict(x, verbose=0)
    found = model.evaluate(
        x, targets, sample_weight=weights, batch_size=ROWS, verbose=0, return_dict=True
    )
    rare = np.average(of_true(y, expit(before["rare"][:, 0])), weights=weights["rare"])
    kind = of_true(1 - y, before["kind"]).mean()
    assert found["loss"] == pytest.approx(rare + 2 * kind, rel=1e-4)
    assert found["rare_loss"] == pytest.approx(rare, rel=1e-4)


def test_training_follows_the_weights(rows: tuple) -> None:
    _, x = rows
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(5.0), loss=MeanOfTrue())
    y, weights = np.array([0, 1] * (ROWS // 2)), np.array([1, 9] * (ROWS // 2), np.float32)
    model.fit(x, y, sample_weight=weights, batch_size=ROWS, epochs=20, verbose=0)
    assert model.predict(x, verbose=0).mean() < 0.2  # less of what is true: away from class 1


def test_class_weight_of_fit_weighs_rows_by_class(rows: tuple) -> None:
    y, p = rows
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.ones((1, 1))])
    model.compile("sgd", loss=MeanOfTrue())
    found = model.train_on_batch(p[:, None], y, class_weight={0: 1.0, 1: 9.0})
    expected = np.average(of_true(y, p), weights=np.array([1, 9])[y])
    assert np.asarray(found) == pytest.approx(expected, rel=1e-5)


def test_config_has_everything() -> None:
    loss = MeanOfTrue(class_weights={0: 1.0, 1: 9.0}, from_logits=True, name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is MeanOfTrue
    assert again.get_config() == loss.get_config()
    assert again.get_config() == {
        "class_weights": [1.0, 9.0],
        "from_logits": True,
        "name": "mine",
        "dtype": "float32",
    }


def test_class_weights_are_checked() -> None:
    with pytest.raises(ArgumentTypeError, match=r"kilter.class_weights\(y, 'balanced'\)"):
        MeanOfTrue(class_weights="balanced")
    for wrong in ([1.0, 2.0], np.ones((3, 2))):
        with pytest.raises(ArgumentError, match="`class_weights` must have one value a class, 3"):
            as_class_shares(wrong, ops.zeros((1, 3)))


def test_of_two_classes_only_the_second_counts_by_default() -> None:
    two, three = (ops.convert_to_numpy(as_class_shares(None, ops.zeros((1, n)))) for n in (2, 3))
    np.testing.assert_array_equal(two, [0, 1])
    np.testing.assert_array_equal(three, [1, 1, 1])


def test_the_mean_over_no_class_is_zero() -> None:
    values = ops.convert_to_tensor([1.0, 2.0, 3.0])
    assert float(class_mean(values, ops.convert_to_tensor([1.0, 0.0, 3.0]))) == pytest.approx(2.5)
    assert float(class_mean(values, ops.zeros(3))) == 0


def test_half_precision_is_raised(rows: tuple) -> None:
    y, p = rows
    half = p.astype(np.float16)
    found = value(y, half)
    assert found == pytest.approx(of_true(y, half.astype(float)).mean(), rel=1e-5)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a strategy of TensorFlow")
def test_replicas_share_the_step(rows: tuple, monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    alone = value(*rows)
    strategy = SimpleNamespace(num_replicas_in_sync=4)
    monkeypatch.setattr(tf.distribute, "get_strategy", lambda: strategy)
    assert value(*rows) == pytest.approx(alone / 4, rel=1e-6)


def test_a_label_that_is_no_class_is_not_a_number_unless_it_weighs_0(rows: tuple) -> None:
    y, p = rows
    void = np.where(np.arange(len(y)) == 0, 7, y)
    weights = (np.arange(len(y)) > 0).astype(np.float32)
    assert np.isnan(value(void, p))
    assert value(void, p, weights) == pytest.approx(value(y, p, weights), rel=1e-6)


def test_logits_taken_for_probabilities_are_not_a_number(rows: tuple) -> None:
    y, p = rows
    assert np.isnan(value(y, 4 * p + 2))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="a graph of TensorFlow")
def test_a_graph_of_ones_own(rows: tuple) -> None:
    import tensorflow as tf

    y, p = rows
    compiled = tf.function(lambda y, p: MeanOfTrue()(y, p))
    assert float(compiled(y, p)) == pytest.approx(value(y, p), rel=1e-6)
