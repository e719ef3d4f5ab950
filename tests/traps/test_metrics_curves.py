"""The traps of Keras's areas and of what it lacks, and that kilter's do not fall into them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn import metrics as sk

from kilter.metrics import calibration_ratio, expected_calibration_error
from kilter.metrics.binned import BinnedAveragePrecision, BinnedROCAUC
from kilter.metrics.curves import ROCAUC, AveragePrecision
from kilter.metrics.proper import BrierScore, CalibrationError, CalibrationRatio, LogLoss
from made_data import two_columns

pytestmark = pytest.mark.backend

ROWS = 100_000


def rare(prevalence: float = 1e-3) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels and the probabilities that a network gives them, nearly all below .01."""
    rng = np.random.default_rng(0)
    y = (np.arange(ROWS) < prevalence * ROWS).astype(int)
    return y, expit(rng.normal(np.log(prevalence) - 1, 1.5, ROWS) + 2 * y).astype(np.float32)


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Draw labels and logits of two classes."""
    rng = np.random.default_rng(1)
    y = (rng.random(500) < 0.1).astype(int)
    return y, (rng.normal(size=(500, 2)) + 1.5 * np.eye(2)[y]).astype(np.float32)


def test_a16_roc_auc_in_one_line() -> None:
    y, z = drawn()
    network = keras.Sequential([keras.Input((2,)), keras.layers.Softmax()])
    network.compile(loss="sparse_categorical_crossentropy", metrics=[ROCAUC(max_rows=500)])
    found = network.evaluate(z, y, batch_size=100, verbose=0, return_dict=True)
    expected = sk.roc_auc_score(y, softmax(z, axis=1)[:, 1])
    assert found["roc_auc"] == pytest.approx(expected, abs=1e-6)


def test_b13_calibration_is_there_and_agrees() -> None:
    y, p = rare()
    both = two_columns(p.astype(float))
    for metric, expected in (
        (BrierScore(), sk.brier_score_loss(y, p)),
        (LogLoss(), sk.log_loss(y, both)),
        (CalibrationRatio(), calibration_ratio(y, both, 1)),
    ):
        assert float(metric(y, p)) == pytest.approx(expected, rel=1e-5), metric.name
    expected = expected_calibration_error(y, p)
    assert float(CalibrationError()(y, p)) == pytest.approx(expected, abs=5e-5)
    assert not {"BrierScore", "LogLoss", "CalibrationError"} & set(dir(keras.metrics))


@pytest.mark.parametrize("kind", [ROCAUC, BinnedROCAUC])
def test_b15_areas_of_integer_labels_on_a_softmax(kind: Any) -> None:
    y, z = drawn()
    p = softmax(z, axis=1)
    expected = pytest.approx(sk.roc_auc_score(y, p[:, 1]), abs=1e-4)
    with pytest.raises(ValueError):
        keras.metrics.AUC()(y, p)  # "Shapes are incompatible"
    for labels in (y, y[:, None], np.eye(2)[y]):
        assert float(kind()(labels, p)) == expected
    assert float(kind(from_logits=True)(y, z)) == expected


@pytest.mark.parametrize(
    ("curve", "reference", "kinds", "its_error"),
    [
        ("ROC", sk.roc_auc_score, (ROCAUC, BinnedROCAUC), 0.05),
        ("PR", sk.average_precision_score, (AveragePrecision, BinnedAveragePrecision), 0.002),
    ],
)
def test_b16_areas_at_a_prevalence_of_a_thousandth(
    curve: str, reference: Any, kinds: Any, its_error: float
) -> None:
    y, p = rare()
    expected = reference(y, p)
    assert abs(float(keras.metrics.AUC(curve=curve)(y, p)) - expected) > its_error
    exact, binned = (float(kind()(y, p)) for kind in kinds)
    assert exact == pytest.approx(expected, abs=1e-6)
    assert binned == pytest.approx(expected, abs=2e-4)


def test_b17_names_stay_and_early_stopping_knows_the_direction() -> None:
    keras.metrics.AUC()
    second = keras.metrics.AUC().name  # "auc" is there already
    assert second != "auc"
    y, z = drawn()
    for kind in (AveragePrecision, ROCAUC):
        kind()
    metrics = [AveragePrecision(max_rows=500), BrierScore()]
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="softmax")])
    still = keras.optimizers.SGD(0.0)
    network.compile(still, "sparse_categorical_crossentropy", metrics=metrics)
    for name, up in (("average_precision", True), ("brier", False)):
        stopping = keras.callbacks.EarlyStopping(f"val_{name}", patience=1)
        network.fit(
            z, y, batch_size=250, epochs=9, validation_data=(z, y), callbacks=[stopping], verbose=0
        )
        assert (stopping.monitor_op is keras.ops.greater) == up
        assert stopping.stopped_epoch == 1  # no epoch is better than the first
