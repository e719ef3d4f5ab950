"""The model that is handed over: the chosen remedy once more, on all rows.

In the comparison a fold's rows are split three ways, and each network learns from some two
thirds of them. Where a class has forty rows that hurts. So what the folds have told, the
number of epochs, the calibrator and the decision, goes together with networks that learn from
every row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import keras
import numpy as np

from kilter._types import Dataset
from kilter.comparison.executors.base import Executor, Lane, Task, Trained
from kilter.comparison.folds import encode_all
from kilter.comparison.remedy import Remedy
from kilter.data import Encoder
from kilter.models import average_networks


class Refitted(NamedTuple):
    """Networks on all rows, as one, with the encoder that belongs to them."""

    encoder: Encoder
    network: keras.Model
    epochs: int


def refit(
    executor: Executor,
    task: Task,
    dataset: Dataset,
    trained: Sequence[Trained],
    observe: Callable[[], None] = lambda: None,
) -> Refitted:
    """Train one network a seed on all rows, for as many epochs as were best on average.

    Parameters
    ----------
    executor, task
        Of the comparison.
    dataset : Dataset
        All rows.
    trained : sequence of Trained
        The trainings of one remedy, of the folds to go by.
    observe : callable
        Called after each network.
    """
    epochs, training = best_epochs(trained), trained[0].lane.training
    plan = replace(
        task.plan, epochs=epochs, patience=epochs, remedies=(Remedy("chosen", *training),)
    )
    encoder, fold = encode_all(dataset, plan)
    again = replace(task, plan=plan, folds=(fold,), to_the_end=True)
    lanes = [Lane(training, 0, seed) for seed in range(plan.seeds)]
    networks: dict[int, keras.Model] = {}
    for one in executor.train(again, lanes):
        networks[one.lane.seed] = again.network(0, one.lane.seed)
        networks[one.lane.seed].set_weights(one.weights)
        observe()
    return Refitted(encoder, average_networks([networks[lane.seed] for lane in lanes]), epochs)


def best_epochs(trained: Sequence[Trained]) -> int:
    """Return after how many epochs networks were best on average."""
    return round(float(np.mean([one.epoch + 1 for one in trained])))
