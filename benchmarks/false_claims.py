"""How often the best of thirteen equal remedies looks better than the baseline.

Every method is a linear rule on five noisy readings of the same hidden signals: the readings
of all methods share part of their noise, as remedies share a table. None is better than
another over data sets. Scores are average precision on five folds that share training rows,
so that their correlation is that of real resampling.

    python benchmarks/false_claims.py [data sets]
"""

from __future__ import annotations

import sys

import numpy as np

from kilter.comparison.stats import p_better

FOLDS = 5
REMEDIES = 13  # that a comparison of all puts beside the baseline
FEATURES = 5
TEST_TO_TRAIN = 1 / (FOLDS - 1)
LIMITS = (0.80, 0.90, 0.95, 0.99)
SETTINGS = [  # positives, rows, share of noise that methods have in common
    (25, 500, 0.5),
    (50, 1000, 0.5),
    (50, 1000, 0.9),
    (200, 2000, 0.5),
    (200, 2000, 0.9),
    (1000, 10000, 0.9),
]


def readings(rng: np.random.Generator, labels: np.ndarray, shared: float) -> np.ndarray:
    """Features (methods, rows, features) of equal use to every method."""
    shape = (len(labels), FEATURES)
    common = rng.normal(size=shape) * np.sqrt(shared)
    own = rng.normal(size=(1 + REMEDIES, *shape)) * np.sqrt(1 - shared)
    return labels[:, None] * 0.8 + common + own


def average_precisions(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Average precision of each row of scores (methods, rows) without ties."""
    ranked = labels[np.argsort(-scores, axis=1)]
    precision = np.cumsum(ranked, axis=1) / np.arange(1, ranked.shape[1] + 1)
    return np.sum(precision * ranked, axis=1) / ranked.sum(axis=1)


def score_fold(x: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Learn each method's direction on the other rows; average precision on the test rows."""
    train = ~test
    direction = x[:, train & (labels == 1)].mean(axis=1) - x[:, train & (labels == 0)].mean(axis=1)
    return average_precisions(np.einsum("mrf,mf->mr", x[:, test], direction), labels[test])


def best_of_all(rng: np.random.Generator, setting: tuple[int, int, float]) -> list[float]:
    """p_better of the luckiest remedy on one data set, with rope 0 and 0.01; then one remedy's."""
    positives, rows, shared = setting
    labels = (np.arange(rows) < positives).astype(int)
    x = readings(rng, labels, shared)
    fold = np.arange(rows) % FOLDS  # stratified, as positives come first
    scores = np.array([score_fold(x, labels, fold == k) for k in range(FOLDS)])
    differences = (scores[:, 1:] - scores[:, :1]).T
    sure = np.array(
        [[p_better(d, TEST_TO_TRAIN, rope) for rope in (0.0, 0.01)] for d in differences]
    )
    chosen = np.argmax(differences.mean(axis=1))
    return [*sure.max(axis=0), *sure[chosen], *sure[0], scores.mean()]


def line(name: str, values: np.ndarray) -> str:
    shares = "  ".join(f"{np.mean(values >= limit):6.1%}" for limit in LIMITS)
    quantiles = "  ".join(f"{np.quantile(values, q):6.3f}" for q in (0.90, 0.95))
    return f"  {name:34s} {shares}   {quantiles}"


def main(data_sets: int = 500) -> None:
    head = "  ".join(f">={limit:.2f}" for limit in LIMITS)
    for number, setting in enumerate(SETTINGS):
        rng = np.random.default_rng(number)
        found = np.array([best_of_all(rng, setting) for _ in range(data_sets)])
        print(
            f"{setting[0]} positives of {setting[1]} rows, shared noise {setting[2]}, "
            f"mean average precision {found[:, -1].mean():.2f}"
        )
        print(f"  {'':34s} {head}    90%     95% quantile")
        names = ["surest of all", "best mean of all", "one remedy"]
        for k, name in enumerate(names):
            for j, rope in enumerate(("0", "0.01")):
                print(line(f"{name}, rope {rope}", found[:, 2 * k + j]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
