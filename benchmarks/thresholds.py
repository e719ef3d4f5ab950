"""What should a threshold be tuned on: labels, or what calibrated probabilities expect?

A threshold (for more classes: an offset a class) is tuned for macro F1 on validation rows, each
of which counts for its own class and, by a share of ``expected``, for each class by its calibrated
probability. Tables are from the KEEL collection, none of those that ``quality.py`` shows: its
two-class ones, and multi-class ones of which the k-th of K classes keeps n·r^(-k/(K-1)) rows, for a
ratio r of 10 and of 40. Logistic regression and a perceptron (scikit-learn) are fitted on three
quarters of the training rows of two times five folds, calibrated and tuned on the rest; kilter's
default network is compared as `kilter compare` does it, two seeds and once five folds.
``thresholds.py TABLE ...`` runs some tables alone. Results go to
``docs/benchmarks/thresholds.jsonl`` as they come and are not measured again while they are there.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import ablation
from kilter._types import ValidationScores
from kilter.comparison import judge
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of, prepare
from kilter.comparison.run import possible_folds
from kilter.data import load
from kilter.decide import Calibrator, Threshold
from kilter.metrics import macro_f1

RESULTS = ablation.RESULTS.with_name("thresholds.jsonl")
SHARES = (0.0, 0.3, 0.5, 0.7, 1.0)
NONE = "most probable class"
MOST_ROWS, LEAST_ROWS = 3_000, 12
BINARY = """abalone19 ecoli1 ecoli2 ecoli3 flare-F glass0 glass1 glass2 glass6 haberman page-blocks0
pima vehicle0 vehicle1 vehicle3 vowel0 winequality-red-4 yeast1 yeast3 yeast5 yeast6 segment0
led7digit-0-2-4-5-6-7-8-9_vs_1 cleveland-0_vs_4"""
MANY = "contraceptive vehicle segment vowel led7digit penbased optdigits texture letter tae splice"
TABLES = {name: ("imbalanced", name, 0) for name in BINARY.split()} | {
    f"{name}/{ratio}": ("balanced", name, ratio) for name in MANY.split() for ratio in (10, 40)
}
MODELS = {
    "logistic": lambda seed: LogisticRegression(max_iter=300),
    "perceptron": lambda seed: MLPClassifier((32,), max_iter=60, random_state=seed),
}


def read(table: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return columns and labels of a table, its classes thinned out as is said above."""
    kind, name, ratio = TABLES[table]
    path = ablation.keel() / kind / "raw" / f"{name}.dat"
    frame = pd.read_csv(path, header=None, skipinitialspace=True, na_values=["?", "<null>"])
    frame.columns = [f"x{place}" for place in frame.columns]
    _, labels = np.unique(frame.pop(frame.columns[-1]).astype(str).str.strip(), return_inverse=True)
    rows = thinned(labels, ratio) if ratio else np.arange(len(labels))
    if len(rows) > MOST_ROWS:
        rows, _ = train_test_split(
            rows, train_size=MOST_ROWS, stratify=labels[rows], random_state=0
        )
    return frame.iloc[rows].reset_index(drop=True), labels[rows]


def thinned(labels: np.ndarray, ratio: float) -> np.ndarray:
    """Choose rows so that the largest class has ``ratio`` times as many as the smallest."""
    rng, counts = np.random.default_rng(0), np.bincount(labels)
    order = np.argsort(-counts)
    kept = []
    for place, label in enumerate(order):
        size = counts[order[0]] * ratio ** (-place / (len(order) - 1))
        rows = np.flatnonzero(labels == label)
        kept.append(rng.permutation(rows)[: max(LEAST_ROWS, int(size))])
    return np.concatenate(kept)


def encoder() -> Any:
    """Return scikit-learn's usual encoder of numbers and categories."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (one_hot, make_column_selector(dtype_exclude="number")),
    )


def fits(x: pd.DataFrame, y: np.ndarray) -> Iterator[tuple[str, ValidationScores, Any, Any]]:
    """Yield a model's name, its calibrated validation scores, test labels and probabilities."""
    for seed in range(2):
        for rest, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(x, y):
            train, held = train_test_split(
                rest, test_size=0.25, stratify=y[rest], random_state=seed
            )
            for name, make in MODELS.items():
                model = make_pipeline(encoder(), make(seed)).fit(x.iloc[train], y[train])
                raw = ValidationScores(y[held], model.predict_proba(x.iloc[held]))
                calibrator = Calibrator.fit(raw)
                calibrated = ValidationScores(y[held], calibrator.apply(raw.probabilities))
                found = calibrator.apply(model.predict_proba(x.iloc[test]))
                yield name, calibrated, y[test], found


def measure(x: pd.DataFrame, y: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the mean macro F1 of each rule, by model."""
    found: dict[str, dict[str, list[float]]] = {}
    for name, held, labels, test in fits(x, y):
        rules = {str(share): Threshold.fit(held, expected=share) for share in SHARES}
        for rule, decision in {NONE: Threshold.plain(test.shape[1]), **rules}.items():
            score = macro_f1(labels, decision.apply(test))
            found.setdefault(name, {}).setdefault(rule, []).append(score)
    return {
        name: {rule: float(np.mean(scores)) for rule, scores in by_rule.items()}
        for name, by_rule in found.items()
    }


def measure_kilter(x: pd.DataFrame, y: np.ndarray) -> dict[str, float]:
    """Return the mean macro F1 of each rule on kilter's default network, trained once."""
    dataset = load(x.assign(target=y.astype(str)), "target")
    plan = Plan.make(["none", "none+threshold"], seeds=2)
    folds = possible_folds(plan, dataset)
    if not folds:
        return {}
    plan = replace(plan, folds=folds)
    splits, task = prepare(plan, dataset)
    trained = list(Lanes().train(task, lanes_of(plan)))
    found = {}
    for share in SHARES:
        with patch.object(judge, "CALIBRATED", share):
            plain, tuned = judge.judge(plan, splits, trained, task.positive)
        found[str(share)] = float(tuned.by_fold("macro_f1").mean())
        found[NONE] = float(plain.by_fold("macro_f1").mean())
    return found


def results() -> dict[str, dict[str, Any]]:
    """Return what was measured, by table."""
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    return {row["table"]: row for row in map(json.loads, lines)}


def run(table: str) -> None:
    """Measure a table."""
    x, y = read(table)
    row = {"table": table, "rows": len(y), "classes": len(np.unique(y)), **measure(x, y)}
    row["kilter"] = measure_kilter(x, y)
    with RESULTS.open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(row, file=sys.stderr, flush=True)


def show(rows: list[dict[str, Any]]) -> None:
    """Print the page: differences from labels alone."""
    print("# Thresholds\n")
    print("Written by `make bench` from `benchmarks/thresholds.py`; do not edit.\n")
    print((__doc__ or "").partition(" ``thresholds.py TABLE")[0].strip())
    print(f"\n{platform.machine()}. Macro F1 against that of a threshold tuned on labels alone.")
    for title, few in (("Two classes", True), ("More classes", False)):
        chosen = [row for row in rows if (row["classes"] == 2) == few]
        print(f"\n## {title}, {len(chosen)} tables\n")
        print(
            "| model | expected | mean | better on | worse on | worst |\n|---|---|---|---|---|---|"
        )
        for model in (*MODELS, "kilter"):
            for rule in (NONE, *map(str, SHARES[1:])):
                show_rule(model, rule, [row[model] for row in chosen if row[model]])


def show_rule(model: str, rule: str, rows: list[dict[str, float]]) -> None:
    """Print a line: what a rule gains over labels alone."""
    gains = np.array([row[rule] - row["0.0"] for row in rows])
    error = gains.std(ddof=1) / len(gains) ** 0.5
    counts = f"{(gains > 0.0005).sum()} | {(gains < -0.0005).sum()}"
    print(
        f"| {model} | {rule} | {gains.mean():+.4f} ± {error:.4f} | {counts} | {gains.min():+.3f} |"
    )


def main() -> None:
    """Measure what is missing and print the page."""
    Path(ablation.RUNS).mkdir(exist_ok=True)
    warnings.simplefilter("ignore")
    for table in sys.argv[1:] or TABLES:
        if table not in results():
            run(table)
    show(list(results().values()))


if __name__ == "__main__":
    main()
