"""Which version of a row is seen: as often as asked for, all alike, numpy and JAX alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kilter.sampling import TICKETS, pick_versions

EVERY = np.arange(TICKETS, dtype=np.int32)
"""Each ticket that there is, once."""

normal = st.floats(0, 1, width=32, allow_subnormal=False)  # others are 0 to JAX
given_tickets = arrays(np.int32, 50, elements=st.integers(0, TICKETS - 1))


def pick(chance: float, number: int, tickets: np.ndarray = EVERY, xp: Any = np) -> np.ndarray:
    chances = np.full(len(tickets), chance, np.float32)
    return np.asarray(pick_versions(xp, xp.asarray(tickets), xp.asarray(chances), number))


@pytest.mark.parametrize("number", [1, 2, 7, 8])
def test_with_no_chance_no_row_is_changed_and_with_a_chance_of_one_each_is(number: int) -> None:
    assert not pick(0, number).any()
    assert pick(1, number).min() == 1
    assert pick(1, number).max() == number


@pytest.mark.parametrize("chance", [0.001, 0.05, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("number", [1, 3, 8])
def test_rows_are_changed_as_often_as_asked_for(chance: float, number: int) -> None:
    assert (pick(chance, number) > 0).mean() == pytest.approx(chance, abs=1e-3)


@pytest.mark.parametrize("chance", [0.01, 0.3, 1])
@pytest.mark.parametrize("number", [2, 5, 8])
def test_each_version_is_seen_about_as_often(chance: float, number: int) -> None:
    seen = np.bincount(pick(chance, number), minlength=number + 1)[1:] / TICKETS
    np.testing.assert_allclose(seen, chance / number, rtol=0.02)


def test_tickets_drawn_at_random_do_as_all_of_them_do() -> None:
    tickets = np.random.default_rng(0).integers(0, TICKETS, 40_000).astype(np.int32)
    seen = np.bincount(pick(0.4, 4, tickets), minlength=5) / 40_000
    np.testing.assert_allclose(seen, [0.6, 0.1, 0.1, 0.1, 0.1], atol=0.01)


def test_tickets_that_follow_each_other_do_too() -> None:
    for start in (0, 12_345, TICKETS - 1000):
        assert (pick(0.25, 8, EVERY[start : start + 1000]) > 0).mean() == pytest.approx(
            0.25, abs=0.02
        )


@given(given_tickets, st.floats(0, 1, width=32), st.floats(0, 1, width=32))
def test_a_higher_chance_changes_the_same_rows_and_more(
    tickets: np.ndarray, one: float, other: float
) -> None:
    few, many = (pick(chance, 8, tickets) for chance in sorted((one, other)))
    np.testing.assert_array_equal(few[few > 0], many[few > 0])


def test_each_row_has_a_chance_of_its_own() -> None:
    chances = np.tile([0, 1, 0.5], 2000).astype(np.float32)
    found = pick_versions(np, EVERY[:6000], chances, 3) > 0
    assert not found[::3].any()
    assert found[1::3].all()
    assert found[2::3].mean() == pytest.approx(0.5, abs=0.05)


def test_no_rows() -> None:
    assert pick(0.5, 8, EVERY[:0]).shape == (0,)


@settings(max_examples=30)
@given(given_tickets, arrays(np.float32, 50, elements=normal))
def test_jax_picks_the_same(tickets: np.ndarray, chances: np.ndarray) -> None:
    jnp = pytest.importorskip("jax.numpy")
    expected = pick_versions(np, tickets, chances, 8)
    found = pick_versions(jnp, jnp.asarray(tickets), jnp.asarray(chances), 8)
    np.testing.assert_array_equal(np.asarray(found), expected)


def test_jax_picks_the_same_of_every_ticket() -> None:
    jnp = pytest.importorskip("jax.numpy")
    for chance in (0.1, 0.7):
        np.testing.assert_array_equal(pick(chance, 8, xp=jnp), pick(chance, 8))
