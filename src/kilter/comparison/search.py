"""A search for the best candidate: Optuna chooses, rungs of ever more trainings halve the field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kilter._errors import BackendError
from kilter.comparison.space import Candidate, known, suggest

KEPT = 3  # of a rung one in so many goes on

Place = tuple[int, int]
"""A fold and a seed."""

Measure = Callable[[Candidate, Sequence[Place]], float]
"""What a candidate is worth on these; higher is better."""


@dataclass
class Asked:
    """A candidate that a search has asked for, and the rung that it is on."""

    trial: Any
    candidate: Candidate
    rung: int = 0
    value: float = np.nan


@dataclass
class Search:
    """One search on folds of its own.

    ``rungs`` says which trainings a candidate has had at each, ever more of them. Ask for a
    batch, train what `wanted` names, and call `climb`, rung by rung; then `tell`.
    """

    rungs: Sequence[Sequence[Place]]
    networks: Sequence[str]
    seed: int
    higher_is_better: bool
    asked: list[Asked] = field(default_factory=list)
    batch: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        optuna = _optuna()
        direction = "maximize" if self.higher_is_better else "minimize"
        sampler = optuna.samplers.TPESampler(seed=self.seed, n_startup_trials=0)
        self.study = optuna.create_study(direction=direction, sampler=sampler)
        for given in known(self.networks):
            self.study.enqueue_trial(given)

    def ask(self, trials: int) -> None:
        """Choose so many candidates for the next batch."""
        self.batch = []
        for _ in range(trials):
            trial = self.study.ask()
            self.batch.append(Asked(trial, suggest(trial, self.networks)))

    def wanted(self) -> list[tuple[Candidate, Place]]:
        """Return the trainings that the batch needs on its rung."""
        return [(one.candidate, place) for one in self.batch for place in self.rungs[one.rung]]

    def climb(self, measure: Measure, last: bool) -> None:
        """Measure the batch on its rung, and let the best go on unless it is the last."""
        for one in self.batch:
            one.value = measure(one.candidate, self.rungs[one.rung])
            one.trial.report(one.value, one.rung)
        if last:
            self.tell(self.batch)
            return
        ranked = sorted(self.batch, key=lambda one: one.value, reverse=self.higher_is_better)
        self.batch = ranked[: max(1, len(ranked) // KEPT)]
        self.tell(ranked[len(self.batch) :])
        for one in self.batch:
            one.rung += 1

    def tell(self, done: Sequence[Asked]) -> None:
        """Tell Optuna what came of candidates that go no further."""
        for one in done:
            # What left early has fewer trainings, and its value more luck; but it is what is known.
            self.study.tell(one.trial, one.value)
        self.asked += done

    def best(self) -> Candidate:
        """Return the best candidate that has come to the last rung."""
        top = [one for one in self.asked if one.rung == len(self.rungs) - 1]
        sign = 1 if self.higher_is_better else -1
        return max(top, key=lambda one: sign * one.value).candidate


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise BackendError(
            "`kilter tune` needs Optuna: `pip install 'kilter[tune]'`, or compare remedies by "
            "name with `kilter compare`."
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna
