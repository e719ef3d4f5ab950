"""`kilter.tune`: search for the best remedy, its numbers and its network, honestly.

The best of many candidates looks better than it is. So the search is nested: for each outer fold
one search sees that fold's training and validation rows alone, and what it ends at is trained
once more and scored on the fold's test rows. The mean of those figures is what the whole
procedure is worth. One more search, on all rows, says which candidate is handed over. All
searches go on side by side: a batch of each trains as lanes of one program.
"""

from __future__ import annotations

import time as clock
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from kilter._errors import ArgumentError, DataError, TooFewRowsError
from kilter._numbers import whole
from kilter._types import Dataset, Split
from kilter.comparison.executors.base import Executor, Lane, Task, Trained
from kilter.comparison.folder import RunFolder
from kilter.comparison.folds import encode
from kilter.comparison.judge import Outcome, judge_fold
from kilter.comparison.plan import NETWORKS, OWN, Plan, split_names
from kilter.comparison.prepare import make_task
from kilter.comparison.refit import hand_over
from kilter.comparison.remedy import BASELINE, REMEDIES, Remedy
from kilter.comparison.result import Result
from kilter.comparison.rounds import go_on
from kilter.comparison.run import (
    Observer,
    Progress,
    conclude,
    find_executor,
    folds_to_go_by,
)
from kilter.comparison.search import KEPT, Place, Search
from kilter.comparison.space import NEIGHBORS, Candidate
from kilter.comparison.verdict import against_baseline, choose, figure_name
from kilter.data import split
from kilter.models import warn_if_lost

TUNED = "tuned"
BATCH = 12  # candidates of a search that train together
INNER = 3  # folds of a search


def search(
    plan: Plan,
    dataset: Dataset,
    *,
    trials: int = 36,
    networks: Sequence[str] = NETWORKS["table"],
    executor: str = "auto",
    memory: float | None = None,
    devices: int | None = None,
    folder: RunFolder | None = None,
    observe: Observer | None = None,
) -> Result:
    """Search for the best remedy on a dataset, and make its model; see `kilter.tune`."""
    begin, trials = clock.perf_counter(), whole("trials", trials, 1)
    networks = _networks(plan, networks)
    plan = replace(plan, remedies=(REMEDIES[BASELINE],), network=networks[0], neighbors=NEIGHBORS)
    trainer = find_executor(executor, memory, devices)
    field_ = _Field.of(plan, dataset, networks, trainer, trials, observe, folder)
    searches = _search_all(field_, trials)
    *chosen, last = [one.best() for one in searches]
    tuned = last.remedy(TUNED)
    plain = REMEDIES[BASELINE]
    baseline = Candidate(plan.network, plain.draw, plain.loss)
    outcomes = (
        field_.outcome(plain, [baseline] * plan.folds),
        field_.outcome(tuned, chosen),
    )
    compared = against_baseline(plan, outcomes, field_.outer)
    takes = choose(compared).outcome.remedy.name == TUNED
    final = field_.hand_over(tuned if takes else plain, last if takes else baseline)
    field_.watch.ended()
    network = last.network if takes else plan.network
    told = replace(plan, remedies=(plain, tuned), network=network)
    searched = _searched(searches, chosen, last)
    result = conclude(told, dataset, field_.outer, compared, final, begin, searched)
    if folder is not None:
        folder.publish(result)
    return result


def _networks(plan: Plan, networks: Sequence[str]) -> list[str]:
    """Return the networks to choose from; the baseline has the first."""
    if plan.build is not None:
        return [OWN]
    if isinstance(networks, str):
        networks = split_names(networks)
    known = NETWORKS["table"]
    unknown = [name for name in networks if name not in known]
    if unknown or not networks:
        raise ArgumentError(
            f"`networks` must be some of {', '.join(known)}; got {', '.join(unknown) or 'none'}."
        )
    return sorted(dict.fromkeys(networks), key=lambda name: name != plan.network)


class _Watch:
    """Tells an observer how far a search is; the leader is the best single training so far."""

    def __init__(self, plan: Plan, inner: int, trials: int, observe: Observer | None) -> None:
        searches, outer = plan.folds + 1, plan.folds * plan.seeds
        total = 0
        for done in range(0, trials, BATCH):
            first = min(BATCH, trials - done)
            second = max(1, first // KEPT)
            third = max(1, second // KEPT)
            total += searches * (first + second * (inner - 1) + third * inner * (plan.seeds > 1))
        # The baseline, what the searches choose, and what is handed over, with its refit.
        self.now = Progress(0, total + 3 * outer + plan.seeds, "", 0.0)
        self.observe = observe

    def trained(self, name: str, score: float) -> None:
        """Tell of one more training."""
        if score > self.now.score:
            self.now = self.now._replace(leader=name, score=score)
        self._tell(min(self.now.done + 1, self.now.total))

    def ended(self) -> None:
        """Tell that all is done: candidates that two searches share are trained once."""
        self._tell(self.now.total)

    def _tell(self, done: int) -> None:
        self.now = self.now._replace(done=done)
        if self.observe is not None:
            self.observe(self.now)


@dataclass
class _Field:
    """What all searches share: every fold, inner and outer, a task a network, what is trained."""

    plan: Plan
    dataset: Dataset
    executor: Executor
    watch: _Watch
    outer: tuple[Split, ...]
    splits: tuple[Split, ...]
    inner: int
    tasks: dict[str, Task]
    folder: RunFolder | None
    trained: dict[tuple[Candidate, Place], Trained] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        plan: Plan,
        dataset: Dataset,
        networks: Sequence[str],
        executor: Executor,
        trials: int,
        observe: Observer | None,
        folder: RunFolder | None,
    ) -> _Field:
        outer = split(dataset, plan.folds, plan.seed)
        inner = _inner_splits(dataset, outer, plan.seed)
        splits = (*outer, *(one for part in inner for one in part))
        mixing = replace(plan, remedies=(REMEDIES["smote"],))
        folds = encode(splits, dataset.schema, mixing).folds
        tasks = {name: make_task(replace(plan, network=name), dataset, folds) for name in networks}
        if OWN in tasks:
            warn_if_lost(tasks[OWN].network(0, 0))
        if folder is not None:
            folder.start(plan, dataset, tasks[networks[0]].network(0, 0))
        watch = _Watch(plan, len(inner[0]), trials, observe)
        return cls(plan, dataset, executor, watch, outer, splits, len(inner[0]), tasks, folder)

    def places(self, number: int, folds: int, seeds: int) -> list[Place]:
        """Return the first folds and seeds of a search, by its number."""
        first = len(self.outer) + number * self.inner
        return [(first + fold, seed) for fold in range(folds) for seed in range(seeds)]

    def train(self, wanted: Sequence[tuple[Candidate, Place]]) -> None:
        """Train what is not there yet, all of a network together."""
        missing = [one for one in dict.fromkeys(wanted) if one not in self.trained]
        for name, task in self.tasks.items():
            mine = {
                Lane(candidate.training, *place): (candidate, place)
                for candidate, place in missing
                if candidate.network == name
            }
            there, coming = go_on(self.executor, task, list(mine), self.folder, name)
            with closing(coming):
                for one in chain(there, coming):
                    self.trained[mine[one.lane]] = one
                    self.watch.trained(str(mine[one.lane][0]), one.score)

    def value(self, candidate: Candidate, places: Sequence[Place]) -> float:
        """Return the plan's metric of a candidate on the test parts of inner folds."""
        remedy, name = candidate.remedy(TUNED), figure_name(self.plan)
        figures = []
        for fold in dict.fromkeys(fold for fold, _ in places):
            mine = [self.trained[candidate, place] for place in places if place[0] == fold]
            figures.append(self._judge(remedy, candidate, fold, mine).figures[name])
        return float(np.mean(figures))

    def _judge(
        self, remedy: Remedy, candidate: Candidate, fold: int, trained: Sequence[Trained]
    ) -> Any:
        positive = self.tasks[candidate.network].positive
        return judge_fold(self.plan, remedy, self.splits[fold], trained, positive)

    def outcome(self, remedy: Remedy, chosen: Sequence[Candidate]) -> Outcome:
        """Judge on each outer fold what was chosen without its test rows."""
        seeds = range(self.plan.seeds)
        wanted = [(one, (fold, seed)) for fold, one in enumerate(chosen) for seed in seeds]
        self.train(wanted)
        folds, seconds = [], 0.0
        names = chosen if remedy.name == TUNED else ()
        for fold, one in enumerate(chosen):
            mine = [self.trained[one, (fold, seed)] for seed in seeds]
            seconds += sum(trained.seconds for trained in mine)
            folds.append(self._judge(one.remedy(remedy.name), one, fold, mine))
        if remedy.name == TUNED:
            seconds += self._searching()
        return Outcome(remedy, tuple(folds), seconds, tuple(map(str, names)))

    def _searching(self) -> float:
        """Return the seconds of all trainings on inner folds."""
        first = len(self.outer)
        return sum(one.seconds for (_, place), one in self.trained.items() if place[0] >= first)

    def hand_over(self, remedy: Remedy, candidate: Candidate) -> Any:
        """Make the model of a candidate."""
        folds, seeds = folds_to_go_by(self.dataset, self.plan), range(self.plan.seeds)
        places = [(fold, seed) for fold in folds for seed in seeds]
        self.train([(candidate, place) for place in places])
        trained = [self.trained[candidate, place] for place in places]
        plan = self.tasks[candidate.network].plan
        refitted = partial(self.watch.trained, str(candidate), 0.0)
        return hand_over(self.executor, plan, self.dataset, remedy, self.outer, trained, refitted)


def _inner_splits(dataset: Dataset, outer: Sequence[Split], seed: int) -> list[tuple[Split, ...]]:
    """Split what each search may see: of an outer fold all but the test rows; then all rows."""
    seen = [
        dataset.take(np.sort(np.concatenate([one.train.rows, one.validation.rows])))
        for one in outer
    ]
    for folds in range(INNER, 1, -1):
        try:
            return [split(one, folds, seed + 1) for one in (*seen, dataset)]
        except (ArgumentError, DataError):
            continue
    raise TooFewRowsError(
        "a search has to part the rows that a fold learns from once more, and a class has too few "
        "for that. Ask for more `folds`, which leave more rows to learn from, or use "
        "`kilter compare`."
    )


def _search_all(field_: _Field, trials: int) -> list[Search]:
    plan, searches = field_.plan, []
    for number in range(plan.folds + 1):
        rungs = [field_.places(number, 1, 1), field_.places(number, field_.inner, 1)]
        rungs.append(field_.places(number, field_.inner, min(2, plan.seeds)))
        higher = plan.higher_is_better
        searches.append(Search(rungs, list(field_.tasks), plan.seed + number, higher))
    for done in range(0, trials, BATCH):
        for one in searches:
            one.ask(min(BATCH, trials - done))
        for rung in range(len(rungs)):
            field_.train([wanted for one in searches for wanted in one.wanted()])
            for one in searches:
                one.climb(field_.value, rung == len(rungs) - 1)
    return searches


def _searched(
    searches: Sequence[Search], chosen: Sequence[Candidate], last: Candidate
) -> dict[str, Any]:
    """Return what was searched, in plain values; the candidates of the last search by value."""
    last_one = searches[-1]
    sign = 1 if last_one.higher_is_better else -1
    asked = sorted(last_one.asked, key=lambda one: (-one.rung, -sign * one.value))
    return {
        "trials": len(asked),
        "searches": len(searches),
        "chosen": str(last),
        "sentence": f"tuned stands for a search among {len(asked)} candidates. On all rows it ends "
        f"at {last}. Its figures come from a search for each fold that has not seen that fold's "
        "test rows, so they are not those of this one candidate.",
        "chosen_without_fold": [str(one) for one in chosen],
        "candidates": [
            {
                "candidate": str(one.candidate),
                "trainings": len(last_one.rungs[one.rung]),
                "value": one.value,
            }
            for one in asked
        ],
    }
