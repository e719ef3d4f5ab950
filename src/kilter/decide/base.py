"""What the decision rules share."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from kilter._errors import ArgumentError, ArtifactError
from kilter.metrics._inputs import check_probabilities


class Decision(Protocol):
    """A rule from probabilities to classes: `Threshold` or `Costs`."""

    def apply(self, probabilities: Any) -> np.ndarray:
        """Return the predicted class of each row, int64 of shape (rows,)."""

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON can hold it."""


def check_width(probabilities: Any, n_classes: int) -> np.ndarray:
    """Return probabilities as float64 of shape (rows, n_classes)."""
    given = check_probabilities(probabilities)
    if given.shape[1] != n_classes:
        raise ArgumentError(
            f"`probabilities` must have {n_classes} columns, one a class; got {given.shape[1]}. "
            "Use the rule with the model that it was made for."
        )
    return given


def read_json(plain: Any, keys: tuple[str, ...], what: str) -> list[np.ndarray]:
    """Return the numbers under ``keys`` in a dict that came from JSON."""
    try:
        return [np.asarray(plain[key], dtype=float) for key in keys]
    except (KeyError, TypeError, ValueError):
        raise ArtifactError(
            f"`plain` must be what `{what}.to_json` returned, with {', '.join(keys)}; "
            f"got {plain!r:.80}. Save it again."
        ) from None
