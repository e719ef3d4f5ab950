"""The one dict that the command line, ``result.json`` and the report read."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
from sklearn.metrics import precision_recall_curve

from kilter import metrics
from kilter._types import Dataset
from kilter.comparison.judge import Decision, Outcome
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import BASELINE
from kilter.comparison.verdict import (
    Against,
    calibration_ratio,
    choose,
    find,
    plain,
    rivals,
    verdict,
)
from kilter.decide import Threshold

CURVE_POINTS = 200


def summarize(
    plan: Plan,
    dataset: Dataset,
    compared: Sequence[Against],
    decision: Decision,
    positive: int,
    epochs: int,
    warnings: Sequence[str],
    seconds: float,
) -> dict[str, Any]:
    """Put the whole result into plain JSON values."""
    classes = [str(label) for label in dataset.schema.classes]
    outcomes = [one.outcome for one in compared]
    chosen = choose(compared)
    threshold = probability_threshold(decision, positive)
    drawn = [one.outcome for one in (chosen, *rivals(compared)[:1])]
    leaderboard = [leaderboard_row(one) for one in compared]
    row = next(row for row in leaderboard if row["remedy"] == chosen.outcome.remedy.name)
    return {
        "schema": 1,
        "data": _data(plan, dataset, classes, positive, warnings),
        "leaderboard": leaderboard,
        "chosen": _chosen(plan, chosen, row, classes, decision, threshold, epochs),
        "baseline": BASELINE,
        "plain": plain(plan, compared),
        "rope": float(f"{chosen.rope:.2g}"),
        "verdict": verdict(plan, compared, classes[positive], threshold),
        "curves": _curves([*drawn, find(outcomes, BASELINE)], classes, positive),
        "confusion": _confusion(chosen.outcome, classes),
        "environment": _environment(seconds),
        "plan": plan.to_json(),
    }


def _data(
    plan: Plan, dataset: Dataset, classes: list[str], positive: int, warnings: Sequence[str]
) -> dict[str, Any]:
    learned = dataset.learned_labels
    counts = np.bincount(learned, minlength=len(classes))
    by_group = "group" if dataset.groups is not None else "stratified"
    return {
        "name": dataset.name,
        "rows": len(dataset),
        "columns": len(dataset.schema.columns),
        "kind": dataset.schema.kind,
        "image": list(dataset.schema.columns[0].shape),
        "held_out": len(dataset) - len(learned),
        "target": dataset.schema.target,
        "classes": [
            {"name": classes[c], "count": int(counts[c]), "share": float(counts[c] / len(learned))}
            for c in np.argsort(counts, kind="stable")
        ],
        "positive": classes[positive],
        "folds": plan.folds,
        "seeds": plan.seeds,
        "split": "time" if dataset.times is not None else by_group,
        "warnings": list(warnings),
    }


def leaderboard_row(one: Against) -> dict[str, Any]:
    """Return the figures of one remedy: means over folds."""
    outcome = one.outcome
    name = outcome.remedy.name
    is_baseline = name == BASELINE
    return {
        "remedy": name,
        **{figure: float(outcome.by_fold(figure).mean()) for figure in outcome.folds[0].figures},
        "auprc_ci": list(_auprc_interval(outcome)),
        "calibration_ratio": calibration_ratio(outcome),
        "calibration_ratio_calibrated": calibration_ratio(outcome, calibrated=True),
        "p_better": None if is_baseline else one.p_better,
        "difference": None if is_baseline else one.difference,
        "difference_ci": None if is_baseline else list(one.interval),
        "seconds": outcome.seconds,
    }


def _auprc_interval(outcome: Outcome) -> tuple[float, float]:
    """Logit interval around the mean over folds, with as many positives as all folds have."""
    means = np.mean([fold.precisions for fold in outcome.folds], axis=0)
    counts = np.bincount(outcome.labels)
    ranked = [outcome.folds[0].positive] if len(counts) == 2 else slice(None)
    return metrics.macro_interval(means, counts[ranked])


def probability_threshold(decision: Decision, positive: int) -> float | None:
    """Return the threshold on the rarest class's calibrated probability, for two classes."""
    if isinstance(decision, Threshold) and len(decision.offsets) == 2:
        return decision.probability(positive)
    return None


def _chosen(
    plan: Plan,
    chosen: Against,
    row: dict[str, Any],
    classes: list[str],
    decision: Decision,
    threshold: float | None,
    epochs: int,
) -> dict[str, Any]:
    offsets = decision.offsets if isinstance(decision, Threshold) else None
    return {
        "remedy": row["remedy"],
        "metric": plan.metric,
        "value": chosen.value,
        "threshold": threshold,
        "offsets": offsets and dict(zip(classes, offsets, strict=True)),
        "decision": decision.to_json(),
        "p_better": row["p_better"],
        "log_loss": row["log_loss_calibrated"],
        "brier": row["brier_calibrated"],
        "calibration_ratio": row["calibration_ratio_calibrated"],
        "networks": plan.seeds * len(chosen.outcome.remedy.trainings),
        "epochs": epochs,
    }


def _curves(outcomes: Sequence[Outcome], classes: list[str], positive: int) -> dict[str, Any]:
    return {one.remedy.name: _curve(one, classes[positive], positive) for one in outcomes}


def _curve(outcome: Outcome, name: str, positive: int) -> dict[str, Any]:
    truth = outcome.labels == positive
    raw = outcome.probabilities()[:, positive]
    precision, recall, _ = precision_recall_curve(truth, raw)
    # Evenly in recall: evenly in thresholds, nearly all points would lie among the negatives.
    # Of equal recalls the last has the highest threshold: the one that average precision takes.
    levels = np.linspace(0, 1, CURVE_POINTS)
    at = np.unique(np.searchsorted(-recall, -levels, side="right") - 1)
    return {
        "class": name,
        "precision_recall": {"recall": recall[at].tolist(), "precision": precision[at].tolist()},
        "reliability": _reliability(truth, raw),
        "reliability_calibrated": _reliability(
            truth, outcome.probabilities(calibrated=True)[:, positive]
        ),
    }


def _reliability(truth: np.ndarray, p: np.ndarray) -> dict[str, list[float]]:
    found = metrics.reliability(truth.astype(int), p)
    return {name: np.asarray(part).tolist() for name, part in found._asdict().items()}


def _confusion(outcome: Outcome, classes: list[str]) -> dict[str, Any]:
    labels, predicted = outcome.labels, outcome.predicted
    each = metrics.per_class(labels, predicted, len(classes))
    return {
        "remedy": outcome.remedy.name,
        "classes": classes,
        "matrix": metrics.confusion_matrix(labels, predicted, len(classes)).tolist(),
        "per_class": [
            {
                "class": name,
                "precision": float(each.precision[c]),
                "recall": float(each.recall[c]),
                "f1": float(each.f1[c]),
                "support": int(each.support[c]),
            }
            for c, name in enumerate(classes)
        ],
    }


def _environment(seconds: float) -> dict[str, Any]:
    return {
        "kilter": version("kilter"),
        "keras": keras.__version__,
        "backend": keras.backend.backend(),
        "seconds": seconds,
    }
