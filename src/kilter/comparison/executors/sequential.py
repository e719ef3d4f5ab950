"""The sequential executor: the same lanes one by one, through plain Keras ``fit``."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from scipy.special import log_softmax

from kilter.artifact import BATCH_NUMBERS
from kilter.comparison.executors.base import (
    DIVERGED,
    LOSS_SHARE,
    MOST_LOSS,
    EncodedFold,
    Executor,
    Forecast,
    Lane,
    Task,
    Trained,
)
from kilter.comparison.training import LossNumbers
from kilter.losses import CrossEntropy
from kilter.metrics import average_precision
from kilter.sampling import draw_epoch, find_partners, mix, mix_batch, pick_versions

PREDICTED = 4096  # rows at once, fewer of large images


class Sequential(Executor):
    """Trains one lane after the other; runs on every backend.

    Lanes with equal losses share a compiled network: to trace and compile one takes as long as
    many epochs of a small table.
    """

    def train(self, task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        """Train each lane from its own beginning, those of one loss together."""
        for mine in _by_loss(task, lanes):
            network = _Network(task, mine[0])
            for lane in mine:
                trained = _train(task, lane, network)
                if trained is None:
                    return
                yield trained

    def forecast(self, task: Task, lanes: Sequence[Lane]) -> Forecast:
        """Train one lane for one epoch and for three; the very first training compiles."""
        lane, networks = lanes[0], len(_by_loss(task, lanes))
        network = _Network(task, lane)
        first, once, thrice = (_seconds(task, lane, network, epochs) for epochs in (1, 1, 3))
        epoch = max(thrice - once, 0) / 2
        seconds, most = (
            networks * max(first - once, 0) + len(lanes) * (once + (epochs - 1) * epoch)
            for epochs in (task.expected_epochs, task.plan.epochs)
        )
        return Forecast(len(lanes), 1, 1, 1, len(task.folds), None, None, seconds, most)


def _by_loss(task: Task, lanes: Sequence[Lane]) -> list[list[Lane]]:
    """Part lanes into those whose losses have equal numbers."""
    parts: dict[bytes, list[Lane]] = {}
    for lane in lanes:
        key = b"".join(number.tobytes() for number in _loss_numbers(task, lane))
        parts.setdefault(key, []).append(lane)
    return list(parts.values())


def _loss_numbers(task: Task, lane: Lane) -> LossNumbers:
    return lane.training.loss.numbers(task.folds[lane.fold].layout.counts)


class _Network:
    """A network that is compiled for the loss of a lane, and begins anew for each like it."""

    def __init__(self, task: Task, lane: Lane) -> None:
        self.model = task.network(lane.fold, lane.seed)
        self.taught = task.taught(self.model, lane.seed)
        self._variables = list(self.taught.variables)  # without those of optimizer and metrics
        loss = keras_loss(_loss_numbers(task, lane))
        self.taught.compile(optimizer=task.optimizer(), loss=loss)
        self.taught.optimizer.build(self.model.trainable_variables)
        optimizer = self.taught.optimizer.variables
        self._optimizer = [(one, keras.ops.convert_to_numpy(one).copy()) for one in optimizer]

    def begin(self, task: Task, lane: Lane) -> keras.Model:
        """Return the network as a lane begins with it."""
        beginning = task.taught(task.beginning(lane), lane.seed).variables
        for variable, value in [*zip(self._variables, beginning, strict=True), *self._optimizer]:
            variable.assign(value)
        return self.model


def _seconds(task: Task, lane: Lane, network: _Network, epochs: int) -> float:
    begun = time.perf_counter()
    plan = replace(task.plan, epochs=epochs, patience=epochs)
    _train(replace(task, plan=plan), lane, network)
    return time.perf_counter() - begun


def _train(task: Task, lane: Lane, network: _Network) -> Trained | None:
    begin = time.perf_counter()
    fold = task.folds[lane.fold]
    model = network.begin(task, lane)
    score, best_epoch, best = DIVERGED, 0, model.get_weights()
    for epoch in range(task.epochs(lane.training)):
        if task.stop.is_set():
            return None
        x, y = epoch_rows(task, lane, epoch)
        # One epoch a call, in the order drawn: no callback has to count epochs.
        network.taught.fit(x, y, batch_size=task.batch_size, shuffle=False, verbose=0)
        now = validate(task, fold, epoch, predict(model, fold.validation_x))
        if now > score:
            score, best_epoch, best = now, epoch, model.get_weights()
        if epoch - best_epoch >= task.plan.patience:
            break
    model.set_weights(best)
    validation, test = (predict(model, x) for x in (fold.validation_x, fold.test_x))
    seconds = time.perf_counter() - begin
    return Trained(lane, score, best_epoch, validation, test, best, seconds)


def keras_loss(numbers: LossNumbers) -> CrossEntropy:
    """Return the loss of a lane for ``model.compile``."""
    weights, margins, scale, gamma = numbers
    return CrossEntropy(weights, margins, scale, float(gamma), from_logits=True)


def epoch_rows(task: Task, lane: Lane, epoch: int) -> tuple[Any, np.ndarray]:
    """Return the encoded rows and labels that a lane sees in an epoch, in order.

    Labels are rows of shares (rows, classes) if any training of the task mixes them. Rows come
    with their chances to be changed if there is anything that changes them.
    """
    fold = task.folds[lane.fold]
    quotas = lane.training.draw.quotas(fold.layout.counts, task.steps, task.batch_size)
    circle, key = task.circle(lane.fold, lane.seed), task.key(lane.seed)
    rows, labels, tickets, shares = draw_epoch(
        quotas, fold.layout, circle, key, epoch, task.steps, task.batch_size
    )
    x, chances = fold.x[rows], task.chances(lane.fold)[labels]
    if task.blends:
        batch = np.arange(len(rows)) // task.batch_size * task.batch_size
        places, starts = batch + tickets % task.batch_size, fold.layout.starts
        others, classes = find_partners(np, quotas, rows, labels, places, tickets, starts)
        partners = (fold.x[others], classes)
        x, labels = mix_batch(np, quotas, x, labels, *partners, tickets, shares, task.n_classes)
    if len(fold.versions):
        picked = pick_versions(np, tickets, chances, fold.versions.shape[1])
        changed = fold.versions[rows, np.maximum(picked, 1) - 1]
        x = np.where((picked > 0)[:, None], changed, x)
    if task.layers:
        return [x, chances], labels
    if not len(fold.neighbors) or quotas.kappa > 0:
        return x, labels
    k = task.plan.neighbors
    partners = fold.neighbors[rows, quotas.clustered * k + tickets % k]
    return mix(np, x, fold.x[partners], shares, fold.blendable), labels


def predict(model: keras.Model, x: np.ndarray) -> np.ndarray:
    """Return logits; `predict` makes a pipeline first, on TensorFlow a tenth of a second."""
    size = max(1, min(PREDICTED, BATCH_NUMBERS // math.prod(x.shape[1:])))
    starts = range(0, len(x), size)
    return np.concatenate([model.predict_on_batch(x[start:][:size]) for start in starts])


def validate(task: Task, fold: EncodedFold, epoch: int, logits: np.ndarray) -> float:
    """Score an epoch's logits of the validation rows; where the last one counts, by its number."""
    if not np.isfinite(logits).all():
        return DIVERGED
    if task.to_the_end:
        return epoch
    logs = log_softmax(logits.astype(np.float64), axis=1)
    precision = average_precision(fold.validation_labels, np.exp(logs), task.positive)
    loss = -logs[np.arange(len(logs)), fold.validation_labels].mean()
    return precision - LOSS_SHARE * min(float(loss), MOST_LOSS)
