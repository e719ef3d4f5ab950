"""What the lanes need on the device: folds, put there once, and stacks of small trees."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from kilter.comparison.executors.base import Task

Tree = Any


class Data(NamedTuple):
    """The folds on the device, each padded to the largest; training rows lie end to end."""

    x: Tree
    neighbors: Tree
    blendable: Tree
    offsets: Tree
    starts: Tree
    validation_x: Tree
    validation_labels: Tree
    test_x: Tree


def _padded(arrays: list[np.ndarray], fill: float = 0) -> Any:
    """Stack arrays of different lengths."""
    rows = max(len(array) for array in arrays)
    out = np.full((len(arrays), rows, *arrays[0].shape[1:]), fill, arrays[0].dtype)
    for target, array in zip(out, arrays, strict=True):
        target[: len(array)] = array
    return jnp.asarray(out)


def stack_folds(task: Task) -> Data:
    """Put the folds on the device, once."""
    folds = task.folds
    mixing = any(len(fold.neighbors) for fold in folds)
    x = _padded([fold.x for fold in folds])
    neighbors = _padded([fold.neighbors for fold in folds]) if mixing else None
    flat = partial(jnp.reshape, shape=(-1, x.shape[-1]))
    return Data(
        flat(x),
        None if neighbors is None else neighbors.reshape(-1, neighbors.shape[-1]),
        # The scaled numbers come first in every fold, and each has as many of them.
        jnp.asarray(folds[0].blendable, jnp.float32),
        jnp.arange(len(folds), dtype=jnp.int32) * x.shape[1],
        jnp.asarray(np.stack([fold.layout.starts for fold in folds]), jnp.int32),
        _padded([fold.validation_x for fold in folds]),
        _padded([fold.validation_labels.astype(np.int32) for fold in folds], fill=-1),
        _padded([fold.test_x for fold in folds]),
    )


def stack_trees(trees: list[Tree]) -> Tree:
    """Stack trees of equal shape, leaf by leaf."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *trees)


def stack_bases(bases: Sequence[Any], epoch: int) -> tuple[Any, ...]:
    """Draw an epoch for every pair and stack the numbers."""
    drawn = [base.epoch(epoch) for base in bases]
    return tuple(jnp.asarray(np.stack(part)) for part in zip(*drawn, strict=True))
