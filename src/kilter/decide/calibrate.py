"""Probabilities that mean what they say again, after a remedy has inflated them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from kilter._errors import ArgumentError
from kilter._types import ValidationScores, require_part
from kilter.decide.base import check_width, read_json
from kilter.metrics._inputs import check_scored

EPSILON = float(np.finfo(np.float32).eps)
BIAS_SCALE = 5.0


@dataclass(frozen=True)
class Calibrator:
    """A map from probabilities p to softmax(scale log p + bias).

    Use it after class weights or resampling, which multiply the probability of a rare class,
    and before a threshold is read as a probability. For two classes it is Platt scaling of
    the log-odds and never changes the ranking; for more it is temperature scaling with a
    bias a class. Temperature alone has no bias and cannot undo resampling.

    Attributes
    ----------
    scale : float
        Above 0; below 1 where the network was too sure of itself.
    bias : tuple of float
        One a class, with sum 0 when it was fitted.

    Raises
    ------
    ArgumentError
        If ``scale`` is not above 0 or a value is not finite.

    References
    ----------
    Platt: Probabilistic outputs for support vector machines, 1999. Alexandari, Kundaje,
    Shrikumar: Maximum likelihood with bias-corrected calibration is hard to beat at label
    shift adaptation, ICML 2020.

    Examples
    --------
    >>> from kilter.decide import Calibrator
    >>> Calibrator(scale=1.0, bias=(0.0, -2.0)).apply([[0.5, 0.5]]).round(3)
    array([[0.881, 0.119]])
    """

    scale: float
    bias: tuple[float, ...]

    def __post_init__(self) -> None:
        if not (self.scale > 0 and np.all(np.isfinite([self.scale, *self.bias]))):
            raise ArgumentError(
                "`scale` must be above 0, and it and `bias` finite; got "
                f"{self.scale} and {self.bias}. `Calibrator.fit` finds both."
            )

    @classmethod
    def fit(cls, scores: ValidationScores) -> Calibrator:
        """Find the calibrator of highest posterior density on validation rows.

        Use it once a training, on rows that the network has not learned from.

        Parameters
        ----------
        scores : ValidationScores
            Labels and probabilities of the validation part.

        Returns
        -------
        Calibrator
            Under a prior with its mode at no change: scale ~ Gamma(2, 1), bias ~ N(0, 5²).
            It is weak: among a hundred positives it does not show, and where five positives
            are perfectly separated it keeps the scale finite.

        Raises
        ------
        ArgumentTypeError
            If ``scores`` are not those of a validation part.
        """
        require_part(scores, ValidationScores, "scores")
        labels, probabilities = check_scored(scores.labels, scores.probabilities)
        start = np.append(1.0, np.zeros(probabilities.shape[1]))
        fun, hess = _posterior(labels, _log(probabilities))
        found = minimize(
            fun, start, jac=True, hess=hess, method="trust-exact", options={"gtol": 1e-8}
        )
        return cls(float(found.x[0]), tuple(found.x[1:].tolist()))

    def apply(self, probabilities: Any) -> np.ndarray:
        """Return calibrated probabilities, float64 of shape (rows, classes)."""
        given = check_width(probabilities, len(self.bias))
        calibrated: np.ndarray = softmax(self.scale * _log(given) + self.bias, axis=1)
        return calibrated

    def to_json(self) -> dict[str, Any]:
        """Return the calibrator as JSON can hold it."""
        return {"scale": self.scale, "bias": list(self.bias)}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Calibrator:
        """Make the calibrator again."""
        scale, bias = read_json(plain, ("scale", "bias"), "Calibrator")
        return cls(float(scale), tuple(bias.tolist()))


def _log(probabilities: np.ndarray) -> np.ndarray:
    # Added rather than clipped at: the order of smaller probabilities survives, and a 0 that
    # float32 rounded down weighs as much as the smallest probability that it can tell from 1.
    return np.log(probabilities + EPSILON)


Objective = Callable[[np.ndarray], Any]


def _posterior(labels: np.ndarray, logs: np.ndarray) -> tuple[Objective, Objective]:
    """Return the negative log posterior a row with its gradient, and its Hessian.

    They are functions of the scale followed by the bias, and convex.
    """
    rows, n_classes = logs.shape
    true_logs = logs[np.arange(rows), labels].sum()
    counts = np.bincount(labels, minlength=n_classes)

    def fun(theta: np.ndarray) -> tuple[float, np.ndarray]:
        scale, bias = theta[0], theta[1:]
        if scale <= 0:
            return np.inf, np.zeros_like(theta)
        logits = scale * logs + bias
        total = logsumexp(logits, axis=1, keepdims=True)
        p = np.exp(logits - total)
        prior = scale - np.log(scale) + bias @ bias / (2 * BIAS_SCALE**2)
        value = total.sum() - scale * true_logs - counts @ bias + prior
        by_scale = np.sum(p * logs) - true_logs + 1 - 1 / scale
        by_bias = p.sum(axis=0) - counts + bias / BIAS_SCALE**2
        return float(value) / rows, np.append(by_scale, by_bias) / rows

    def hess(theta: np.ndarray) -> np.ndarray:
        p = softmax(theta[0] * logs + theta[1:], axis=1)
        features = np.concatenate([np.sum(p * logs, axis=1, keepdims=True), p], axis=1)
        second = np.diag(np.append(np.sum(p * logs**2), p.sum(axis=0)))
        second[0, 1:] = second[1:, 0] = np.sum(p * logs, axis=0)
        prior = np.append(theta[0] ** -2, np.full(n_classes, BIAS_SCALE**-2))
        return np.asarray(second - features.T @ features + np.diag(prior)) / rows

    return fun, hess
