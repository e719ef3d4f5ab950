"""MCC, kappa, balanced accuracy and G-mean against scikit-learn, also where classes are rare."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gmean
from sklearn import metrics as sk

from kilter import metrics as on_numpy
from kilter.metrics.agreement import BalancedAccuracy, CohenKappa, GMean, MatthewsCorrelation
from kilter.metrics.counts import Counts

pytestmark = pytest.mark.backend

ROWS = 200_000


def balanced_accuracy(y: np.ndarray, predicted: np.ndarray, **options: Any) -> float:
    with warnings.catch_warnings(action="ignore"):  # of predicted classes that have no rows
        return float(sk.balanced_accuracy_score(y, predicted, **options))


def g_mean(y: np.ndarray, predicted: np.ndarray, **options: Any) -> float:
    recalls = sk.recall_score(y, predicted, labels=np.unique(y), average=None, **options)
    return float(gmean(recalls))


REFERENCES: dict[type[Counts], Callable[..., float]] = {
    MatthewsCorrelation: sk.matthews_corrcoef,
    CohenKappa: sk.cohen_kappa_score,
    BalancedAccuracy: balanced_accuracy,
    GMean: g_mean,
}
WEIGHTS = {
    "none": lambda y: None,
    "rows": lambda y: np.random.default_rng(1).random(len(y)).astype(np.float32),
    "classes": lambda y: np.where(y == 0, 0.1, 732.1).astype(np.float32),
}


def drawn(n_classes: int, prevalence: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw labels, most of class 0, and probabilities that are right more often than not."""
    rng = np.random.default_rng(0)
    y = (rng.random(ROWS) < prevalence) * rng.integers(1, n_classes, ROWS)
    p = rng.dirichlet(np.ones(n_classes) / 2, ROWS)
    p[:, 0] += 1.2  # so that rare classes are rarely predicted
    p[np.arange(ROWS), y] += rng.exponential(2, ROWS)
    return y, (p / p.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize(("n_classes", "prevalence"), [(2, 1e-4), (2, 0.3), (5, 1e-3)])
def test_agrees_with_scikit_learn(n_classes: int, prevalence: float, weights: str) -> None:
    y, p = drawn(n_classes, prevalence)
    w, predicted = WEIGHTS[weights](y), p.argmax(axis=1)
    for metric, reference in REFERENCES.items():
        expected = reference(y, predicted, sample_weight=w)
        assert float(metric()(y, p, w)) == pytest.approx(expected, abs=1e-6), metric.__name__


@pytest.mark.parametrize(("alarms", "hits"), [(0, 1), (10, 5), (0, 10), (199_990, 10), (99_990, 0)])
def test_no_digits_are_lost_where_nearly_all_is_one_class(alarms: int, hits: int) -> None:
    y = (np.arange(ROWS) < 10).astype(int)
    predicted = np.zeros(ROWS, int)
    predicted[:hits] = 1
    predicted[10 : 10 + alarms] = 1
    p = np.eye(2, dtype=np.float32)[predicted]
    for metric, reference in REFERENCES.items():
        expected = reference(y, predicted)
        assert float(metric()(y, p)) == pytest.approx(expected, abs=1e-6), metric.__name__


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12))
def test_agrees_with_the_functions_on_numpy_in_every_corner(pairs: list[tuple[int, int]]) -> None:
    y, predicted = np.array(pairs).T
    weights = np.zeros(12)  # one shape, so that JAX compiles once
    weights[: len(pairs)] = 1
    given_ = np.pad(y, (0, 12 - len(y))), np.eye(4)[np.pad(predicted, (0, 12 - len(y)))], weights
    references = {
        MatthewsCorrelation: on_numpy.mcc(y, predicted),
        BalancedAccuracy: on_numpy.balanced_accuracy(y, predicted),
        GMean: g_mean(y, predicted),
        CohenKappa: 0 if len(set(y) | set(predicted)) == 1 else sk.cohen_kappa_score(y, predicted),
    }
    for metric, expected in references.items():
        assert float(metric()(*given_)) == pytest.approx(expected, abs=1e-6), metric.__name__


def test_values_by_hand() -> None:
    # TP 2, FN 1, FP 2, TN 5: recalls 2/3 and 5/7
    y = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    p = [0.9, 0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1]
    chance = (3 * 4 + 7 * 6) / 100
    expected = {
        MatthewsCorrelation: (2 * 5 - 2 * 1) / np.sqrt(3 * 7 * 4 * 6),
        CohenKappa: (7 / 10 - chance) / (1 - chance),
        BalancedAccuracy: (2 / 3 + 5 / 7) / 2,
        GMean: np.sqrt(2 / 3 * 5 / 7),
    }
    for metric, value in expected.items():
        assert float(metric()(y, p)) == pytest.approx(value, rel=1e-6), metric.__name__


def test_the_geometric_mean_of_many_recalls_does_not_vanish() -> None:
    # 40 classes of 10 rows with a recall of .1 each: the product is 1e-40.
    y = np.repeat(np.arange(40), 10)
    predicted = np.where(np.arange(400) % 10 == 0, y, (y + 1) % 40)
    assert float(GMean()(y, np.eye(40)[predicted])) == pytest.approx(0.1, rel=1e-5)
