"""Find single columns that tell the rarest class from the rest almost perfectly."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.stats import rankdata

from kilter._types import Dataset
from kilter.data.columns import NUMERIC
from kilter.data.schema import number_names

SUSPECT_AUC = 0.995
_FEWEST_ROWS = 5  # fewer rows are separated by some column by chance
_MOST_LEVELS = 50  # a number of so few values may as well be a category
_PARTS = 5


def leak_suspects(dataset: Dataset, rarest: int) -> dict[str, float]:
    """Return the columns whose ROC-AUC against the rarest class is .995 or more."""
    positive = dataset.labels == rarest
    if positive.sum() < _FEWEST_ROWS:
        return {}
    part_of = _parts(positive)
    scores = dict(_scores(dataset, positive, part_of))
    return {name: auc for name, auc in scores.items() if auc >= SUSPECT_AUC}


def _scores(
    dataset: Dataset, positive: np.ndarray, part_of: np.ndarray
) -> Iterator[tuple[str, float]]:
    numbers = number_names(dataset.schema)
    for name, values in zip(numbers, dataset.features.numbers.T, strict=True):
        yield name, _number_auc(values, positive, part_of)
    words = [column.name for column in dataset.schema.columns if column.kind not in NUMERIC]
    for name, codes in zip(words, dataset.features.codes.T, strict=True):
        yield name, _category_auc(codes + 2, positive, part_of)


def _parts(positive: np.ndarray) -> np.ndarray:
    """Return five parts that hold equal shares of the rarest class."""
    shuffled = np.random.default_rng(0).permutation(len(positive))
    order = shuffled[np.argsort(positive[shuffled], kind="stable")]
    part_of = np.empty(len(positive), np.int64)
    part_of[order] = np.arange(len(positive)) % _PARTS
    return part_of


def _number_auc(values: np.ndarray, positive: np.ndarray, part_of: np.ndarray) -> float:
    levels, codes = np.unique(values, return_inverse=True)
    if len(levels) <= _MOST_LEVELS:
        return _category_auc(codes, positive, part_of)
    if not np.isnan(values).any():
        return _either_way(values, positive)
    ends = [np.nan_to_num(values, nan=end) for end in (-np.inf, np.inf)]
    return max(_either_way(filled, positive) for filled in ends)


def _either_way(scores: np.ndarray, positive: np.ndarray) -> float:
    auc = roc_auc(scores, positive)
    return max(auc, 1 - auc)


def roc_auc(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return the area under the ROC curve, by ranks."""
    hits = int(positive.sum())
    lowest = hits * (hits + 1) / 2
    ranks = rankdata(scores)[positive].sum()
    return float((ranks - lowest) / (hits * (len(scores) - hits)))


def _category_auc(codes: np.ndarray, positive: np.ndarray, part_of: np.ndarray) -> float:
    """Return the mean ROC-AUC of the category's rate of the class in the other parts."""
    aucs = []
    for part in range(_PARTS):
        inside = part_of == part
        rates = _rates(codes[~inside], positive[~inside], int(codes.max()) + 1)
        aucs.append(roc_auc(rates[codes[inside]], positive[inside]))
    return float(np.mean(aucs))


def _rates(codes: np.ndarray, positive: np.ndarray, levels: int) -> np.ndarray:
    """Return the rate of each category, drawn to the rate of all by one made-up row."""
    hits = np.bincount(codes, weights=positive, minlength=levels)
    return (hits + positive.mean()) / (np.bincount(codes, minlength=levels) + 1)
