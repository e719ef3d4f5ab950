"""The traps of Keras's metrics of decisions, and that kilter's do not fall into them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from scipy.stats import gmean
from sklearn import metrics as sk

from kilter.metrics.agreement import BalancedAccuracy, CohenKappa, GMean, MatthewsCorrelation
from kilter.metrics.counts import Counts
from kilter.metrics.rates import FBeta, Precision, Recall, Specificity
from kilter.metrics.report import PerClassReport

pytestmark = pytest.mark.backend

KINDS = [
    MatthewsCorrelation,
    BalancedAccuracy,
    GMean,
    CohenKappa,
    Specificity,
    Precision,
    Recall,
    FBeta,
]
ROWS = 300


def drawn(n_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels, a tenth of which are not of class 0, and logits."""
    rng = np.random.default_rng(0)
    y = (rng.random(ROWS) < 0.1) * rng.integers(1, n_classes, ROWS)
    return y, (rng.normal(size=(ROWS, n_classes)) + 1.5 * np.eye(n_classes)[y]).astype("float32")


def evaluate(
    head: keras.layers.Layer | None, metrics: list[Any], z: np.ndarray, y: np.ndarray
) -> dict[str, float]:
    """Evaluate a network that gives its inputs back through a last layer."""
    network = keras.Sequential([keras.Input(z.shape[1:]), head or keras.layers.Identity()])
    network.compile(loss=lambda y, p: 0.0 * keras.ops.mean(p, axis=-1), metrics=metrics)
    return network.evaluate(z, y, batch_size=100, verbose=0, return_dict=True)


def test_b13_what_keras_lacks_is_there_and_is_scikit_learns() -> None:
    y, z = drawn(3)
    predicted = z.argmax(axis=1)
    metrics = [MatthewsCorrelation(), BalancedAccuracy(), GMean(), CohenKappa()]
    metrics += [Specificity(average=2), PerClassReport(["common", "rare", "rarest"])]
    found = evaluate(keras.layers.Softmax(), metrics, z, y)
    tn, fp, _, _ = sk.multilabel_confusion_matrix(y, predicted)[2].ravel()
    precision, recall, f1, _ = sk.precision_recall_fscore_support(y, predicted)
    expected = {
        "matthews_correlation": sk.matthews_corrcoef(y, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(y, predicted),
        "g_mean": gmean(recall),
        "cohen_kappa": sk.cohen_kappa_score(y, predicted),
        "specificity": tn / (tn + fp),
        "precision_rarest": precision[2],
        "recall_rare": recall[1],
        "f1_common": f1[0],
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_b14_f1_of_flat_integer_labels() -> None:
    y, p = np.array([0, 0, 1, 1, 1]), np.array([0.2, 0.6, 0.9, 0.3, 0.8], np.float32)
    assert float(FBeta()(y, p)) == pytest.approx(sk.f1_score(y, p > 0.5))
    with pytest.raises(ValueError):
        keras.metrics.F1Score()(y, p)  # "FBetaScore expects 2D inputs"


def test_b14_f1_of_a_column_of_integers_against_a_softmax() -> None:
    y, z = drawn(3)
    expected = sk.f1_score(y, z.argmax(axis=1), average="macro")
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    for labels in (y, y[:, None], np.eye(3)[y]):
        assert float(FBeta()(labels, p)) == pytest.approx(expected, abs=1e-6)


def test_b14_f1_of_one_sigmoid_column_that_never_predicts_class_1() -> None:
    y = (np.arange(ROWS) % 4 == 0).astype(int)  # F1 is .4 where every row is predicted as 1
    p = np.full((ROWS, 1), 0.3, np.float32)
    assert float(FBeta()(y, p)) == 0
    assert float(FBeta()(y[:, None], p)) == 0


def test_b15_precision_and_recall_of_integer_labels_on_a_softmax() -> None:
    y, z = drawn(3)
    found = evaluate(keras.layers.Softmax(), [Precision(), Recall(average=1)], z, y)
    predicted = z.argmax(axis=1)
    assert found["precision"] == pytest.approx(
        sk.precision_score(y, predicted, average="macro"), abs=1e-6
    )
    recalls = sk.recall_score(y, predicted, average=None)
    assert found["recall"] == pytest.approx(recalls[1], abs=1e-6)


def test_b15_logits_are_not_thresholded_at_a_half() -> None:
    y, z = drawn(2)
    z = z[:, 1:] - z[:, :1]
    metrics = [Precision(from_logits=True), Recall(from_logits=True), Recall(name="untold")]
    found = evaluate(None, metrics, z, y)
    predicted, wrong = z[:, 0] > 0, z[:, 0] > 0.5
    assert found["precision"] == pytest.approx(sk.precision_score(y, predicted), abs=1e-6)
    assert found["recall"] == pytest.approx(sk.recall_score(y, predicted), abs=1e-6)
    assert sk.recall_score(y, wrong) != sk.recall_score(y, predicted)
    assert np.isnan(found["untold"])  # rather than the recall of the wrong threshold


class Replay(keras.callbacks.Callback):
    """Sets the weight of each epoch, so that the metrics of each are known."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.set_weights([np.array([[[-1.0], [1.0], [-1.0], [-1.0], [-1.0]][epoch]])])


@pytest.mark.parametrize("kind", KINDS)
def test_b17_every_instance_has_the_same_name_and_knows_its_direction(kind: type[Counts]) -> None:
    assert kind().name == kind().name
    assert kind()._direction == "up"


def test_b17_early_stopping_finds_a_second_instance_and_its_direction() -> None:
    Recall()  # Keras would call the next one recall_1
    x, y = np.linspace(-1, 1, 10)[:, None], np.arange(10) >= 5
    network = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, activation="sigmoid", use_bias=False)]
    )
    network.compile(keras.optimizers.SGD(0.0), "binary_crossentropy", metrics=[Recall()])
    stopping = keras.callbacks.EarlyStopping(monitor="val_recall", patience=2)
    history = network.fit(
        x, y, epochs=5, validation_data=(x, y), callbacks=[Replay(), stopping], verbose=0
    ).history
    # It stops two epochs after the best; two after the first if recall were to fall.
    assert history["val_recall"] == [0, 1, 0, 0]
    assert stopping.best == 1


def test_a16_accuracy_misleads_and_these_do_not() -> None:
    y, p = np.arange(ROWS) % 100 == 0, np.full(ROWS, 0.01, np.float32)  # 1%, never predicted
    assert float(keras.metrics.BinaryAccuracy()(y[:, None], p[:, None])) == pytest.approx(0.99)
    expected = dict.fromkeys(KINDS, 0) | {BalancedAccuracy: 0.5, Specificity: 1}
    for kind, value in expected.items():
        assert float(kind()(y, p)) == value, kind.__name__


def test_a16_precision_recall_and_f1() -> None:
    y, z = drawn(2)
    p = 1 / (1 + np.exp(z[:, 0] - z[:, 1]))
    for kind, reference in (
        (Precision, sk.precision_score),
        (Recall, sk.recall_score),
        (FBeta, sk.f1_score),
    ):
        assert float(kind()(y, p)) == pytest.approx(reference(y, p > 0.5), abs=1e-6)
