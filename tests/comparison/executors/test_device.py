"""Folds of different sizes, end to end on the device: padded, and found again by offset."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kilter.comparison.executors.device import stack_bases, stack_folds, stack_trees


def test_rows_of_every_fold_are_found_at_their_offset(task_of: Callable) -> None:
    task = task_of(3)
    data = stack_folds(task)
    for number, fold in enumerate(task.folds):
        begin = int(data.offsets[number])
        np.testing.assert_array_equal(data.x[begin : begin + len(fold.x)], fold.x)
        near = data.neighbors[begin : begin + len(fold.x)]
        np.testing.assert_array_equal(near, fold.neighbors)
        np.testing.assert_array_equal(data.starts[number], fold.layout.starts)


def test_what_is_padded_is_marked(task_of: Callable) -> None:
    task = task_of(2)  # 300 and 270 rows to train on, 120 to validate, 80 to test
    data = stack_folds(task)
    assert data.x.shape == (2 * 300, 4)
    assert not np.asarray(data.x[300 + 270 :]).any()
    labels = np.asarray(data.validation_labels)
    for number, fold in enumerate(task.folds):
        rows = len(fold.validation_labels)
        np.testing.assert_array_equal(labels[number, :rows], fold.validation_labels)
        assert (labels[number, rows:] == -1).all()
        np.testing.assert_array_equal(data.test_x[number, : len(fold.test_x)], fold.test_x)


def test_trees_and_draws_are_stacked_leaf_by_leaf(task_of: Callable) -> None:
    stacked = stack_trees([(np.ones(2), np.int32(3)), (np.zeros(2), np.int32(4))])
    assert [np.asarray(leaf).tolist() for leaf in stacked] == [[[1, 1], [0, 0]], [3, 4]]
    task = task_of(2)
    bases = [task.base_draws(0, 0), task.base_draws(1, 0)]
    slots, _, shares = stack_bases(bases, 2)
    for number, base in enumerate(bases):
        np.testing.assert_array_equal(slots[number], base.epoch(2)[0])
        np.testing.assert_array_equal(shares[number], base.epoch(2)[2])
