"""Nearest rows on a GPU, through JAX."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from typing import Any

import numpy as np

from kilter._errors import ArgumentError
from kilter.sampling.cells import parts, rounding, scatter, spread, squares
from kilter.sampling.search import Best, Scan

WORTH = 1_000_000_000  # distances from which on it pays to load JAX and move the rows
ROWS = 1 << 16  # rows that are compared with the queries at once
QUERIES = 1 << 12  # queries that are compared with the rows at once
SPARE = 8  # candidates beyond k: what rounding may have put in the wrong order


def takes(device: str, work: int) -> bool:
    """Return whether a search over so many distances is to run on the GPU."""
    if device == "cpu" or (device == "auto" and work < WORTH):
        return False
    there = _may_have_gpu() and _has_gpu()
    if device == "gpu" and not there:
        raise ArgumentError(
            '`device` is "gpu" and JAX sees none here: install a JAX that does, or leave "auto".'
        )
    return there


def _may_have_gpu() -> bool:
    """Return whether JAX has a plugin for a device: loading JAX to ask it takes a second."""
    if importlib.util.find_spec("jax") is None:
        return False
    return importlib.util.find_spec("jax_plugins") is not None


def _has_gpu() -> bool:
    import jax

    return jax.default_backend() == "gpu"


def nearest(x: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the k nearest rows of each query on JAX's default device.

    Parameters
    ----------
    x, queries : arrays of shape (rows, width) and (queries, width)
        The rows to search and what to search for.
    k : int
        How many.

    Returns
    -------
    distances, rows
        float64 and int64 of shape (queries, k), as exact as `kilter.sampling.search` finds
        them: candidates are ranked again on the host, and queries for which float32 left
        candidates out are searched there.
    """
    middle, scale = spread(x, queries)
    take = min(k + SPARE, len(x))
    distances, rows = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    blocks = list(_blocks(x, middle, scale))
    farthest = max(square[np.isfinite(square)].max() for _, square, _ in blocks)
    for part in parts(len(queries), QUERIES):
        relative = ((queries[part] - middle) / scale).astype(np.float32)
        near, places = _search_blocks(relative, blocks, take)
        best = Best(len(relative), k)
        best.slack[:] = rounding(x.shape[1], squares(relative) + farthest)
        best.add(np.repeat(np.arange(len(relative)), take), places.ravel(), near.ravel())
        distances[part], rows[part] = best.rank(x, np.arange(len(x)), queries[part])
        sure = near[:, -1] - best.slack > (distances[part][:, -1] / scale) ** 2
        unsure = np.flatnonzero(~sure)
        if take < len(x) and len(unsure):
            at = unsure + part.start
            distances[at], rows[at] = Scan(scatter(x, queries), queries[at], k).run()
    return distances, rows


def _blocks(
    x: np.ndarray, middle: np.ndarray, scale: float
) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield rows less the middle, their squares, and where they begin; all of one size."""
    size = min(ROWS, len(x))
    for part in parts(len(x), size):
        rows = np.zeros((size, x.shape[1]), np.float32)
        rows[: part.stop - part.start] = (x[part] - middle) / scale
        square = squares(rows)
        square[part.stop - part.start :] = np.inf
        yield rows, square, part.start


def _search_blocks(queries: np.ndarray, blocks: list[Any], take: int) -> tuple[np.ndarray, ...]:
    """Return squared distances and positions of the nearest rows of all blocks."""
    near = np.full((len(queries), take), np.inf, np.float32)
    best = near, np.zeros((len(queries), take), np.int32)
    for rows, square, start in blocks:
        best = _step(take)(best, queries, squares(queries), rows, square, start)
    return np.asarray(best[0]), np.asarray(best[1])


@functools.cache
def _step(take: int) -> Any:
    import jax
    import jax.numpy as jnp

    def step(best: Any, queries: Any, own: Any, rows: Any, square: Any, start: Any) -> Any:
        products = jnp.matmul(queries, rows.T, precision="highest")
        distances = jnp.concatenate([best[0], own[:, None] + square - 2 * products], axis=1)
        places = jnp.arange(len(rows), dtype=jnp.int32) + start
        places = jnp.concatenate([best[1], jnp.tile(places, (len(queries), 1))], axis=1)
        nearest, at = jax.lax.top_k(-distances, take)
        return -nearest, jnp.take_along_axis(places, at, axis=1)

    return jax.jit(step)
