"""Members of an ensemble: noisy views of the same log-odds."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import softmax

from kilter._types import ValidationScores


def make_members(
    noises: tuple[float, ...], rows: int = 400, n_classes: int = 2, seed: int = 0
) -> list[ValidationScores]:
    """Return scores of as many members as there are levels of noise."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (rows, n_classes)) - 1.5 * np.arange(n_classes)
    labels = (softmax(logits, axis=1).cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
    noisy = [logits + rng.normal(0, noise, logits.shape) for noise in noises]
    return [ValidationScores(labels, softmax(one, axis=1)) for one in noisy]


@pytest.fixture
def members_of() -> Callable[..., list[ValidationScores]]:
    return make_members
