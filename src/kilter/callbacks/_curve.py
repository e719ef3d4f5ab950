"""The losses of one class over the epochs, and whether they say that it overfits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtrit

LEVEL = 0.01
IN_A_ROW = 3
"""Epochs at that level before a class is named: a single one is often luck among many."""
SMALL = 0.1
"""A rise of less than this share of the lowest loss is not worth a word,"""
TINY_LOSS = 0.1
"""nor is one of less than that share of so many nats."""


@dataclass
class Curve:
    """What was seen of one class; epochs count from 0.

    ``rise`` is how much the mean validation loss lies above its lowest point, ``noise`` how
    much it may by chance.
    """

    name: str
    rows: int = 0
    val_rows: int = 0
    watched: int = 0
    loss: float = np.nan
    val_loss: float = np.nan
    recall: float = np.nan
    val_recall: float = np.nan
    best_epoch: int = 0
    best_loss: float = np.nan
    best_val_loss: float = np.nan
    rise: float = 0.0
    noise: float = np.inf
    _best: np.ndarray = field(default_factory=lambda: np.zeros(0), repr=False)
    _steps: list[float] = field(default_factory=list, repr=False)
    _clear: int = 0

    def add(self, epoch: int, losses: np.ndarray, val_losses: np.ndarray) -> None:
        """Add an epoch: the losses (rows,) of the same training and validation rows."""
        self.rows, self.val_rows = len(losses), len(val_losses)
        if not self.rows or not self.val_rows:
            return
        before = self.val_loss
        self.watched += 1
        self.loss, self.val_loss = float(losses.mean()), float(val_losses.mean())
        if self.watched == 1 or self.val_loss < self.best_val_loss:
            self._set_best(epoch, val_losses)
            return
        self._steps.append(self.val_loss - before)
        self.rise = self.val_loss - self.best_val_loss
        self.noise = self._allowed(val_losses - self._best)
        self._clear = self._clear + 1 if self._seems_to and self.rise > self.noise else 0

    @property
    def gap(self) -> float:
        """Validation loss minus training loss."""
        return self.val_loss - self.loss

    @property
    def overfits(self) -> bool:
        """Validation loss clearly above its lowest point, training loss below what it was then."""
        return self._clear >= IN_A_ROW

    @property
    def is_unsure(self) -> bool:
        """It looks like overfitting, but so may chance."""
        return self._seems_to and not self.overfits

    @property
    def _seems_to(self) -> bool:
        small = SMALL * max(self.best_val_loss, TINY_LOSS)
        return self.rise > small and self.loss < self.best_loss

    def _set_best(self, epoch: int, val_losses: np.ndarray) -> None:
        self.best_epoch, self._best, self._steps = epoch, val_losses, []
        self.best_loss, self.best_val_loss = self.loss, self.val_loss
        self.rise, self.noise, self._clear = 0.0, np.inf, 0

    def _allowed(self, differences: np.ndarray) -> float:
        """Return the largest rise that chance explains.

        Two things make a mean loss move: which few rows it was taken on, and the jitter of
        training from one epoch to the next. A steady rise is no jitter.
        """
        df = min(len(differences), len(self._steps)) - 1
        if df < 1:
            return np.inf
        variance = differences.var(ddof=1) / len(differences) + np.var(self._steps, ddof=1)
        return float(stdtrit(df, 1 - LEVEL) * np.sqrt(variance))
