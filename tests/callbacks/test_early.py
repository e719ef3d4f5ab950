"""Early stopping on rankings, against scikit-learn and Keras's own on the same epochs."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from kilter._errors import ArgumentError
from kilter.callbacks import RankingEarlyStopping
from kilter.callbacks.early import PRIOR, RunningMean
from made_data import two_columns

pytestmark = pytest.mark.backend

ROWS = 60
Y = np.arange(ROWS) % 5 == 0  # twelve positives
X = np.zeros((ROWS, 1), np.float32)


class Scripted:
    """A model that predicts what the script says, epoch by epoch, and knows its epoch."""

    def __init__(self, script: list[Any]) -> None:
        self.script = script
        self.epoch = -1
        self.stop_training = False

    def predict(self, x: Any, batch_size: int, verbose: int) -> Any:
        return self.script[self.epoch]

    def get_weights(self) -> list[int]:
        return [self.epoch]

    def set_weights(self, weights: list[int]) -> None:
        (self.epoch,) = weights


def train(callback: keras.callbacks.Callback, script: list[Any], **extra: list[float]) -> Any:
    """Run a callback as ``fit`` does; return the model and what was logged."""
    model, logged = Scripted(script), []
    callback.set_model(model)
    callback.on_train_begin()
    for epoch in range(len(script)):
        model.epoch = epoch
        logs = {key: values[epoch] for key, values in extra.items()}
        callback.on_epoch_end(epoch, logs)
        logged.append(logs)
        if model.stop_training:
            break
    callback.on_train_end()
    return model, logged


def few(n: int = 3, rows: int = ROWS) -> np.ndarray:
    return (np.arange(rows) < n).astype(int)


def ranked(ap_rank: int, n: int = 3, rows: int = ROWS) -> np.ndarray:
    """Return probabilities that put ``ap_rank`` rows of class 0 above all of class 1."""
    p = np.linspace(0.4, 0.1, rows)
    p[n : n + ap_rank] += 0.5
    return two_columns(p).astype(np.float32)


def test_the_metric_is_logged_exactly() -> None:
    rng = np.random.default_rng(0)
    script = [rng.random(ROWS).astype(np.float32) for _ in range(4)]
    _, logged = train(RankingEarlyStopping((X, Y)), script)
    for p, logs in zip(script, logged, strict=True):
        assert logs == {"val_average_precision": pytest.approx(average_precision_score(Y, p))}


@pytest.mark.parametrize("metric", ["average_precision", "roc_auc", "log_loss"])
def test_many_classes_are_scikit_learns_macro_mean(metric: str) -> None:
    rng = np.random.default_rng(1)
    y, p = np.arange(ROWS) % 3, rng.dirichlet(np.ones(3), ROWS)
    expected = {
        "average_precision": average_precision_score(np.eye(3)[y], p),
        "roc_auc": roc_auc_score(y, p, multi_class="ovr"),
        "log_loss": log_loss(y, p),
    }[metric]
    for labels in (y, np.eye(3)[y]):
        _, (logs,) = train(RankingEarlyStopping((X, labels), metric), [p.astype(np.float32)])
        assert logs == {f"val_{metric}": pytest.approx(expected, rel=1e-4)}


@pytest.mark.parametrize(("positive", "column"), [(None, 1), (1, 1), (0, 0)])
def test_of_two_classes_the_rarer_is_ranked_unless_said(positive: int | None, column: int) -> None:
    z = np.random.default_rng(2).normal(size=(ROWS, 2)).astype(np.float32)
    stopper = RankingEarlyStopping((X, Y), positive=positive, from_logits=True)
    _, (logs,) = train(stopper, [z])
    score = z[:, column] - z[:, 1 - column]
    expected = average_precision_score(column == Y, score)
    assert logs["val_average_precision"] == pytest.approx(expected)
    assert stopper.positive == column


def test_the_rarer_class_may_be_the_first() -> None:
    assert RankingEarlyStopping((X, ~Y)).positive == 0
    assert RankingEarlyStopping((X, np.arange(ROWS) % 2)).positive == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(1, 10_000))
def test_the_running_mean_is_geometric(values: list[float], positives: int) -> None:
    mean = RunningMean(positives)
    found = [mean.add(value) for value in values]
    weights = (PRIOR / (PRIOR + positives)) ** np.arange(len(values))[::-1]
    assert found[-1] == pytest.approx(np.average(values, weights=weights))
    assert found[0] == values[0]


@pytest.mark.filterwarnings("ignore:`validation_data` has")
def test_one_lucky_epoch_does_not_win() -> None:
    # Rows of class 0 above those of class 1: ever fewer, but for the luck of one epoch.
    script = [ranked(above) for above in (40, 30, 20, 0, 10, 5, 3, 2, 1, 1, 1, 1)]
    ours = RankingEarlyStopping((X, few()), patience=20)
    model, logged = train(ours, script)
    raw = [logs["val_average_precision"] for logs in logged]
    keras_own = keras.callbacks.EarlyStopping(
        "val_ap", mode="max", patience=20, restore_best_weights=True
    )
    theirs, _ = train(keras_own, script, val_ap=raw)
    assert theirs.epoch == np.argmax(raw) == 3
    assert model.epoch == ours.best_epoch == 11


def test_many_rows_are_taken_at_their_word() -> None:
    rows = 20_000
    script = [ranked(above, 5000, rows) for above in (40, 0, 30, 20, 10)]
    stopper = RankingEarlyStopping((np.zeros((rows, 1)), few(5000, rows)))
    assert train(stopper, script)[0].epoch == stopper.best_epoch == 1


def test_training_stops_after_patience_and_gets_the_best_weights_back() -> None:
    script = [ranked(above, 12) for above in (9, 6, 3, 8, 8, 8, 8, 0)]
    stopper = RankingEarlyStopping((X, few(12)), patience=4)
    model, logged = train(stopper, script)
    assert (stopper.best_epoch, stopper.stopped_epoch, len(logged)) == (2, 6, 7)
    assert model.epoch == 2
    means, mean = [], RunningMean(12)
    for logs in logged:
        means.append(mean.add(logs["val_average_precision"]))
    assert stopper.best == means[2] == max(means)


@pytest.mark.parametrize(("restore", "epoch"), [(True, 1), (False, 3)])
def test_weights_come_back_without_a_stop_too(restore: bool, epoch: int) -> None:
    script = [ranked(above, 12) for above in (9, 1, 8, 8)]
    stopper = RankingEarlyStopping((X, few(12)), restore_best_weights=restore)
    model, _ = train(stopper, script)
    assert (model.epoch, stopper.best_epoch, stopper.stopped_epoch) == (epoch, 1, 0)


def test_the_log_loss_is_best_when_small() -> None:
    script = [two_columns(np.where(Y, p, 1 - p)) for p in (0.6, 0.9, 0.7)]
    stopper = RankingEarlyStopping((X, Y), "log_loss")
    model, logged = train(stopper, script)
    assert model.epoch == 1
    assert [logs["val_log_loss"] for logs in logged] == pytest.approx(-np.log([0.6, 0.9, 0.7]))


def test_early_epochs_are_passed_over() -> None:
    script = [ranked(above, 12) for above in (0, 9, 5, 8, 8)]
    stopper = RankingEarlyStopping((X, few(12)), start_from_epoch=1)
    assert train(stopper, script)[0].epoch > 0


@pytest.mark.parametrize("metric", ["average_precision", "log_loss"])
def test_a_network_that_diverges_is_stopped_and_not_chosen(metric: str) -> None:
    nan = np.full((ROWS, 2), np.nan, np.float32)
    script = [nan, ranked(9, 12), ranked(5, 12), *[nan] * 5]
    stopper = RankingEarlyStopping((X, few(12)), metric, patience=3)
    model, logged = train(stopper, script)
    assert stopper.best_epoch == model.epoch != 0
    assert stopper.stopped_epoch == stopper.best_epoch + 3
    assert np.isnan(logged[0][f"val_{metric}"])
    assert np.isfinite(stopper.best)


def test_a_second_fit_starts_anew() -> None:
    stopper = RankingEarlyStopping((X, few(12)))
    train(stopper, [ranked(0, 12)] * 3)
    model, _ = train(stopper, [ranked(above, 12) for above in (9, 8, 9)])
    assert model.epoch == stopper.best_epoch == 1


def test_logs_are_not_needed() -> None:
    stopper = RankingEarlyStopping((X, Y))
    stopper.set_model(Scripted([ranked(3)]))
    stopper.on_train_begin()
    stopper.on_epoch_end(0)
    assert stopper.best > 0


@pytest.mark.parametrize(("rows", "warns"), [(3, True), (9, True), (10, False)])
def test_few_rows_are_said_once(rows: int, warns: bool, recwarn: pytest.WarningsRecorder) -> None:
    stopper = RankingEarlyStopping((X, few(rows)))
    train(stopper, [ranked(1)] * 3)
    said = [w for w in recwarn if f"has {rows} rows of class 1" in str(w.message)]
    assert len(said) == warns
    assert all(w.category is UserWarning and w.filename == __file__ for w in said)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "average_precison"}, "one of .* Did you mean `average_precision`"),
        ({"metric": "auc"}, "one of .* Did you mean `roc_auc`"),
        ({"validation_data": (X, np.zeros(ROWS, int))}, "at least two classes; got class 0 only"),
        ({"positive": 2}, "`positive` must be a class from 0 to 1"),
    ],
)
def test_arguments_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        RankingEarlyStopping(**{"validation_data": (X, Y), **options})
