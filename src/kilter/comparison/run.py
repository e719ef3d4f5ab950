"""The driver: the only loop over lanes."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Event
from typing import NamedTuple

import keras
import numpy as np
import pyarrow as pa

from kilter._errors import ArgumentError, did_you_mean
from kilter._numbers import above_zero, is_whole
from kilter._types import Dataset, Split
from kilter.artifact import Model
from kilter.comparison.executors.base import EncodedFold, Executor, Forecast, Lane, Task, Trained
from kilter.comparison.folder import RunFolder
from kilter.comparison.folds import encode
from kilter.comparison.judge import Outcome, fit_decision, judge, pooled_validation
from kilter.comparison.plan import Plan
from kilter.comparison.result import Result
from kilter.comparison.summary import summarize
from kilter.comparison.verdict import against_baseline, choose
from kilter.data import audit, rarest_class, split
from kilter.models import average_networks, mlp

EXECUTORS = ("auto", "lanes", "sequential", "ray")


class Progress(NamedTuple):
    """How far a run is. ``leader`` has the best mean validation score so far, if any has."""

    done: int
    total: int
    leader: str
    score: float


Observer = Callable[[Progress], None]


def run(
    plan: Plan,
    dataset: Dataset,
    *,
    executor: str = "auto",
    memory: float | None = None,
    devices: int | None = None,
    folder: RunFolder | None = None,
    observe: Observer | None = None,
) -> Result:
    """Train every lane of the plan, judge every remedy, and make the chosen model.

    Use `kilter.compare` unless you have a `Plan` and a `Dataset` at hand.

    Parameters
    ----------
    plan : Plan
        What to train.
    dataset : Dataset
        From `kilter.data.load`.
    executor : {"auto", "lanes", "sequential", "ray"}
        How to train: all lanes in one compiled program (JAX), one by one through ``fit``,
        or the same in the workers of a Ray cluster. ``auto`` takes lanes where the backend
        is JAX, else one by one.
    memory : float, optional
        GiB that lanes may take on the device; half of what it has if not given. Folds that
        do not fit together are trained one after another.
    devices : int, optional
        How many of JAX's devices the lanes are spread over; all if not given.
    folder : RunFolder, optional
        Keeps finished trainings, and the result's files at the end.
    observe : callable, optional
        Called with a `Progress` before the first training and after every one.

    Returns
    -------
    Result
    """
    begin = clock.perf_counter()
    trainer = find_executor(executor, memory, devices)
    splits = split(dataset, plan.folds, plan.seed)
    encoded = encode(splits, dataset.schema, plan)
    positive = rarest_class(dataset.labels)
    task = _task(plan, dataset, encoded.folds, positive)
    if folder is not None:
        folder.start(plan, dataset)
    trained = _train(trainer, task, folder, observe)
    outcomes = judge(plan, splits, trained, positive)
    compared = against_baseline(plan, outcomes, splits)
    chosen = choose(compared).outcome
    its_own = [one for one in trained if one.lane.training == chosen.remedy.training]
    del trained  # the logits of all trainings are gigabytes where a table is large
    kept = _folds_to_keep(dataset, plan)
    validated = pooled_validation(chosen, splits, its_own, kept)
    decision = fit_decision(plan, chosen.remedy, validated, positive)
    summary = summarize(
        plan,
        dataset,
        compared,
        decision,
        positive,
        len(kept) * plan.seeds,
        audit(dataset)["warnings"],
        clock.perf_counter() - begin,
    )
    model = Model(
        dataset.schema,
        tuple(encoded.encoders[fold] for fold in kept),
        _average(task, its_own, kept),
        tuple(chosen.folds[fold].calibrator for fold in kept),
        decision,
        {**summary["chosen"], "verdict": summary["verdict"], **summary["environment"]},
    )
    result = Result(summary, model, _predictions(dataset, outcomes, splits))
    if folder is not None:
        folder.publish(result)
    return result


def forecast(
    plan: Plan,
    dataset: Dataset,
    *,
    executor: str = "auto",
    memory: float | None = None,
    devices: int | None = None,
) -> Forecast:
    """Say what `run` with the same arguments will take, after a trial of some seconds."""
    begin = clock.perf_counter()
    trainer = find_executor(executor, memory, devices)
    folds = encode(split(dataset, plan.folds, plan.seed), dataset.schema, plan).folds
    task = _task(plan, dataset, folds, rarest_class(dataset.labels))
    ready = clock.perf_counter() - begin
    training = trainer.forecast(task, lanes_of(plan))
    return replace(training, seconds=training.seconds + ready, most=training.most + ready)


def find_executor(name: str, memory: float | None = None, devices: int | None = None) -> Executor:
    """Return the executor of this name; ``memory`` in GiB and ``devices`` are for lanes."""
    if name not in EXECUTORS:
        raise ArgumentError(
            f"`executor` must be one of {', '.join(EXECUTORS)}; got `{name}`."
            + did_you_mean(str(name), EXECUTORS)
        )
    if memory is not None:
        memory = above_zero("memory", memory, "It counts GiB.")
    if devices is not None and not (is_whole(devices) and devices > 0):
        raise ArgumentError(f"`devices` must be a whole number of at least 1; got {devices!r}.")
    if name == "lanes" or (name == "auto" and keras.backend.backend() == "jax"):
        from kilter.comparison.executors.lanes import Lanes

        return Lanes(memory, devices)
    if name == "ray":
        from kilter.comparison.executors.ray import Ray

        return Ray()
    from kilter.comparison.executors.sequential import Sequential

    return Sequential()


def _task(plan: Plan, dataset: Dataset, folds: tuple[EncodedFold, ...], positive: int) -> Task:
    def build(width: int, n_classes: int, seed: int) -> keras.Model:
        return mlp(width, n_classes, hidden=plan.hidden, dropout=plan.dropout, seed=seed)

    return Task(plan, folds, len(dataset.schema.classes), positive, build, Event())


def lanes_of(plan: Plan) -> list[Lane]:
    """Return every training of the plan, each once."""
    trainings = dict.fromkeys(remedy.training for remedy in plan.remedies)
    return [
        Lane(training, fold, seed)
        for fold in range(plan.folds)
        for seed in range(plan.seeds)
        for training in trainings
    ]


def _train(
    executor: Executor, task: Task, folder: RunFolder | None, observe: Observer | None
) -> list[Trained]:
    lanes = lanes_of(task.plan)
    trained = folder.finished(lanes) if folder is not None else []
    there = {one.lane for one in trained}
    if observe is not None:
        observe(_progress(task.plan, trained, len(lanes)))
    try:
        for one in executor.train(task, [lane for lane in lanes if lane not in there]):
            trained.append(one)
            if folder is not None:
                folder.save(one)
            if observe is not None:
                observe(_progress(task.plan, trained, len(lanes)))
    except BaseException:
        if folder is not None:
            folder.tidy()
        raise
    # An executor yields in any order, and a sum of floats hangs on it.
    return sorted(trained, key=lambda one: lanes.index(one.lane))


def _progress(plan: Plan, trained: Sequence[Trained], total: int) -> Progress:
    names = {remedy.training: remedy.name for remedy in reversed(plan.remedies)}
    scores: dict[str, list[float]] = {}
    for one in trained:
        scores.setdefault(names[one.lane.training], []).append(one.score)
    if not scores:
        return Progress(0, total, "", 0.0)
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    leader = max(means, key=lambda name: means[name])
    return Progress(len(trained), total, leader, means[leader])


def _folds_to_keep(dataset: Dataset, plan: Plan) -> list[int]:
    """Return the folds whose networks are handed over.

    All of them, but in time only the last: the others have not seen the latest rows.
    """
    return [plan.folds - 1] if dataset.times is not None else list(range(plan.folds))


def _average(task: Task, trained: Sequence[Trained], kept: Sequence[int]) -> keras.Model:
    def network(one: Trained) -> keras.Model:
        built = task.network(one.lane.fold, one.lane.seed)
        built.set_weights(one.weights)
        return built

    return average_networks([[network(t) for t in trained if t.lane.fold == f] for f in kept])


def _predictions(
    dataset: Dataset, outcomes: Sequence[Outcome], splits: Sequence[Split]
) -> pa.Table:
    classes = np.array(dataset.schema.classes)
    rows = np.concatenate([split.test.rows for split in splits])
    folds = np.repeat(np.arange(len(splits)), [len(split.test) for split in splits])
    tables = []
    for outcome in outcomes:
        p = outcome.probabilities().astype(np.float32)
        columns = {
            "row": rows,
            "fold": folds.astype(np.int32),
            "remedy": pa.array([outcome.remedy.name] * len(rows)).dictionary_encode(),
            "target": classes[outcome.labels],
            "predicted": classes[outcome.predicted],
            **{f"p_{label}": p[:, c] for c, label in enumerate(classes.tolist())},
        }
        tables.append(pa.table(columns))
    return pa.concat_tables(tables).unify_dictionaries()
