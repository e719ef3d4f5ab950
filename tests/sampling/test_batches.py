"""Batches: shares of the classes, fairness to rows, epochs, and what goes along."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter._errors import ArgumentError
from kilter.sampling import BalancedBatches
from kilter.sampling.batches import to_positions

Y = np.array([0] * 80 + [1] * 20)
X = np.arange(100)  # a row is its own number


def rows_of(batches: BalancedBatches) -> np.ndarray:
    """Return the rows of one pass, int of shape (batches, batch_size)."""
    return np.stack([batch[0] for batch in batches])


@pytest.mark.parametrize(
    ("draw", "expected"),  # of 120 draws
    [
        ("natural", [96, 24]),
        ("square-root", [80, 40]),  # sqrt(80) to sqrt(20) is 2 to 1
        ("balanced", [60, 60]),
        (1, [96, 24]),
        (0.5, [80, 40]),
        (-1, [24, 96]),
    ],
)
def test_classes_are_drawn_by_a_power_of_their_counts(
    draw: str | float, expected: list[int]
) -> None:
    batches = BalancedBatches(X, Y, batch_size=30, draw=draw)
    assert np.bincount(Y[rows_of(batches)].ravel()).tolist() == expected


def test_every_batch_has_the_same_size() -> None:
    batches = BalancedBatches(X, Y, batch_size=30)
    assert len(batches) == 4
    assert rows_of(batches).shape == (4, 30)
    assert rows_of(BalancedBatches(X, Y, batch_size=300)).shape == (1, 300)


def test_rows_of_a_class_are_seen_equally_often() -> None:
    batches = BalancedBatches(X, Y, batch_size=30)
    seen = sum(np.bincount(rows_of(batches).ravel(), minlength=100) for _ in range(4))
    # 4 epochs of 60 draws a class: 240 over 80 rows, 240 over 20
    assert seen.tolist() == [3] * 80 + [12] * 20


@given(
    y=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    batch_size=st.integers(1, 20),
    power=st.floats(-1, 2),
)
def test_no_row_is_seen_twice_more_than_another_of_its_class(
    y: list[int], batch_size: int, power: float
) -> None:
    batches = BalancedBatches(np.arange(len(y)), y, batch_size, draw=power)
    seen = np.bincount(rows_of(batches).ravel(), minlength=len(y))
    for label in set(y):
        of_class = seen[np.array(y) == label]
        assert of_class.sum() >= 1
        assert np.ptp(of_class) <= 1


def test_epochs_differ_and_come_back_with_the_seed() -> None:
    batches, again = (BalancedBatches(X, Y, batch_size=30, seed=3) for _ in range(2))
    first, second = rows_of(batches), rows_of(batches)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(rows_of(again), first)
    np.testing.assert_array_equal(rows_of(again), second)
    assert not np.array_equal(rows_of(BalancedBatches(X, Y, batch_size=30, seed=4)), first)


def test_an_epoch_ends_only_when_every_batch_was_asked_for() -> None:
    batches = BalancedBatches(X, Y, batch_size=30)
    first = [batches[index][0] for index in (3, 0, 3, 1)]
    batches.on_epoch_end()  # batch 2 is missing: Keras only peeked
    np.testing.assert_array_equal(batches[3][0], first[0])
    np.testing.assert_array_equal(first[2], first[0])
    _ = batches[2]
    batches.on_epoch_end()
    assert not np.array_equal(batches[3][0], first[0])


def test_with_processes_every_end_of_an_epoch_counts() -> None:
    batches = BalancedBatches(X, Y, batch_size=30, workers=2, use_multiprocessing=True)
    first = batches[0][0]
    batches.on_epoch_end()
    assert not np.array_equal(batches[0][0], first)


def test_the_draw_can_change_between_epochs() -> None:
    batches = BalancedBatches(X, Y, batch_size=25, draw="natural")
    assert batches.draw == "natural"
    assert np.bincount(Y[rows_of(batches)].ravel()).tolist() == [80, 20]
    batches.draw = "balanced"
    assert batches.draw == "balanced"
    assert np.bincount(Y[rows_of(batches)].ravel()).tolist() == [50, 50]


@pytest.mark.parametrize(
    "y",
    [
        Y.astype("float32"),
        Y.astype("uint8")[:, None],
        Y.astype(bool),
        np.eye(2)[Y],
        np.eye(2, dtype="int8")[Y],
        np.array([[0.9, 0.1], [0.2, 0.8]])[Y],
        Y * 3 + 1,  # positions without rows between those with some
        Y.tolist(),
    ],
)
def test_labels_of_any_kind_draw_the_same_rows(y: Any) -> None:
    batches = BalancedBatches(X, y, batch_size=30)
    rows, labels = batches[0]
    np.testing.assert_array_equal(rows, BalancedBatches(X, Y, batch_size=30)[0][0])
    np.testing.assert_array_equal(labels, np.asarray(y)[rows])
    assert labels.dtype == np.asarray(y).dtype


@pytest.mark.parametrize("make", [list, tuple, lambda parts: dict(zip("ab", parts, strict=True))])
def test_structures_and_weights_go_along(make: Any) -> None:
    x = make([X, np.stack([X, -X], axis=1)])
    batches = BalancedBatches(x, Y, batch_size=30, sample_weight=X / 2)
    inputs, labels, weights = batches[1]
    first, second = inputs.values() if isinstance(inputs, dict) else inputs
    np.testing.assert_array_equal(second, np.stack([first, -first], axis=1))
    np.testing.assert_array_equal(labels, Y[first])
    np.testing.assert_array_equal(weights, first / 2)


def test_augmentations_are_called_in_order() -> None:
    def add(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x + 1, -y

    def double(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 2 * x, y

    plain = BalancedBatches(X, Y, batch_size=30)[0]
    x, y = BalancedBatches(X, Y, batch_size=30, augment=[add, double])[0]
    np.testing.assert_array_equal(x, 2 * (plain[0] + 1))
    np.testing.assert_array_equal(y, -plain[1])
    x, _, weight = BalancedBatches(X, Y, 30, augment=double, sample_weight=X)[0]
    np.testing.assert_array_equal(x, 2 * weight)


def test_there_is_no_batch_beyond_the_last() -> None:
    batches = BalancedBatches(X, Y, batch_size=30)
    np.testing.assert_array_equal(batches[-1][0], batches[3][0])
    with pytest.raises(IndexError):
        batches[4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draw": "balance"}, "`draw` must be one of natural, .* Did you mean `balanced`"),
        ({"draw": float("nan")}, "`draw` must be"),
        ({"batch_size": 0}, "`batch_size` must be at least 1; got 0"),
        ({"x": X[:-1]}, "`y` has 100 rows, .* shape \\(99,\\)"),
        ({"x": {"a": X, "b": X[:7]}}, "`y` has 100 rows, .* shape \\(7,\\)"),
        ({"sample_weight": X[:9]}, "`y` has 100 rows, .* shape \\(9,\\)"),
        ({"x": [], "y": []}, "at least one"),
        ({"y": Y / 2}, "`y` must be positions"),
        ({"y": np.ones((100, 2))}, "`y` must have one class a row"),
        ({"y": np.ones((100, 2, 2))}, "`y` must have one label a row"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        BalancedBatches(**{"x": X, "y": Y, **arguments})


def test_positions_of_soft_rows_are_their_largest() -> None:
    assert to_positions([[0.2, 0.5, 0.3], [0.6, 0.4, 0]]).tolist() == [1, 0]
    assert to_positions(np.array([[2.0], [0.0]])).tolist() == [2, 0]
