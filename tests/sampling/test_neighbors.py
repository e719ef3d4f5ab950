"""Neighbours of the same class against a search by hand through all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilter.sampling import class_neighbors


def brute_force(x: np.ndarray, labels: np.ndarray, row: int, k: int) -> np.ndarray:
    """Return the sorted distances of a row's k nearest others of its class."""
    others = np.flatnonzero((labels == labels[row]) & (np.arange(len(x)) != row))
    return np.sort(np.linalg.norm(x[others] - x[row], axis=1))[:k]


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(6, 60),
    k=st.integers(1, 6),
    coarse=st.booleans(),
)
def test_distances_are_those_of_brute_force(seed: int, rows: int, k: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 3))
    x = np.round(x) if coarse else x  # many ties and exact duplicates
    labels = np.sort(rng.integers(0, 3, rows))
    found = class_neighbors(x, labels, k)
    assert found.shape == (rows, k)
    assert found.dtype == np.int32
    for row in range(rows):
        others = int((labels == labels[row]).sum()) - 1
        if others == 0:
            assert set(found[row]) == {row}
            continue
        assert (labels[found[row]] == labels[row]).all()
        assert row not in found[row]
        assert len(set(found[row])) == min(k, others)
        distances = np.sort(np.linalg.norm(x[found[row][: min(k, others)]] - x[row], axis=1))
        np.testing.assert_allclose(distances, brute_force(x, labels, row, k), atol=1e-7)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, [[4, 4, 4, 4, 4]]),
        (2, [[5, 5, 5, 5, 5], [4, 4, 4, 4, 4]]),
        (3, [[5, 6, 5, 6, 5], [4, 6, 4, 6, 4], [5, 4, 5, 4, 5]]),
    ],
)
def test_tiny_classes_repeat_what_they_have(size: int, expected: list[list[int]]) -> None:
    x = np.array([[0.0], [1.0], [2.0], [3.0], *([10.0 + i**2] for i in range(size))])
    labels = np.array([0] * 4 + [1] * size)
    assert class_neighbors(x, labels, k=5)[4:].tolist() == expected


def test_duplicates_are_neighbours_of_each_other_and_never_of_themselves() -> None:
    x = np.zeros((8, 2))
    found = class_neighbors(x, np.zeros(8, int), k=3)
    for row in range(8):
        assert row not in found[row]
        assert len(set(found[row])) == 3


def test_rows_need_not_be_sorted_by_class() -> None:
    x = np.array([[0.0], [100.0], [1.0], [101.0], [3.0]])
    assert class_neighbors(x, np.array([0, 1, 0, 1, 0]), k=1).ravel().tolist() == [2, 3, 0, 1, 2]
