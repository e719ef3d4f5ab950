"""The exact areas agree with scikit-learn, standalone and inside Keras's compiled steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import average_precision_score, roc_auc_score

from kilter._errors import ArgumentError
from kilter.metrics.curves import ROCAUC, AveragePrecision, Curve, PartialROCAUC
from made_data import two_columns
from scored import score

pytestmark = pytest.mark.backend

MAX_ROWS = 1000  # one for all, as every number of rows compiles anew


def partial_area(y: np.ndarray, p: np.ndarray, sample_weight: Any = None) -> float:
    return float(roc_auc_score(y, p, sample_weight=sample_weight, max_fpr=0.2))


KINDS: list[tuple[Callable[..., Curve], Callable[..., float]]] = [
    (AveragePrecision, average_precision_score),
    (ROCAUC, roc_auc_score),
    (lambda **options: PartialROCAUC(0.2, **options), partial_area),
]
every_kind = pytest.mark.parametrize(
    ("make", "reference"), KINDS, ids=["precision_recall", "roc", "partial_roc"]
)


def tied(rate: float = 0.1, n: int = 600, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Draw labels, probabilities with a hundred different values, and weights."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < rate).astype(int)
    p = np.clip(rng.normal(0.3, 0.1, n) + 0.1 * y, 0, 1).round(2).astype(np.float32)
    return y, p, rng.random(n).astype(np.float32)


value = partial(score, step=200)


@every_kind
def test_ties_and_weights_are_scikit_learns(make: Any, reference: Any) -> None:
    y, p, weights = tied()
    assert value(make(max_rows=MAX_ROWS), y, p) == pytest.approx(reference(y, p), abs=1e-6)
    weighted = value(make(max_rows=MAX_ROWS), y, p, weights)
    assert weighted == pytest.approx(reference(y, p, sample_weight=weights), abs=1e-6)


@settings(max_examples=30)
@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=18, max_size=18),
    kind=st.sampled_from(KINDS),
)
def test_few_rows_with_many_ties_are_scikit_learns(rows: Any, kind: Any) -> None:
    make, reference = kind
    y = np.array([0, 1, *(label for label, _ in rows)])
    p = np.array([2, 2, *(score for _, score in rows)], np.float32) / 4
    assert value(make(max_rows=MAX_ROWS), y, p) == pytest.approx(reference(y, p), abs=1e-6)


@pytest.mark.parametrize(("make", "reference"), KINDS[:2], ids=["precision_recall", "roc"])
def test_one_positive_in_ten_thousand(make: Any, reference: Any) -> None:
    rng = np.random.default_rng(3)
    n = 100_000
    y = (np.arange(n) % 10_000 == 0).astype(int)
    p = np.exp(rng.normal(-9, 1.5, n) + 2 * y).clip(1e-6, 0.1).astype(np.float32)
    weights = rng.random(n).astype(np.float32)
    expected = reference(y, p, sample_weight=weights)
    assert value(make(), y, p, weights, step=n // 4) == pytest.approx(expected, abs=1e-6)


@every_kind
def test_one_class_may_be_chosen(make: Any, reference: Any) -> None:
    y, p, _ = tied()
    metric = make(positive=0, max_rows=MAX_ROWS)
    both = two_columns(p)
    assert value(metric, y, both) == pytest.approx(reference(1 - y, both[:, 0]), abs=1e-6)
    three = np.column_stack([both[:, 0], p / 4, 3 * p / 4])
    metric = make(positive=2, max_rows=MAX_ROWS)
    assert value(metric, 2 * y, three) == pytest.approx(reference(y, three[:, 2]), abs=1e-6)


@every_kind
def test_more_classes_take_the_mean_over_those_that_have_rows(make: Any, reference: Any) -> None:
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 600)  # none is of class 3
    p = rng.dirichlet(np.ones(4), 600).astype(np.float32)
    weights = rng.random(600).astype(np.float32)
    expected = np.mean([reference(y == k, p[:, k], sample_weight=weights) for k in range(3)])
    metric = make(max_rows=MAX_ROWS)
    assert value(metric, y, p, weights) == pytest.approx(expected, abs=1e-6)


@every_kind
def test_logits_rank_where_probabilities_are_all_1(make: Any, reference: Any) -> None:
    rng = np.random.default_rng(2)
    y = (rng.random(600) < 0.3).astype(int)
    z = (rng.normal(30, 5, 600) + 5 * y).astype(np.float32)
    expected = reference(y, z)
    as_probabilities = reference(y, 1 / (1 + np.exp(-z)))
    assert abs(as_probabilities - expected) > 0.05
    both = np.stack([np.zeros_like(z), z], axis=1)
    for logits in (z, both - 3):
        metric = make(from_logits=True, max_rows=MAX_ROWS)
        assert value(metric, y, logits) == pytest.approx(expected, abs=1e-6)


def test_logits_of_more_classes_rank_as_their_softmax() -> None:
    rng = np.random.default_rng(4)
    y, z = rng.integers(0, 4, 600), rng.normal(size=(600, 4)).astype(np.float32)
    p = softmax(z.astype(float), axis=1)
    expected = np.mean([average_precision_score(y == k, p[:, k]) for k in range(4)])
    metric = AveragePrecision(from_logits=True, max_rows=MAX_ROWS)
    assert value(metric, y, z) == pytest.approx(expected, abs=1e-5)


def test_more_rows_than_fit_are_nan_until_the_reset() -> None:
    y, p, _ = tied()
    metric = AveragePrecision(max_rows=MAX_ROWS)
    assert value(metric, y[:200], p[:200]) == value(metric, [], [])
    assert np.isfinite(value(metric, np.tile(y[:200], 4), np.tile(p[:200], 4)))  # 1000
    for _ in range(2):
        assert np.isnan(value(metric, y[:200], p[:200]))
    metric.reset_state()
    assert value(metric, y, p) == pytest.approx(average_precision_score(y, p), abs=1e-6)
    metric.reset_state()
    y, p = np.tile(y, 2), np.tile(p, 2)
    assert np.isnan(value(metric, y, p, step=len(y)))  # more in one batch


@every_kind
def test_it_is_0_as_long_as_it_is_not_defined(make: Any, reference: Any) -> None:
    metric = make(max_rows=MAX_ROWS)
    assert float(metric.result()) == 0
    y, p, _ = tied(n=200)
    assert float(metric(0 * y, p)) == 0
    metric.reset_state()
    without_others = float(metric(0 * y + 1, p))
    assert without_others == (1 if reference is average_precision_score else 0)


def test_rows_without_weight_may_hold_anything_and_others_may_not() -> None:
    y, p, _ = tied()
    lost = p.copy()
    lost[:7] = np.nan
    weights = (np.arange(len(y)) >= 7).astype(np.float32)
    expected = average_precision_score(y[7:], p[7:])
    metric = AveragePrecision(max_rows=MAX_ROWS)
    assert value(metric, y, lost, weights) == pytest.approx(expected, abs=1e-6)
    for make, _ in KINDS:
        assert np.isnan(value(make(max_rows=MAX_ROWS), y, lost))


def in_keras(metrics: list[Curve]) -> tuple[Any, np.ndarray, np.ndarray]:
    """Return a compiled network that does not learn, and rows and labels for it."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(240, 3)).astype(np.float32)
    y = (x[:, 0] + rng.normal(size=240) > 1.5).astype(int)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy", metrics=metrics)
    return model, x, y


class Bar(keras.callbacks.Callback):
    """Keeps what the progress bar shows."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.shown.append(logs["average_precision"])


def test_an_epoch_is_exact_and_the_bar_not_far_behind(tmp_path: Path) -> None:
    model, x, y = in_keras([AveragePrecision(max_rows=MAX_ROWS)])
    bar = Bar()
    logs = model.fit(
        x, y, batch_size=24, shuffle=False, validation_data=(x, y), callbacks=[bar], verbose=0
    ).history
    p = model.predict(x, verbose=0)[:, 1]
    expected = average_precision_score(y, p)
    assert logs["average_precision"] == pytest.approx([expected], abs=1e-6)
    assert logs["val_average_precision"] == pytest.approx([expected], abs=1e-6)
    after = [average_precision_score(y[:n], p[:n]) for n in range(24, 241, 24)]
    renewed = [0, 1, 2, 3, 4, 4, 6, 6, 8, 8]  # after a quarter more rows, else the one before
    if keras.backend.backend() == "torch":
        renewed = list(range(10))
    assert bar.shown == pytest.approx([after[n] for n in renewed], abs=1e-6)
    one = model.test_on_batch(x[:24], y[:24], return_dict=True)
    assert one["average_precision"] == pytest.approx(after[0], abs=1e-6)

    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.get_compile_config()["metrics"] == model.get_compile_config()["metrics"]
    assert "kilter>AveragePrecision" in str(again.get_compile_config())


def test_a_metric_comes_back_from_its_config() -> None:
    for metric in (
        AveragePrecision(max_rows=7, positive=2, from_logits=True),
        ROCAUC(positive=np.int64(0), name="area", dtype="float64"),
        PartialROCAUC(max_fpr=0.3, max_rows=9),
    ):
        again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(metric))
        assert type(again) is type(metric)
        assert again.get_config() == metric.get_config()


@pytest.mark.parametrize("max_rows", [0, 2**24 + 1, 2.5, "all", True])
def test_max_rows_is_checked(max_rows: Any) -> None:
    with pytest.raises(ArgumentError, match="`max_rows` must be a whole number from 1 to"):
        ROCAUC(max_rows=max_rows)


@pytest.mark.parametrize("max_fpr", [0, 1.1, float("nan")])
def test_max_fpr_is_checked(max_fpr: float) -> None:
    with pytest.raises(ArgumentError, match="`max_fpr` must be above 0 and at most 1"):
        PartialROCAUC(max_fpr)


@pytest.mark.parametrize("positive", [2, -1, True, "1"])
def test_positive_is_checked(positive: Any) -> None:
    with pytest.raises(ArgumentError, match="`positive` must be a class from 0 to 1"):
        ROCAUC(positive=positive).update_state([0, 1], [0.1, 0.2])
