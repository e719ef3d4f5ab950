"""Folds of different sizes, end to end on the device: padded, and found again by offset."""

from __future__ import annotations

from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
from hypothesis import given

from kilter.comparison.executors.device import _rounded_up, stack_folds, stack_trees


def test_rows_of_every_fold_are_found_at_their_offset(task_of: Callable) -> None:
    task = task_of(3)
    data = stack_folds(task, range(2))
    for number, fold in enumerate(task.folds):
        begin = int(data.offsets[number])
        np.testing.assert_array_equal(data.x[begin : begin + len(fold.x)], fold.x)
        near = data.neighbors[begin : begin + len(fold.x)]
        np.testing.assert_array_equal(near, fold.neighbors)
        np.testing.assert_array_equal(data.starts[number], fold.layout.starts)


def test_what_is_padded_is_marked(task_of: Callable) -> None:
    task = task_of(2)  # 300 and 270 rows to train on, 120 to validate, 80 to test
    padded = 304  # 300 in eights
    data = stack_folds(task, [0, 1])
    assert data.x.shape == (2 * padded, 4)
    assert not np.asarray(data.x[padded + 270 :]).any()
    labels = np.asarray(data.validation_labels)
    for number, fold in enumerate(task.folds):
        rows = len(fold.validation_labels)
        np.testing.assert_array_equal(labels[number, :rows], fold.validation_labels)
        assert (labels[number, rows:] == -1).all()
        np.testing.assert_array_equal(data.test_x[number, : len(fold.test_x)], fold.test_x)


@given(rows=st.integers(1, 10_000_000))
def test_rows_are_rounded_up_by_a_little(rows: int) -> None:
    rounded = _rounded_up(rows)
    assert rows <= rounded <= max(rows + 7, 1.04 * rows)
    assert rounded % 8 == 0
    assert _rounded_up(rounded) == rounded


def test_no_rows_stay_none() -> None:
    assert _rounded_up(0) == 0


def test_circles_lie_by_fold_and_seed(task_of: Callable) -> None:
    task = task_of(2, seeds=3)
    data = stack_folds(task, [0, 1])
    assert data.circles.shape == (6, 304)
    for fold in range(2):
        for seed in range(3):
            circle = task.circle(fold, seed)
            np.testing.assert_array_equal(data.circles[3 * fold + seed, : len(circle)], circle)


def test_rows_to_rank_are_the_positives_of_each_fold(task_of: Callable) -> None:
    task = task_of(2)
    data = stack_folds(task, [1, 0])
    for place, number in enumerate((1, 0)):
        positives = np.flatnonzero(task.folds[number].validation_labels == task.positive)
        ranked = np.asarray(data.validation_ranked[place])
        np.testing.assert_array_equal(ranked[ranked >= 0], positives)


def test_any_folds_have_the_shapes_of_all(task_of: Callable) -> None:
    task = task_of(3)
    both = stack_folds(task, [0, 1])
    for number in range(2):
        one = stack_folds(task, [number])
        np.testing.assert_array_equal(one.x, both.x[304 * number : 304 * (number + 1)])
        assert one.validation_x.shape == (1, *both.validation_x.shape[1:])
        assert one.circles.shape == (1, 304)
        assert one.offsets.tolist() == [0]


def test_trees_are_stacked_leaf_by_leaf() -> None:
    stacked = stack_trees([(np.ones(2), np.int32(3)), (np.zeros(2), np.int32(4))])
    assert [leaf.tolist() for leaf in stacked] == [[[1, 1], [0, 0]], [3, 4]]
