"""Remedies as numbers: what a remedy draws, what its loss weighs, how it decides.

Two remedies whose draws and losses are equal train the same networks, so those are
trained once: ``none`` and ``none+threshold`` differ in the decision only, and balanced
softmax is the logit-adjusted loss by another name (log n and log of the prior differ by a
constant, which a softmax does not see).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from kilter._errors import ArgumentError, did_you_mean
from kilter.sampling import TICKETS, Quotas, apportion
from kilter.weights import scheme_weights

BASELINE = "none+threshold"


@dataclass(frozen=True)
class Draw:
    """Which rows a step sees.

    Attributes
    ----------
    power : float
        The share of a class is proportional to n_k^power: 1 natural, 0 balanced.
    shrink : bool
        Every class keeps a fixed random subset of as many rows as the rarest has.
    per_batch : bool
        The shares are exact in every batch rather than in every epoch.
    synthetic : bool
        Rows of rarer classes are filled up to the largest class by mixtures with one of
        their nearest neighbours (SMOTE), drawn anew each time.
    """

    power: float = 1.0
    shrink: bool = False
    per_batch: bool = False
    synthetic: bool = False

    def quotas(self, counts: np.ndarray, steps: int, batch_size: int) -> Quotas:
        """Work out the numbers for training parts with these class counts (classes,)."""
        unit = batch_size if self.per_batch else steps * batch_size
        lacking = (1 - counts / counts.max()) if self.synthetic else np.zeros(len(counts))
        return Quotas(
            slots=apportion(counts.astype(float) ** self.power, unit).astype(np.int32),
            pool=(np.full_like(counts, counts.min()) if self.shrink else counts).astype(np.int32),
            mixed=np.round(lacking * TICKETS).astype(np.int32),
            per_batch=np.int32(self.per_batch),
        )


class LossNumbers(NamedTuple):
    """The arguments of `kilter.losses.cross_entropy` after labels and logits, float32."""

    weights: np.ndarray
    margins: np.ndarray
    scale: np.ndarray
    gamma: np.ndarray


@dataclass(frozen=True)
class Loss:
    """What the loss does to the logits and to the rows of a class.

    Attributes
    ----------
    weights : str, optional
        A scheme of `kilter.class_weights`, for the training counts.
    prior : float
        tau: that many times the log prior is added to the logits in training.
    gamma : float
        Focusing.
    """

    weights: str | None = None
    prior: float = 0.0
    gamma: float = 0.0

    def numbers(self, counts: np.ndarray) -> LossNumbers:
        """Work out the numbers for training parts with these class counts (classes,)."""
        n_classes = len(counts)
        weights = scheme_weights(counts, self.weights) if self.weights else np.ones(n_classes)
        margins = np.tile(self.prior * np.log(counts / counts.sum()), (n_classes, 1))
        numbers = (weights, margins, np.ones(n_classes), self.gamma)
        return LossNumbers(*(np.asarray(number, np.float32) for number in numbers))


@dataclass(frozen=True)
class Decide:
    """What happens to the probabilities afterwards.

    Attributes
    ----------
    tuned : bool
        The threshold (for many classes: one offset a class) is tuned on validation rows.
        Without it the most probable class wins.
    """

    tuned: bool = True


@dataclass(frozen=True)
class Remedy:
    """A way to train on imbalanced data, as a frozen value.

    Use it to give `kilter.compare` a variant that has no name yet.

    Examples
    --------
    >>> from kilter import Remedy
    >>> Remedy("gentle", draw=Draw(power=0.5)).draw.power
    0.5
    """

    name: str
    draw: Draw = field(default_factory=Draw)
    loss: Loss = field(default_factory=Loss)
    decide: Decide = field(default_factory=Decide)

    @property
    def training(self) -> tuple[Draw, Loss]:
        """What the trained network hangs on; equal values share one training."""
        return self.draw, self.loss


REMEDIES = {
    remedy.name: remedy
    for remedy in (
        Remedy("none", decide=Decide(tuned=False)),
        Remedy(BASELINE),
        Remedy("oversample", draw=Draw(power=0)),
        Remedy("undersample", draw=Draw(power=0, shrink=True)),
        Remedy("smote", draw=Draw(power=0, synthetic=True)),
        Remedy("balanced-batches", draw=Draw(power=0, per_batch=True)),
        Remedy("class-weights", loss=Loss(weights="balanced")),
        Remedy("effective-weights", loss=Loss(weights="effective")),
        Remedy("focal", loss=Loss(gamma=2)),
        Remedy("logit-adjust", loss=Loss(prior=1)),
        Remedy("balanced-softmax", loss=Loss(prior=1)),
    )
}


def find_remedies(names: Iterable[str | Remedy] | None) -> tuple[Remedy, ...]:
    """Look remedies up by name; all of them for None. The baseline is always among them.

    Raises
    ------
    ArgumentError
        For an unknown name, with the nearest known one, and for a name given twice.
    """
    wanted = list(REMEDIES if names is None else names)
    found = [_find(name) for name in wanted]
    if BASELINE not in [remedy.name for remedy in found]:
        found.insert(0, REMEDIES[BASELINE])
    _check_distinct([remedy.name for remedy in found])
    return tuple(found)


def _find(name: str | Remedy) -> Remedy:
    if isinstance(name, Remedy):
        return name
    if name not in REMEDIES:
        raise ArgumentError(
            f"`remedies` knows no `{name}`.{did_you_mean(str(name), REMEDIES)} "
            f"Known are {', '.join(REMEDIES)}."
        )
    return REMEDIES[name]


def _check_distinct(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError(f"`remedies` has `{twice[0]}` twice; give each a name of its own.")
