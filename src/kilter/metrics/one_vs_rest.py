"""What the Keras metrics of one class against the rest share: which classes, and odds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from kilter._errors import ArgumentError
from kilter._numbers import is_whole
from kilter._targets import TINY
from kilter.metrics._inputs import check_class
from kilter.metrics.base import Scores

MOST = 2**24


class OneVsRest(Scores):
    """Base of the metrics of one class against the rest.

    Parameters
    ----------
    positive : int, optional
        Position of the class. If not given, class 1 of two; of more classes the result is the
        unweighted mean over those that have rows.
    from_logits, name, dtype
        As in `Scores`.

    Raises
    ------
    ArgumentError
        If ``positive`` is no class.
    """

    def __init__(self, *, positive: int | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.positive = int(positive) if isinstance(positive, np.integer) else positive
        self.classes: list[int] = []

    def create(self, n_classes: int) -> None:
        """Choose the classes."""
        one = 1 if self.positive is None and n_classes == 2 else self.positive
        every = list(range(n_classes))
        self.classes = every if one is None else [check_class(one, n_classes)]

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the metric again."""
        return {**super().get_config(), "positive": self.positive}


def check_count(value: Any, name: str, usual: int) -> int:
    """Return a whole number from 1 to as many as single precision tells apart."""
    if not is_whole(value) or not 1 <= value <= MOST:
        raise ArgumentError(
            f"`{name}` must be a whole number from 1 to {MOST}; got {value!r}. {usual} is usual."
        )
    return int(value)


def is_class(labels: Any, classes: Sequence[int]) -> Any:
    """Say of which classes the rows are, bool of shape (rows, classes)."""
    return labels[:, None] == ops.convert_to_tensor(classes, dtype="int32")


def columns(values: Any, classes: Sequence[int]) -> Any:
    """Return the columns of the classes, of shape (rows, classes)."""
    return ops.take(values, ops.convert_to_tensor(classes, dtype="int32"), axis=-1)


def known(probabilities: Any, weights: Any) -> Any:
    """Return single precision, and 0 where a row has no weight: it may hold anything."""
    return ops.where(weights[:, None] > 0, ops.cast(probabilities, "float32"), 0.0)


def odds(probabilities: Any) -> Any:
    """Return p / (1 - p), from 0 to 1e37, with all digits where p is near 0 or near 1.

    1 - p would lose them near 1: what the other classes have is added up instead.
    """
    largest = ops.argmax(probabilities, axis=-1)[:, None] == ops.arange(probabilities.shape[-1])
    others = ops.sum(ops.where(largest, 0.0, probabilities), axis=-1, keepdims=True)
    return probabilities / ops.maximum(ops.where(largest, others, 1 - probabilities), TINY)


def mean_of_defined(values: Any, defined: Any) -> Any:
    """Return the mean over the classes whose value is defined, and 0 where there are none."""
    total = ops.sum(ops.where(defined, values, 0.0))
    return ops.divide_no_nan(total, ops.sum(ops.cast(defined, "float32")))


def ratio(above: Any, below: Any) -> Any:
    """Divide; ``nan`` by 0."""
    return ops.where(ops.equal(below, 0), float("nan"), ops.divide_no_nan(above, below))
