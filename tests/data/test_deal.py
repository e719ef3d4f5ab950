import time

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kilter.data.deal import class_counts, deal


def test_large_groups_are_shared_out_evenly():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(400), rng.integers(1, 30, 400))
    labels = (rng.random(400) < 0.1).astype(int)[groups]
    part_of = deal(labels, groups, 5, rng)
    for label in (0, 1):
        counts = np.bincount(part_of[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 2


def test_half_a_million_rows_are_quick():
    labels = (np.random.default_rng(0).random(500_000) < 0.01).astype(int)
    start = time.process_time()
    part_of = deal(labels, np.arange(len(labels)), 5, np.random.default_rng(0))
    assert time.process_time() - start < 3
    counts = np.bincount(part_of[labels == 1])
    assert counts.max() - counts.min() <= 1


def test_class_counts_by_hand():
    counts = class_counts(np.array([0, 2, 2, 0, 2]), np.array([1, 0, 1, 1, 1]))
    assert counts.toarray().tolist() == [[0, 2], [0, 0], [1, 2]]


def test_the_largest_unit_comes_first():
    # units of 3, 2 and 1 rows: the pair and the single one balance the triple
    units = np.array([9, 5, 9, 7, 5, 9])
    parts = deal(np.zeros(6, int), units, 2, np.random.default_rng(0))
    assert parts.tolist() == [0, 1, 0, 1, 1, 0]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), parts=st.integers(2, 6), largest=st.integers(1, 8))
def test_units_stay_whole_and_no_part_is_ahead_by_more_than_a_unit(seed, parts, largest):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, largest + 1, 60)
    units = rng.permutation(np.repeat(rng.permutation(60), sizes))
    labels = rng.integers(0, 2, 60)[units]
    dealt = deal(labels, units, parts, np.random.default_rng(seed))
    assert len(np.unique(np.column_stack([units, dealt]), axis=0)) == 60
    for label in (0, 1):
        assert np.ptp(np.bincount(dealt[labels == label], minlength=parts)) <= largest
    again = deal(labels, units, parts, np.random.default_rng(seed))
    np.testing.assert_array_equal(dealt, again)
