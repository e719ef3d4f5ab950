"""How far below its best is the average precision of the epoch that early stopping chooses?

The validation part has few rows of the rare class. Each rule sees the average precision (or
the log loss) of these rows only; the chosen epoch is judged on all other rows. First on made
learning curves whose truth is known, then on networks: small parts of real tables are
trained on, and the rest is validation and truth.

    python benchmarks/early_stopping.py [draws of a validation part for each curve]

Without the shared collection beside the repository the networks are left out.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from kilter._types import Train
from kilter.callbacks.early import RunningMean
from kilter.data import TableEncoder, load
from kilter.models import mlp

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
TABLES = {  # share of the rare class, its training rows, and the learning rate
    "mammography": (0.023, 40, 1e-3),
    "phoneme": (0.05, 40, 1e-3),
    "adult": (0.02, 60, 2e-4),
    "bank": (0.02, 60, 2e-4),
}
SEEDS = 3
EPOCHS = 60
PATIENCE = 10
POSITIVES = (3, 10, 30, 100)
SHAPES = {"rises and falls": 1.4, "rises and stays": 2.2}  # separation at the last epoch

Curve = tuple[np.ndarray, np.ndarray]
Rule = Callable[[np.ndarray, np.ndarray], int]


def rank(logits: np.ndarray) -> np.ndarray:
    """Rows of each epoch (epochs, rows), the likeliest first."""
    return np.argsort(-logits, axis=1, kind="stable")


def average_precisions(ranked: np.ndarray) -> np.ndarray:
    """Average precision of each epoch from its labels in the order of `rank`."""
    precision = np.cumsum(ranked, axis=1) / np.arange(1, ranked.shape[1] + 1)
    return np.sum(precision * ranked, axis=1) / ranked.sum(axis=1)


def stop(values: np.ndarray) -> int:
    """Choose the epoch as Keras's EarlyStopping does; larger ``values`` are better."""
    best = 0
    for epoch, value in enumerate(values):
        if value > values[best]:
            best = epoch
        if epoch - best >= PATIENCE:
            break
    return best


def maximum(logits: np.ndarray, labels: np.ndarray) -> int:
    return stop(average_precisions(labels[rank(logits)]))


def running_mean(logits: np.ndarray, labels: np.ndarray) -> int:
    mean = RunningMean(int(labels.sum()))
    return stop(np.array([mean.add(value) for value in average_precisions(labels[rank(logits)])]))


def beyond_noise(logits: np.ndarray, labels: np.ndarray) -> int:
    """Choose an epoch only if it is better by half a standard error of an epoch."""
    values = average_precisions(labels[rank(logits)])
    best = 0
    for epoch, value in enumerate(values):
        error = np.sqrt(values[best] * (1 - values[best]) / labels.sum())
        if value > values[best] + error / 2:
            best = epoch
        if epoch - best >= PATIENCE:
            break
    return best


def log_loss(logits: np.ndarray, labels: np.ndarray) -> int:
    return stop(-np.logaddexp(0, (1 - 2 * labels) * logits).mean(axis=1))


def last(logits: np.ndarray, labels: np.ndarray) -> int:
    return len(logits) - 1


RULES: dict[str, Rule] = {
    "maximum (Keras `EarlyStopping`)": maximum,
    "running mean (`RankingEarlyStopping`)": running_mean,
    "maximum beyond noise": beyond_noise,
    "last epoch, no stopping": last,
}
NETWORK_RULES = {**RULES, "log loss": log_loss}  # it asks how sure a network gets: real ones only


def made_curve(rng: np.random.Generator, end: float) -> Curve:
    """Logits (epochs, rows) whose classes stand apart as the curve says, and labels.

    Most of a row's noise is its own and stays; the rest is new at every epoch.
    """
    labels = (np.arange(20_000) < 400).astype(int)
    apart = np.interp(np.arange(EPOCHS), [0, 20, EPOCHS - 1], [0.3, 2.2, end])
    apart += 0.05 * rng.normal(size=EPOCHS)
    own, new = rng.normal(size=len(labels)), rng.normal(size=(EPOCHS, len(labels)))
    noise = np.sqrt(0.8) * own + np.sqrt(0.2) * new
    return apart[:, None] * labels + noise, labels


def network_curve(name: str, seed: int) -> Curve:
    """Logits (epochs, rows) of the rows that a network was not trained on, and labels."""
    share, positives, rate = TABLES[name]
    dataset = load(SHARED / f"{name}.parquet", "target")
    labels = (dataset.labels == np.argmin(np.bincount(dataset.labels))).astype(int)
    rng = np.random.default_rng(seed)
    rare, common = (rng.permutation(np.flatnonzero(labels == k)) for k in (1, 0))
    rare = rare[: int(len(common) * share / (1 - share))]
    cut = int(len(common) * positives / len(rare))
    train = np.concatenate([rare[:positives], common[:cut]])
    rest = np.concatenate([rare[positives:], common[cut:]])
    encoder = TableEncoder.fit(Train.of(dataset, np.sort(train)), dataset.schema)
    x = encoder.transform(dataset.features)
    model = mlp(x.shape[1], 2, hidden=(128, 128), dropout=0, seed=seed)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    logits = []
    for _ in range(EPOCHS):
        train = rng.permutation(train)
        model.fit(x[train], labels[train], batch_size=64, shuffle=False, verbose=0)
        logits.append(model.predict(x[rest], batch_size=8192, verbose=0) @ [-1, 1])
    return np.array(logits), labels[rest]


def shortfalls(curve: Curve, positives: int, rules: dict[str, Rule], draws: int) -> np.ndarray:
    """By how many percent each rule falls short of the best epoch: (draws, rules)."""
    logits, labels = curve
    order = rank(logits)
    rng = np.random.default_rng(positives)
    rare, common = (np.flatnonzero(labels == k) for k in (1, 0))
    found = []
    for _ in range(draws):
        held_out = np.zeros(len(labels), bool)
        held_out[rng.permutation(rare)[:positives]] = True
        held_out[rng.permutation(common)[: positives * len(common) // len(rare)]] = True
        truth = average_precisions(labels[order][~held_out[order]].reshape(len(logits), -1))
        chosen = [rule(logits[:, held_out], labels[held_out]) for rule in rules.values()]
        found.append(100 * (1 - truth[chosen] / truth.max()))
    return np.array(found)


def show(title: str, curves: list[Curve], rules: dict[str, Rule], draws: int) -> None:
    sizes = [n for n in POSITIVES if all(2 * n <= labels.sum() for _, labels in curves)]
    columns = [
        np.concatenate([shortfalls(curve, n, rules, draws) for curve in curves]).mean(axis=0)
        for n in sizes
    ]
    print(f"\n## {title}\n")
    print(f"| rule | {' | '.join(f'{n} positives' for n in sizes)} |")
    print("|---" * (len(sizes) + 1) + "|")
    for name, values in zip(rules, zip(*columns, strict=True), strict=True):
        print(f"| {name} | {' | '.join(f'{value:.1f}' for value in values)} |", flush=True)


def main(draws: int = 30) -> None:
    print("# Early stopping on few rows\n")
    print("Written by `make bench` from `benchmarks/early_stopping.py`; do not edit.\n")
    print(
        "By how many percent the average precision of the chosen epoch falls short of the best "
        f"epoch's, on average; patience {PATIENCE}, {EPOCHS} epochs."
    )
    rng = np.random.default_rng(1)
    for shape, end in SHAPES.items():
        show(f"Made curves: {shape}", [made_curve(rng, end) for _ in range(10)], RULES, draws)
    for name in TABLES if SHARED.exists() else ():
        curves = [network_curve(name, seed) for seed in range(SEEDS)]
        show(f"Networks on {name}", curves, NETWORK_RULES, draws)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
