"""Counter-based numbers: JAX's own words, whole permutations, no order left out."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from kilter.sampling.counter import permute, threefry

words = st.integers(0, 2**32 - 1)


def test_threefry_by_the_authors_vectors() -> None:
    # kat_vectors of Random123: threefry 2x32, 20 rounds
    vectors = {
        (0x00000000, 0x00000000, 0x00000000, 0x00000000): (0x6B200159, 0x99BA4EFE),
        (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF): (0x1CB996FC, 0xBB002BE7),
        (0x13198A2E, 0x03707344, 0x243F6A88, 0x85A308D3): (0xC4923A9C, 0x483DF7A0),
    }
    for (*key, first, second), expected in vectors.items():
        counters = (np.array([word], np.uint32) for word in (first, second))
        found = threefry(np, np.array(key, np.uint32), *counters)
        assert tuple(int(word[0]) for word in found) == expected


@settings(max_examples=30)
@given(
    key=st.tuples(words, words), counters=st.lists(st.tuples(words, words), min_size=3, max_size=3)
)
def test_threefry_is_that_of_jax(key: tuple, counters: list) -> None:
    jnp = pytest.importorskip("jax.numpy")
    arrays = [np.array(part, np.uint32) for part in (key, *zip(*counters, strict=True))]
    for ours, theirs in zip(
        threefry(np, *arrays), threefry(jnp, *map(jnp.asarray, arrays)), strict=True
    ):
        np.testing.assert_array_equal(ours, np.asarray(theirs))


def keyed(*words: int) -> np.ndarray:
    return np.array(words, np.uint32)


@given(n=st.integers(1, 3000), seed=words)
def test_a_permutation_is_whole(n: int, seed: int) -> None:
    positions = np.arange(n, dtype=np.uint32)
    found = permute(np, keyed(seed, 5), positions, n)
    np.testing.assert_array_equal(np.sort(found), positions)


@given(n=st.integers(1, 3000), seed=words, data=st.data())
def test_a_position_alone_goes_where_it_goes_among_all(
    n: int, seed: int, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, n - 1))
    together = permute(np, keyed(seed, 5), np.arange(n, dtype=np.uint32), n)
    assert permute(np, keyed(seed, 5), np.array([at], np.uint32), n)[0] == together[at]


@pytest.mark.parametrize("n", [1, 2, 31, 256, 257, 5000])
def test_numpy_and_jax_permute_alike(n: int) -> None:
    jnp = pytest.importorskip("jax.numpy")
    positions = np.arange(n, dtype=np.uint32)
    ours = permute(np, keyed(3, 4), positions, n)
    theirs = permute(jnp, jnp.asarray(keyed(3, 4)), jnp.asarray(positions), n)
    np.testing.assert_array_equal(ours, np.asarray(theirs))


@pytest.mark.parametrize("n", [3, 4, 5])
def test_every_order_of_few_comes_equally_often(n: int) -> None:
    jax = pytest.importorskip("jax")
    jnp = jax.numpy
    orders = list(itertools.permutations(range(n)))
    keys = jnp.stack([jnp.arange(200 * len(orders)), jnp.full(200 * len(orders), 9)], axis=1)
    # on JAX, as many keys one by one take minutes on numpy; the numbers are the same
    permuted = jax.vmap(lambda key: permute(jnp, key, jnp.arange(n, dtype=jnp.uint32), n))
    found = np.asarray(jax.jit(permuted)(keys.astype(jnp.uint32)))
    seen = Counter(map(tuple, found.tolist()))
    assert chisquare([seen[order] for order in orders]).pvalue > 1e-4


@pytest.mark.parametrize("n", [41, 257])
def test_neighbours_land_anywhere(n: int) -> None:
    first = np.arange(2, dtype=np.uint32)
    found = np.array([permute(np, keyed(key, 11), first, n) for key in range(5000)]).astype(int)
    assert chisquare(np.bincount(found[:, 0], minlength=n)).pvalue > 1e-4
    assert chisquare(np.bincount((found[:, 1] - found[:, 0]) % n, minlength=n)[1:]).pvalue > 1e-4
