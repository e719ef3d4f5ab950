"""Areas under curves, from the weights of rows in the order of falling scores."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

from kilter._targets import TINY
from kilter.metrics.one_vs_rest import mean_of_defined

BLOCK = 256


class Steps(NamedTuple):
    """Weights in the order of falling scores, and their sums; all of shape (classes, steps).

    Steps of equal scores are one: the sums run to its end, or stop before its beginning.
    """

    positives: Any
    negatives: Any
    tp: Any
    fp: Any
    tp_before: Any
    fp_before: Any


def area_under_precision_recall(steps: Steps) -> Any:
    """Compute the average precision, the mean over the classes that have rows."""
    precision = steps.tp / ops.maximum(steps.tp + steps.fp, TINY)
    total = ops.sum(steps.positives, axis=-1)
    area = ops.divide_no_nan(ops.sum(steps.positives * precision, axis=-1), total)
    return mean_of_defined(area, total != 0)


def area_under_roc(steps: Steps, max_fpr: float = 1.0) -> Any:
    """Compute the area up to a false positive rate as McClish standardises it.

    A constant score has 0.5, a perfect one 1; with ``max_fpr`` 1 it is the plain area.
    """
    positives = ops.sum(steps.positives, axis=-1)
    negatives = ops.sum(steps.negatives, axis=-1)
    left = max_fpr * negatives[:, None] - steps.fp_before
    share = ops.clip(left / ops.maximum(steps.fp - steps.fp_before, TINY), 0.0, 1.0)
    height = steps.tp_before + share * (steps.tp - steps.tp_before) / 2
    area = ops.divide_no_nan(
        ops.sum(steps.negatives * share * height, axis=-1), positives * negatives
    )
    chance = max_fpr**2 / 2
    standardised = (1 + (area - chance) / (max_fpr - chance)) / 2
    return mean_of_defined(standardised, positives * negatives != 0)


def ranked_steps(scores: Any, positives: Any, negatives: Any) -> Steps:
    """Sort rows by falling scores; all of shape (classes, rows).

    The sums are taken where a tie ends, not the ties summed up: many equal weights in one sum
    would drift.
    """
    order = ops.argsort(-scores, axis=-1)
    ranked = ops.take_along_axis(scores, order, axis=-1)
    begins = ops.pad(ops.cast(ranked[:, 1:] != ranked[:, :-1], "float32"), ((0, 0), (1, 0)))
    rows = (ops.take_along_axis(one, order, axis=-1) for one in (positives, negatives))
    steps = ops.stack([*rows, begins])
    sums = running_sums(steps)  # one for the three: it is what takes long to compile
    before = sums - steps
    first, last = _ends(ops.cast(sums[2], "int32"))
    return Steps(
        *(steps[0], steps[1]),
        *(ops.take_along_axis(sums[one], last, axis=-1) for one in (0, 1)),
        *(ops.take_along_axis(before[one], first, axis=-1) for one in (0, 1)),
    )


def running_sums(values: Any) -> Any:
    """Sum along the last axis of three; over 100,000 rows one by one, single precision drifts."""
    n_rows = values.shape[-1]
    blocks = ops.pad(values, ((0, 0), (0, 0), (0, -n_rows % BLOCK)))
    blocks = ops.cumsum(ops.reshape(blocks, (*values.shape[:-1], -1, BLOCK)), axis=-1)
    totals = blocks[..., -1]
    sums = blocks + (ops.cumsum(totals, axis=-1) - totals)[..., None]
    return ops.reshape(sums, (*values.shape[:-1], -1))[..., :n_rows]


def _ends(ties: Any) -> tuple[Any, Any]:
    """Return the places of the first and last row of each row's tie; (classes, rows)."""
    n_classes, n_rows = ties.shape
    ties = ops.reshape(ties + n_rows * ops.arange(n_classes, dtype="int32")[:, None], (-1,))
    places = ops.tile(ops.arange(n_rows, dtype="int32"), [n_classes])
    first, last = (
        ops.take(reduce(places, ties, num_segments=n_classes * n_rows), ties)
        for reduce in (ops.segment_min, ops.segment_max)
    )
    shape = (n_classes, n_rows)
    return ops.reshape(ops.cast(first, "int32"), shape), ops.reshape(ops.cast(last, "int32"), shape)
