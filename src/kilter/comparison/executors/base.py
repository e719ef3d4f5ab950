"""What every executor gets and gives."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from threading import Event
from typing import Any

import keras
import numpy as np

from kilter.augment.image import Augmented
from kilter.comparison.plan import Plan
from kilter.comparison.training import Training
from kilter.sampling import Layout, key_words, philox, shuffle_classes

LOSS_SHARE = 0.01
"""Of the log loss, taken off the average precision: so epochs that rank the rows alike, all of
them without a fault even, are told apart. It is too little to weigh more than a better rank
does: class weights and resampling distort probabilities, and with them the log loss."""

AUGMENT = 1 << 16  # number of the first random state of what changes rows; networks have fewer

MOST_LOSS = 10.0  # of it that counts

DIVERGED = -1.0
"""Score of a network that predicts anything but finite numbers: worse than any other."""


@dataclass(frozen=True)
class EncodedFold:
    """One fold as the network sees it.

    ``x`` and ``labels`` are the training part sorted by class, as ``layout`` says; a row of ``x``
    is one of encoded columns, or an image.
    ``neighbors`` (rows, k) is there if a remedy mixes; with those in the row's cluster behind
    them, (rows, 2 k), if a remedy asks for these. Of the test part only the features
    are handed out: its labels stay with the judge. ``versions`` (rows, number, ...) has changed
    versions of each row of ``x``, if there are any. Rows that are whole numbers, words of a text
    say, are below ``vocabulary``; it is 0 for others.
    """

    x: np.ndarray
    labels: np.ndarray
    layout: Layout
    neighbors: np.ndarray
    blendable: np.ndarray
    validation_x: np.ndarray
    validation_labels: np.ndarray
    test_x: np.ndarray
    versions: np.ndarray = field(default_factory=lambda: np.empty((0, 0), np.int32))
    vocabulary: int = 0


@dataclass(frozen=True)
class Lane:
    """One training: which draws and loss, which fold, which seed."""

    training: Training
    fold: int
    seed: int


@dataclass(frozen=True)
class Trained:
    """What came of a lane.

    ``score`` is the best epoch's average precision on the validation part, less a hundredth of
    its log loss. ``validation`` and ``test`` are logits (rows, classes) of that epoch's
    network, ``weights`` its variables in the order of ``model.weights``. ``seconds`` is the
    lane's share of the wall time.
    """

    lane: Lane
    score: float
    epoch: int
    validation: np.ndarray
    test: np.ndarray
    weights: list[np.ndarray]
    seconds: float


Trainings = Generator[Trained, None, None]
"""Trainings as they are done; closed, it stops those that run."""


@dataclass(frozen=True)
class Forecast:
    """What a run will take, told before it begins.

    ``lanes`` train together in a block of ``threads`` at a time, ``steps`` a call.
    ``memory`` is in bytes, of ``limit``; None where nobody counts it. ``seconds`` are
    expected if trainings end evenly between the first epoch at which they may and the last;
    ``most`` if none stops early.
    """

    trainings: int
    lanes: int
    threads: int
    steps: int
    folds: int
    memory: int | None
    limit: int | None
    seconds: float
    most: float


@dataclass(frozen=True)
class Task:
    """Everything that an executor needs to train the lanes of a plan.

    ``build`` makes a network with logits from (shape of a row, n_classes, seed). ``positive`` is
    the rarest class. ``stop`` asks the executor to end early. Trainings named in ``ends`` take so
    many epochs, and their last network counts rather than that of the best validation score.
    ``circles`` has those of (fold, seed) in which rows do not stand by chance, ``begins`` the
    weights of (training, fold, seed) that others go on from. ``layers`` change rows in training.
    """

    plan: Plan
    folds: tuple[EncodedFold, ...]
    n_classes: int
    positive: int
    build: Callable[[tuple[int, ...], int, int], keras.Model]
    stop: Event
    ends: Mapping[Training, int] = field(default_factory=dict)
    circles: Mapping[tuple[int, int], np.ndarray] = field(default_factory=dict)
    begins: Mapping[tuple[Training, int, int], list[np.ndarray]] = field(default_factory=dict)
    layers: tuple[keras.layers.Layer, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an encoded row: (columns,), or (height, width, channels) of an image."""
        return self.folds[0].x.shape[1:]

    @property
    def dtype(self) -> np.dtype:
        """Of encoded rows."""
        return self.folds[0].x.dtype

    @cached_property
    def batch_size(self) -> int:
        """Rows a step: about 30 steps an epoch, some 32 to 256 rows, equally many a class."""
        if self.plan.batch_size is not None:
            return self._whole_rounds(self.plan.batch_size)
        rows = max(len(fold.x) for fold in self.folds)
        wanted = 2 ** round(np.log2(max(rows / 30, 1)))
        return self._whole_rounds(int(min(max(wanted, 32), 256)))

    def _whole_rounds(self, rows: int) -> int:
        """Round up, so that a balanced batch can hold equally many rows of each class."""
        return -(-rows // self.n_classes) * self.n_classes

    @cached_property
    def steps(self) -> int:
        """Steps an epoch; the same for every remedy and fold, so that none gets more."""
        return -(-max(len(fold.x) for fold in self.folds) // self.batch_size)

    @cached_property
    def blends(self) -> bool:
        """Whether a training mixes labels: targets are rows of shares then."""
        whole = [training for training in self.plan.trainings if training.head is None]
        return any(training.draw.blends for training in whole)

    @property
    def expected_epochs(self) -> float:
        """Epochs of a training: the geometric mean of the fewest and the most."""
        fewest, most = self.plan.patience + 1, self.plan.epochs
        return math.sqrt(min(fewest, most) * most)

    @property
    def to_the_end(self) -> bool:
        """Whether the last network of a training counts."""
        return bool(self.ends)

    def epochs(self, training: Training) -> int:
        """Return how many epochs a training takes at most."""
        return self.ends.get(training, self.plan.epochs)

    def circle(self, fold: int, seed: int) -> np.ndarray:
        """Return a fold's rows, shuffled within their classes, int32 of shape (rows,)."""
        if (fold, seed) in self.circles:
            return self.circles[fold, seed]
        return shuffle_classes(self.folds[fold].layout, philox(self.plan.seed, fold, seed))

    def key(self, seed: int) -> np.ndarray:
        """Return what the base draws of this seed hang on, uint32 of shape (2,)."""
        return key_words(self.plan.seed, seed)

    def network(self, fold: int, seed: int) -> keras.Model:
        """Build the network of this fold and seed, with its initial weights.

        What its layers draw in training, such as dropout, hangs on the seed alone: lanes of
        different folds can then share it, and their rows differ anyway.
        """
        mixed = int(key_words(self.plan.seed, fold, seed)[0])
        model = self.build(self.shape, self.n_classes, mixed % 2**30)
        self._seed(seed_states(model), seed)
        return model

    def beginning(self, lane: Lane) -> keras.Model:
        """Build the network that a lane begins with."""
        model = self.network(lane.fold, lane.seed)
        if lane.training.after is not None:
            model.set_weights(self.begins[lane.training.after, lane.fold, lane.seed])
        return model

    def taught(self, model: keras.Model, seed: int) -> keras.Model:
        """Return what is trained: the network, with what changes rows before it if anything does.

        It takes rows and their chances to be changed then, as `chances` has them by class.
        """
        if not self.layers:
            return model
        rows, chances = keras.Input(self.shape, dtype=self.dtype.name), keras.Input(())
        layers = [layer.__class__.from_config(layer.get_config()) for layer in self.layers]
        changed = Augmented(layers, 0)([rows, chances])
        taught = keras.Model([rows, chances], model(changed))
        own = {id(state) for state in seed_states(model)}
        others = [state for state in seed_states(taught) if id(state) not in own]
        self._seed(others, seed, first=AUGMENT)
        return taught

    def chances(self, fold: int) -> np.ndarray:
        """Return with which chance a row of each class is changed, float32 of shape (classes,)."""
        counts = self.folds[fold].layout.counts
        share = self.plan.augment_share
        return (1 - (1 - share) * counts / counts.max()).astype(np.float32)

    def _seed(self, states: Sequence[Any], seed: int, first: int = 0) -> None:
        for number, state in enumerate(states, first):
            word = int(key_words(self.plan.seed, seed, number)[0])
            state.assign(np.array([word % 2**31, 0]))

    def optimizer(self) -> keras.optimizers.Optimizer:
        """Make the optimizer, new."""
        return keras.optimizers.AdamW(self.plan.learning_rate, weight_decay=self.plan.weight_decay)


def seed_states(model: keras.Model) -> list[Any]:
    """Return the variables that the model's layers draw random numbers from."""
    layers = model._flatten_layers()
    return [generator.state for layer in layers for generator in layer._seed_generators]


class Executor(ABC):
    """Trains lanes. Every executor gives the same results, within rounding."""

    @abstractmethod
    def train(self, task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        """Train these lanes, in any order, and yield each as soon as it is done."""

    @abstractmethod
    def forecast(self, task: Task, lanes: Sequence[Lane]) -> Forecast:
        """Say what training these lanes will take, after a short trial of it."""
