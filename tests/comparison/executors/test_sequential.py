"""One `fit` after another: patience, the best epoch's weights, an end on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import softmax
from sklearn.metrics import average_precision_score, log_loss

from kilter.comparison.executors import sequential
from kilter.comparison.executors.sequential import Sequential, predict
from kilter.comparison.prepare import lanes_of

pytestmark = pytest.mark.backend


def test_the_best_epoch_is_what_comes_back(task_of: Callable) -> None:
    task = task_of(2, remedies=[], epochs=3, patience=3, learning_rate=0.05)
    (lane, _) = lanes_of(task.plan)
    (one,) = Sequential().train(task, [lane])
    fold = task.folds[0]
    p = softmax(one.validation.astype(float), axis=1)[:, 1]
    precision = average_precision_score(fold.validation_labels, p)
    loss = log_loss(fold.validation_labels, p)
    assert one.score == pytest.approx(precision - loss / 100)
    network = task.network(0, 0)
    network.set_weights(one.weights)
    for x, logits in ((fold.validation_x, one.validation), (fold.test_x, one.test)):
        np.testing.assert_allclose(network.predict(x, verbose=0), logits, atol=1e-5)
    assert one.seconds > 0
    assert one.lane == lane


def test_the_last_epoch_is_what_comes_back_if_that_is_asked_for(task_of: Callable) -> None:
    task = task_of(2, remedies=[], epochs=9, patience=1)
    lane = lanes_of(task.plan)[0]
    task = replace(task, ends={lane.training: 3})
    (one,) = Sequential().train(task, [lane])
    assert one.epoch == 2
    model = task.network(0, 0)
    numbers = one.lane.training.loss.numbers(task.folds[0].layout.counts)
    model.compile(task.optimizer(), sequential.keras_loss(numbers))
    for epoch in range(3):
        x, y = sequential.epoch_rows(task, one.lane, epoch)
        model.fit(x, y, batch_size=task.batch_size, shuffle=False, verbose=0)
    for weight, expected in zip(one.weights, model.get_weights(), strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-5)


def test_a_lane_begins_as_if_it_were_alone(task_of: Callable) -> None:
    task = task_of(2, remedies=["smote"], epochs=2, dropout=0.3)
    lanes = lanes_of(task.plan)
    *_, last = Sequential().train(task, lanes)
    assert last.lane == lanes[-1]
    (alone,) = Sequential().train(task, [last.lane])
    np.testing.assert_array_equal(last.test, alone.test)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs that were drawn, one after the other."""
    epochs: list[int] = []
    draw = sequential.draw_epoch

    def counted(*given: Any) -> tuple:
        epochs.append(given[4])
        return draw(*given)

    monkeypatch.setattr(sequential, "draw_epoch", counted)
    return epochs


def test_without_progress_a_lane_ends_after_its_patience(task_of: Callable, drawn: list) -> None:
    task = task_of(2, remedies=[], learning_rate=0.0, epochs=20, patience=2)
    (one,) = Sequential().train(task, lanes_of(task.plan)[:1])
    assert drawn == [0, 1, 2]
    assert one.epoch == 0
    for weight, initial in zip(one.weights, task.network(0, 0).get_weights(), strict=True):
        np.testing.assert_array_equal(weight, initial)


def test_a_stop_ends_it(task_of: Callable) -> None:
    task = task_of(2, remedies=[], epochs=1)
    training = Sequential().train(task, lanes_of(task.plan))
    assert next(training).lane == lanes_of(task.plan)[0]
    task.stop.set()
    assert list(training) == []


def test_a_forecast_from_one_epoch_and_three(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(2, remedies=["focal"], epochs=20, patience=4)
    # the first compiles for 7.5 s; then two seconds to begin and half a second an epoch
    first = iter([10.0])
    monkeypatch.setattr(sequential, "_seconds", lambda *given: next(first, 2 + given[-1] / 2))
    found = Sequential().forecast(task, lanes_of(task.plan))
    assert (found.trainings, found.lanes, found.memory) == (4, 1, None)
    assert found.seconds == pytest.approx(2 * 7.5 + 4 * (2 + 10 / 2))
    assert found.most == 2 * 7.5 + 4 * (2 + 20 / 2)


def test_a_trial_runs_as_many_epochs_as_asked(task_of: Callable, drawn: list) -> None:
    task = task_of(2, remedies=[], learning_rate=0.0, epochs=20, patience=2)
    assert Sequential().forecast(task, lanes_of(task.plan)).seconds > 0
    assert drawn == [0, 0, 0, 1, 2]


def test_a_forecast_is_never_below_nothing(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(2, remedies=[], epochs=20, patience=2)
    taken = iter([3.0, 3.0, 1.0])  # three epochs took less than one: the machine was busy
    monkeypatch.setattr(sequential, "_seconds", lambda *_: next(taken))
    assert Sequential().forecast(task, lanes_of(task.plan)).seconds == 2 * 3


@pytest.mark.parametrize("network", ["mlp", "tabm"])
def test_mixed_labels_are_learned_from(task_of: Callable, network: str) -> None:
    task = task_of(3, remedies=["remix"], epochs=1, network=network, members=2)
    plain, remix = lanes_of(task.plan)[:2]
    _, shares = sequential.epoch_rows(task, plain, 0)
    assert set(np.unique(shares)) == {0, 1}
    _, shares = sequential.epoch_rows(task, remix, 0)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert ((shares > 0) & (shares < 1)).any()
    one, other = Sequential().train(task, [plain, remix])
    unmixed = replace(task, plan=replace(task.plan, remedies=task.plan.remedies[:1]))
    (alone,) = Sequential().train(unmixed, [plain])  # whose labels are positions
    np.testing.assert_allclose(one.validation, alone.validation, atol=1e-3)
    assert not np.allclose(one.validation, other.validation, atol=1e-2)


def test_large_rows_are_not_all_predicted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = keras.Sequential([keras.Input((4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)])
    x = np.random.default_rng(0).normal(size=(120, 4, 3)).astype(np.float32)
    expected, sizes = predict(model, x), []
    plain = model.predict_on_batch

    def watched(rows: np.ndarray) -> Any:
        sizes.append(len(rows))
        return plain(rows)

    monkeypatch.setattr(model, "predict_on_batch", watched)
    monkeypatch.setattr(sequential, "BATCH_NUMBERS", 50 * 12)
    np.testing.assert_allclose(predict(model, x), expected, rtol=1e-5, atol=1e-6)
    assert sizes == [50, 50, 20]
    monkeypatch.setattr(sequential, "BATCH_NUMBERS", 5)
    predict(model, x[:2])
    assert sizes[3:] == [1, 1]
