"""The report of every class: in the logs of Keras, and as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn import metrics as sk

from kilter._errors import ArgumentError
from kilter.metrics.report import PerClassReport

pytestmark = pytest.mark.backend

ROWS = 48
NAMES = ["good", "odd", "fraud"]


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """Draw labels and logits of three classes."""
    rng = np.random.default_rng(0)
    y = rng.choice(3, ROWS, p=[0.7, 0.2, 0.1])
    return y, (rng.normal(size=(ROWS, 3)) + 2 * np.eye(3)[y]).astype(np.float32)


def reference(y: np.ndarray, predicted: np.ndarray, **options: Any) -> dict[str, float]:
    report = sk.classification_report(
        y, predicted, target_names=NAMES, output_dict=True, zero_division=0, **options
    )
    columns = {"precision": "precision", "recall": "recall", "f1": "f1-score"}
    return {
        f"{short}_{name}": report[name][long] for name in NAMES for short, long in columns.items()
    }


def model(metrics: list[Any], weighted: list[Any] | None = None) -> keras.Model:
    """Return a network that gives its inputs back as probabilities, and never learns."""
    head = keras.layers.Dense(3, "softmax", use_bias=False, kernel_initializer="identity")
    network = keras.Sequential([keras.Input((3,)), head])
    network.compile(
        keras.optimizers.SGD(0.0),
        "sparse_categorical_crossentropy",
        metrics=metrics,
        weighted_metrics=weighted,
    )
    return network


def test_logs_and_table_are_scikit_learns_report(capsys: pytest.CaptureFixture[str]) -> None:
    y, z = drawn()
    weights = np.random.default_rng(1).random(ROWS).astype(np.float32)
    report, weighted = PerClassReport(NAMES), PerClassReport(NAMES, name="w")
    network = model([report], [weighted])
    both = (z[:32], y[:32], weights[:32])
    history = network.fit(
        z, y, sample_weight=weights, validation_data=both, batch_size=16, verbose=1
    ).history
    assert "val_recall_fraud: " in capsys.readouterr().out  # Keras's progress bar shows it
    predicted = z.argmax(axis=1)
    expected = reference(y, predicted)
    expected |= {f"val_{k}": v for k, v in reference(y[:32], predicted[:32]).items()}
    expected |= {f"w_{k}": v for k, v in reference(y, predicted, sample_weight=weights).items()}
    assert {name: history[name][0] for name in expected} == pytest.approx(expected, abs=1e-6)
    lines = report.table().splitlines()  # of the validation rows
    assert len(lines) == 4
    for k, (name, line) in enumerate(zip(NAMES, lines[1:], strict=True)):
        shown = reference(y[:32], predicted[:32])
        values = [f"{shown[f'{column}_{name}']:.3f}" for column in ("precision", "recall", "f1")]
        assert line.split() == [name, *values, str((y[:32] == k).sum())]
    assert float(weighted.table().split()[-1]) == pytest.approx(
        weights[:32][y[:32] == 2].sum(), abs=0.01
    )


def test_a_saved_report_keeps_its_names(tmp_path: Path) -> None:
    y, z = drawn()
    network = model([PerClassReport(NAMES)])
    found = network.evaluate(z, y, batch_size=16, verbose=0, return_dict=True)
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.evaluate(z, y, batch_size=16, verbose=0, return_dict=True) == pytest.approx(found)
    assert set(reference(y, z.argmax(axis=1))) < set(found)


def test_without_names_the_positions_are_shown() -> None:
    report = PerClassReport()
    assert report.result() == {}
    assert report.table() == "no rows yet"
    result = report([0, 0, 1, 1], [0.1, 0.9, 0.8, 0.9])
    assert set(result) == {f"{c}_{k}" for c in ("precision", "recall", "f1") for k in "01"}
    assert float(result["precision_1"]) == pytest.approx(2 / 3)
    assert report.table().splitlines() == [
        "class  precision  recall     f1  support",
        "0          1.000   0.500  0.667        2",
        "1          0.667   1.000  0.800        2",
    ]


def test_a_class_that_is_never_predicted_scores_0() -> None:
    result = PerClassReport()([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.4])
    assert [float(result[f"{name}_1"]) for name in ("precision", "recall", "f1")] == [0, 0, 0]


def test_names_must_be_different_and_one_a_class() -> None:
    with pytest.raises(ArgumentError, match="`names` must all be different"):
        PerClassReport(["a", "a"])
    with pytest.raises(ArgumentError, match="`names` must have one name a class, 2; got 3"):
        PerClassReport(NAMES).update_state([0, 1], [0.1, 0.9])
