"""A summary with made-up numbers of the kind that a real run gives."""

from __future__ import annotations

from typing import Any

import pytest

# remedy, AUPRC, half its interval, difference, half its interval, chance, raw calibration
ROWS = [
    ("logit-adjust", 0.741, 0.058, 0.032, 0.019, 0.93, 5.12),
    ("vs", 0.733, 0.060, 0.024, 0.022, 0.81, 4.40),
    ("smote", 0.719, 0.061, 0.010, 0.024, 0.48, 4.61),
    ("none+threshold", 0.709, 0.063, None, None, None, 1.04),
    ("none", 0.709, 0.063, 0.0, 0.0, None, 1.04),
    ("focal", 0.706, 0.062, -0.003, 0.012, 0.06, 2.31),
    ("class-weights", 0.688, 0.066, -0.021, 0.025, 0.02, 12.38),
    ("undersample", 0.612, 0.071, -0.097, 0.041, 0.0004, 11.87),
]


def _row(
    name: str, score: float, half: float, gap: float | None, gap_half: float | None,
    chance: float | None, ratio: float,
) -> dict[str, Any]:  # fmt: skip
    ci = None if gap is None or gap_half is None else [gap - gap_half, gap + gap_half]
    return {
        "remedy": name, "auprc": score, "auprc_ci": [score - half, score + half * 0.9],
        "macro_f1": score + 0.12, "balanced_accuracy": score + 0.15, "mcc": score - 0.01,
        "log_loss": 0.05 * ratio**0.7, "brier": 0.0112 * ratio**0.5, "calibration_ratio": ratio,
        "log_loss_calibrated": 0.056, "brier_calibrated": 0.0113,
        "calibration_ratio_calibrated": 0.98, "p_better": chance, "difference": gap,
        "difference_ci": ci, "seconds": 14.2,
    }  # fmt: skip


def _curve(power: float) -> dict[str, Any]:
    recall = [k / 60 for k in range(61)]
    return {
        "class": "malignant",
        "precision_recall": {
            "recall": recall,
            "precision": [max(0.0232, 1 - 0.03 * r - 0.95 * r**power) for r in recall],
        },
        "reliability": {
            "predicted": [0.02, 0.11, 0.28, 0.45, 0.66, 0.9],
            "observed": [0.001, 0.02, 0.05, 0.12, 0.27, 0.71],
            "count": [9800, 600, 300, 200, 150, 133],
        },
        "reliability_calibrated": {
            "predicted": [0.002, 0.03, 0.12, 0.34, 0.58, 0.88],
            "observed": [0.002, 0.026, 0.14, 0.31, 0.62, 0.86],
            "count": [9900, 700, 250, 130, 103, 100],
        },
    }


def _class(name: str, *scores: float | None) -> dict[str, Any]:
    keys = ("class", "precision", "recall", "f1", "support")
    return dict(zip(keys, (name, *scores), strict=True))


@pytest.fixture
def summary() -> dict[str, Any]:
    """Two classes, eight remedies, a remedy that helps."""
    return {
        "schema": 1,
        "rope": 0.01,
        "data": {
            "name": "mammography.csv", "rows": 11183, "columns": 6, "target": "diagnosis",
            "classes": [
                {"name": "malignant", "count": 260, "share": 260 / 11183},
                {"name": "benign", "count": 10923, "share": 10923 / 11183},
            ],
            "positive": "malignant", "folds": 5, "seeds": 3, "split": "stratified",
            "warnings": ["3,317 rows appear more than once; copies stay in the same fold."],
        },
        "leaderboard": [_row(*row) for row in ROWS],
        "chosen": {
            "remedy": "logit-adjust", "threshold": 0.3127, "offsets": {}, "metric": "auprc",
        },
        "baseline": "none+threshold", "plain": "plain cross-entropy with a tuned threshold",
        "verdict": "logit-adjust helps on this data: it finds more malignant cases at the same "
        "precision than the plain network with a tuned threshold (AUPRC 0.741 against 0.709), "
        "and it is 93% sure that the gain is real. Its probabilities are calibrated; use them "
        "with the threshold 0.313.",
        "curves": {
            "none+threshold": _curve(3.0), "vs": _curve(3.4), "logit-adjust": _curve(4.1),
        },
        "confusion": {
            "remedy": "logit-adjust", "classes": ["malignant", "benign"],
            "matrix": [[183, 77], [62, 10861]],
            "per_class": [
                _class("malignant", 0.747, 0.704, 0.725, 260),
                _class("benign", 0.993, 0.994, 0.994, 10923),
            ],
        },
        "environment": {"kilter": "0.1.0", "keras": "3.15.1", "backend": "jax", "seconds": 131.0},
        "command": "kilter compare mammography.csv --target diagnosis",
    }  # fmt: skip


@pytest.fixture
def many_classes(summary: dict[str, Any]) -> dict[str, Any]:
    """Thirty classes, twenty remedies, numbers missing."""
    names = [f"class number {k}" for k in range(30)]
    summary["data"]["classes"] = [
        {"name": n, "count": 3 * 2 ** (k // 2), "share": 3 * 2 ** (k // 2) / 196602}
        for k, n in enumerate(names)
    ]
    summary["data"]["positive"] = names[0]
    summary["leaderboard"] = [
        {**summary["leaderboard"][k % 8], "remedy": f"remedy {k}", "mcc": None} for k in range(20)
    ]
    summary["chosen"] = {
        "remedy": "remedy 3", "threshold": None, "metric": None,
        "offsets": {n: 0.1 * k for k, n in enumerate(names)},
    }  # fmt: skip
    summary["baseline"] = "remedy 7"
    summary["curves"] = {}
    matrix = [[0 if abs(i - j) > 1 else 5 + i for j in range(30)] for i in range(30)]
    matrix[4] = [0] * 30
    per_class = [_class(name, None, 0.5, None, 3) for name in names]
    summary["confusion"] = {
        "remedy": "remedy 3", "classes": names, "matrix": matrix, "per_class": per_class,
    }  # fmt: skip
    return summary
