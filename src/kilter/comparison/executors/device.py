"""What the lanes need on the device: folds, put there once, and stacks of small trees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from kilter.comparison.executors.base import EncodedFold, Task
from kilter.comparison.executors.precision import rows_to_rank

Tree = Any


class Data(NamedTuple):
    """Some folds on the device, each padded to one size; training rows lie end to end.

    ``circles`` has a row for each fold and seed, the seeds of a fold together.
    """

    x: Tree
    neighbors: Tree
    versions: Tree
    blendable: Tree
    offsets: Tree
    starts: Tree
    circles: Tree
    validation_x: Tree
    validation_labels: Tree
    validation_ranked: Tree
    test_x: Tree


def stack_folds(task: Task, numbers: Sequence[int]) -> Data:
    """Stack these folds, on the host, in the shapes that any others of the task would have."""
    stacked = partial(_stacked, task, numbers)
    x = stacked(lambda fold: fold.x).reshape(-1, *task.shape)
    rows = len(x) // len(numbers)
    neighbors = None
    if any(len(fold.neighbors) for fold in task.folds):
        neighbors = stacked(lambda fold: fold.neighbors).reshape(len(x), -1)
    versions = None
    if len(task.folds[0].versions):
        versions = stacked(lambda fold: fold.versions)
        versions = versions.reshape(len(x), *versions.shape[2:])
    circles = [task.circle(fold, seed) for fold in numbers for seed in range(task.plan.seeds)]
    return Data(
        x,
        neighbors,
        versions,
        # The scaled numbers come first in every fold, and each has as many of them.
        task.folds[0].blendable.astype(np.float32),
        np.arange(len(numbers), dtype=np.int32) * rows,
        np.stack([task.folds[number].layout.starts for number in numbers]).astype(np.int32),
        _padded(circles, rows),
        stacked(lambda fold: fold.validation_x),
        stacked(lambda fold: fold.validation_labels.astype(np.int32), fill=-1),
        stacked(lambda fold: _ranked(task, fold), fill=-1),
        stacked(lambda fold: fold.test_x),
    )


def _ranked(task: Task, fold: EncodedFold) -> np.ndarray:
    return rows_to_rank(fold.validation_labels, task.n_classes, task.positive)


def _stacked(
    task: Task,
    numbers: Sequence[int],
    part: Callable[[EncodedFold], np.ndarray],
    fill: float = 0,
) -> np.ndarray:
    """Stack a part of these folds, each a little longer than the longest of all folds."""
    rows = _rounded_up(max(len(part(fold)) for fold in task.folds))
    return _padded([part(task.folds[number]) for number in numbers], rows, fill)


def _rounded_up(rows: int) -> int:
    """Round up by 3% at most, or to 8: tables of nearly as many rows then have one program."""
    grain = max(8, 1 << (rows // 64).bit_length())
    return -(-rows // grain) * grain


def _padded(arrays: Sequence[np.ndarray], rows: int, fill: float = 0) -> np.ndarray:
    out = np.full((len(arrays), rows, *arrays[0].shape[1:]), fill, arrays[0].dtype)
    for target, array in zip(out, arrays, strict=True):
        target[: len(array)] = array
    return out


def stack_trees(trees: Sequence[Tree]) -> Tree:
    """Stack trees of equal shape on the host, leaf by leaf."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)
