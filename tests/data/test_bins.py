"""Bins against the formula of their criterion, and what they are for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter.data.bins import (
    FEWEST_ROWS,
    MOST_BINS,
    MOST_CUTS,
    WEIGHT,
    count_bins,
    fit_edges,
    in_bins,
)


def edges_of(column: np.ndarray, labels: np.ndarray) -> np.ndarray:
    (edges,) = fit_edges(np.asarray(column, float)[:, None], np.asarray(labels))
    return edges


def entropy(labels: np.ndarray) -> float:
    shares = np.bincount(labels) / len(labels)
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def gain(labels: np.ndarray, first: int) -> float:
    """Return the bits a row that a cut before row ``first`` gains."""
    parts = labels[:first], labels[first:]
    return entropy(labels) - sum(len(part) * entropy(part) for part in parts) / len(labels)


def test_a_value_of_its_own_gets_a_bin():
    column = np.repeat(np.arange(40.0), 25)
    edges = edges_of(column, column == 17)
    assert edges.tolist() == [16.5, 17.5]
    bins = in_bins(np.array([[16.0], [17.0], [18.0]]), [edges])
    assert bins.tolist() == (WEIGHT * np.eye(3)).tolist()


@pytest.mark.parametrize("rare", range(1, 40))
def test_a_cut_pays_twice_what_the_criterion_asks(rare: int):
    """All of a rare class lie in the upper half, among others: is that worth a cut?"""
    labels = np.zeros(200, int)
    labels[100 : 100 + 2 * rare : 2] = 1
    best = max(gain(labels, first) for first in range(FEWEST_ROWS, 200 - FEWEST_ROWS + 1))
    asked = 2 * 2 * np.log2(200) / 2 / 200  # twice half the logarithm for each of two numbers
    assert (len(edges_of(np.arange(200), labels)) > 0) == (best >= asked)


def test_noise_and_two_values_get_none():
    random = np.random.default_rng(0)
    labels = np.arange(2000) % 2
    assert not len(edges_of(random.normal(size=2000), labels))
    assert not len(edges_of(labels, labels))
    assert not len(edges_of(random.normal(size=2000), np.zeros(2000, int)))


def test_bins_are_few_and_hold_some_rows():
    column = np.random.default_rng(0).normal(size=20_000)
    edges = edges_of(column, np.sin(30 * column) > 0)
    counts = in_bins(column[:, None], [edges]).sum(axis=0) / WEIGHT
    assert len(counts) == MOST_BINS
    assert counts.min() >= FEWEST_ROWS


def test_a_wide_table_keeps_the_cuts_that_gain_most():
    """The further right a number, the more of its rows point to the wrong class."""
    random = np.random.default_rng(0)
    labels = np.arange(4000) % 2
    wrong = np.linspace(0.05, 0.45, 50)
    flipped = random.random((4000, 50)) < wrong
    truth = labels[:, None]
    numbers = np.where(flipped, 1 - truth, truth) + random.uniform(0, 0.5, (4000, 50))
    edges = fit_edges(numbers, labels)
    cut = np.array([len(some) > 0 for some in edges])
    assert sum(map(len, edges)) == MOST_CUTS
    best = [gain(labels[column.argsort()], int((column < 0.75).sum())) for column in numbers.T]
    assert set(np.flatnonzero(cut)) == set(np.argsort(best)[-MOST_CUTS:])


@given(st.lists(st.lists(st.integers(-5, 5), max_size=4, unique=True), min_size=3, max_size=3))
def test_each_row_lies_in_one_bin_of_each_number_that_has_any(lists: list[list[int]]):
    edges = [np.sort(np.array(one, float)) for one in lists]
    numbers = np.random.default_rng(0).integers(-6, 7, (50, 3)).astype(float)
    bins = in_bins(numbers, edges)
    assert bins.shape == (50, count_bins(edges))
    assert (bins.sum(axis=1) == WEIGHT * sum(len(one) > 0 for one in edges)).all()
    for column, some in zip(numbers.T, edges, strict=True):
        if len(some):
            here, bins = bins[:, : len(some) + 1], bins[:, len(some) + 1 :]
            assert (here.argmax(axis=1) == (column[:, None] > some).sum(axis=1)).all()
