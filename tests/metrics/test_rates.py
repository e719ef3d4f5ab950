"""Precision, recall, specificity and F-beta with every average, against scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kilter._errors import ArgumentError
from kilter.metrics.rates import Averaged, FBeta, Precision, Recall, Specificity

pytestmark = pytest.mark.backend

ROWS = 1000


def specificity_score(
    y: np.ndarray, predicted: np.ndarray, average: str | None, sample_weight: Any = None
) -> Any:
    """Compute what scikit-learn would: from its matrix of every class against the others."""
    seen = np.union1d(y, predicted)
    each = sk.multilabel_confusion_matrix(y, predicted, labels=seen, sample_weight=sample_weight)
    tn, fp, fn, tp = each.reshape(-1, 4).T
    if average == "micro":
        return tn.sum() / max(1, (tn + fp).sum())
    values = np.divide(tn, tn + fp, out=np.zeros(len(seen)), where=tn + fp > 0)
    if average is None:
        return values
    return np.average(values, weights=tp + fn if average == "weighted" else None)


def kind(metric: type[Averaged], reference: Callable[..., Any], **options: Any) -> Any:
    return pytest.param(
        lambda average: metric(average=average, **options),
        lambda *arguments, **more: reference(*arguments, **options, **more),
        id=f"{metric.__name__}{options.get('beta', '')}",
    )


def without_warning(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments, **options: function(*arguments, **options, zero_division=0)


KINDS = [
    kind(Precision, without_warning(sk.precision_score)),
    kind(Recall, without_warning(sk.recall_score)),
    kind(Specificity, specificity_score),
    kind(FBeta, without_warning(sk.fbeta_score), beta=1.0),
    kind(FBeta, without_warning(sk.fbeta_score), beta=2.0),
    kind(FBeta, without_warning(sk.fbeta_score), beta=0.5),
]


def drawn(n_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.choice(n_classes, ROWS, p=np.r_[[0.9], np.full(n_classes - 1, 0.1 / (n_classes - 1))])
    p = rng.dirichlet(np.ones(n_classes), ROWS)
    p[np.arange(ROWS), y] += rng.random(ROWS)
    p /= p.sum(axis=1, keepdims=True)
    return y, p.astype(np.float32), rng.random(ROWS).astype(np.float32)


@pytest.mark.parametrize("n_classes", [2, 5])
@pytest.mark.parametrize(("metric", "reference"), KINDS)
def test_agrees_with_scikit_learn(metric: Any, reference: Any, n_classes: int) -> None:
    y, p, weights = drawn(n_classes)
    predicted = p.argmax(axis=1)
    for average in ("macro", "micro", "weighted"):
        for w in (None, weights):
            expected = reference(y, predicted, average=average, sample_weight=w)
            assert float(metric(average)(y, p, w)) == pytest.approx(expected, abs=1e-6), average
    each = reference(y, predicted, average=None)
    for position in range(n_classes):
        assert float(metric(position)(y, p)) == pytest.approx(each[position], abs=1e-6)


@pytest.mark.parametrize(("metric", "reference"), KINDS)
def test_auto_is_class_1_of_two_and_the_macro_mean_of_more(metric: Any, reference: Any) -> None:
    for n_classes in (2, 5):
        y, p, _ = drawn(n_classes)
        predicted = p.argmax(axis=1)
        expected = (
            reference(y, predicted, average=None)[1]
            if n_classes == 2
            else reference(y, predicted, average="macro")
        )
        assert float(metric("auto")(y, p)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", [Precision, Recall])
def test_two_classes_are_as_in_keras(metric: type[Averaged]) -> None:
    y, p, weights = drawn(2)
    expected = getattr(keras.metrics, metric.__name__)()(y, p[:, 1], weights)
    assert float(metric()(y, p[:, 1], weights)) == pytest.approx(float(expected), abs=1e-6)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12))
def test_agrees_with_scikit_learn_in_every_corner(pairs: list[tuple[int, int]]) -> None:
    y, predicted = np.array(pairs).T
    weights = np.zeros(12)  # one shape, so that JAX compiles once
    weights[: len(pairs)] = 1
    given_ = np.pad(y, (0, 12 - len(y))), np.eye(4)[np.pad(predicted, (0, 12 - len(y)))], weights
    for case in KINDS[:4]:
        metric, reference = case.values
        for average in ("macro", "micro", "weighted"):
            expected = reference(y, predicted, average=average)
            found = float(metric(average)(*given_))
            assert found == pytest.approx(expected, abs=1e-6), (case.id, average)


def test_values_by_hand() -> None:
    # TP 2, FN 1, FP 2, TN 5
    y = [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    p = [0.9, 0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.1]
    expected = {Precision: 2 / 4, Recall: 2 / 3, Specificity: 5 / 7, FBeta: 4 / 7}
    for metric, value in expected.items():
        assert float(metric()(y, p)) == pytest.approx(value, rel=1e-6), metric.__name__
    assert float(FBeta(2)(y, p)) == pytest.approx(5 * 2 / (5 * 2 + 4 * 1 + 2))


def test_f_beta_is_named_after_its_beta() -> None:
    assert [FBeta().name, FBeta(2).name, FBeta(2, name="f2").name] == ["f1", "f_beta", "f2"]


@pytest.mark.parametrize("average", [None, "binary", "none", True, 1.0])
def test_average_must_be_known(average: Any) -> None:
    with pytest.raises(ArgumentError, match=r"`average` must be auto, macro, .* `PerClassReport`"):
        Precision(average=average)


@pytest.mark.parametrize("position", [-1, 2])
def test_average_must_be_a_class(position: int) -> None:
    with pytest.raises(ArgumentError, match="`average` must be a class from 0 to 1"):
        Precision(average=position).update_state([0, 1], [0.1, 0.9])


@pytest.mark.parametrize("beta", [0, -1, float("nan"), float("inf")])
def test_beta_must_be_positive(beta: float) -> None:
    with pytest.raises(ArgumentError, match="`beta` must be above 0"):
        FBeta(beta)
