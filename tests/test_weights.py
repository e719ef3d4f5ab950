"""Class weights against scikit-learn and the paper's formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from kilter._errors import ArgumentError
from kilter.weights import balanced_weights, class_weights, effective_weights

counts = st.lists(st.integers(1, 10_000), min_size=2, max_size=8).map(np.array)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=60))
def test_balanced_is_scikit_learns(labels: list[str]) -> None:
    weights = class_weights(labels)
    expected = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    np.testing.assert_allclose(weights.array, expected)
    assert list(weights) == list(range(len(expected)))


@given(counts)
def test_balanced_classes_weigh_the_same_in_sum(n: np.ndarray) -> None:
    sums = balanced_weights(n) * n
    np.testing.assert_allclose(sums, n.sum() / len(n))


@given(counts, st.sampled_from([0.0, 0.9, 0.99, 0.999, 0.9999]))
def test_effective_is_the_papers(n: np.ndarray, beta: float) -> None:
    # Cui et al. 2019, equation 2, as a sum: E_n = 1 + beta + ... + beta^(n-1)
    effective = np.array([np.sum(beta ** np.arange(count)) for count in n])
    expected = 1 / effective * len(n) / np.sum(1 / effective)
    np.testing.assert_allclose(effective_weights(n, beta), expected, rtol=1e-9)


def test_effective_ranges_from_none_to_balanced() -> None:
    n = np.array([100, 10, 1])
    np.testing.assert_allclose(effective_weights(n, 0), 1)
    near_one = effective_weights(n, 1 - 1e-9)
    np.testing.assert_allclose(near_one / near_one[0], [1, 10, 100], rtol=1e-5)


def test_effective_stays_finite_for_many_rows() -> None:
    weights = effective_weights(np.array([10**9, 10**8, 5]))
    # beyond 1 / (1 - beta) rows nothing is added: both large classes weigh the same
    assert weights[0] == pytest.approx(weights[1])
    assert weights.sum() == pytest.approx(3)
    assert weights[2] / weights[0] == pytest.approx(1e4 / 4.999, rel=1e-3)


def test_weights_are_what_keras_takes() -> None:
    weights = class_weights(["ham"] * 3 + ["spam"], "balanced")
    assert weights == {0: pytest.approx(2 / 3), 1: 2.0}
    assert all(type(value) is float for value in weights.values())
    assert weights.array.dtype == np.float64


def test_the_two_schemes_of_class_weights() -> None:
    labels = [0] * 90 + [1] * 10
    np.testing.assert_allclose(
        class_weights(labels, "effective", beta=0.99).array,
        effective_weights(np.array([90, 10]), 0.99),
    )


def test_an_unknown_scheme_names_the_nearest() -> None:
    with pytest.raises(ArgumentError, match=r"`scheme` must be .*Did you mean `effective`"):
        class_weights([0, 1], "efective")


@pytest.mark.parametrize("beta", [-0.1, 1.0, 1.5, float("nan")])
def test_beta_is_checked(beta: float) -> None:
    with pytest.raises(ArgumentError, match=r"`beta` must be in \[0, 1\)"):
        class_weights([0, 1], "effective", beta=beta)
