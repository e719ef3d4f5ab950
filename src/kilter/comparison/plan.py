"""The plan of a comparison: everything that its result hangs on, besides the data."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from os import PathLike
from typing import Any

import keras

from kilter._errors import ArgumentError, ArgumentTypeError, did_you_mean
from kilter._numbers import is_whole
from kilter.augment.image import find_layers
from kilter.augment.words import RandomWords
from kilter.comparison.remedy import Decide, Remedy, find_remedies
from kilter.comparison.training import Draw, Loss, Training, with_needs
from kilter.models import find_build

METRICS = {
    "auprc": True,
    "macro_f1": True,
    "balanced_accuracy": True,
    "mcc": True,
    "log_loss": False,
    "brier": False,
}
"""Metrics that can choose a remedy; True where higher is better."""

NETWORKS = {"table": ("tabm", "mlp"), "image": ("convnet",), "text": ("textnet",)}
"""Networks that kilter builds itself, by what a row is; the first is the default."""

OF_KIND: dict[str, dict[str, Any]] = {
    "table": {"network": "tabm", "seeds": 3, "epochs": 200, "patience": 20, "confirm": 0},
    "image": {"network": "convnet", "seeds": 1, "epochs": 30, "patience": 6, "confirm": 2},
    "embedding": {"network": "mlp", "seeds": 3, "epochs": 200, "patience": 20, "confirm": 0},
    "text": {
        "network": "textnet",
        "seeds": 3,
        "epochs": 30,
        "patience": 6,
        "confirm": 0,
        "dropout": 0.3,
    },
}
"""Settings that hang on what a row is, where they are not given."""

LEAST = {"folds": 2, "seed": 0, "confirm": 0} | dict.fromkeys(
    ("seeds", "epochs", "patience", "members", "neighbors"), 1
)
BELOW = {"learning_rate": math.inf, "weight_decay": math.inf, "dropout": 1.0}

OWN = "own"
"""What a plan calls a network that the user builds."""


@dataclass(frozen=True)
class Plan:
    """What to train and how to judge it.

    Use `Plan.make` to build one from names; a plan is frozen, compares by value and goes to
    JSON and back.

    Attributes
    ----------
    remedies : tuple of Remedy
        Always with the baseline, ``none+threshold``.
    folds, seeds : int
        Each remedy is trained ``folds * seeds`` times.
    seed : int
        What folds, initial weights and draws hang on.
    metric : str
        What chooses the remedy; one of `METRICS`.
    epochs, patience : int
        A training stops after ``patience`` epochs without a better average precision on its
        validation part, and after ``epochs`` anyway.
    batch_size : int or None
        Rows a step; None chooses by the size of the table.
    learning_rate, weight_decay : float
        Of the AdamW optimizer.
    network : str
        What is trained: ``tabm``, an ensemble in one network on embedded numbers, or ``mlp``,
        a plain perceptron, which is several times as fast; ``convnet``, a small convolutional
        network, for images; ``textnet``, on words and windows of three words, for texts.
    build : function or keras.Model, optional
        A network of your own in its place: a function of the number of columns and of classes
        that returns a new model, a model, whose weights are drawn anew, or the name of a file.
        It does not go to JSON. See `kilter.models.own_network` and `find_build`.
    pretrained : path, optional
        Of weights that every network begins with, as ``save_weights`` or ``save`` wrote them;
        layers that they do not fit, such as the last, begin as they would. They must not have
        been learned from the rows of the comparison.
    members : int
        Of the ensemble, if ``network`` is one. Eight gain a little above some 2,000 rows, and take
        twice as long.
    hidden : tuple of int
        Units of the network's hidden layers.
    dropout : float
        Of the network.
    neighbors : int
        Neighbours of a row among which SMOTE picks.
    min_recall : float or None
        Threshold at the highest value that keeps this recall of the rarest class.
    costs : tuple of tuples or None
        ``costs[true][predicted]``; decisions then minimise the expected cost.
    confirm : int
        So many of the remedies for the last layer that are best on validation rows are trained
        end to end as well, where they have such a form.
    augment : str, layer or sequence of layers, optional
        What changes images in training: ``light``, ``strong``, or Keras layers; or texts:
        ``light``, ``strong``, or a `kilter.augment.RandomWords`.
    augment_share : float
        Share of the rows of the largest class that are changed. A class of which there are
        1/k as many rows has ``1 - (1 - augment_share) / k``: the rarer, the more.
    synonyms : str, optional
        Where those of changed texts come from: ``wordnet``, or a file with a group of words a line;
        if not given, words that the training part uses alike.
    length : int or None
        Words of a text that are read; None for as many as 95% of the training part have, at most
        200.
    """

    remedies: tuple[Remedy, ...]
    folds: int = 5
    seeds: int = 3
    seed: int = 0
    metric: str = "auprc"
    epochs: int = 200
    patience: int = 20
    batch_size: int | None = None
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    network: str = "tabm"
    build: Any = None
    members: int = 4
    hidden: tuple[int, ...] = (64, 64)
    dropout: float = 0.1
    neighbors: int = 5
    min_recall: float | None = None
    costs: tuple[tuple[float, ...], ...] | None = None
    confirm: int = 0
    augment: Any = None
    augment_share: float = 1.0
    pretrained: str | None = None
    synonyms: str | None = None
    length: int | None = None

    def __post_init__(self) -> None:
        given = [name for name in ("batch_size", "length") if getattr(self, name) is not None]
        counts = LEAST | dict.fromkeys(given, 1)
        # Numbers of numpy's are taken as Python's, which JSON can hold.
        for name, least in counts.items():
            object.__setattr__(self, name, _count(name, getattr(self, name), least))
        for name, below in BELOW.items():
            object.__setattr__(self, name, _number(name, getattr(self, name), below))
        if not isinstance(self.hidden, Sequence) or isinstance(self.hidden, str):
            raise ArgumentTypeError(
                f"`hidden` must be whole numbers in a row; got {self.hidden!r}."
            )
        object.__setattr__(self, "hidden", tuple(_count("hidden", each, 1) for each in self.hidden))
        _check_choice("metric", self.metric, METRICS)
        if isinstance(self.build, str | PathLike):
            object.__setattr__(self, "build", find_build(str(self.build)))
        if self.augment is not None and not isinstance(self.augment, RandomWords):
            find_layers(self.augment)
        if not 0 <= self.augment_share <= 1:
            raise ArgumentError(f"`augment_share` must be from 0 to 1; got {self.augment_share}.")
        for name in ("pretrained", "synonyms"):
            if getattr(self, name) is not None:  # a path, which JSON cannot hold
                object.__setattr__(self, name, str(getattr(self, name)))
        if self.build is not None:
            object.__setattr__(self, "network", OWN)
        elif self.network != OWN:  # which a plan from JSON may have
            _check_choice("network", self.network, [n for kind in NETWORKS.values() for n in kind])
        if self.min_recall is not None:
            object.__setattr__(self, "min_recall", _real("min_recall", self.min_recall))
        if self.min_recall is not None and not 0 < self.min_recall <= 1:
            raise ArgumentError(f"`min_recall` must be above 0, at most 1; got {self.min_recall}.")
        if self.min_recall is not None and self.costs is not None:
            raise ArgumentError(
                "`min_recall` and `cost` both set the decision; give one of the two."
            )

    @classmethod
    def make(cls, remedies: Any = None, **settings: Any) -> Plan:
        """Build a plan; ``remedies`` are names or `Remedy` values, None for the usual.

        Settings that are None or left out are the usual ones for rows of a ``kind``: ``table``
        if not given, ``embedding``, of texts,
        ``image`` or ``text``.

        Examples
        --------
        >>> from kilter import Plan
        >>> [remedy.name for remedy in Plan.make(["focal"], folds=3).remedies]
        ['none+threshold', 'focal']
        """
        kind = settings.pop("kind", "table")
        if isinstance(remedies, Remedy):
            remedies = [remedies]
        if isinstance(remedies, str):
            remedies = split_names(remedies)
        known = [field.name for field in dataclasses.fields(cls)]
        for name in settings:
            if name not in known:
                raise ArgumentTypeError(f"there is no setting `{name}`.{did_you_mean(name, known)}")
        for name, usual in OF_KIND[kind].items():
            if settings.get(name) is None:
                settings[name] = usual
        return cls(find_remedies(remedies, kind), **settings)

    @property
    def trainings(self) -> tuple[Training, ...]:
        """What is trained for its remedies, each once and behind what it needs."""
        return with_needs(one for remedy in self.remedies for one in remedy.trainings)

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher value of the metric is a better one."""
        return METRICS[self.metric]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON can hold it."""
        given = dataclasses.asdict(dataclasses.replace(self, build=None, augment=None))
        del given["build"]
        given["augment"] = self._augment_to_json()
        plain: dict[str, Any] = json.loads(json.dumps(given))
        return plain

    def _augment_to_json(self) -> Any:
        if self.augment is None or isinstance(self.augment, str):
            return self.augment
        if isinstance(self.augment, RandomWords):
            return self.augment.get_params()
        return [keras.saving.serialize_keras_object(layer) for layer in find_layers(self.augment)]

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Plan:
        """Make the plan again."""
        remedies = tuple(map(_remedy, plain["remedies"]))
        costs = plain["costs"] and tuple(tuple(row) for row in plain["costs"])
        augment = plain.get("augment")
        if isinstance(augment, dict):
            augment = RandomWords(**augment)
        if isinstance(augment, list):
            augment = [keras.saving.deserialize_keras_object(layer) for layer in augment]
        changed = {"remedies": remedies, "hidden": tuple(plain["hidden"]), "costs": costs}
        changed["augment"] = augment
        return cls(**{**plain, **changed})


def split_names(text: str) -> list[str]:
    """Return the names in a text with commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def _remedy(plain: dict[str, Any]) -> Remedy:
    slots = {"draw": Draw, "loss": Loss, "decide": Decide}
    made = {name: slot(**plain[name]) for name, slot in slots.items()}
    members = tuple(map(_remedy, plain["members"]))
    after = _remedy(plain["after"]) if plain.get("after") else None
    others = {"join": plain["join"], "after": after, "head": plain.get("head")}
    return Remedy(plain["name"], **made, members=members, **others)


def _count(name: str, value: Any, least: int) -> int:
    if not is_whole(value):
        raise ArgumentTypeError(f"`{name}` must be a whole number; got {value!r}.")
    if value < least:
        reason = " One fold leaves nothing to test on." if name == "folds" else ""
        raise ArgumentError(f"`{name}` must be at least {least}; got {value}.{reason}")
    return int(value)


def _check_choice(name: str, value: Any, choices: Iterable[str]) -> None:
    if str(value) not in choices:
        raise ArgumentError(
            f"`{name}` must be one of {', '.join(choices)}; got `{value}`."
            + did_you_mean(str(value), choices)
        )


def _real(name: str, value: Any) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise ArgumentTypeError(f"`{name}` must be a number; got {value!r}.")
    return float(value)


def _number(name: str, given: Any, below: float) -> float:
    value = _real(name, given)
    if not 0 <= value < below:
        most = "finite" if below == math.inf else f"below {below}"
        raise ArgumentError(f"`{name}` must be at least 0 and {most}; got {given}.")
    return value
