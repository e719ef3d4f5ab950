"""A score of the decisions at every possible offset of one class, in one pass over the rows.

As the offset of a class rises, rows go over to it one by one, each from its strongest rival.
A row that goes over changes the counts of two classes only, and every score here is a
function of sums over classes, so running sums give its value at all offsets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

APART = 1e-12  # margins nearer than this are one: rounding could put an offset on either side
EQUAL = 1e-9
BEYOND = 2.0  # how far, in log-odds, a range without a last row is taken to go on


class Criterion(NamedTuple):
    """A score: what each class adds, and the value of the sums.

    ``parts`` takes true positives, predicted rows and true rows of a class (arrays; a row may
    count in part) and returns (sums, ...), 0 for a class without predicted rows. ``combine``
    takes the sums (sums, ...) and the true rows of all classes (classes,).
    """

    parts: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    combine: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _f1_parts(hits: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.asarray(2 * hits / np.maximum(predicted + true, 1))[None]


def _recall_parts(hits: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.asarray(hits / np.where(true > 0, true, 1))[None]


def _mean(sums: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.asarray(sums[0] / np.count_nonzero(true))


def _mcc_parts(hits: np.ndarray, predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    return np.stack([hits, predicted * true, predicted**2]).astype(float)


def _mcc(sums: np.ndarray, true: np.ndarray) -> np.ndarray:
    rows = float(true.sum())
    product = (rows**2 - sums[2]) * (rows**2 - float(true @ true))
    defined = product > 0
    value = (sums[0] * rows - sums[1]) / np.sqrt(np.where(defined, product, 1))
    return np.where(defined, value, 0)


CRITERIA = {
    "macro_f1": Criterion(_f1_parts, _mean),
    "balanced_accuracy": Criterion(_recall_parts, _mean),
    "mcc": Criterion(_mcc_parts, _mcc),
}


class Sweep(NamedTuple):
    """The rows in the order in which they go over to a class, and the scores on the way.

    ``margins`` (rows,) are the offsets at which they go, and ``values`` (rows + 1,) the
    score after none, one, …, all of them went.
    """

    margins: np.ndarray
    values: np.ndarray

    def best(self) -> tuple[float, float]:
        """Return the middle of the widest range of best offsets, and the score there."""
        edges = np.r_[self.margins[0] - BEYOND, self.margins, self.margins[-1] + BEYOND]
        cuts = np.flatnonzero(np.diff(edges) > APART)
        values = self.values[cuts]
        good = np.r_[False, values >= values.max() - EQUAL, False]
        first, last = np.flatnonzero(np.diff(good)).reshape(-1, 2).T
        low, high = edges[cuts[first]], edges[cuts[last - 1] + 1]
        widest = np.argmax(high - low)
        return float((low + high)[widest] / 2), float(values.max())


def rivals(logs: np.ndarray, offsets: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's strongest class but ``k``, and the offset above which ``k`` wins."""
    others = logs + offsets
    others[:, k] = -np.inf
    rival = np.argmax(others, axis=1)
    return rival, others[np.arange(len(logs)), rival] - logs[:, k]


def sweep(
    truth: np.ndarray, logs: np.ndarray, offsets: np.ndarray, k: int, criterion: Criterion
) -> Sweep:
    """Score all offsets of class ``k`` while the other classes keep theirs.

    ``truth`` (rows, classes) says how much of a row is of which class.
    """
    rival, margins = rivals(logs, offsets, k)
    order = np.argsort(margins, kind="stable")
    rival, true = rival[order], truth.sum(axis=0)
    own, lost = truth[order, k], truth[order, rival]
    gained = criterion.parts(np.r_[0, np.cumsum(own)], np.arange(len(own) + 1), true[k])
    sums = gained + _others(lost, rival, true, criterion)
    return Sweep(margins[order], criterion.combine(sums, true))


def _others(
    lost: np.ndarray, rival: np.ndarray, true: np.ndarray, criterion: Criterion
) -> np.ndarray:
    """Sum the parts of all rivals after none, one, …, all rows have left them.

    ``lost`` (rows,) is how much of a row is of its rival.
    """
    order = np.argsort(rival, kind="stable")
    group, hit = rival[order], lost[order]
    size = np.bincount(group, minlength=len(true))
    start = np.cumsum(size) - size
    hits = np.bincount(group, weights=hit, minlength=len(true))
    running = np.r_[0, np.cumsum(hit)]
    left_hits = hits[group] - (running[:-1] - running[start[group]])
    left_rows = size[group] - (np.arange(len(group)) - start[group])
    change = criterion.parts(left_hits - hit, left_rows - 1, true[group])
    change -= criterion.parts(left_hits, left_rows, true[group])
    steps = np.empty((len(change), len(group) + 1))
    steps[:, 0] = criterion.parts(hits, size, true).sum(axis=1)
    steps[:, 1 + order] = change
    return np.cumsum(steps, axis=1)
