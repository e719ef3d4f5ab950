"""Draws: quotas are exact, rows come equally often, numpy and JAX agree to the bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kilter.sampling import (
    TICKETS,
    Layout,
    Quotas,
    apportion,
    draw_base,
    draw_epoch,
    draw_rows,
    key_words,
    philox,
    shuffle_classes,
)
from kilter.sampling.draws import largest_remainder

STEPS = 10
COUNTS = np.array([180, 15, 5])
LABELS = np.repeat([0, 1, 2], COUNTS)
BATCH = 20


def quotas(slots, pool=None, mixed=(0, 0, 0), per_batch=0, first=(0, 0, 0), near=0) -> Quotas:
    fields = (slots, COUNTS if pool is None else pool, first, mixed)
    arrays = (np.array(field, np.int32) for field in fields)
    return Quotas(*arrays, np.int32(near), np.int32(per_batch))


NATURAL = quotas(COUNTS)
BALANCED = quotas([67, 67, 66])
PER_BATCH = quotas([7, 7, 6], per_batch=1)
UNDER = quotas([67, 67, 66], pool=[5, 5, 5])
NEAR = quotas([67, 67, 66], mixed=np.round((1 - COUNTS / 180) * TICKETS), near=2)
PART = quotas([67, 67, 66], pool=[5, 5, 5], first=[10, 10, 0])
SMOTE = quotas([67, 67, 66], mixed=np.round((1 - COUNTS / 180) * TICKETS))
EVERY = {
    "natural": NATURAL,
    "balanced": BALANCED,
    "batch": PER_BATCH,
    "under": UNDER,
    "part": PART,
    "mix": SMOTE,
}


@pytest.fixture
def layout() -> Layout:
    return Layout.of(LABELS, 3)


@pytest.fixture
def drawn(layout: Layout) -> Callable:
    """Return a function from quotas and epoch to what an epoch draws."""
    return lambda numbers, epoch=0: epoch_of(numbers, layout, (0, 1, 2), epoch)


def epoch_of(numbers: Quotas, layout: Layout, key: tuple, epoch: int = 0, steps: int = STEPS):
    circle = shuffle_classes(layout, philox(*key))
    return draw_epoch(numbers, layout, circle, key_words(*key), epoch, steps, BATCH)


def base_of(draws: int, *key: int, epoch: int = 0):
    return draw_base(np, key_words(*key), epoch, np.arange(draws, dtype=np.uint32), draws)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=50))
def test_a_layout_sorts_by_class_and_keeps_the_order_within(labels: list[int]) -> None:
    found = Layout.of(np.array(labels), 5)
    assert found.order.tolist() == sorted(range(len(labels)), key=lambda row: labels[row])
    assert found.counts.tolist() == [labels.count(k) for k in range(5)]
    assert found.starts.tolist() == [sum(label < k for label in labels) for k in range(5)]


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=12), st.integers(1, 5000))
def test_apportion_shares_out_the_total_and_forgets_no_class(
    shares: list[float], total: int
) -> None:
    assume(total >= len(shares))
    slots = apportion(np.array(shares), total)
    assert slots.sum() == total
    assert slots.min() >= 1


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=8), st.integers(8, 5000))
def test_apportion_is_within_one_of_the_exact_share(counts: list[int], total: int) -> None:
    exact = np.array(counts) / sum(counts) * total
    assume(exact.min() >= 1)
    assert np.abs(apportion(np.array(counts, float), total) - exact).max() < 1


def test_apportion_by_the_largest_remainder() -> None:
    # Hamilton's method by hand: 4.7, 3.3 and 2.0 of 10 are 5, 3 and 2
    assert apportion(np.array([0.47, 0.33, 0.2]), 10).tolist() == [5, 3, 2]
    assert apportion(np.array([1.0, 1.0, 1.0]), 10).tolist() == [4, 3, 3]
    assert apportion(np.array([1e9, 1.0, 1.0]), 3).tolist() == [1, 1, 1]


def test_a_natural_draw_is_the_usual_shuffled_epoch(drawn: Callable) -> None:
    for epoch in range(3):
        rows, labels, _, shares = drawn(NATURAL, epoch)
        assert sorted(rows.tolist()) == list(range(len(LABELS)))
        np.testing.assert_array_equal(labels, LABELS[rows])
        assert not shares.any()


@pytest.mark.parametrize("name", EVERY)
def test_a_label_is_that_of_the_row(drawn: Callable, name: str) -> None:
    rows, labels, _, _ = drawn(EVERY[name], 3)
    np.testing.assert_array_equal(labels, LABELS[rows])


@pytest.mark.parametrize("name", ["natural", "balanced", "under", "mix"])
def test_quotas_are_exact_in_every_epoch(drawn: Callable, name: str) -> None:
    for epoch in range(3):
        _, labels, _, _ = drawn(EVERY[name], epoch)
        assert np.bincount(labels).tolist() == EVERY[name].slots.tolist()


def test_quotas_a_batch_are_exact_in_every_batch(drawn: Callable) -> None:
    for epoch in range(3):
        _, labels, _, _ = drawn(PER_BATCH, epoch)
        batches = labels.reshape(-1, BATCH)
        assert [np.bincount(batch).tolist() for batch in batches] == [[7, 7, 6]] * 10


def test_quotas_an_epoch_are_spread_over_its_batches(drawn: Callable) -> None:
    _, labels, _, _ = drawn(BALANCED)
    share = (labels.reshape(-1, BATCH) == 0).mean(axis=1)
    assert 0 < share.std() < 0.2  # random, and no batch holds one class alone


@pytest.mark.parametrize("name", EVERY)
def test_rows_of_a_class_come_equally_often(drawn: Callable, name: str) -> None:
    numbers, times = EVERY[name], np.zeros(len(LABELS), int)
    for epoch in range(7):
        rows, *_ = drawn(numbers, epoch)
        times += np.bincount(rows, minlength=len(LABELS))
        for label in range(3):
            drawn_ones = np.sort(times[label == LABELS])[-int(numbers.pool[label]) :]
            assert drawn_ones.max() - drawn_ones.min() <= 1


def test_undersampling_sees_its_pool_only(drawn: Callable) -> None:
    seen = np.unique(np.concatenate([drawn(UNDER, epoch)[0] for epoch in range(20)]))
    assert np.bincount(LABELS[seen]).tolist() == [5, 5, 5]


def test_other_keys_see_another_pool(layout: Layout) -> None:
    pools = set()
    for seed in range(5):
        rows, *_ = epoch_of(UNDER, layout, (0, 0, seed))
        pools.add(tuple(np.unique(rows).tolist()))
    assert len(pools) == 5


def test_the_share_of_mixtures_is_what_a_class_lacks(layout: Layout) -> None:
    draws = 60_000
    numbers = SMOTE._replace(slots=np.full(3, draws // 3, np.int32))
    _, labels, _, shares = epoch_of(numbers, layout, (4,), steps=draws // BATCH)
    for label, count in enumerate(COUNTS):
        expected = 1 - count / COUNTS.max()
        # five standard errors of a share of 20,000 draws
        found = (shares[labels == label] > 0).mean()
        assert found == pytest.approx(expected, abs=5 * 0.5 / np.sqrt(draws / 3))
    assert not shares[labels == 0].any()
    mixed = shares[shares > 0]
    assert mixed.max() < 1
    assert mixed.mean() == pytest.approx(0.5, abs=0.01)  # uniform, as in the SMOTE paper
    assert mixed.std() == pytest.approx(12**-0.5, abs=0.01)


def test_tickets_choose_partners_evenly() -> None:
    tickets = base_of(50_000, 1).tickets
    assert 0 <= tickets.min() <= tickets.max() < TICKETS
    assert np.abs(np.bincount(tickets % 5) / 50_000 - 0.2).max() < 0.01


@pytest.mark.parametrize("name", EVERY)
def test_numpy_and_jax_draw_the_same(layout: Layout, name: str) -> None:
    jnp = pytest.importorskip("jax.numpy")
    circle, key = shuffle_classes(layout, philox(0, 1)), key_words(0, 1)
    starts = layout.starts.astype(np.int32)
    for epoch in range(3):
        ours = draw_epoch(EVERY[name], layout, circle, key, epoch, STEPS, BATCH)
        positions = jnp.arange(200, dtype=jnp.uint32)
        base = draw_base(jnp, jnp.asarray(key), jnp.int32(epoch), positions, 200)
        on_device = Quotas(*map(jnp.asarray, EVERY[name]))
        given_ = (jnp.asarray(starts), jnp.asarray(circle), jnp.int32(epoch), base, STEPS, BATCH)
        theirs = draw_rows(jnp, on_device, *given_)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, np.asarray(other))


@pytest.mark.parametrize("name", EVERY)
def test_a_part_of_an_epoch_is_drawn_as_in_the_whole(layout: Layout, name: str) -> None:
    circle, key = shuffle_classes(layout, philox(5)), key_words(5)
    whole = draw_epoch(EVERY[name], layout, circle, key, 4, STEPS, BATCH)
    part = np.arange(60, 140, dtype=np.uint32)
    base = draw_base(np, key, 4, part, STEPS * BATCH)
    found = draw_rows(np, EVERY[name], layout.starts, circle, 4, base, STEPS, BATCH)
    for one, other in zip(found, whole, strict=True):
        np.testing.assert_array_equal(one, other[60:140])


def test_a_key_and_an_epoch_give_the_same_draws_every_time() -> None:
    for first, second in zip(base_of(200, 3, 1, epoch=1), base_of(200, 3, 1, epoch=1), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("key", [(3, 1, 3), (3, 2, 2), (4, 1, 2)])
def test_other_keys_and_epochs_draw_otherwise(layout: Layout, key: tuple[int, ...]) -> None:
    one, other = (shuffle_classes(layout, philox(*each)) for each in ((3, 1, 2), key))
    assert (one != other).any()
    random = [base_of(200, 3, 1, 2), base_of(200, *key), base_of(200, 3, 1, 2, epoch=1)]
    for a, b in ((random[0], random[1]), (random[0], random[2])):
        assert all((x != y).any() for x, y in zip(a[1:], b[1:], strict=True))


def test_base_draws_are_what_they_say() -> None:
    base = base_of(50_000, 7)
    assert sorted(base.slots.tolist()) == list(range(50_000))
    assert abs(np.corrcoef(base.positions, base.slots)[0, 1]) < 0.02
    assert 0 <= base.shares.min() <= base.shares.max() < 1
    assert base.shares.dtype == np.float32
    assert base.shares.mean() == pytest.approx(0.5, abs=0.01)
    assert abs(np.corrcoef(base.tickets, base.shares)[0, 1]) < 0.02


def test_the_circle_stays_within_each_class(layout: Layout) -> None:
    circle = shuffle_classes(layout, philox(0))
    np.testing.assert_array_equal(LABELS[circle], LABELS)
    assert sorted(circle.tolist()) == list(range(200))


shares = st.lists(st.floats(0, 1e9), min_size=1, max_size=20).filter(lambda s: sum(s) > 1e-3)


@given(shares, st.integers(0, 100_000))
def test_largest_remainder_loses_nothing(shares: list[float], total: int) -> None:
    found = largest_remainder(np.array(shares), total)
    assert found.sum() == total
    exact = np.array(shares) / sum(shares) * total
    assert np.abs(found - exact).max() < 1 + 1e-6


def test_largest_remainder_by_hand() -> None:
    # Hamilton's method: 4.7, 3.3 and 2.0 of 10; and 8 seats by 1.6, 2.8, 3.6, floors 1 2 3
    assert largest_remainder(np.array([47, 33, 20]), 10).tolist() == [5, 3, 2]
    assert largest_remainder(np.array([0.2, 0.35, 0.45]), 8).tolist() == [2, 3, 3]
    assert largest_remainder(np.array([1, 1, 1]), 5).tolist() == [2, 2, 1]
    assert largest_remainder(np.array([1.0, 0.0]), 3).tolist() == [3, 0]
