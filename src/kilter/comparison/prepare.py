"""From a plan and a dataset to folds, networks and lanes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any

import keras

from kilter._errors import ArgumentError
from kilter._types import Dataset, Split
from kilter.comparison.executors.base import EncodedFold, Lane, Task
from kilter.comparison.folds import encode
from kilter.comparison.plan import OWN, Plan
from kilter.data import rarest_class, split
from kilter.data.encode import SCALES
from kilter.models import mlp, own_network, tabm, warn_if_lost


def prepare(plan: Plan, dataset: Dataset) -> tuple[tuple[Split, ...], Task]:
    """Split and encode a dataset; return the folds and what an executor needs to train."""
    splits = split(dataset, plan.folds, plan.seed)
    task = make_task(plan, dataset, encode(splits, dataset.schema, plan).folds)
    if plan.network == OWN:
        warn_if_lost(task.network(0, 0))
    return splits, task


def make_task(plan: Plan, dataset: Dataset, folds: tuple[EncodedFold, ...]) -> Task:
    """Return what an executor needs to train on these folds."""
    build = _builder(plan, int(folds[0].blendable.sum()) // SCALES)
    n_classes, positive = len(dataset.schema.classes), rarest_class(dataset.labels)
    return Task(plan, folds, n_classes, positive, build, Event())


def _builder(plan: Plan, numbers: int) -> Callable[[int, int, int], keras.Model]:
    """Return what builds the plan's network; ``numbers`` of its columns are such."""
    hidden, dropout = plan.hidden, plan.dropout
    if plan.network == OWN:
        return _own_builder(plan.build)

    def build_mlp(width: int, n_classes: int, seed: int) -> keras.Model:
        return mlp(width, n_classes, hidden=hidden, dropout=dropout, seed=seed)

    def build_tabm(width: int, n_classes: int, seed: int) -> keras.Model:
        shape = {"numbers": numbers, "scales": SCALES, "members": plan.members}
        return tabm(width, n_classes, **shape, hidden=hidden, dropout=dropout, seed=seed)

    return {"mlp": build_mlp, "tabm": build_tabm}[plan.network]


def _own_builder(build: Any) -> Callable[[int, int, int], keras.Model]:
    if build is None:
        raise ArgumentError(
            "`build` must be given: the plan is for a network of your own, which does not go to "
            "JSON. Use `dataclasses.replace(plan, build=...)`."
        )
    return partial(own_network, build)


def lanes_of(plan: Plan) -> list[Lane]:
    """Return every training of the plan, and what those need, each once."""
    return [
        Lane(training, fold, seed)
        for fold in range(plan.folds)
        for seed in range(plan.seeds)
        for training in plan.trainings
    ]
