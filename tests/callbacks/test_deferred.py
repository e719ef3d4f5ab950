"""Deferred weights and draws: what each epoch's loss and batches must be, worked out by hand."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from kilter._errors import ArgumentError
from kilter.callbacks.deferred import DeferredResampling, DeferredReweighting, first_epoch
from kilter.losses import LDAM, CrossEntropy
from kilter.sampling import BalancedBatches

pytestmark = pytest.mark.backend

TORCH = keras.backend.backend() == "torch"
WEIGHTS = np.array([0.5, 1.0, 6.0])
Y = np.resize([0, 0, 1, 0, 2, 1], 16)
X = np.random.default_rng(0).normal(size=(16, 4)).astype(np.float32)
HELD_OUT = (X[:8], 2 - Y[:8])  # other labels, so that its loss is another
KERNEL = np.random.default_rng(1).normal(size=(4, 3)).astype(np.float32)


class Counting(CrossEntropy):
    """Counts how often Python runs it: once a trace where steps are compiled."""

    calls = 0

    def rows(self, truth: Any, logits: Any) -> Any:
        self.calls += 1
        return super().rows(truth, logits)


def linear(loss: Any = None, rate: float = 0.0, **options: Any) -> keras.Model:
    """Compile a model of one matrix; with the rate 0 an epoch's loss is known beforehand."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, use_bias=False)])
    model.set_weights([KERNEL])
    loss = CrossEntropy(from_logits=True) if loss is None else loss
    model.compile(keras.optimizers.SGD(rate), loss=loss, **options)
    return model


def train(model: keras.Model, *callbacks: Any, **options: Any) -> dict[str, list[float]]:
    options = {"epochs": 3, "batch_size": 4, "validation_data": HELD_OUT, **options}
    return model.fit(X, Y, callbacks=list(callbacks), verbose=0, **options).history


def expected(weights: Any = (1.0, 1.0, 1.0), x: Any = X, y: Any = Y) -> float:
    """Compute the mean of w_y CE in float64."""
    log_p = log_softmax(x.astype(np.float64) @ KERNEL, axis=1)
    return float(-np.mean(np.asarray(weights)[y] * log_p[np.arange(len(y)), y]))


def held_out(weights: Any = (1.0, 1.0, 1.0)) -> float:
    return expected(weights, *HELD_OUT)


@pytest.mark.parametrize("compiled", [{}, {"jit_compile": True, "steps_per_execution": 3}])
def test_weights_act_from_the_start_on_in_training_and_validation(compiled: Any) -> None:
    loss = Counting(from_logits=True)
    calls: list[int] = []
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: calls.append(loss.calls))
    model = linear(loss, **({} if TORCH else compiled))  # there one step, and a minute to compile
    found = train(model, DeferredReweighting(WEIGHTS), count, epochs=5)
    np.testing.assert_allclose(found["loss"], [expected()] * 4 + [expected(WEIGHTS)], rtol=1e-5)
    np.testing.assert_allclose(found["val_loss"], [held_out()] * 4 + [held_out(WEIGHTS)], rtol=1e-5)
    assert set(found) == {"loss", "val_loss"}
    if not TORCH:  # which compiles nothing: every step runs Python
        assert calls[-1] == calls[0]


def test_gradients_have_the_weights() -> None:
    kernel = KERNEL.astype(np.float64)
    for weights in (np.ones(3), np.ones(3), WEIGHTS):
        error = (softmax(X @ kernel, axis=1) - np.eye(3)[Y]) * weights[Y][:, None]
        kernel = kernel - 0.5 * X.T @ error / len(X)
    model = linear(rate=0.5)
    train(model, DeferredReweighting(WEIGHTS, start=2), batch_size=16)
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-4, atol=1e-5)


def test_ldam_drw_begins_without_weights() -> None:
    counts = np.bincount(Y)
    margins = 0.5 * (counts / counts.min()) ** -0.25  # Cao et al. 2019
    lowered = X.astype(np.float64) @ KERNEL - np.eye(3)[Y] * margins[Y][:, None]
    losses = -log_softmax(lowered, axis=1)[np.arange(len(Y)), Y]
    loss = LDAM(counts, scale=1.0, class_weights=[9.0, 1.0, 1.0], from_logits=True)
    callback = DeferredReweighting({0: 0.5, 1: 1.0, 2: 6.0}, start=0.5)
    found = train(linear(loss), callback, epochs=2)["loss"]
    np.testing.assert_allclose(found, [losses.mean(), (WEIGHTS[Y] * losses).mean()], rtol=1e-5)


def test_every_training_starts_anew_and_what_follows_one_keeps_its_weights() -> None:
    model = linear()
    model.evaluate(*HELD_OUT, verbose=0)  # compiles the step with weights of its own
    before, after = [held_out()] * 2, [held_out(WEIGHTS)]
    for _ in range(2):
        found = train(model, DeferredReweighting(WEIGHTS, start=2))
        np.testing.assert_allclose(found["val_loss"], before + after, rtol=1e-5)
    assert model.evaluate(*HELD_OUT, verbose=0) == pytest.approx(held_out(WEIGHTS), rel=1e-5)
    assert train(model, epochs=1)["loss"] == pytest.approx([expected(WEIGHTS)], rel=1e-5)
    resumed = train(model, DeferredReweighting(WEIGHTS, start=2), initial_epoch=1)
    np.testing.assert_allclose(resumed["val_loss"], before[1:] + after, rtol=1e-5)


def test_a_model_is_saved_with_the_weights_it_has(tmp_path: Path) -> None:
    model = linear()
    checkpoints = keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}.keras"))
    train(model, DeferredReweighting(WEIGHTS, start=1), checkpoints, epochs=2)
    model.save(tmp_path / "3.keras")
    for name, value in (("1", held_out()), ("2", held_out(WEIGHTS)), ("3", held_out(WEIGHTS))):
        again = keras.saving.load_model(tmp_path / f"{name}.keras")
        assert again.evaluate(*HELD_OUT, verbose=0) == pytest.approx(value, rel=1e-5)
    found = train(again, DeferredReweighting(WEIGHTS, start=1), epochs=2)
    np.testing.assert_allclose(found["val_loss"], [held_out(), held_out(WEIGHTS)], rtol=1e-5)


def test_the_network_has_no_weights_of_classes(tmp_path: Path) -> None:
    model = linear()
    names: list[list[str]] = [[], []]
    for callbacks, found in zip([[], [DeferredReweighting(WEIGHTS)]], names, strict=True):
        train(model, *callbacks, epochs=1)
        model.save_weights(tmp_path / "model.weights.h5")
        with h5py.File(tmp_path / "model.weights.h5") as file:
            file.visit(found.append)
    assert names[0] == names[1]


def two_outputs(loss: Any) -> tuple[keras.Model, dict[str, np.ndarray]]:
    inputs = keras.Input((4,))
    heads = {name: keras.layers.Dense(3, use_bias=False, name=name) for name in ("a", "b")}
    model = keras.Model(inputs, {name: head(inputs) for name, head in heads.items()})
    model.set_weights([KERNEL, KERNEL])
    model.compile(keras.optimizers.SGD(0.0), loss=loss)
    return model, {"a": Y, "b": Y}


def test_one_loss_of_many_outputs() -> None:
    losses = {name: CrossEntropy(from_logits=True) for name in ("a", "b")}
    model, y = two_outputs(losses)
    callback = DeferredReweighting(WEIGHTS, start=1, loss=losses["b"])
    found = model.fit(X, y, epochs=2, callbacks=[callback], verbose=0).history
    np.testing.assert_allclose(found["a_loss"], [expected()] * 2, rtol=1e-5)
    np.testing.assert_allclose(found["b_loss"], [expected(), expected(WEIGHTS)], rtol=1e-5)
    with pytest.raises(ArgumentError, match="`loss` must say which of the 2 losses"):
        model.fit(X, y, callbacks=[DeferredReweighting(WEIGHTS)], verbose=0)


def test_the_only_loss_of_kilter_is_found_in_a_list() -> None:
    loss = ["sparse_categorical_crossentropy", CrossEntropy(from_logits=True)]
    inputs = keras.Input((4,))
    outputs = [
        keras.layers.Dense(3, use_bias=False, activation=activation)(inputs)
        for activation in ("softmax", None)
    ]
    model = keras.Model(inputs, outputs)
    model.set_weights([KERNEL, KERNEL])
    model.compile(keras.optimizers.SGD(0.0), loss=loss)
    callback = DeferredReweighting(WEIGHTS, start=1)
    found = model.fit(X, [Y, Y], epochs=2, callbacks=[callback], verbose=0).history["loss"]
    np.testing.assert_allclose(found, [2 * expected(), expected() + expected(WEIGHTS)], rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "options", "message"),
    [
        ("sparse_categorical_crossentropy", {}, "`model` must be compiled with the loss of kilter"),
        (None, {"loss": CrossEntropy()}, "`model` must be compiled with the loss of kilter"),
        (CrossEntropy(), {"class_weights": [1, 2]}, "`class_weights` .* one value a class, 3 as"),
    ],
)
def test_where_weights_could_not_act_is_an_error(loss: Any, options: Any, message: str) -> None:
    callback = DeferredReweighting(**{"class_weights": WEIGHTS, **options})
    with pytest.raises(ArgumentError, match=message):
        train(linear(loss), callback)


class OwnMetrics(keras.Model):
    """A model that lists no metrics but its own, as a guide of Keras shows."""

    @property
    def metrics(self) -> list[Any]:
        return [self._loss_tracker]


def test_a_model_that_hides_the_weights_from_the_step_is_an_error() -> None:
    inputs = keras.Input((4,))
    model = OwnMetrics(inputs, keras.layers.Dense(3)(inputs))
    model.compile("sgd", loss=CrossEntropy(from_logits=True))
    with pytest.raises(ArgumentError, match=r"`metrics` of the model must list .* `OwnMetrics`"):
        train(model, DeferredReweighting(WEIGHTS))


@pytest.mark.parametrize("start", [0.0, 1.0, 1.5, -1, True, float("nan")])
def test_start_is_checked(start: float) -> None:
    for make in (lambda: DeferredReweighting(WEIGHTS, start), lambda: resampling("x", start)):
        with pytest.raises(ArgumentError, match="`start` must be a share of the epochs"):
            make()


@pytest.mark.parametrize(
    ("start", "epochs", "expected"),
    [(0.8, 200, 160), (0.8, 3, 2), (0.29, 100, 29), (0.7, 10, 7), (0, 5, 0), (7, 5, 7)],
)
def test_the_start_is_a_share_or_a_number_of_epochs(
    start: float, epochs: int, expected: int
) -> None:
    assert first_epoch(start, epochs) == expected


class Recorder(keras.utils.PyDataset):
    """Batches that say of themselves which draw made them: 1 for "late"."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.draw: Any = "early"

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        late = np.full((2, 4), float(self.draw == "late"), np.float32)
        return late, late[:, 0]


def resampling(draw: Any, start: float = 0.8, batches: Any = None) -> DeferredResampling:
    return DeferredResampling(Recorder() if batches is None else batches, draw, start)


@functools.cache
def averaging() -> keras.Model:
    """Compile a model that logs the mean target of the rows it is trained on."""

    def share(y_true: Any, y_pred: Any) -> Any:
        return y_true

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="mse", metrics=[share])
    return model


def shares(batches: Any, *callbacks: Any, **options: Any) -> list[float]:
    history = averaging().fit(batches, callbacks=list(callbacks), verbose=0, **options)
    return history.history["share"]


def test_no_batch_crosses_the_start() -> None:
    batches = Recorder()
    callback = resampling("late", 2, batches)
    assert shares(batches, callback, epochs=4) == [0, 0, 1, 1]
    assert batches.draw == "early"
    assert shares(batches, callback, epochs=3, validation_data=Recorder()) == [0, 0, 1]
    assert shares(batches, resampling("late", 0, batches), epochs=2) == [1, 1]
    assert shares(batches, callback, epochs=3, initial_epoch=1, steps_per_epoch=3) == [0, 1]


def test_a_training_that_broke_off_does_not_leave_its_draw() -> None:
    batches = Recorder()
    callback = resampling("late", 1, batches)
    stop = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, _: 1 / (1 - epoch))
    with pytest.raises(ZeroDivisionError):
        shares(batches, callback, stop, epochs=3)
    assert shares(batches, callback, epochs=2) == [0, 1]


def test_balanced_batches_are_balanced_from_the_start_on() -> None:
    y = np.repeat([0.0, 1.0], [90, 10])
    batches = BalancedBatches(np.zeros((100, 4)), y, batch_size=20, draw="natural")
    found = shares(batches, resampling("balanced", 0.5, batches), epochs=4)
    np.testing.assert_allclose(found, [0.1, 0.1, 0.5, 0.5], atol=1e-6)
    assert batches.draw == "natural"
    with pytest.raises(ArgumentError, match="`draw` must be one of"):
        resampling("balancd", 0.5, batches)
