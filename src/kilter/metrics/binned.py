"""Keras metrics of the ranking in constant memory: rows are counted in bins of their log-odds."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kilter._export import register
from kilter._targets import TINY
from kilter.metrics.areas import (
    Steps,
    area_under_precision_recall,
    area_under_roc,
    running_sums,
)
from kilter.metrics.one_vs_rest import OneVsRest, check_count, columns, is_class, known, odds

BINS = 2**14
EVEN = 4.0  # bins are about even up to log-odds of this size, and grow beyond
MOST = float(np.arcsinh(np.log(TINY) / -EVEN))  # where the last bin ends


class Binned(OneVsRest):
    """Base of the areas from bins; a child computes its own from the steps.

    The bins divide log-odds, so that probabilities of 1e-6 and 2e-6 are as far apart as 1/3
    and 1/2: with 2**14 bins each is .0018 wide at .5, .005 at 1e-5, and the last ends at 1e-37.
    From logits, probabilities near 1 stay apart that single precision rounds to 1. Rows of one
    bin count as ties, as scikit-learn counts ties.

    It takes ``bins * classes * 8`` bytes, where ``classes`` is 1 for two. Like the exact
    metrics it is 0, the worst value, as long as no row of the class or of the others has come.

    Parameters
    ----------
    bins : int
        How many; the error falls with their number.
    positive, from_logits, name, dtype
        As in `OneVsRest`.

    Raises
    ------
    ArgumentError
        If ``bins`` is no whole number from 1 to 2**24, or ``positive`` no class.
    """

    _direction = "up"

    def __init__(self, *, bins: int = BINS, **options: Any) -> None:
        super().__init__(**options)
        self.bins = check_count(bins, "bins", BINS)

    def create(self, n_classes: int) -> None:
        """Make the bins."""
        super().create(n_classes)
        shape = (len(self.classes), self.bins)
        self.positives = self.add_variable(shape, "zeros", dtype="float32", name="positives")
        self.negatives = self.add_variable(shape, "zeros", dtype="float32", name="negatives")

    def add(self, labels: Any, probabilities: Any, weights: Any) -> None:
        """Add the rows to their bins."""
        places = bin_places(known(probabilities, weights), self.classes, self.bins)
        positive, weights = is_class(labels, self.classes), weights[:, None]
        for counts, of in (
            (self.positives, ops.where(positive, weights, 0.0)),
            (self.negatives, ops.where(positive, 0.0, weights)),
        ):
            counts.assign(counts + bin_sums(of, places, self.bins))

    def value(self) -> Any:
        """Compute the area of all rows."""
        return self.area(_steps(self.positives.value, self.negatives.value))

    def area(self, steps: Steps) -> Any:
        """Compute the area of the steps, a number."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the metric again."""
        return {**super().get_config(), "bins": self.bins}


@register
class BinnedAveragePrecision(Binned):
    """Average precision from bins, in constant memory for any number of rows.

    Use it while training on many rows; `AveragePrecision` keeps every score. Defaults to the
    name ``binned_average_precision``; the arguments are those of `Binned`.

    Measured on 1e5 and 1e6 rows at prevalences of 1e-2, 1e-3 and 1e-4, with scores mostly from
    1e-6 to 1e-1, it is within 5e-4 of the exact value, mostly below it. Where all log-odds lie
    within .2 of one another, as in a network at its start, it is up to .01 too low.

    References
    ----------
    Davis, Goadrich: The relationship between precision-recall and ROC curves, ICML 2006.

    Examples
    --------
    >>> metric = BinnedAveragePrecision()
    >>> round(float(metric([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.8])), 4)
    0.8333
    """

    _default_name = "binned_average_precision"

    def area(self, steps: Steps) -> Any:
        """Compute the average precision."""
        return area_under_precision_recall(steps)


@register
class BinnedROCAUC(Binned):
    """Area under the ROC curve from bins, in constant memory for any number of rows.

    Use it while training on many rows; `ROCAUC` keeps every score. Defaults to the name
    ``binned_roc_auc``; the arguments are those of `Binned`.

    Measured as for `BinnedAveragePrecision`, it is within 2e-4 of the exact value, and within
    .002 where all log-odds lie within .2 of one another.

    References
    ----------
    Hanley, McNeil: The meaning and use of the area under a receiver operating characteristic
    curve, Radiology 1982.

    Examples
    --------
    >>> metric = BinnedROCAUC()
    >>> float(metric([0, 0, 1, 1], [0.1, 0.4, 0.3, 0.8]))
    0.75
    """

    _default_name = "binned_roc_auc"

    def area(self, steps: Steps) -> Any:
        """Compute the area."""
        return area_under_roc(steps)


def bin_places(probabilities: Any, classes: list[int], bins: int) -> Any:
    """Return the bin of each row and class, int of shape (rows, classes); the first is highest."""
    log_odds = ops.log(ops.maximum(columns(odds(probabilities), classes), TINY))
    share = (1 - ops.arcsinh(log_odds / EVEN) / MOST) / 2
    return ops.clip(ops.cast(share * bins, "int32"), 0, bins - 1)


def bin_sums(values: Any, places: Any, bins: int) -> Any:
    """Sum values of shape (rows, classes) in their bins; of shape (classes, bins)."""
    n_classes = places.shape[-1]
    places = places + bins * ops.arange(n_classes, dtype="int32")
    sums = ops.segment_sum(
        ops.reshape(values, (-1,)), ops.reshape(places, (-1,)), num_segments=n_classes * bins
    )
    return ops.reshape(sums, (n_classes, bins))


def _steps(positives: Any, negatives: Any) -> Steps:
    counts = ops.stack([positives, negatives])
    sums = running_sums(counts)
    before = sums - counts
    return Steps(counts[0], counts[1], sums[0], sums[1], before[0], before[1])
