"""What the losses share that are told the training rows of each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from kilter.losses.base import RowLoss
from kilter.weights import as_counts


class CountedLoss(RowLoss):
    """Base of the losses that are told the training rows of each class.

    Parameters
    ----------
    counts : sequence of shape (classes,)
        Training rows of each class, from `kilter.class_counts`.
    """

    def __init__(self, counts: Any, **options: Any) -> None:
        super().__init__(**options)
        self.counts = as_counts(counts)

    def check_classes(self, name: str, value: np.ndarray | None, logits: Any) -> None:
        """Check the counts as well, and first: class weights may come from them."""
        super().check_classes("counts", self.counts, logits)
        super().check_classes(name, value, logits)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "counts": self.counts.tolist()}


def log_prior(counts: Any) -> np.ndarray:
    """Return the logarithm of each class's share of the rows, float64 of shape (classes,)."""
    counts = as_counts(counts)
    prior: np.ndarray = np.log(counts / counts.sum())
    return prior
