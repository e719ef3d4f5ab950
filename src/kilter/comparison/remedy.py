"""Remedies as numbers: what they train, how they decide, and those that have names.

Two remedies whose draws and losses are equal train the same networks, so those are
trained once: ``none`` and ``none+threshold`` differ in the decision only, and balanced
softmax is the logit-adjusted loss by another name (log n and log of the prior differ by a
constant, which a softmax does not see).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kilter._errors import ArgumentError, ArgumentTypeError, did_you_mean
from kilter.comparison.training import (
    ANEW,
    BATCH,
    CLUSTER,
    HEADS,
    MARGIN,
    NEIGHBOR,
    NORM,
    SCALE,
    TAIL,
    Draw,
    Loss,
    Training,
)
from kilter.ensemble import JOINTS

BASELINE = "none+threshold"


@dataclass(frozen=True)
class Decide:
    """What happens to the probabilities afterwards.

    Attributes
    ----------
    tuned : bool
        The threshold (for many classes: one offset a class) is tuned on validation rows.
        Without it the most probable class wins.
    calibrated : bool
        Whether it goes by calibrated probabilities, as the model does that is handed over.
    """

    tuned: bool = True
    calibrated: bool = True


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
    head : {"anew", "scale", "margin", "norm"}, optional
        Keep what the network of ``after`` has learned (``none`` if not given) but for its last
        layer, of which this learns: all anew (classifier re-training, cRT); a factor a class
        (learnable weight scaling); a factor and a margin a class (margin calibration, MARC). For
        ``norm`` nothing is trained: weights of a class are divided by a power of their norm, which
        is chosen on validation rows (tau-normalisation).

    References
    ----------
    Kang et al. (2020), Decoupling representation and classifier for long-tailed recognition;
    Wang et al. (2021), Margin calibration for long-tailed visual recognition.

    Examples
    --------
    >>> from kilter import Remedy
    >>> Remedy("gentle", draw=Draw(power=0.5)).draw.power
    0.5
    >>> [member.name for member in Remedy("two", members=("none", "focal")).members]
    ['none', 'focal']
    >>> Remedy("late", draw=Draw(power=0), after="none").after.name
    'none'
    >>> Remedy("retrained", draw=Draw(power=0), head="anew").after.name
    'none'
    """

    name: str
    draw: Draw = field(default_factory=Draw)
    loss: Loss = field(default_factory=Loss)
    decide: Decide = field(default_factory=Decide)
    members: tuple[Remedy, ...] = ()
    join: str = "average"
    after: Remedy | None = None
    head: str | None = None

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
        if len({one.trainings for one in members}) < len(members):
            names = ", ".join(member.name for member in self.members)
            raise ArgumentError(
                f"`members` must be trained differently; of {names} two or more are one training. "
                "Name each training once."
            )
        if self.join not in JOINTS:
            raise ArgumentError(
                f"`join` must be one of {', '.join(JOINTS)}; got `{self.join}`."
                + did_you_mean(str(self.join), JOINTS)
            )
        if self.head is not None:
            self._check_head()
        if self.after is not None:
            object.__setattr__(self, "after", _find(self.after, "after"))
            if self.members or self.after.members:
                raise ArgumentError(
                    "`after` must be a remedy without members, for one without members; got "
                    f"`{self.after.name}` for `{self.name}`. Give each member its own."
                )

    def _check_head(self) -> None:
        if self.members:
            raise ArgumentError(
                f"`head` must be None for a remedy with members; got `{self.head}` for "
                f"`{self.name}`. Give each member its own."
            )
        if self.head not in HEADS:
            raise ArgumentError(
                f"`head` must be one of {', '.join(HEADS)}, or None; got `{self.head}`."
                + did_you_mean(str(self.head), HEADS)
            )
        if self.head == NORM and (self.draw, self.loss) != (Draw(), Loss()):
            raise ArgumentError(
                f"`head` {NORM} trains nothing, so it takes no draw and no loss of its own. Leave "
                "them out."
            )
        if self.draw.paced or self.draw.cut:
            raise ArgumentError(
                "`draw` must be neither `paced` nor `cut` where only a `head` learns, as "
                f"`{self.name}` has it: features are no images. Leave both out; `part` alone takes "
                "another subset, and a partner of the batch alone mixes features."
            )
        if self.after is None:
            object.__setattr__(self, "after", Remedy("none"))

    @property
    def trainings(self) -> tuple[Training, ...]:
        """What its networks hang on: its own draw and loss, or those of each member."""
        if self.members:
            return tuple(one for member in self.members for one in member.trainings)
        after = None if self.after is None else self.after.trainings[0]
        return (Training(self.draw, self.loss, after, self.head),)


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
    Remedy("none", decide=Decide(tuned=False, calibrated=False)),
    Remedy(BASELINE),
    Remedy("oversample", draw=Draw(power=0)),
    Remedy("undersample", draw=Draw(power=0, shrink=True)),
    Remedy("smote", draw=Draw(power=0, partner=NEIGHBOR)),
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
MIXUP = Remedy("mixup", draw=Draw(partner=BATCH))
MORE = (
    Remedy("cb-focal", loss=Loss(weights="effective", gamma=2)),
    Remedy("vs", loss=Loss(prior=1, scale=0.3)),
    Remedy("cluster-smote", draw=Draw(power=0, partner=CLUSTER)),
    MIXUP,
    Remedy("remix", draw=Draw(partner=BATCH, kappa=3)),
    Remedy("cutmix", draw=Draw(partner=BATCH, cut=True)),
    Remedy("cmo", draw=Draw(partner=TAIL, cut=True)),
    Remedy("mixup-drw", loss=Loss(weights="effective"), draw=Draw(partner=BATCH), after=MIXUP),
    Remedy("drw", loss=Loss(weights="effective"), after=REMEDIES["none"]),
    Remedy(
        "ldam-drw",
        loss=Loss(weights="effective", margin=0.5),
        after=Remedy("ldam", loss=Loss(margin=0.5)),
    ),
)
OF_HEAD = (
    Remedy("tau-norm", head=NORM),
    Remedy("crt", draw=Draw(power=0), head=ANEW),
    Remedy("lws", draw=Draw(power=0), head=SCALE),
    Remedy("marc", loss=Loss(weights="balanced"), head=MARGIN),
    Remedy("head-undersample", draw=Draw(power=0, shrink=True), head=ANEW),
    Remedy("head-smote", draw=Draw(power=0, partner=NEIGHBOR), head=ANEW),
    Remedy("head-class-weights", loss=Loss(weights="balanced"), head=ANEW),
    Remedy("head-focal", loss=Loss(gamma=2), head=ANEW),
    Remedy("head-logit-adjust", loss=Loss(prior=1), head=ANEW),
    Remedy("head-vs", loss=Loss(prior=1, scale=0.3), head=ANEW),
)
"""What is done about the last layer of a network that learned from natural draws."""
REMEDIES |= {remedy.name: remedy for remedy in (*ENSEMBLES, *MORE, *OF_HEAD)}

ON_REQUEST = ("under-bagging", "self-paced", *(remedy.name for remedy in (*MORE, *OF_HEAD)))
"""The first two have trainings of their own, two thirds as many as all others together, and
seldom help a network; the others are near to those that are there, or train twice. They have to
be asked for."""
USUAL = tuple(name for name in REMEDIES if name not in ON_REQUEST)


def _mixes(remedy: Remedy) -> bool:
    """Say whether rows are mixed, which words cannot be."""
    return any(one.draw.synthetic for one in remedy.trainings)


USUAL_OF = {
    "table": USUAL,
    "embedding": USUAL,
    "image": ("none", BASELINE, *(remedy.name for remedy in OF_HEAD)),
    "text": tuple(name for name in USUAL if not _mixes(REMEDIES[name])),
}
"""By what a row is: where a training takes minutes, remedies for the last layer take seconds."""


def end_to_end(remedy: Remedy) -> Remedy | None:
    """Return kilter's remedy that trains a whole network as this one trains its last layer.

    Examples
    --------
    >>> end_to_end(REMEDIES["crt"]).name, end_to_end(REMEDIES["tau-norm"])
    ('oversample', None)
    """
    whole = (Training(remedy.draw, remedy.loss),)
    same = (one for one in REMEDIES.values() if one.trainings == whole and one.decide.tuned)
    return next(same, None) if remedy.head == ANEW else None


def find_remedies(names: Iterable[str | Remedy] | None, kind: str = "table") -> tuple[Remedy, ...]:
    """Look remedies up by name; the usual ones for None. The baseline is always among them.

    Raises
    ------
    ArgumentError
        For an unknown name, with the nearest known one, and for a name that is given twice or
        that kilter has for another remedy.
    """
    wanted = list(USUAL_OF[kind] if names is None else names)
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
