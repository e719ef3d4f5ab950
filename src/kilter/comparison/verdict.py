"""Which remedy to use, and why, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kilter._types import Split
from kilter.comparison.judge import Outcome
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import BASELINE, Remedy
from kilter.comparison.stats import difference_interval, p_better
from kilter.report import MEASURES

ROPE = 0.01
"""Differences up to this are no difference in practice (region of practical equivalence)."""

ROPE_OF_LOSS = 0.05
"""The same for log loss and Brier score, as a share of the baseline's: they are small for rare
classes, and all the smaller the rarer the class."""

LARGEST = {"mcc": 2.0, "brier": 2.0, "log_loss": np.inf}
"""The largest difference that there can be, 1 for the other metrics. Student's t knows of none:
with two folds its interval is wider than that."""

SURE = 0.95
"""How probable it must be that the best remedy helps before it is used instead of the baseline.

Of thirteen remedies that are all equal to the baseline, the best passes in 1 to 8% of tables
(``benchmarks/false_claims.py``); at .90 it would in up to 18%."""


@dataclass(frozen=True)
class Against:
    """A remedy against the baseline; a positive difference is for the remedy.

    ``worse`` is the probability that it is worse by more than the region of practical
    equivalence.
    """

    outcome: Outcome
    value: float
    difference: float
    interval: tuple[float, float]
    p_better: float
    worse: float
    rope: float = ROPE


def against_baseline(
    plan: Plan, outcomes: Sequence[Outcome], splits: Sequence[Split]
) -> tuple[Against, ...]:
    """Compare every remedy with the baseline on the plan's metric, the best first.

    Losses are compared after calibration: that is how a remedy is handed over.
    """
    figure = figure_name(plan)
    baseline = find(outcomes, BASELINE).by_fold(figure)
    sign = 1 if plan.higher_is_better else -1
    rope = ROPE if plan.higher_is_better else ROPE_OF_LOSS * float(baseline.mean())
    ratio = float(np.mean([len(split.test) / len(split.train) for split in splits]))
    limit = LARGEST.get(plan.metric, 1.0)
    compared = [
        _against(outcome, outcome.by_fold(figure), baseline, sign, ratio, rope, limit)
        for outcome in outcomes
    ]
    return tuple(sorted(compared, key=lambda one: -sign * one.value))


def figure_name(plan: Plan) -> str:
    """Return which of a fold's figures chooses."""
    return plan.metric if plan.higher_is_better else f"{plan.metric}_calibrated"


def _against(
    outcome: Outcome,
    values: np.ndarray,
    baseline: np.ndarray,
    sign: int,
    ratio: float,
    rope: float,
    limit: float,
) -> Against:
    differences = sign * (values - baseline)
    low, high = difference_interval(differences, ratio)
    return Against(
        outcome,
        float(values.mean()),
        float(differences.mean()),
        (max(low, -limit), min(high, limit)),
        p_better(differences, ratio, rope),
        p_better(-differences, ratio, rope),
        rope,
    )


def find(outcomes: Sequence[Outcome], name: str) -> Outcome:
    """Return the outcome of the remedy with this name."""
    return next(outcome for outcome in outcomes if outcome.remedy.name == name)


def choose(compared: Sequence[Against]) -> Against:
    """Return the remedy with the best mean if it surely helps, else the baseline.

    Only the best is asked: a second one that is surer would be a second chance to be wrong.
    """
    best = rivals(compared)[:1]
    if best and best[0].p_better >= SURE:
        return best[0]
    return _baseline(compared)


def _baseline(compared: Sequence[Against]) -> Against:
    return next(one for one in compared if one.outcome.remedy.name == BASELINE)


def rivals(compared: Sequence[Against]) -> list[Against]:
    """Return what trains or draws in another way than the baseline, the best first."""
    trainings = _baseline(compared).outcome.remedy.trainings
    return [
        one for one in compared if one.outcome.chosen or one.outcome.remedy.trainings != trainings
    ]


def verdict(plan: Plan, compared: Sequence[Against], rarest: str, threshold: float | None) -> str:
    """Say in a paragraph what to use, how much it helps and how sure that is."""
    chosen = choose(compared)
    helps = chosen.outcome.remedy.name != BASELINE
    sentences = (
        _it_helps(plan, compared, chosen) if helps else _nothing_helps(plan, compared, threshold)
    )
    sentences += _harm(plan, compared)
    sentences += _probabilities(compared, rarest)
    return " ".join(sentences)


def _it_helps(plan: Plan, compared: Sequence[Against], chosen: Against) -> list[str]:
    several = len(rivals(compared)) > 1
    luck = "; as the best of several it may gain a little less" if several else ""
    better = "higher" if plan.higher_is_better else "lower"
    return [
        f"Use {chosen.outcome.remedy.name}: its {MEASURES[plan.metric]} is {chosen.value:.3f}, "
        f"{abs(chosen.difference):.3f} {better} than {plain(plan, compared)} "
        f"(95% interval of the gain {_interval(chosen)}).",
        f"The probability that it is better by more than {chosen.rope:.2g} is "
        f"{percent(chosen.p_better)}{luck}.",
        *_more_training(plan, chosen.outcome.remedy),
    ]


def _more_training(plan: Plan, remedy: Remedy) -> list[str]:
    members = len(remedy.trainings)
    if remedy.after is not None and remedy.head is not None:
        return [f"It is the best network of {remedy.after.name}, with another last layer."]
    if remedy.after is not None:
        return [
            f"It goes on from the best network of {remedy.after.name}: a second training alone may "
            "gain a part of that."
        ]
    if members == 1:
        return []
    return [
        f"It joins {members * plan.seeds} networks where the baseline averages {plan.seeds}: with "
        f"{members * plan.seeds} seeds the baseline alone may gain a part of that."
    ]


def _nothing_helps(plan: Plan, compared: Sequence[Against], threshold: float | None) -> list[str]:
    move = f" to a calibrated probability of {threshold:.2g}" if threshold is not None else ""
    first = "Nothing here clearly helps: keep plain cross-entropy"
    if plan.costs is not None:
        first += " and decide by the costs"
    elif _is_tuned(compared):
        first += f" and move the threshold{move}"
    others = rivals(compared)
    if not others:
        return [f"No other remedy was compared: {plain(plan, compared)}."]
    best = others[0]
    name = best.outcome.remedy.name
    who = f"The best of the others, {name}," if len(others) > 1 else f"The other, {name},"
    return [
        f"{first}.",
        f"{who} {_change(best.difference)} in "
        f"{MEASURES[plan.metric]} (95% interval {_interval(best)}); the probability that it is "
        f"better by more than {best.rope:.2g} is {percent(best.p_better)}, and kilter asks for "
        f"{percent(SURE)}.",
    ]


def _is_tuned(compared: Sequence[Against]) -> bool:
    return _baseline(compared).outcome.remedy.decide.tuned


def plain(plan: Plan, compared: Sequence[Against]) -> str:
    """Say what the baseline is."""
    if plan.costs is not None:
        return "plain cross-entropy that decides by the costs"
    return "plain cross-entropy" + (" with a tuned threshold" if _is_tuned(compared) else "")


def _harm(plan: Plan, compared: Sequence[Against]) -> list[str]:
    harmful = [one.outcome.remedy.name for one in compared if one.worse >= SURE]
    if not harmful:
        return []
    by = f"{compared[0].rope:.2g} in {MEASURES[plan.metric]}"
    return [f"Worse by more than {by}, almost surely: {_list(harmful)}."]


def _probabilities(compared: Sequence[Against], rarest: str) -> list[str]:
    ratios = {one.outcome.remedy.name: calibration_ratio(one.outcome) for one in compared}
    name = max(ratios, key=lambda key: ratios[key])
    if ratios[name] < 1.5:
        return []
    return [
        f"Raw probabilities of class {rarest} come out {ratios[name]:.1f} times too high with "
        f"{name}; the model that is handed over is calibrated."
    ]


def calibration_ratio(outcome: Outcome, calibrated: bool = False) -> float:
    """Return mean predicted over observed rate of the rarest class on all test rows."""
    positive = outcome.folds[0].positive
    predicted = outcome.probabilities(calibrated)[:, positive].mean()
    return float(predicted / (outcome.labels == positive).mean())


def percent(probability: float) -> str:
    """Write a probability without claiming 0% or 100%."""
    if probability > 0.99:
        return "over 99%"
    return "under 1%" if probability < 0.01 else f"{probability:.0%}"


def _change(difference: float) -> str:
    if abs(difference) < 0.0005:
        return "comes out level"
    return f"{'gains' if difference > 0 else 'loses'} {abs(difference):.3f}"


def _interval(one: Against) -> str:
    return f"{one.interval[0]:+.3f} to {one.interval[1]:+.3f}"


def _list(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
