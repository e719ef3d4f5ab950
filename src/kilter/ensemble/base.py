"""What all ways to join members share."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from kilter._errors import ArgumentError, ArtifactError
from kilter._types import ValidationScores, require_part
from kilter.decide.calibrate import EPSILON
from kilter.metrics._inputs import check_scored


class Joint(ABC):
    """A map from the probabilities of several members to one.

    What it knows are numbers, the fields of a frozen dataclass: so it goes to JSON and back,
    and into a layer of a Keras model.
    """

    @classmethod
    @abstractmethod
    def fit(cls, members: Sequence[ValidationScores]) -> Self:
        """Find the numbers on validation rows, one set of scores a member, of the same rows."""

    @staticmethod
    @abstractmethod
    def combine(xp: Any, members: Any, **numbers: Any) -> Any:
        """Return (rows, classes) from (members, rows, classes).

        ``xp`` is ``numpy`` or ``keras.ops``: the arithmetic is the same.
        """

    def numbers(self) -> dict[str, np.ndarray]:
        """Return what `combine` takes."""
        names = [field.name for field in dataclasses.fields(self)]  # type: ignore[arg-type]
        return {name: np.asarray(getattr(self, name), float) for name in names}

    def apply(self, members: Any) -> np.ndarray:
        """Join probabilities (members, rows, classes); float64 of shape (rows, classes)."""
        given = np.asarray(members, np.float64)
        joined: np.ndarray = self.combine(np, given, **self.numbers())
        return joined

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as JSON can hold them."""
        return {name: number.tolist() for name, number in self.numbers().items()}

    @classmethod
    def from_json(cls, plain: Any) -> Self:
        """Make the joint again."""
        names = [field.name for field in dataclasses.fields(cls)]  # type: ignore[arg-type]
        try:
            return cls(**{name: frozen(plain[name]) for name in names})
        except (KeyError, TypeError) as error:
            raise ArtifactError(
                f"`plain` must be what `{cls.__name__}.to_json` returned, with "
                f"{', '.join(names)}; got {plain!r:.80}. Save it again."
            ) from error


def frozen(values: Any) -> Any:
    """Turn arrays and lists into tuples, so that a joint compares by value."""
    if isinstance(values, np.ndarray):
        values = values.tolist()
    return tuple(map(frozen, values)) if isinstance(values, list | tuple) else values


def check_members(members: Sequence[ValidationScores]) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels (rows,) and the probabilities (members, rows, classes)."""
    if not members:
        raise ArgumentError("`members` must be the scores of one member at least; got none.")
    for one in members:
        require_part(one, ValidationScores, "members")
    checked = [check_scored(one.labels, one.probabilities) for one in members]
    labels, first = checked[0]
    for other, probabilities in checked[1:]:
        if probabilities.shape != first.shape or not np.array_equal(labels, other):
            raise ArgumentError(
                "`members` must be scores of the same rows and classes in the same order; got "
                f"{first.shape} and {probabilities.shape}. Predict the same rows with each."
            )
    return labels, np.stack([probabilities for _, probabilities in checked])


def log(xp: Any, probabilities: Any) -> Any:
    """Return logarithms, finite where a probability is 0."""
    return xp.log(probabilities + EPSILON)


def softmax(xp: Any, logits: Any) -> Any:
    """Return probabilities along the last axis."""
    weights = xp.exp(logits - xp.max(logits, axis=-1, keepdims=True))
    return weights / xp.sum(weights, axis=-1, keepdims=True)
