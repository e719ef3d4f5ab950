"""The model that is handed over: the chosen remedy once more, on all rows.

In the comparison a fold's rows are split three ways, and each network learns from some two
thirds of them. Where a class has forty rows that hurts. So what the folds have told, the
number of epochs, the calibrator and the decision, goes together with networks that learn from
every row.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import keras
import numpy as np

from kilter._types import Dataset, Split
from kilter.artifact import Model
from kilter.comparison.executors.base import Executor, Lane, Trained
from kilter.comparison.folds import encode_all
from kilter.comparison.judge import calibrate, fit_decision, pooled_validation
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import make_task
from kilter.comparison.remedy import Remedy
from kilter.data import Encoder, rarest_class
from kilter.decide import Calibrator, Threshold
from kilter.models import average_networks


class Final(NamedTuple):
    """What is handed over of a remedy, and for how many epochs its networks were trained."""

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
        The remedy's trainings, those of the folds to go by alone.
    observe : callable
        Called after each network on all rows.
    """
    validated = pooled_validation(splits, trained)
    calibrator = Calibrator.fit(validated)
    positive = rarest_class(dataset.labels)
    decision = fit_decision(plan, remedy, calibrate(calibrator, validated), positive)
    epochs = best_epochs(trained)
    encoder, network = refit(executor, plan, dataset, remedy, epochs, observe)
    return Final(Model(dataset.schema, encoder, network, calibrator, decision), epochs)


def without_folds(executor: Executor, plan: Plan, dataset: Dataset, remedy: Remedy) -> Model:
    """Make the model of a remedy from all rows alone: too few of a class to part them."""
    warnings.warn(
        "a class has fewer than 6 different rows: none are left to validate on, so that "
        "probabilities are not calibrated and the most probable class wins. Collect more rows.",
        UserWarning,
        stacklevel=2,
    )
    n_classes = len(dataset.schema.classes)
    encoder, network = refit(executor, plan, dataset, remedy, max(1, plan.epochs // 2))
    nothing = Calibrator(1.0, (0.0,) * n_classes)
    return Model(dataset.schema, encoder, network, nothing, Threshold.plain(n_classes))


def refit(
    executor: Executor,
    plan: Plan,
    dataset: Dataset,
    remedy: Remedy,
    epochs: int,
    observe: Callable[[], None] = lambda: None,
) -> tuple[Encoder, keras.Model]:
    """Train one network a seed on all rows for so many epochs, and join them."""
    plan = replace(plan, epochs=epochs, patience=epochs, remedies=(remedy,))
    encoder, fold = encode_all(dataset, plan)
    task = replace(make_task(plan, dataset, (fold,)), to_the_end=True)
    lanes = [Lane(remedy.training, 0, seed) for seed in range(plan.seeds)]
    networks: dict[int, keras.Model] = {}
    for one in executor.train(task, lanes):
        networks[one.lane.seed] = task.network(0, one.lane.seed)
        networks[one.lane.seed].set_weights(one.weights)
        observe()
    return encoder, average_networks([networks[lane.seed] for lane in lanes])


def best_epochs(trained: Sequence[Trained]) -> int:
    """Return after how many epochs networks were best on average."""
    return round(float(np.mean([one.epoch + 1 for one in trained])))
