"""What every executor gets and gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Event

import keras
import numpy as np

from kilter.comparison.plan import Plan
from kilter.comparison.remedy import Draw, Loss
from kilter.sampling import BaseDraws, Layout

Training = tuple[Draw, Loss]

DIVERGED = -1.0
"""Score of a network that predicts anything but finite numbers: worse than any other."""


@dataclass(frozen=True)
class EncodedFold:
    """One fold as the network sees it.

    ``x`` and ``labels`` are the training part sorted by class, as ``layout`` says;
    ``neighbors`` (rows, k) is there if a remedy mixes. Of the test part only the features
    are handed out: its labels stay with the judge.
    """

    x: np.ndarray
    labels: np.ndarray
    layout: Layout
    neighbors: np.ndarray
    blendable: np.ndarray
    validation_x: np.ndarray
    validation_labels: np.ndarray
    test_x: np.ndarray


@dataclass(frozen=True)
class Lane:
    """One training: which draws and loss, which fold, which seed."""

    training: Training
    fold: int
    seed: int


@dataclass(frozen=True)
class Trained:
    """What came of a lane.

    ``validation`` and ``test`` are logits (rows, classes) of the best epoch's network,
    ``weights`` that network's variables in the order of ``model.weights``. ``seconds`` is
    the lane's share of the wall time.
    """

    lane: Lane
    score: float
    epoch: int
    validation: np.ndarray
    test: np.ndarray
    weights: list[np.ndarray]
    seconds: float


@dataclass(frozen=True)
class Task:
    """Everything that an executor needs to train the lanes of a plan.

    ``build`` makes a network with logits from (width, n_classes, seed). ``positive`` is the
    rarest class. ``stop`` asks the executor to end early.
    """

    plan: Plan
    folds: tuple[EncodedFold, ...]
    n_classes: int
    positive: int
    build: Callable[[int, int, int], keras.Model]
    stop: Event

    @property
    def width(self) -> int:
        """Encoded columns."""
        return int(self.folds[0].x.shape[1])

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

    def base_draws(self, fold: int, seed: int) -> BaseDraws:
        """Return the random numbers that all remedies of this fold and seed share."""
        key = (self.plan.seed, fold, seed)
        return BaseDraws(self.folds[fold].layout, self.steps * self.batch_size, key)

    def network(self, fold: int, seed: int) -> keras.Model:
        """Build the network of this fold and seed, with its initial weights."""
        mixed = np.random.SeedSequence([self.plan.seed, fold, seed]).generate_state(1)[0]
        return self.build(self.width, self.n_classes, int(mixed % 2**30))

    def optimizer(self) -> keras.optimizers.Optimizer:
        """Make the optimizer, new."""
        return keras.optimizers.AdamW(self.plan.learning_rate, weight_decay=self.plan.weight_decay)


class Executor(ABC):
    """Trains lanes. Every executor gives the same results, within rounding."""

    @abstractmethod
    def train(self, task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        """Train these lanes, in any order, and yield each as soon as it is done."""


def by_pair(lanes: Sequence[Lane]) -> dict[tuple[int, int], list[Lane]]:
    """Group lanes by (fold, seed): those that share draws and initial weights."""
    pairs: dict[tuple[int, int], list[Lane]] = {}
    for lane in lanes:
        pairs.setdefault((lane.fold, lane.seed), []).append(lane)
    return pairs
