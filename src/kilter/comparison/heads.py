"""The second stage: remedies for the last layer, on the features of networks that are there.

Balancing helps the last layer of a network more than what finds its features, which learns best
from natural draws. Features are worked out once for each network; all that learns is a last
layer, so that remedies train in seconds, as lanes of one small program. What they learn is put
into the network's own last layer, which keeps its shape.

References
----------
Kang et al. (2020), Decoupling representation and classifier for long-tailed recognition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from time import perf_counter
from typing import Any

import keras
import numpy as np
from scipy.special import log_softmax

from kilter.comparison.executors.base import EncodedFold, Executor, Lane, Task, Trained, Trainings
from kilter.comparison.executors.sequential import predict, validate
from kilter.comparison.folds import neighbors
from kilter.comparison.plan import OF_KIND, Plan
from kilter.comparison.remedy import Remedy
from kilter.comparison.training import ANEW, MARGIN, NORM, Training
from kilter.models import mlp
from kilter.models.stages import ClassScales, part

SETTINGS = {
    **{name: OF_KIND["table"][name] for name in ("epochs", "patience")},
    "learning_rate": Plan.learning_rate,
}
"""Settings by which heads learn. What fits a network, a pretrained one say, is slow for them."""

POWERS = np.linspace(0, 2, 21)
"""Of the norm, of the mean norm, by which weights are divided. The paper looks from 0 to 1."""

SPREAD = 1e-2
"""Of the features' mean spread: what spreads less is not stretched. A unit that no training row
makes fire would else be all that counts in a row that does."""


@dataclass(frozen=True)
class Place:
    """What one network of the first stage gives: its features, and its last layer.

    Features are standardised by the training part; ``kernel`` and ``bias`` are for those.
    """

    first: Trained
    fold: EncodedFold
    kernel: np.ndarray
    bias: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    def own_layer(self, kernel: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return a last layer for features as the network gives them."""
        kernel = kernel / self.scale[:, None]
        return kernel, bias - self.mean @ kernel


def train_heads(
    executor: Executor, task: Task, lanes: Sequence[Lane], known: Sequence[Trained]
) -> Trainings:
    """Train lanes of which only a head learns, from the networks among ``known``."""
    for after, mine in _grouped(lanes, lambda lane: lane.training.after):
        # All of them, whichever lanes are left to train: initial weights hang on their order.
        of_after = (one for one in known if one.lane.training == after)
        first = {(one.lane.fold, one.lane.seed): one for one in of_after}
        stage = _Stage(task, dict(sorted(first.items())))
        for kind, of_kind in _grouped(mine, lambda lane: lane.training.head):
            yield from stage.train(executor, str(kind), of_kind)


def _grouped(lanes: Sequence[Lane], key: Callable[[Lane], Any]) -> Iterator[tuple[Any, list[Lane]]]:
    order = {key(lane): place for place, lane in reversed(list(enumerate(lanes)))}
    ordered = sorted(lanes, key=lambda lane: order[key(lane)])
    return ((name, list(group)) for name, group in groupby(ordered, key))


class _Stage:
    """The networks of the first stage, each with its features."""

    def __init__(self, task: Task, first: dict[tuple[int, int], Trained]) -> None:
        self.task = task
        self.network = task.network(0, 0)
        self.stages = part(self.network)
        self.places = {at: self._place(at[0], one) for at, one in first.items()}

    def _place(self, fold: int, first: Trained) -> Place:
        self.network.set_weights(first.weights)
        encoded = self.task.folds[fold]
        parts = (encoded.x, encoded.validation_x, encoded.test_x)
        x, *others = map(self._features, parts)
        mean, spread = x.mean(axis=0), x.std(axis=0)
        scale = np.where(spread > SPREAD * spread.mean(), spread, spread.mean() or 1)
        x, validation, test = ((each - mean) / scale for each in (x, *others))
        kernel, bias = map(
            keras.ops.convert_to_numpy, (self.stages.head.kernel, self.stages.head.bias)
        )
        seen = replace(
            encoded,
            x=x,
            neighbors=np.empty((0, 0), np.int32),
            blendable=np.ones(x.shape[1], bool),
            validation_x=validation,
            test_x=test,
            versions=np.empty((0, 0), np.int32),
            vocabulary=0,
        )
        return Place(first, seen, kernel * scale[:, None], bias + mean @ kernel, mean, scale)

    def _features(self, x: np.ndarray) -> np.ndarray:
        """Return features of rows, float32."""
        return predict(self.stages.features, x).astype(np.float32)

    def train(self, executor: Executor, kind: str, lanes: list[Lane]) -> Trainings:
        """Train heads of one kind."""
        if kind == NORM:
            yield from map(self._normed, lanes)
            return
        at = list(self.places)
        inner = {
            Lane(_alone(lane.training), at.index((lane.fold, lane.seed)), lane.seed): lane
            for lane in lanes
        }
        for one in executor.train(self._task(kind, lanes), list(inner)):
            lane = inner[one.lane]
            place = self.places[lane.fold, lane.seed]
            kernel, bias = _as_layer(kind, place, one.weights)
            weights = self._weights(place, *place.own_layer(kernel, bias))
            yield replace(one, lane=lane, weights=weights)

    def _task(self, kind: str, lanes: Sequence[Lane]) -> Task:
        trainings = dict.fromkeys(lane.training for lane in lanes)
        remedies = tuple(
            Remedy(str(number), draw=one.draw, loss=one.loss)
            for number, one in enumerate(trainings)
        )
        plan = replace(self.task.plan, remedies=remedies, **SETTINGS)
        folds = []
        for place in self.places.values():
            fold = _seen(kind, place)
            near = neighbors(fold.x, fold.labels, fold.layout, plan)
            folds.append(replace(fold, neighbors=near))
        ends = {_alone(one): self.task.ends[one] for one in trainings if one in self.task.ends}
        its_own: dict[str, Any] = {"build": _builder(kind), "ends": ends}
        return replace(
            self.task, plan=plan, folds=tuple(folds), circles={}, layers=(), begins={}, **its_own
        )

    def _normed(self, lane: Lane) -> Trained:
        """Divide weights by the power of their norm that fits validation rows best."""
        begun, place = perf_counter(), self.places[lane.fold, lane.seed]
        own, _ = place.own_layer(place.kernel, place.bias)
        ends = self.task.ends.get(lane.training)
        layers = [_divided(place, own, power) for power in POWERS]
        losses = [_balanced_loss(place.fold, *layer) for layer in layers]
        best = int(np.argmin(losses)) if ends is None else ends - 1
        kernel, bias = layers[best]
        parts = (place.fold.validation_x, place.fold.test_x)
        logits = [(x @ kernel + bias).astype(np.float32) for x in parts]
        score = validate(self.task, place.fold, best, logits[0])
        weights = self._weights(place, *place.own_layer(kernel, bias))
        seconds = perf_counter() - begun
        return Trained(lane, score, best, logits[0], logits[1], weights, seconds)

    def _weights(self, place: Place, kernel: np.ndarray, bias: np.ndarray) -> list[np.ndarray]:
        """Return the network's weights with another last layer."""
        head = {id(self.stages.head.kernel): kernel, id(self.stages.head.bias): bias}
        pairs = zip(self.network.weights, place.first.weights, strict=True)
        # What is not of the head is shared, not copied: there is a lane a remedy, fold and seed.
        return [
            head.get(id(variable), value).astype(value.dtype, copy=False)
            for variable, value in pairs
        ]


def _alone(training: Training) -> Training:
    """Return a training of a head as one of a network of its own."""
    return training._replace(after=None, head=None)


def _seen(kind: str, place: Place) -> EncodedFold:
    """Return what a head of this kind sees: features, or the logits and margins made of them."""
    fold = place.fold
    if kind == ANEW:
        return fold
    parts = {"x": fold.x, "validation_x": fold.validation_x, "test_x": fold.test_x}
    logits = {name: x @ place.kernel + place.bias for name, x in parts.items()}
    if kind == MARGIN:
        norms = np.linalg.norm(place.own_layer(place.kernel, place.bias)[0], axis=0)
        logits = {name: np.hstack([z, np.tile(norms, (len(z), 1))]) for name, z in logits.items()}
    width = logits["x"].shape[1]
    encoded: dict[str, Any] = {name: z.astype(np.float32) for name, z in logits.items()}
    return replace(fold, **encoded, blendable=np.ones(width, bool))


def _builder(kind: str) -> Callable[[tuple[int, ...], int, int], keras.Model]:
    def build(shape: tuple[int, ...], n_classes: int, seed: int) -> keras.Model:
        if kind == ANEW:
            return mlp(shape[0], n_classes, hidden=(), seed=seed)
        scales = ClassScales(n_classes, 2 if kind == MARGIN else 1)
        return keras.Sequential([keras.Input(shape), scales])

    return build


def _as_layer(
    kind: str, place: Place, weights: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return kernel and bias that do what a head of this kind has learned."""
    if kind == ANEW:
        return weights[0], weights[1]
    factor, *margin = weights[0]
    bias = place.bias * factor
    if kind == MARGIN:
        norms = np.linalg.norm(place.own_layer(place.kernel, place.bias)[0], axis=0)
        bias = bias + margin[0] * norms
    return place.kernel * factor, bias


def _divided(place: Place, own: np.ndarray, power: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a layer for standardised features whose own weights are divided; it has no bias.

    Norms are taken of their mean. To the class that is chosen it is the same as in the paper, and
    logits keep their size, without which the loss would choose a power for the size's sake.
    """
    norms = np.linalg.norm(own, axis=0)
    kernel = own / np.maximum(norms / (norms.mean() or 1), 1e-12) ** power
    return kernel * place.scale[:, None], place.mean @ kernel


def _balanced_loss(fold: EncodedFold, kernel: np.ndarray, bias: np.ndarray) -> float:
    """Return the log loss of validation rows, the mean over classes."""
    logs = log_softmax((fold.validation_x @ kernel + bias).astype(np.float64), axis=1)
    labels = fold.validation_labels
    losses = -logs[np.arange(len(labels)), labels]
    return float(np.mean([losses[labels == label].mean() for label in np.unique(labels)]))
