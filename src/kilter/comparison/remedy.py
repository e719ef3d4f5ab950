"""Remedies as numbers: what a remedy draws, what its loss weighs, how it decides.

Two remedies whose draws and losses are equal train the same networks, so those are
trained once: ``none`` and ``none+threshold`` differ in the decision only, and balanced
softmax is the logit-adjusted loss by another name (log n and log of the prior differ by a
constant, which a softmax does not see).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from kilter._errors import ArgumentError, ArgumentTypeError, did_you_mean
from kilter.ensemble import JOINTS
from kilter.losses.counted import log_prior
from kilter.losses.margins import ldam_margins
from kilter.losses.scaling import vs_scale
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
    neighbors : int
        How many of them; 0 for as many as the plan says, which is the most.
    clustered : bool
        Those of the row's own cluster: a class is parted by k-means into at most eight, of six
        rows on average. Fewer than twelve are not parted.
    part : int
        Which subset ``shrink`` keeps: those of different parts have no row in common while
        there are enough.
    paced : bool
        That subset is drawn by how hard the trainings of the parts before find each row
        (self-paced under-sampling).
    mixup : bool
        Every row is mixed with any other of its batch, by a share drawn evenly from 0 to 1, and
        so are their labels.
    kappa : float
        With ``mixup``: a class that is so many times as rare as the other gets the label whole
        where half of the mixture is its own (Remix); 0 for none.
    """

    power: float = 1.0
    shrink: bool = False
    per_batch: bool = False
    synthetic: bool = False
    neighbors: int = 0
    clustered: bool = False
    part: int = 0
    paced: bool = False
    mixup: bool = False
    kappa: float = 0.0

    def __post_init__(self) -> None:
        if self.part < 0 or (self.paced and not (self.shrink and self.part)):
            raise ArgumentError(
                "`part` must be at least 0, and a `paced` draw needs `shrink` and a part above 0: "
                f"the first has nothing to go by. Got part {self.part}."
            )
        if self.clustered and not self.synthetic:
            raise ArgumentError("`clustered` needs `synthetic`: it says what rows are mixed with.")
        if (self.mixup and self.synthetic) or (self.kappa and not (self.mixup and self.kappa >= 1)):
            raise ArgumentError(
                "`mixup` does not go with `synthetic`, which mixes as well, and `kappa` must be "
                f"at least 1 and needs `mixup`. Got {self}."
            )

    def earlier(self) -> tuple[Draw, ...]:
        """Return the draws whose trainings have to be there before."""
        return tuple(
            replace(self, part=part, paced=part > 0) for part in range(self.part * self.paced)
        )

    def quotas(self, counts: np.ndarray, steps: int, batch_size: int) -> Quotas:
        """Work out the numbers for training parts with these class counts (classes,)."""
        unit = batch_size if self.per_batch else steps * batch_size
        lacking = (1 - counts / counts.max()) if self.synthetic else np.zeros(len(counts))
        mixed = np.ones(len(counts)) if self.mixup else lacking
        pool = np.full_like(counts, counts.min()) if self.shrink else counts
        part = 0 if self.paced else self.part  # a circle of its own begins with its rows
        return Quotas(
            slots=apportion(counts.astype(float) ** self.power, unit).astype(np.int32),
            pool=pool.astype(np.int32),
            first=(part * pool % (counts - pool + 1)).astype(np.int32),
            mixed=np.round(mixed * TICKETS).astype(np.int32),
            near=np.int32(self.neighbors),
            per_batch=np.int32(self.per_batch),
            clustered=np.int32(self.clustered),
            kappa=np.float32((self.kappa or np.inf) if self.mixup else 0),
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


class Training(NamedTuple):
    """What a trained network hangs on; equal values share one training.

    With ``after`` it begins with the best network of that training instead of a new one.
    """

    draw: Draw
    loss: Loss
    after: Training | None = None

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


@dataclass(frozen=True)
class Remedy:
    """A way to train on imbalanced data, as a frozen value.

    Use it to give `kilter.compare` a variant that has no name yet.

    Attributes
    ----------
    name : str
        What tables call it.
    draw, loss, decide
        The rows of a step, what the loss does with them, and how to decide.
    members : tuple of Remedy
        Of an ensemble; a name that kilter knows stands for its remedy. Draw and loss are
        theirs then.
    join : {"average", "weighted-average", "vote", "stack"}
        How the members' probabilities become one: see `kilter.ensemble`.
    after : Remedy, optional
        Train by that one first, or by the one of that name, and go on from its best network
        by this one's draw and loss: deferred re-weighting and re-sampling.

    Examples
    --------
    >>> from kilter import Remedy
    >>> Remedy("gentle", draw=Draw(power=0.5)).draw.power
    0.5
    >>> [member.name for member in Remedy("two", members=("none", "focal")).members]
    ['none', 'focal']
    >>> Remedy("late", draw=Draw(power=0), after="none").after.name
    'none'
    """

    name: str
    draw: Draw = field(default_factory=Draw)
    loss: Loss = field(default_factory=Loss)
    decide: Decide = field(default_factory=Decide)
    members: tuple[Remedy, ...] = ()
    join: str = "average"
    after: Remedy | None = None

    def __post_init__(self) -> None:
        if isinstance(self.members, str):
            raise ArgumentTypeError(
                f"`members` must be several names or remedies; got {self.members!r}. Put them into "
                "a tuple."
            )
        members = tuple(_find(member, "members") for member in self.members)
        object.__setattr__(self, "members", members)
        if any(member.members for member in self.members):
            raise ArgumentError(
                "`members` must be remedies without members of their own. Name those instead."
            )
        if self.join not in JOINTS:
            raise ArgumentError(
                f"`join` must be one of {', '.join(JOINTS)}; got `{self.join}`."
                + did_you_mean(str(self.join), JOINTS)
            )
        if self.after is not None:
            object.__setattr__(self, "after", _find(self.after, "after"))
            if self.members or self.after.members:
                raise ArgumentError(
                    "`after` must be a remedy without members, for one without members; got "
                    f"`{self.after.name}` for `{self.name}`. Give each member its own."
                )

    @property
    def trainings(self) -> tuple[Training, ...]:
        """What its networks hang on: its own draw and loss, or those of each member."""
        if self.members:
            return tuple(one for member in self.members for one in member.trainings)
        after = None if self.after is None else self.after.trainings[0]
        return (Training(self.draw, self.loss, after),)


def _find(name: str | Remedy, argument: str = "remedies") -> Remedy:
    """Return a remedy by its name."""
    if isinstance(name, Remedy):
        return name
    if not isinstance(name, str):
        raise ArgumentTypeError(
            f"`{argument}` must be names or `Remedy` values; got {name!r}. Known names are "
            f"{', '.join(REMEDIES)}."
        )
    if name not in REMEDIES:
        raise ArgumentError(
            f"`{argument}` knows no `{name}`.{did_you_mean(name, REMEDIES)} Known are "
            f"{', '.join(REMEDIES)}; a `Remedy` of your own is given itself."
        )
    return REMEDIES[name]


SINGLE = (
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
REMEDIES = {remedy.name: remedy for remedy in SINGLE}

PARTS = 4
"""Members of under-bagging; with three seeds a model averages twelve subsets."""


def _parts(paced: bool) -> tuple[Remedy, ...]:
    """Return members that each see a subset of their own; the first is plain undersampling."""
    draws = [
        Draw(power=0, shrink=True, part=part, paced=paced and part > 0) for part in range(PARTS)
    ]
    return tuple(Remedy(f"part-{draw.part}", draw=draw) for draw in draws)


THREE = tuple(REMEDIES[name] for name in ("none", "oversample", "undersample"))
DISTINCT = tuple({one.trainings: one for one in SINGLE}.values())
ENSEMBLES = (
    Remedy("under-bagging", members=_parts(paced=False)),
    Remedy("self-paced", members=_parts(paced=True)),
    Remedy("blend", members=THREE, join="weighted-average"),
    Remedy("vote", members=THREE, join="vote"),
    Remedy("stack", members=DISTINCT, join="stack"),
)
MORE = (
    Remedy("cb-focal", loss=Loss(weights="effective", gamma=2)),
    Remedy("vs", loss=Loss(prior=1, scale=0.3)),
    Remedy("cluster-smote", draw=Draw(power=0, synthetic=True, clustered=True)),
    Remedy("mixup", draw=Draw(mixup=True)),
    Remedy("remix", draw=Draw(mixup=True, kappa=3)),
    Remedy("drw", loss=Loss(weights="effective"), after=REMEDIES["none"]),
    Remedy(
        "ldam-drw",
        loss=Loss(weights="effective", margin=0.5),
        after=Remedy("ldam", loss=Loss(margin=0.5)),
    ),
)
REMEDIES |= {remedy.name: remedy for remedy in (*ENSEMBLES, *MORE)}

ON_REQUEST = ("under-bagging", "self-paced", *(remedy.name for remedy in MORE))
"""The first two have trainings of their own, two thirds as many as all others together, and
seldom help a network; the others are near to those that are there, or train twice. They have to
be asked for."""
USUAL = tuple(name for name in REMEDIES if name not in ON_REQUEST)


def find_remedies(names: Iterable[str | Remedy] | None) -> tuple[Remedy, ...]:
    """Look remedies up by name; `USUAL` for None. The baseline is always among them.

    Raises
    ------
    ArgumentError
        For an unknown name, with the nearest known one, and for a name that is given twice or
        that kilter has for another remedy.
    """
    wanted = list(USUAL if names is None else names)
    found = [_find(name) for name in wanted]
    if BASELINE not in [remedy.name for remedy in found]:
        found.insert(0, REMEDIES[BASELINE])
    _check_names(found)
    return tuple(found)


def _check_names(found: list[Remedy]) -> None:
    names = [remedy.name for remedy in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ArgumentError(f"`remedies` has `{twice[0]}` twice; give each a name of its own.")
    for remedy in found:
        if REMEDIES.get(remedy.name, remedy) != remedy:
            raise ArgumentError(
                f"`remedies` has a remedy of your own by the name of kilter's `{remedy.name}`. "
                "Give it another name."
            )
