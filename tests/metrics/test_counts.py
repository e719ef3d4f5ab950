"""The confusion matrix behind the metrics of decisions: exact, and decided as documented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from sklearn import metrics as sk

from kilter._errors import ArgumentError
from kilter.metrics.agreement import BalancedAccuracy, CohenKappa, GMean, MatthewsCorrelation
from kilter.metrics.counts import Counts
from kilter.metrics.rates import FBeta, Precision, Recall, Specificity

pytestmark = pytest.mark.backend

ROWS = 1000
NAMES = {
    MatthewsCorrelation: "matthews_correlation",
    BalancedAccuracy: "balanced_accuracy",
    GMean: "g_mean",
    CohenKappa: "cohen_kappa",
    Specificity: "specificity",
    Precision: "precision",
    Recall: "recall",
    FBeta: "f1",
}


def counts(metric: Counts) -> np.ndarray:
    return ops.convert_to_numpy(metric.counts)


def test_counts_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, ROWS), rng.dirichlet(np.ones(4), ROWS).astype(np.float32)
    weights = rng.integers(0, 5, ROWS)
    metric = Recall()
    for half in (slice(0, 500), slice(500, None)):
        metric.update_state(y[half], p[half], weights[half])
    np.testing.assert_array_equal(
        counts(metric),
        sk.confusion_matrix(y, p.argmax(axis=1), labels=range(4), sample_weight=weights),
    )
    metric.reset_state()
    assert counts(metric).sum() == 0


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_class_1_is_predicted_above_the_threshold_and_not_at_it(shape: tuple[int, ...]) -> None:
    y, p = np.array([0, 0, 1, 1]), np.array([0.25, 0.75, 0.5, 0.5], np.float32)
    metric, keras_metric = Recall(), keras.metrics.Recall()
    assert float(metric(y, p.reshape(shape))) == float(keras_metric(y, p)) == 0
    assert counts(metric).tolist() == [[1, 1], [2, 0]]
    assert float(Recall(threshold=0.25)(y, p.reshape(shape))) == 1
    assert float(Specificity(threshold=0.25)(y, p.reshape(shape))) == 0.5


def test_a_threshold_is_a_probability_where_outputs_are_logits_too() -> None:
    y, z = np.array([0, 0, 1, 1]), np.array([-3.0, 0.2, 0.3, 3.0], np.float32)
    # A probability of .56 is a logit of .24.
    assert float(Precision(threshold=0.56, from_logits=True)(y, z)) == 1
    two = np.stack([np.ones(4), 1 + z], axis=1).astype(np.float32)
    assert float(Precision(threshold=0.56, from_logits=True)(y, two)) == 1
    assert float(Precision(from_logits=True)(y, z)) == pytest.approx(2 / 3)


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_must_be_a_probability(threshold: float) -> None:
    with pytest.raises(ArgumentError, match="`threshold` must be a probability from 0 to 1"):
        GMean(threshold=threshold)


def test_more_classes_have_no_threshold() -> None:
    with pytest.raises(ArgumentError, match=r"`threshold` must stay 0.5 with 3 classes"):
        GMean(threshold=0.4).update_state(np.arange(3), np.eye(3, dtype="float32"))


def compiled(update: Any) -> Any:
    """Compile as Keras's `fit` does: here compilers could simplify the correction away."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(update)
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(update, jit_compile=True)
    return update


def test_counting_does_not_stop_where_single_precision_does() -> None:
    metric = Precision()
    metric.update_state([1], [0.9], [2.0**24])  # one more is 2**24 again in single precision
    y, p = ops.convert_to_tensor([0]), ops.convert_to_tensor([0.9])
    update = compiled(lambda state: metric.stateless_update_state(state, y, p))
    state = [ops.convert_to_tensor(variable) for variable in metric.variables]
    for _ in range(200):
        state = update(state)
    for variable, value in zip(metric.variables, state, strict=True):
        variable.assign(value)
    metric.update_state([1], [0.9], [200.0])
    assert counts(metric).sum() == 2**24 + 400
    assert counts(metric)[0, 1] == 200


def test_a_long_sum_of_weights_does_not_drift() -> None:
    n = 300_000
    metric = Precision()
    metric.update_state(np.zeros(n), np.ones(n), np.full(n, 0.1, np.float32))
    # One after the other in single precision this is off by 1e-3.
    assert counts(metric)[0, 1] == pytest.approx(n * float(np.float32(0.1)), rel=5e-6)


@pytest.mark.parametrize("metric", NAMES)
def test_the_score_is_0_before_the_first_row(metric: type[Counts]) -> None:
    assert float(metric().result()) == 0
    assert float(metric()([0, 1], [0.9, 0.1], [0.0, 0.0])) == 0


@pytest.mark.parametrize("metric", NAMES)
def test_what_has_no_meaning_is_nan(metric: type[Counts]) -> None:
    assert np.isnan(float(metric()([0, 1, 0, 1], [0.1, 3.0, -2.0, 0.7])))


@pytest.mark.parametrize(("metric", "name"), NAMES.items())
def test_every_instance_has_the_same_name(metric: type[Counts], name: str) -> None:
    assert [metric().name, metric().name, metric(name="mine").name] == [name, name, "mine"]


@pytest.mark.parametrize("kind", NAMES)
def test_a_metric_comes_back_from_its_config(kind: type[Counts]) -> None:
    metric = kind(threshold=0.3, from_logits=True, name="mine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
    assert type(again) is kind
    assert again.get_config() == metric.get_config()
    assert (again.threshold, again.from_logits, again.name) == (0.3, True, "mine")


def test_a_saved_model_keeps_its_metrics(tmp_path: Path) -> None:
    metrics = [FBeta(2, average="macro", threshold=0.3), Precision(average=np.int64(0))]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Activation("sigmoid")])
    model.compile("sgd", "binary_crossentropy", metrics=metrics)
    x, y = np.linspace(-2, 2, 32)[:, None], np.arange(32) % 3 == 0
    model.evaluate(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    found = keras.saving.load_model(tmp_path / "model.keras").evaluate(x, y, verbose=0)
    predicted = 1 / (1 + np.exp(-x[:, 0])) > 0.3
    f_beta = sk.fbeta_score(y, predicted, beta=2, average="macro")
    precision = sk.precision_score(y, x[:, 0] > 0, pos_label=0)
    np.testing.assert_allclose(found[1:], [f_beta, precision], atol=1e-6)


def test_fit_and_evaluate_are_scikit_learn_on_the_predictions() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(96, 4)).astype(np.float32), np.arange(96) % 3
    weights = rng.random(96).astype(np.float32)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile(
        keras.optimizers.SGD(0.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[MatthewsCorrelation(from_logits=True), Recall(from_logits=True)],
        weighted_metrics=[CohenKappa(from_logits=True)],
    )
    # Batches of 32, 32, 32 in training and 40, 40, 16 in validation.
    history = model.fit(
        x, y, sample_weight=weights, epochs=2, validation_data=(x, y, weights),
        validation_batch_size=40, verbose=0,
    ).history  # fmt: skip
    predicted = model.predict(x, verbose=0).argmax(axis=1)
    expected = {
        "matthews_correlation": sk.matthews_corrcoef(y, predicted),
        "recall": sk.recall_score(y, predicted, average="macro"),
        "cohen_kappa": sk.cohen_kappa_score(y, predicted, sample_weight=weights),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(history[name], value, atol=1e-6)
        np.testing.assert_allclose(history[f"val_{name}"], value, atol=1e-6)


def test_pixels_count_one_by_one_and_weigh_as_their_image() -> None:
    rng = np.random.default_rng(2)
    y, p = rng.random((5, 4, 4)) < 0.2, rng.random((5, 4, 4, 1)).astype(np.float32)
    weights = rng.random(5).astype(np.float32)
    expected = sk.matthews_corrcoef(
        y.ravel(), p.ravel() > 0.5, sample_weight=np.repeat(weights, 16)
    )
    for target in (y, y[..., None]):
        found = MatthewsCorrelation()(target, p, weights)
        assert float(found) == pytest.approx(expected, abs=1e-6)
