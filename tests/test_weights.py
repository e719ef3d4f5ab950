"""Class weights against scikit-learn and the paper's formula."""

from __future__ import annotations

import collections

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter.weights import (
    as_class_weights,
    as_counts,
    class_counts,
    class_weights,
    cost_matrix,
    scheme_weights,
)

counts = st.lists(st.integers(1, 10_000), min_size=2, max_size=8).map(np.array)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=60))
def test_balanced_is_scikit_learns(labels: list[str]) -> None:
    weights = class_weights(labels)
    expected = compute_class_weight("balanced", classes=np.unique(labels), y=labels)
    np.testing.assert_allclose(weights.array, expected)
    assert list(weights) == list(range(len(expected)))


@given(counts)
def test_balanced_classes_weigh_the_same_in_sum(n: np.ndarray) -> None:
    sums = scheme_weights(n, "balanced") * n
    np.testing.assert_allclose(sums, n.sum() / len(n))


@given(counts, st.sampled_from([0.0, 0.9, 0.99, 0.999, 0.9999]))
def test_effective_is_the_papers(n: np.ndarray, beta: float) -> None:
    # Cui et al. 2019, equation 2, as a sum: E_n = 1 + beta + ... + beta^(n-1)
    effective = np.array([np.sum(beta ** np.arange(count)) for count in n])
    expected = 1 / effective * len(n) / np.sum(1 / effective)
    np.testing.assert_allclose(scheme_weights(n, "effective", beta), expected, rtol=1e-9)


def test_effective_ranges_from_none_to_balanced() -> None:
    n = np.array([100, 10, 1])
    np.testing.assert_allclose(scheme_weights(n, "effective", 0), 1)
    near_one = scheme_weights(n, "effective", 1 - 1e-9)
    np.testing.assert_allclose(near_one / near_one[0], [1, 10, 100], rtol=1e-5)


def test_effective_stays_finite_for_many_rows() -> None:
    weights = scheme_weights(np.array([10**9, 10**8, 5]), "effective")
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
        scheme_weights(np.array([90, 10]), "effective", 0.99),
    )


def test_an_unknown_scheme_names_the_nearest() -> None:
    with pytest.raises(ArgumentError, match=r"`scheme` must be .*Did you mean `effective`"):
        class_weights([0, 1], "efective")


@pytest.mark.parametrize("beta", [-0.1, 1.0, 1.5, float("nan")])
def test_beta_is_checked(beta: float) -> None:
    with pytest.raises(ArgumentError, match=r"`beta` must be in \[0, 1\)"):
        class_weights([0, 1], "effective", beta=beta)


@given(counts)
def test_inverse_and_square_root_by_hand(n: np.ndarray) -> None:
    for scheme, expected in (("inverse", 1 / n), ("square-root", n**-0.5)):
        weights = scheme_weights(n, scheme)
        np.testing.assert_allclose(weights.sum(), len(n))
        np.testing.assert_allclose(weights / weights[0], expected / expected[0])


LABELS = [2, 0, 0, 1, 0, 1, 0, 0]  # 5, 2 and 1 rows
THREE = {0: 8 / 15, 1: 8 / 6, 2: 8 / 3}


@pytest.mark.parametrize(
    "y",
    [
        np.array(LABELS),
        np.array(LABELS, "uint8"),
        np.array(LABELS, "float32"),
        np.array(LABELS)[:, None],
        np.array(LABELS).reshape(2, 4),  # a position a pixel
        np.array(LABELS).reshape(2, 2, 2, 1),
        np.eye(3)[LABELS],
        np.eye(3, dtype=bool)[LABELS],
        np.eye(3)[LABELS].reshape(2, 2, 2, 3),
        np.array(["a", "b", "c"])[LABELS],
        pd.Series(LABELS),
        pd.Series(pd.Categorical(np.array(["x", "y", "z"])[LABELS])),
        pl.Series(LABELS),
        tuple(LABELS),
    ],
    ids=lambda y: f"{type(y).__name__}-{getattr(y, 'dtype', '')}-{getattr(y, 'shape', '')}",
)
def test_labels_of_any_type_and_shape(y: object) -> None:
    assert class_weights(y) == pytest.approx(THREE)
    assert class_counts(y).tolist() == [5, 2, 1]


def test_whole_numbers_are_the_keys_that_keras_looks_up() -> None:
    assert class_weights([-1, 1, 1, 1]) == {-1: 2, 1: pytest.approx(2 / 3)}
    assert class_weights([7, 10**12, 7, 7]) == {7: pytest.approx(2 / 3), 10**12: 2}
    assert class_weights([True, False, False, False]) == {0: pytest.approx(2 / 3), 1: 2}


def test_soft_rows_count_by_their_shares() -> None:
    assert class_counts([[0.75, 0.25], [0.5, 0.5]]).tolist() == [1.25, 0.75]


def test_from_counts() -> None:
    assert class_weights(counts=[5, 2, 1]) == pytest.approx(THREE)
    assert class_weights(counts=collections.Counter(LABELS)) == pytest.approx(THREE)
    assert class_weights(counts={"c": 1, "a": 5, "b": 2}) == pytest.approx(THREE)


def test_many_labels_a_row_have_two_weights_each() -> None:
    y = np.array([[1, 1, 1], [0, 0, 0], [0, 1, 0], [0, 0, 1]])
    weights = class_weights(y, multi_label=True)
    # present in 1, 2 and 2 of 4 rows: n / (2 n_k)
    expected = [[4 / 6, 4 / 2], [1, 1], [1, 1]]
    np.testing.assert_allclose(weights.array, expected)
    assert class_counts(y, multi_label=True).tolist() == [[3, 1], [2, 2], [2, 2]]
    for name in ("inverse", "square-root", "effective"):
        np.testing.assert_allclose(
            class_weights(y, name, multi_label=True).array,
            [scheme_weights(np.array(pair), name) for pair in ([3, 1], [2, 2], [2, 2])],
        )


def test_a_matrix_that_can_be_read_in_two_ways_is_asked_about() -> None:
    y = np.array([[1, 1, 0], [0, 0, 0]])
    with pytest.raises(ArgumentError, match="`multi_label=True` for many labels a row"):
        class_weights(y)
    assert class_weights(y, multi_label=False) == {0: 0.75, 1: 1.5}


def test_the_cost_matrix_charges_the_weight_of_the_true_class() -> None:
    expected = [[0, 1, 1], [2, 0, 2], [5, 5, 0]]
    np.testing.assert_array_equal(cost_matrix({0: 1, 1: 2, 2: 5}), expected)
    with pytest.raises(ArgumentError, match=r"`weights` must have the shape \(classes,\)"):
        cost_matrix([[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({}, ArgumentError, "`y` or `counts` must be given"),
        ({"y": [0, 1], "counts": [1, 1]}, ArgumentError, "`y` or `counts` must be given"),
        ({"y": []}, ArgumentError, "`y` must have at least one label"),
        ({"y": [0.0, float("nan")]}, ArgumentError, "NaN or infinity"),
        ({"y": ["a", None]}, ArgumentError, "some are missing"),
        ({"y": ["a", float("nan"), "b"]}, ArgumentError, "some are missing"),
        ({"y": pd.Series(["a", None], dtype="string")}, ArgumentError, "some are missing"),
        ({"y": [1, "a"]}, ArgumentTypeError, "labels that sort"),
        ({"y": np.array(["a", 1], object)}, ArgumentTypeError, "labels that sort"),
        ({"counts": [5, 0]}, ArgumentError, r"`counts` must be above 0 .* got \[5, 0\]"),
        ({"y": [[0, 2], [1, 1]], "multi_label": True}, ArgumentError, "`y` must be 0 and 1"),
    ],
)
def test_what_cannot_be_weighed_is_said(arguments: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        class_weights(**arguments)


@pytest.mark.parametrize("value", [[1, 9], (1, 9), {0: 1, 1: 9}, {1: 9, 0: 1}, np.array([1, 9])])
def test_a_loss_takes_weights_in_any_form(value: object) -> None:
    assert as_class_weights(value).tolist() == [1, 9]


def test_weights_of_labels_that_start_at_one_do_not_fit_positions() -> None:
    with pytest.raises(ArgumentError, match=r"must have the keys 0 to 1.*got 1, 2\. Encode"):
        as_class_weights(class_weights([1, 1, 1, 2]))


def test_counts_go_by_name_not_by_place() -> None:
    by_frequency = pd.Series([1] * 90 + [0] * 10).value_counts()
    assert by_frequency.index.tolist() == [1, 0]
    assert class_weights(counts=by_frequency) == {0: 5, 1: pytest.approx(100 / 180)}
    assert as_counts(by_frequency).tolist() == [10, 90]
    assert as_counts(collections.Counter("bbba")).tolist() == [1, 3]
    with pytest.raises(ArgumentError, match="`counts` must have the keys 0 to 1"):
        as_counts({1: 5, 2: 6})


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("balanced", ArgumentTypeError, r"`kilter.class_weights\(y, 'balanced'\)`"),
        ({"ham": 1, "spam": 9}, ArgumentError, "must have the keys 0 to 1.*got 'ham', 'spam'"),
        ({1: 1, 2: 9}, ArgumentError, "must have the keys 0 to 1.*got 1, 2"),
        ([1, float("nan")], ArgumentError, "one finite number of at least 0 a class"),
        ([1, -1], ArgumentError, "one finite number of at least 0 a class"),
        (3.0, ArgumentError, "one finite number of at least 0 a class"),
    ],
)
def test_weights_that_keras_would_take_in_silence(value: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        as_class_weights(value)


@pytest.mark.parametrize("counts", [[5, 0], [5], [[1, 2]], [1, float("nan")], [1, -1]])
def test_counts_are_checked(counts: list) -> None:
    with pytest.raises(ArgumentError, match="`counts` must be the training rows of each class"):
        as_counts(counts)
