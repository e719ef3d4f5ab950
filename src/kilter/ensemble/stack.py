"""Members joined by a model of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from kilter._types import ValidationScores
from kilter.ensemble.base import Joint, check_members, frozen, log, softmax

WEIGHT_SCALE = 0.3
BIAS_SCALE = 5.0


@dataclass(frozen=True)
class Stack(Joint):
    """A logistic regression on the members' log probabilities: softmax(sum_m w_m log p_m + b).

    Use it to join many members, good and bad. It has one weight a member, none below 0, and a
    bias a class, so it needs no calibration before, and few rows of a rare class do not carry
    it away.

    Attributes
    ----------
    weights : tuple of float
        One a member.
    bias : tuple of float
        One a class.

    References
    ----------
    Wolpert (1992), Stacked generalization; Breiman (1996), Stacked regressions, for weights
    that are not negative.

    Examples
    --------
    >>> Stack(weights=(0.5, 0.5), bias=(0.0, 0.0)).apply([[[0.2, 0.8]], [[0.8, 0.2]]]).round(3)
    array([[0.5, 0.5]])
    """

    weights: tuple[float, ...]
    bias: tuple[float, ...]

    @classmethod
    def fit(cls, members: Sequence[ValidationScores]) -> Self:
        """Find weights and bias of highest posterior density on validation rows.

        Their prior has its mode at the geometric mean of the members.
        """
        labels, given = check_members(members)
        logs, n_classes, equal = log(np, given), given.shape[2], 1 / len(given)
        truth = np.eye(n_classes)[labels]

        def fun(theta: np.ndarray) -> tuple[float, np.ndarray]:
            weights, bias = theta[: len(given)], theta[len(given) :]
            logits = np.tensordot(weights, logs, 1) + bias
            total = logsumexp(logits, axis=1, keepdims=True)
            away = weights - equal
            prior = away @ away / (2 * WEIGHT_SCALE**2) + bias @ bias / (2 * BIAS_SCALE**2)
            error = np.exp(logits - total) - truth
            by_weight = np.tensordot(logs, error, 2) + away / WEIGHT_SCALE**2
            by_bias = error.sum(axis=0) + bias / BIAS_SCALE**2
            value = (total - (logits * truth).sum(axis=1, keepdims=True)).sum() + prior
            return float(value), np.concatenate([by_weight, by_bias])

        start = np.concatenate([np.full(len(given), equal), np.zeros(n_classes)])
        bounds = [(0, None)] * len(given) + [(None, None)] * n_classes
        found = minimize(fun, start, jac=True, bounds=bounds, method="L-BFGS-B").x
        return cls(frozen(found[: len(given)]), frozen(found[len(given) :]))

    @staticmethod
    def combine(xp: Any, members: Any, **numbers: Any) -> Any:
        """Weigh log probabilities."""
        logs = xp.sum(numbers["weights"][:, None, None] * log(xp, members), axis=0)
        return softmax(xp, logs + numbers["bias"])
