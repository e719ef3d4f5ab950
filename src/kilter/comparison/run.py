"""The driver: the only loop over lanes."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

import keras
import numpy as np
import pyarrow as pa

from kilter._errors import ArgumentError, did_you_mean
from kilter._numbers import above_zero, is_whole
from kilter._types import Dataset, Split
from kilter.artifact import Model
from kilter.comparison.confirm import to_confirm
from kilter.comparison.executors.base import Executor, Forecast, Task, Trained
from kilter.comparison.folder import RunFolder
from kilter.comparison.judge import Outcome, judge, of_remedy
from kilter.comparison.misses import misses
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of, prepare
from kilter.comparison.refit import Final, hand_over, without_folds
from kilter.comparison.remedy import Remedy
from kilter.comparison.result import Result
from kilter.comparison.rounds import go_on
from kilter.comparison.summary import summarize
from kilter.comparison.training import Training, with_needs
from kilter.comparison.verdict import Against, against_baseline, choose
from kilter.data import audit, rarest_class
from kilter.data.split import most_folds

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
    splits, task = prepare(plan, dataset)
    if folder is not None:
        folder.start(plan, dataset, task.network(0, 0))
    watch = _Watch(plan, observe)
    trained = _train(trainer, task, folder, watch)
    confirmed = to_confirm(plan, splits, trained, task.positive)
    if confirmed:
        plan = replace(plan, remedies=(*plan.remedies, *confirmed), confirm=0)
        task = replace(task, plan=plan)
        watch.added(plan)
        trained = _train(trainer, task, folder, watch, trained)
    outcomes = judge(plan, splits, trained, task.positive)
    compared = against_baseline(plan, outcomes, splits)
    remedy = choose(compared).outcome.remedy
    watch.chose(remedy)
    its_own = _to_go_by(dataset, plan, remedy, trained)
    del trained  # the logits of all trainings are gigabytes where a table is large
    final = hand_over(trainer, plan, dataset, remedy, splits, its_own, watch.refitted)
    names = [remedy.name for remedy in confirmed]
    result = conclude(plan, dataset, splits, compared, final, begin, confirmed=names)
    if folder is not None:
        folder.publish(result)
    return result


def conclude(
    plan: Plan,
    dataset: Dataset,
    splits: Sequence[Split],
    compared: Sequence[Against],
    final: Final,
    begin: float,
    search: dict[str, Any] | None = None,
    confirmed: Sequence[str] = (),
) -> Result:
    """Put together what was compared since ``begin``, and what is handed over.

    ``search`` is what a search adds to the summary; its ``sentence`` ends the verdict.
    ``confirmed`` are the remedies that came to the plan on the way.
    """
    summary = summarize(
        plan,
        dataset,
        compared,
        final.model.decision,
        rarest_class(dataset.learned_labels),
        final.epochs,
        audit(dataset)["warnings"],
        clock.perf_counter() - begin,
    )
    if search is not None:
        summary["search"] = search
        summary["verdict"] += f" {search['sentence']}"
    about = {**summary["chosen"], "verdict": summary["verdict"], **summary["environment"]}
    model = replace(final.model, about=about)
    in_order = {one.outcome.remedy.name: one.outcome for one in compared}
    outcomes = [in_order[remedy.name] for remedy in plan.remedies]
    chosen = in_order[summary["chosen"]["remedy"]]
    rows = np.concatenate([split.test.rows for split in splits])
    summary["confirmed"] = list(confirmed)
    summary["misses"] = misses(dataset, rows, chosen.predicted, chosen.probabilities(True))
    return Result(summary, model, _predictions(dataset, outcomes, splits))


def fit(plan: Plan, dataset: Dataset, *, executor: str = "auto") -> Model:
    """Make the model of a single remedy, the only one of the plan, without a comparison.

    Use it where the remedy is known: the folds then tell the number of epochs, the
    calibrator and the decision alone. There are fewer of them where the rarest class asks for
    that, and none where it has fewer than six different rows: half of the plan's epochs are
    trained then, and nothing is calibrated. See `run` for the arguments.
    """
    trainer = find_executor(executor)
    (remedy,) = plan.remedies
    folds = possible_folds(plan, dataset)
    if not folds:
        return without_folds(trainer, plan, dataset, remedy)
    plan = replace(plan, folds=folds)
    splits, task = prepare(plan, dataset)
    trained = _train(trainer, task, None, _Watch(plan, None))
    its_own = _to_go_by(dataset, plan, remedy, trained)
    return hand_over(trainer, plan, dataset, remedy, splits, its_own).model


def possible_folds(plan: Plan, dataset: Dataset) -> int:
    """Return the plan's folds, or as many as the rarest class allows; 0 where there is none."""
    return min(plan.folds, most_folds(dataset))


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
    _, task = prepare(plan, dataset)
    ready = clock.perf_counter() - begin
    # Last layers alone take seconds; what they confirm is not known yet, but how many.
    whole = [lane for lane in lanes_of(plan) if lane.training.head is None]
    heads = len(lanes_of(plan)) - len(whole)
    if heads:
        whole += whole[: plan.folds * plan.seeds] * plan.confirm
    training = trainer.forecast(task, whole)
    # Networks on all rows take as many more steps.
    extra = plan.seeds * len(dataset.learned_labels) / len(task.folds[0].x) / training.trainings
    return replace(
        training,
        trainings=training.trainings + plan.seeds,
        seconds=training.seconds * (1 + extra) + ready,
        most=training.most * (1 + extra) + ready,
    )


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
    for argument, given in (("memory", memory), ("devices", devices)):
        if given is not None:
            raise ArgumentError(
                f"`{argument}` is for lanes, and `executor` {name} has none here. Leave it out, or "
                "train lanes: `KERAS_BACKEND=jax`."
            )
    if name == "ray":
        from kilter.comparison.executors.ray import Ray

        return Ray()
    from kilter.comparison.executors.sequential import Sequential

    return Sequential()


class _Watch:
    """Tells an observer how far a run is: its trainings, then those on all rows."""

    def __init__(self, plan: Plan, observe: Observer | None) -> None:
        self.observe = observe
        self.seeds = plan.seeds
        self.names = _names(plan)
        self.now = Progress(0, len(lanes_of(plan)) + plan.seeds, "", 0.0)

    def added(self, plan: Plan) -> None:
        """Tell that remedies have come to the plan."""
        self.names = _names(plan)
        self._tell(self.now.done, total=len(lanes_of(plan)) + plan.seeds)

    def trained(self, trained: Sequence[Trained]) -> None:
        """Tell of all that is trained so far."""
        scores: dict[str, list[float]] = {}
        for one in trained:
            if one.lane.training in self.names:  # rather than what another only goes on from
                scores.setdefault(self.names[one.lane.training], []).append(one.score)
        means = {name: float(np.mean(values)) for name, values in scores.items()}
        leader = max(means, key=lambda name: means[name], default="")
        self._tell(len(trained), leader=leader, score=means.get(leader, 0.0))

    def chose(self, remedy: Remedy) -> None:
        """Tell how many networks on all rows are to come."""
        total = self.now.done + self.seeds * len(with_needs(remedy.trainings))
        if total != self.now.total:
            self._tell(self.now.done, total=total)

    def refitted(self) -> None:
        """Tell of one more network on all rows."""
        self._tell(self.now.done + 1)

    def _tell(self, done: int, **others: Any) -> None:
        self.now = self.now._replace(done=done, **others)
        if self.observe is not None:
            self.observe(self.now)


def _names(plan: Plan) -> dict[Training, str]:
    """Return what trainings are called, by a remedy that has it alone if there is one."""
    alone_first = sorted(plan.remedies, key=lambda remedy: bool(remedy.members))
    return {
        training: remedy.name for remedy in reversed(alone_first) for training in remedy.trainings
    }


def _train(
    executor: Executor,
    task: Task,
    folder: RunFolder | None,
    watch: _Watch,
    known: Sequence[Trained] = (),
) -> list[Trained]:
    lanes = lanes_of(task.plan)
    trained, coming = go_on(executor, task, lanes, folder, known=known)
    watch.trained(trained)
    with closing(coming):  # an observer may raise, and a traceback keep the iterator
        for one in coming:
            trained.append(one)
            watch.trained(trained)
    # An executor yields in any order, and a sum of floats hangs on it.
    return sorted(trained, key=lambda one: lanes.index(one.lane))


def folds_to_go_by(dataset: Dataset, plan: Plan) -> range:
    """Return the folds that epochs, calibrator and decision go by.

    All, but in time only the last: the others have not seen the latest rows.
    """
    return range(plan.folds - 1 if dataset.times is not None else 0, plan.folds)


def _to_go_by(
    dataset: Dataset, plan: Plan, remedy: Remedy, trained: Sequence[Trained]
) -> list[Trained]:
    """Return the trainings of a remedy that it goes by."""
    folds = folds_to_go_by(dataset, plan)
    return [one for one in of_remedy(trained, remedy) if one.lane.fold in folds]


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
