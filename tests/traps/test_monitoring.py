"""The traps of watching a training, and that kilter's answers do not fall into them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.metrics import average_precision_score

from kilter._errors import ArgumentError
from kilter.callbacks import GapWatcher, RankingEarlyStopping

pytestmark = pytest.mark.backend


def rows(n: int, signal: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs of which two columns tell a tenth of the rows apart, and labels."""
    y = (np.arange(n) % 10 == 0).astype(int)
    x = np.random.default_rng(seed).normal(size=(n, 20))
    return (x + signal * y[:, None] * (np.arange(20) < 2)).astype(np.float32), y


X, Y = rows(200, 1.0, seed=0)
VALIDATION = rows(400, 1.0, seed=1)


@pytest.fixture(scope="module")
def compiled() -> tuple[keras.Model, list[np.ndarray]]:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((20,)), layers.Dense(64, "relu"), layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.3), loss)
    return model, model.get_weights()


@pytest.fixture
def model(compiled: tuple[keras.Model, list[np.ndarray]]) -> keras.Model:
    """Return the one compiled network, with the weights that it began with."""
    network, weights = compiled
    network.set_weights(weights)
    return network


def scored(model: keras.Model) -> float:
    """Return scikit-learn's average precision on the validation rows."""
    logits = model.predict(VALIDATION[0], batch_size=400, verbose=0)
    return average_precision_score(VALIDATION[1], logits[:, 1] - logits[:, 0])


def fit(model: keras.Model, callbacks: list[Any], epochs: int) -> dict[str, list[float]]:
    options = {"batch_size": 40, "callbacks": callbacks, "verbose": 0}
    return model.fit(X, Y, epochs=epochs, **options).history


def watch(validation: Any, training: Any = (X, Y)) -> GapWatcher:
    names = ["ok", "fraud"]
    options = {"every": 2, "from_logits": True, "verbose": 0}
    return GapWatcher(training, validation, class_names=names, **options)


@pytest.mark.parametrize(("epochs", "patience"), [(40, 3), (12, 100)])
def test_a10_early_stopping_restores_the_best_weights(
    model: keras.Model, epochs: int, patience: int
) -> None:
    stopper = RankingEarlyStopping(VALIDATION, patience=patience, from_logits=True)
    history = fit(model, [stopper], epochs)
    stopped = len(history["loss"]) < epochs
    assert stopped == (patience == 3)
    assert stopper.stopped_epoch == (stopper.best_epoch + patience if stopped else 0)
    logged = history["val_average_precision"]
    assert stopper.best_epoch < len(logged) - 1
    assert scored(model) == pytest.approx(logged[stopper.best_epoch], abs=1e-6)
    assert logged[stopper.best_epoch] != pytest.approx(logged[-1], abs=1e-3)


def test_a10_keras_own_early_stopping_sees_the_logged_metric(model: keras.Model) -> None:
    ours = RankingEarlyStopping(VALIDATION, patience=100, from_logits=True)
    theirs = keras.callbacks.EarlyStopping(
        "val_average_precision", mode="max", patience=3, restore_best_weights=True
    )
    logged = fit(model, [ours, theirs], 40)["val_average_precision"]
    assert len(logged) == theirs.best_epoch + 4 < 40
    assert theirs.best_epoch == np.argmax(logged)
    assert scored(model) == pytest.approx(max(logged), abs=1e-6)  # it stands last, so it decides


def test_a11_a_rare_class_that_is_learned_by_heart_is_named(model: keras.Model) -> None:
    watcher = watch(VALIDATION)
    few = np.r_[0, np.flatnonzero(VALIDATION[1])[:3], np.flatnonzero(VALIDATION[1] == 0)]
    watcher_of_few = watch((VALIDATION[0][few], VALIDATION[1][few]))
    history = fit(model, [watcher, watcher_of_few], 30)
    assert "fraud" in watcher.overfitting
    assert "fraud" not in watcher_of_few.overfitting  # four rows do not shout
    first, last = watcher.history[0], watcher.history[-1]
    assert last["loss"][1] < 0.2 < first["loss"][1]
    assert last["val_loss"][1] > 1.1 * min(history["val_loss_fraud"])
    assert history["gap_fraud"][-1] > 1 > history["gap_fraud"][0]
    assert "Class `fraud` overfits" in watcher.report()


def test_a11_what_is_really_learned_is_no_overfitting(model: keras.Model) -> None:
    x, y = rows(200, 4.0, seed=2)
    watcher = watch(rows(400, 4.0, seed=3), (x, y))
    model.fit(x, y, batch_size=40, epochs=12, callbacks=[watcher], verbose=0)
    assert watcher.overfitting == []
    assert watcher.history[-1]["val_recall"][1] > 0.8


def test_b17_the_monitor_has_one_name_in_every_run(model: keras.Model) -> None:
    for _ in range(2):
        stopper = RankingEarlyStopping(VALIDATION, patience=2, from_logits=True)
        history = fit(model, [stopper], 30)
        assert set(history) == {"loss", "val_average_precision"}
        assert len(history["loss"]) < 30


def test_b17_an_unknown_metric_is_an_error_at_once() -> None:
    with pytest.raises(ArgumentError, match=r"`metric` must be one of .* Did you mean `roc_auc`"):
        RankingEarlyStopping(VALIDATION, metric="val_auc")
