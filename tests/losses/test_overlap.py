"""Soft F1, Tversky and Dice against float64 sums, scikit-learn, Keras and hand numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops
from scipy.special import expit, softmax
from sklearn.metrics import f1_score

from differentiate import gradients
from kilter._errors import ArgumentError
from kilter.losses.batch import BatchLoss
from kilter.losses.overlap import Dice, SoftF1, Tversky, dice, soft_f1, tversky

pytestmark = pytest.mark.backend

ROWS = 12  # everywhere: JAX compiles every operation for every shape


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return np.arange(ROWS) % 3, rng.dirichlet(np.ones(3), ROWS).astype(np.float32)


def reference(
    y: np.ndarray,
    p: np.ndarray,
    alpha: float = 0.5,
    beta: float = 0.5,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Compute Salehi et al.'s formula for every class in float64."""
    truth = np.eye(p.shape[-1])[y] if y.ndim == 1 else y.astype(float)
    w = np.ones((len(y), 1)) if weights is None else weights[:, None].astype(float)
    p = p.astype(float)
    overlap, extra, missed = (w * truth * p, w * (1 - truth) * p, w * truth * (1 - p))
    numerator = overlap.sum(0)
    return 1 - numerator / (numerator + alpha * extra.sum(0) + beta * missed.sum(0))


def number(function: Callable[..., Any], y: Any, p: np.ndarray, **options: Any) -> float:
    labels = ops.convert_to_tensor(y, "int32" if np.asarray(y).ndim == p.ndim - 1 else "float32")
    return float(ops.convert_to_numpy(function(labels, ops.convert_to_tensor(p), **options)))


def value(loss: BatchLoss, y: Any, p: Any, *weights: Any) -> float:
    return float(ops.convert_to_numpy(loss(np.asarray(y), np.asarray(p), *weights)))


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.3, 0.7), (2.0, 0.1)])
def test_macro_is_the_mean_of_the_papers_formula(alpha: float, beta: float, batch: tuple) -> None:
    expected = reference(*batch, alpha, beta).mean()
    assert number(tversky, *batch, alpha=alpha, beta=beta) == pytest.approx(expected, rel=1e-5)


def test_tversky_by_hand() -> None:
    # Class 1: TP .6, FP .3, FN .4.
    y, p = np.array([1, 0]), np.array([[0.4, 0.6], [0.7, 0.3]], np.float32)
    expected = 1 - 0.6 / (0.6 + 0.2 * 0.3 + 0.8 * 0.4)
    assert number(tversky, y, p, alpha=0.2, beta=0.8) == pytest.approx(expected, rel=1e-5)
    assert number(soft_f1, y, p) == pytest.approx(1 - 1.2 / 1.9, rel=1e-5)
    assert number(dice, y, p) == pytest.approx(1 - 1.2 / 1.9, rel=1e-5)


def test_sure_predictions_give_scikit_learns_f1(batch: tuple) -> None:
    y, p = batch
    sure = np.eye(3, dtype=np.float32)[p.argmax(1)]
    for average in ("macro", "micro"):
        expected = 1 - f1_score(y, p.argmax(1), average=average)
        assert number(soft_f1, y, sure, average=average) == pytest.approx(expected, rel=1e-5)


def test_micro_is_keras_dice_over_everything(batch: tuple) -> None:
    y, p = batch
    one_hot = np.eye(3, dtype=np.float32)[y]
    theirs = float(keras.losses.Dice()(one_hot, p))
    assert value(Dice("micro"), y, p) == pytest.approx(theirs, rel=1e-5)
    column = p[:, :1]
    theirs = float(keras.losses.Dice()(one_hot[:, :1], column))
    assert value(Dice("micro"), y == 0, column) == pytest.approx(theirs, rel=1e-5)
    assert value(Dice(), y == 0, column) == pytest.approx(theirs, rel=1e-5)


def test_targets_and_outputs_come_in_every_shape(batch: tuple) -> None:
    y, p = batch
    labels, column = (y == 2).astype(int), p[:, 2]
    expected = reference(labels[:, None], column[:, None], 0.3, 0.7)[0]
    columns = np.stack([1 - column, column], axis=1)
    for targets in (labels, labels[:, None]):
        for outputs in (column, column[:, None], columns):
            assert value(Tversky(), targets, outputs) == pytest.approx(expected, rel=1e-5)
    assert value(Tversky(), np.eye(2)[labels], columns) == pytest.approx(expected, rel=1e-5)
    three = value(Tversky(), y, p)
    assert value(Tversky(), np.eye(3)[y], p) == pytest.approx(three, rel=1e-6)
    logits = np.log(p) + 5
    assert value(Tversky(from_logits=True), y, logits) == pytest.approx(three, rel=1e-5)


def test_soft_rows_count_by_their_shares(batch: tuple) -> None:
    _, p = batch
    shares = np.random.default_rng(1).dirichlet(np.ones(3), ROWS)
    expected = reference(shares, p).mean()
    assert number(soft_f1, shares, p) == pytest.approx(expected, rel=1e-5)


def test_masks_of_pixels_are_rows() -> None:
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.ones(3), (2, 3, 2)).astype(np.float32)
    mask = np.arange(ROWS).reshape(2, 3, 2) % 3
    expected = reference(mask.ravel(), p.reshape(-1, 3)).mean()
    for targets in (mask, mask[..., None], np.eye(3)[mask]):
        assert value(Dice(), targets, p) == pytest.approx(expected, rel=1e-5)
    by_image = np.array([1.0, 3.0], np.float32)
    weights = np.repeat(by_image, 6)
    expected = reference(mask.ravel(), p.reshape(-1, 3), weights=weights).mean()
    assert value(Dice(), mask, p, by_image) == pytest.approx(expected, rel=1e-5)


def test_many_labels_a_row_are_a_class_each() -> None:
    rng = np.random.default_rng(3)
    p = rng.random((ROWS, 3)).astype(np.float32)
    y = (rng.random((ROWS, 3)) < 0.5).astype(np.float32)
    assert value(SoftF1(), y, p) == pytest.approx(reference(y, p).mean(), rel=1e-5)
    two = reference(y[:, :2], p[:, :2]).mean()
    assert value(SoftF1(class_weights=[1, 1]), y[:, :2], p[:, :2]) == pytest.approx(two, rel=1e-5)


def test_class_weights_weigh_the_mean_or_the_sums(batch: tuple) -> None:
    y, p = batch
    weights = np.array([0.0, 1.0, 3.0])
    expected = np.average(reference(y, p), weights=weights)
    assert value(SoftF1(class_weights=weights), y, p) == pytest.approx(expected, rel=1e-5)
    truth = np.eye(3)[y]
    overlap, both = (p * truth).sum(0) @ weights, (p + truth).sum(0) @ weights
    found = value(SoftF1("micro", class_weights=weights), y, p)
    assert found == pytest.approx(1 - 2 * overlap / both, rel=1e-5)


def test_classes_without_rows_do_not_count(batch: tuple) -> None:
    y, p = batch
    two = np.where(y == 2, 0, y)
    expected = reference(two, p)[:2].mean()
    assert number(soft_f1, two, p) == pytest.approx(expected, rel=1e-5)
    missing = ops.convert_to_tensor(two, "int32")
    found = gradients(lambda q: soft_f1(missing, q), p)
    np.testing.assert_array_equal(found[:, 2], 0)


@pytest.mark.parametrize("average", ["macro", "micro"])
def test_a_batch_without_the_class_says_nothing(average: str, batch: tuple) -> None:
    labels = ops.zeros(ROWS, "int32")
    for columns in (batch[1][:, :2], np.tile(np.array([1, 0], np.float32), (ROWS, 1))):
        assert float(tversky(labels, columns, average=average)) == 0
        found = gradients(lambda p: tversky(labels, p, average=average), columns)
        np.testing.assert_array_equal(found, 0)


@settings(max_examples=10)
@given(weights=st.permutations([0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 3, 4]))
def test_whole_weights_repeat_rows(weights: list[int]) -> None:
    rng = np.random.default_rng(4)
    y, p = rng.integers(0, 3, ROWS), rng.dirichlet(np.ones(3), ROWS).astype(np.float32)
    again = np.repeat(np.arange(ROWS), weights)  # always 12 rows
    for loss in (Tversky(), Dice("micro")):
        found = value(loss, y, p, np.array(weights, np.float32))
        assert found == pytest.approx(value(loss, y[again], p[again]), rel=1e-5)


def test_gradients_are_those_of_the_formula(batch: tuple) -> None:
    y, p = batch
    z, step = np.log(p), 1e-6
    expected = np.zeros((ROWS, 3))
    for at in np.ndindex(ROWS, 3):
        unit = np.zeros((ROWS, 3))
        unit[at] = step
        up, down = (reference(y, softmax(z + s * unit, axis=1), 0.3, 0.7).mean() for s in (1, -1))
        expected[at] = (up - down) / (2 * step)
    loss, labels = Tversky(from_logits=True), ops.convert_to_tensor(y)
    found = gradients(lambda logits: loss(labels, logits), z)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("size", [5, 15, 100])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_large_logits_vanish_but_never_pull_the_wrong_way(size: float, dtype: str) -> None:
    y = np.arange(ROWS) % 2
    z = (size * np.resize([1, 1, -1, -1], ROWS)).astype(dtype)  # wrong, right, right, wrong
    loss, labels = Tversky(from_logits=True), ops.convert_to_tensor(y)
    found = gradients(lambda logits: loss(labels, logits), z)
    assert np.isfinite(found).all()
    assert (found * np.where(y > 0, 1, -1) <= 0).all()
    assert (size > 5) or (found != 0).all()
    expected = reference(y[:, None], expit(z.astype(float))[:, None], 0.3, 0.7)[0]
    assert value(loss, y, z) == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_all_positives_missed_is_finite() -> None:
    y, z = np.ones(ROWS), np.full(ROWS, -100, np.float32)
    loss = SoftF1(from_logits=True)
    assert value(loss, y, z) == pytest.approx(1)
    assert np.isfinite(gradients(lambda logits: loss(ops.convert_to_tensor(y), logits), z)).all()


LOSSES = [
    SoftF1("micro", class_weights=[1, 2, 3], from_logits=True, name="mine"),
    Tversky(0.1, 0.9, "micro", class_weights=[1, 2, 3], from_logits=True),
    Dice("micro", class_weights=[0, 1, 1]),
]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_comes_back_from_its_config(loss: BatchLoss, batch: tuple) -> None:
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    assert value(again, *batch) == value(loss, *batch)


def test_a_trained_and_saved_model_keeps_its_loss(tmp_path: Path, batch: tuple) -> None:
    y, x = batch
    weights = np.linspace(0, 2, ROWS).astype(np.float32)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(1.0), loss=Tversky(0.2, 0.8, from_logits=True))
    before = model.evaluate(x, y, sample_weight=weights, batch_size=ROWS, verbose=0)
    model.fit(x, y, sample_weight=weights, batch_size=ROWS, epochs=5, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    after = again.evaluate(x, y, sample_weight=weights, batch_size=ROWS, verbose=0)
    p = softmax(model.predict(x, verbose=0).astype(float), axis=1)
    assert after == pytest.approx(reference(y, p, 0.2, 0.8, weights).mean(), rel=1e-4)
    assert after < before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tversky(alpha=0), "`alpha` must be above 0; got 0"),
        (lambda: Tversky(beta=float("nan")), "`beta` must be above 0"),
        (lambda: SoftF1("makro"), "`average` must be one of macro, micro; .* `macro`"),
        (lambda: Tversky(average="weighted"), "`average` must be one of macro, micro"),
    ],
)
def test_arguments_are_checked(make: Callable[[], BatchLoss], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()
