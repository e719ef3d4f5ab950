"""Which rows a training step sees."""

from kilter.sampling.batches import BalancedBatches
from kilter.sampling.draws import (
    TICKETS,
    BaseDraws,
    Layout,
    Quotas,
    apportion,
    draw_epoch,
    draw_rows,
    mix,
)
from kilter.sampling.neighbors import class_neighbors

__all__ = [
    "TICKETS",
    "BalancedBatches",
    "BaseDraws",
    "Layout",
    "Quotas",
    "apportion",
    "class_neighbors",
    "draw_epoch",
    "draw_rows",
    "mix",
]
