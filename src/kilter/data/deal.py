"""Deal units of rows to parts so that every class is shared out evenly.

scikit-learn's ``StratifiedGroupKFold`` weighs every fold for every unit, which takes
seconds for ten thousands of units; this takes the part that holds the fewest rows of the
unit's rarest class, off a heap.
"""

from __future__ import annotations

import heapq

import numpy as np
from scipy.sparse import coo_array, csr_array


def class_counts(units: np.ndarray, labels: np.ndarray) -> csr_array:
    """Return how many rows of each class each unit has, shape (units, classes)."""
    shape = (int(units.max()) + 1, int(labels.max()) + 1)
    return coo_array((np.ones(len(units), np.int64), (units, labels)), shape=shape).tocsr()


def deal(labels: np.ndarray, units: np.ndarray, parts: int, rng: np.random.Generator) -> np.ndarray:
    """Return the part of every row; rows of one unit get the same part.

    Classes are dealt rarest first. Of a class, the largest units come first, in random order
    where they are of one size; each goes to the part with the fewest rows of the class.
    """
    units = np.unique(units, return_inverse=True)[1]
    counts = class_counts(units, labels)
    rarest_first = np.argsort(np.bincount(labels), kind="stable")
    rank_of_unit = _lowest_rank(labels, units, rarest_first)
    part_of_unit = np.zeros(len(rank_of_unit), np.int64)
    held = np.zeros((parts, counts.shape[1]), np.int64)
    for rank, label in enumerate(rarest_first):
        members = rng.permutation(np.flatnonzero(rank_of_unit == rank))
        sizes = counts[members, [label]] if len(members) else np.empty(0, np.int64)
        dealt = _fill(np.asarray(sizes).ravel(), held[:, label], held.sum(axis=1))
        part_of_unit[members] = dealt
        for part in range(parts):
            held[part] += counts[members[dealt == part]].sum(axis=0)
    return part_of_unit[units]


def _lowest_rank(labels: np.ndarray, units: np.ndarray, rarest_first: np.ndarray) -> np.ndarray:
    """Return the rank of the rarest class among the rows of each unit."""
    rank = np.argsort(rarest_first)
    lowest = np.full(units.max() + 1, len(rank))
    np.minimum.at(lowest, units, rank[labels])
    return lowest


def _fill(sizes: np.ndarray, held: np.ndarray, totals: np.ndarray) -> np.ndarray:
    """Return the part for each unit: the emptiest of the class, then the smallest of all."""
    order = np.argsort(-sizes, kind="stable")
    heap = sorted(zip(held.tolist(), totals.tolist(), range(len(held)), strict=True))
    dealt = []
    for size in sizes[order].tolist():
        rows, total, part = heap[0]
        heapq.heapreplace(heap, (rows + size, total + size, part))
        dealt.append(part)
    parts = np.empty(len(sizes), np.int64)
    parts[order] = dealt
    return parts
