"""The model that is handed over: the chosen remedy once more, on all rows.

In the comparison a fold's rows are split three ways, and each network learns from some two
thirds of them. Where a class has forty rows that hurts. So what the folds have told, the
number of epochs, how to join members, the calibrator and the decision, goes together with
networks that learn from every row.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import keras
import numpy as np

from kilter._types import Dataset, Split
from kilter.artifact import Model
from kilter.comparison.executors.base import Executor, Lane, Trained
from kilter.comparison.folds import encode_all
from kilter.comparison.heads import POWERS
from kilter.comparison.judge import (
    by_training,
    calibrate,
    fit_decision,
    join_members,
    pooled_validation,
)
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import make_task
from kilter.comparison.remedy import Remedy
from kilter.comparison.rounds import train_in_rounds
from kilter.comparison.training import NORM, Training, with_needs
from kilter.data import Encoder, rarest_class
from kilter.decide import Calibrator, Threshold
from kilter.ensemble import Average, Joint, join_networks
from kilter.models import average_networks


class Final(NamedTuple):
    """What is handed over of a remedy, and for how many epochs its networks were trained in all."""

    model: Model
    epochs: int


def hand_over(
    executor: Executor,
    plan: Plan,
    dataset: Dataset,
    remedy: Remedy,
    splits: Sequence[Split],
    trained: Sequence[Trained],
    observe: Callable[[], None] = lambda: None,
) -> Final:
    """Make the model of a remedy from its trainings on the folds, and from all rows.

    Parameters
    ----------
    executor, plan
        Of the comparison.
    dataset : Dataset
        All rows.
    remedy : Remedy
        The chosen one.
    splits : sequence of Split
        The folds.
    trained : sequence of Trained
        The remedy's trainings and those that they need, of the folds to go by alone.
    observe : callable
        Called after each network on all rows.
    """
    members = by_training(remedy, trained)
    each = [pooled_validation(splits, one) for one in members]
    joint, validated = join_members(remedy, each)
    calibrator = Calibrator.fit(validated)
    positive = rarest_class(dataset.learned_labels)
    decision = fit_decision(plan, remedy, calibrate(calibrator, validated), positive)
    epochs = {
        training: best_epochs([one for one in trained if one.lane.training == training])
        for training in with_needs(remedy.trainings)
    }
    encoder, network = refit(executor, plan, dataset, remedy, epochs, joint, observe)
    model = Model(dataset.schema, encoder, network, calibrator, decision)
    return Final(model, round(float(np.mean([_in_all(one, epochs) for one in remedy.trainings]))))


def without_folds(executor: Executor, plan: Plan, dataset: Dataset, remedy: Remedy) -> Model:
    """Make the model of a remedy from all rows alone: too few of a class to part them."""
    warnings.warn(
        "a class has fewer than 6 different rows: none are left to validate on, so that "
        "probabilities are not calibrated and the most probable class wins. Collect more rows.",
        UserWarning,
        stacklevel=2,
    )
    n_classes = len(dataset.schema.classes)
    half = {one: _half(one, plan) for one in with_needs(remedy.trainings)}
    joint = Average.plain(len(remedy.members), n_classes) if remedy.members else None
    encoder, network = refit(executor, plan, dataset, remedy, half, joint)
    nothing = Calibrator(1.0, (0.0,) * n_classes)
    return Model(dataset.schema, encoder, network, nothing, Threshold.plain(n_classes))


def _half(training: Training, plan: Plan) -> int:
    """Return half of the epochs; of powers to divide weights by their norm, that in the middle."""
    return len(POWERS) // 2 + 1 if training.head == NORM else max(1, plan.epochs // 2)


def refit(
    executor: Executor,
    plan: Plan,
    dataset: Dataset,
    remedy: Remedy,
    epochs: Mapping[Training, int],
    joint: Joint | None = None,
    observe: Callable[[], None] = lambda: None,
) -> tuple[Encoder, keras.Model]:
    """Train networks on all rows, one a seed of each training, for so many epochs; join them."""
    plan = replace(plan, remedies=(remedy,))
    encoder, fold = encode_all(dataset, plan)
    task = replace(make_task(plan, dataset, (fold,)), ends=epochs)
    lanes = [Lane(training, 0, seed) for training in epochs for seed in range(plan.seeds)]
    networks: dict[Lane, keras.Model] = {}
    for one in train_in_rounds(executor, task, lanes):
        networks[one.lane] = task.network(0, one.lane.seed)
        networks[one.lane].set_weights(one.weights)
        observe()
    members = [
        average_networks([networks[lane] for lane in lanes if lane.training == training])
        for training in remedy.trainings
    ]
    return encoder, members[0] if joint is None else join_networks(members, joint)


def _in_all(training: Training, epochs: Mapping[Training, int]) -> int:
    """Return its epochs, with those of what it goes on from."""
    before = 0 if training.after is None else _in_all(training.after, epochs)
    return before + (0 if training.head == NORM else epochs[training])


def best_epochs(trained: Sequence[Trained]) -> int:
    """Return after how many epochs networks were best on average."""
    return round(float(np.mean([one.epoch + 1 for one in trained])))
