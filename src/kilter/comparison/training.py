"""What a trained network hangs on, as numbers: which rows it draws, and what its loss weighs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from kilter._errors import ArgumentError, did_you_mean
from kilter.losses.counted import log_prior
from kilter.losses.margins import ldam_margins
from kilter.losses.scaling import vs_scale
from kilter.sampling import TICKETS, Quotas, apportion
from kilter.weights import scheme_weights

NEIGHBOR, CLUSTER, BATCH, TAIL = PARTNERS = ("neighbor", "cluster", "batch", "tail")
ANEW, SCALE, MARGIN, NORM = HEADS = ("anew", "scale", "margin", "norm")


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
    partner : {"neighbor", "cluster", "batch", "tail"}, optional
        What rows are mixed with, anew each time. ``neighbor``: one of the nearest of the class;
        rarer classes are filled up to the largest by such mixtures (SMOTE). ``cluster``: the
        same within clusters of the class, by k-means at most eight of six rows on average;
        fewer than twelve are not parted. ``batch``: every row with any other of its batch, by a
        share drawn evenly from 0 to 1, and so are their labels (mixup). ``tail``: the same with a
        row of any class, each class as likely.
    neighbors : int
        How many of the nearest; 0 for as many as the plan says, which is the most.
    part : int
        Which subset ``shrink`` keeps: those of different parts have no row in common while
        there are enough.
    paced : bool
        That subset is drawn by how hard the trainings of the parts before find each row
        (self-paced under-sampling).
    kappa : float
        With a partner of the batch: a class that is so many times as rare as the other gets
        the label whole where half of the mixture is its own (Remix); 0 for none.
    cut : bool
        With a partner of the batch or the tail: a rectangle of the image comes whole from the
        partner (CutMix; of the tail, CMO).
    """

    power: float = 1.0
    shrink: bool = False
    per_batch: bool = False
    partner: str | None = None
    neighbors: int = 0
    part: int = 0
    paced: bool = False
    kappa: float = 0.0
    cut: bool = False

    def __post_init__(self) -> None:
        if self.part < 0 or (self.paced and not (self.shrink and self.part)):
            raise ArgumentError(
                "`part` must be at least 0, and a `paced` draw needs `shrink` and a part above 0: "
                f"the first has nothing to go by. Got part {self.part}."
            )
        if self.partner not in (None, *PARTNERS):
            raise ArgumentError(
                f"`partner` must be one of {', '.join(PARTNERS)}, or None; got `{self.partner}`."
                + did_you_mean(str(self.partner), PARTNERS)
            )
        if self.kappa and not (self.blends and self.kappa >= 1):
            raise ArgumentError(
                f"`kappa` must be at least 1 and needs the partner `{BATCH}`; got {self.kappa} "
                f"with the partner `{self.partner}`. The paper takes 3."
            )
        if self.cut and not self.blends:
            raise ArgumentError(
                f"`cut` needs the partner `{BATCH}` or `{TAIL}`; got `{self.partner}`."
            )
        if self.partner == TAIL and self.shrink:
            raise ArgumentError(
                f"the partner `{TAIL}` may be any row, which `shrink` leaves out. Use one of them."
            )

    @property
    def synthetic(self) -> bool:
        """Whether rows are mixed with neighbours."""
        return self.partner in (NEIGHBOR, CLUSTER)

    @property
    def blends(self) -> bool:
        """Whether rows are mixed with any others, and labels with theirs."""
        return self.partner in (BATCH, TAIL)

    def earlier(self) -> tuple[Draw, ...]:
        """Return the draws whose trainings have to be there before."""
        return tuple(
            replace(self, part=part, paced=part > 0) for part in range(self.part * self.paced)
        )

    def quotas(self, counts: np.ndarray, steps: int, batch_size: int) -> Quotas:
        """Work out the numbers for training parts with these class counts (classes,)."""
        unit = batch_size if self.per_batch else steps * batch_size
        lacking = 1 - counts / counts.max()
        mixed = lacking * self.synthetic + self.blends
        pool = np.full_like(counts, counts.min()) if self.shrink else counts
        part = 0 if self.paced else self.part  # a circle of its own begins with its rows
        return Quotas(
            slots=apportion(counts.astype(float) ** self.power, unit).astype(np.int32),
            pool=pool.astype(np.int32),
            first=(part * pool % (counts - pool + 1)).astype(np.int32),
            mixed=np.round(mixed * TICKETS).astype(np.int32),
            near=np.int32(self.neighbors),
            per_batch=np.int32(self.per_batch),
            clustered=np.int32(self.partner == CLUSTER),
            kappa=np.float32((self.kappa or np.inf) if self.blends else 0),
            tail=np.int32(self.partner == TAIL),
            cut=np.int32(self.cut),
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
    beta : float
        Of effective weights.
    prior : float
        tau: that many times the log prior is added to the logits in training.
    gamma : float
        Focusing.
    scale : float
        The logit of a class is multiplied by (n_k / n_max)^scale in training.
    margin : float
        By so much must a row of the rarest class win in training, of others by n_k^(-1/4) in
        proportion (LDAM).
    """

    weights: str | None = None
    prior: float = 0.0
    gamma: float = 0.0
    beta: float = 0.9999
    scale: float = 0.0
    margin: float = 0.0

    def numbers(self, counts: np.ndarray) -> LossNumbers:
        """Work out the numbers for training parts with these class counts (classes,)."""
        n_classes = len(counts)
        weights = np.ones(n_classes)
        if self.weights:
            weights = scheme_weights(counts, self.weights, self.beta)
        margins = np.tile(self.prior * log_prior(counts), (n_classes, 1))
        margins -= np.diag(ldam_margins(counts, self.margin))
        numbers = (weights, margins, vs_scale(counts, self.scale), self.gamma)
        return LossNumbers(*(np.asarray(number, np.float32) for number in numbers))


class Training(NamedTuple):
    """What a trained network hangs on; equal values share one training.

    With ``after`` it begins with the best network of that training instead of a new one, and with
    ``head`` only the last layer of that one learns.
    """

    draw: Draw
    loss: Loss
    after: Training | None = None
    head: str | None = None

    def needs(self) -> tuple[Training, ...]:
        """Return the trainings that have to be there before, those that come first first."""
        every = [one for before in self._before() for one in (*before.needs(), before)]
        return tuple(dict.fromkeys(every))

    @property
    def round(self) -> int:
        """How many have to come one after another before it."""
        return max((before.round + 1 for before in self._before()), default=0)

    def _before(self) -> list[Training]:
        """Return what it hangs on itself; of paced parts that is the last, which has the rest."""
        after = [] if self.after is None else [self.after]
        return [*after, *(self._replace(draw=draw) for draw in self.draw.earlier()[-1:])]


def with_needs(trainings: Iterable[Training]) -> tuple[Training, ...]:
    """Return trainings, each once and behind those that it needs."""
    return tuple(dict.fromkeys(one for each in trainings for one in (*each.needs(), each)))
