"""How much memory lanes may take, and how many folds and lanes go into it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import keras
from sklearn.utils import gen_even_slices

from kilter.comparison.executors.base import Task

GIB = 1 << 30
CONTAINER = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
UNKNOWN = 8 * GIB
COPIES = 5
"""Of a network's weights in a lane: now, best, their gradients, two moments of Adam."""


def budget(memory: float | None) -> int:
    """Return the bytes that lanes may take: as given in GiB, else half of what there is.

    A part of the whole rather than of what is free, so that the same command is run in the
    same way every time.
    """
    if memory is not None:
        return int(memory * GIB)
    return _device_bytes() // 2


def _device_bytes() -> int:
    statistics = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in statistics:
        return int(statistics["bytes_limit"])
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # not on this system
        return UNKNOWN
    return min([there, *_container_bytes()])


def _container_bytes() -> list[int]:
    """Return what the container allows that this runs in, if it says so."""
    said = [path.read_text().strip() for path in map(Path, CONTAINER) if path.exists()]
    return [int(limit) for limit in said if limit.isdigit()]


def fold_bytes(task: Task) -> int:
    """Return the bytes that the largest fold takes on the device."""
    rows = max(len(fold.x) for fold in task.folds)
    others = max(len(fold.validation_x) + len(fold.test_x) for fold in task.folds)
    neighbors = max(fold.neighbors.nbytes for fold in task.folds)
    versions = max(fold.versions.nbytes for fold in task.folds)
    circles = 4 * rows * task.plan.seeds
    of_row = math.prod(task.shape) * task.dtype.itemsize
    return (rows + others) * of_row + neighbors + versions + circles


def fold_groups(task: Task, wanted: Sequence[int], limit: int) -> list[list[int]]:
    """Return which folds lie on the device together, in equal groups that fit the limit.

    The last group repeats a fold where it would be smaller, as every shape is compiled.
    """
    parts = even_parts(wanted, max(1, limit // fold_bytes(task)))
    return [part + part[-1:] * (len(parts[0]) - len(part)) for part in parts]


def even_parts(items: Sequence[Any], most: int) -> list[list[Any]]:
    """Part a sequence into as few parts as hold at most ``most``, about equally long.

    Examples
    --------
    >>> even_parts(range(7), 4)
    [[0, 1, 2, 3], [4, 5, 6]]
    """
    parts = gen_even_slices(len(items), -(-len(items) // most))
    return [list(items[part]) for part in parts]


def lane_bytes(model: keras.Model) -> int:
    """Return the bytes of a lane's state, in float32."""
    return COPIES * 4 * int(model.count_params())
