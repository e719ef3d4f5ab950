"""Counter-based random numbers: the same on numpy and on JAX, at any position alone.

Nothing is kept between calls, so a step of an epoch can be drawn on the device without the
steps before it. `threefry` makes words, `permute` a random order without sorting.
"""

from __future__ import annotations

from typing import Any

import numpy as np

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)
FEISTEL_ROUNDS = 8
LEAST_BITS = 6  # with halves of two bits some orders of six come more often than others


def threefry(xp: Any, key: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Encrypt two counters by Threefry-2x32 with 20 rounds.

    Parameters
    ----------
    xp : module
        ``numpy`` or ``jax.numpy``.
    key : uint32 array of shape (2,)
        What the numbers hang on.
    first, second : uint32 arrays
        Counters, of one axis and equal length.

    Returns
    -------
    two uint32 arrays
        Random words of the counters' shape.

    References
    ----------
    Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3.

    Examples
    --------
    >>> import numpy as np
    >>> zeros = np.zeros(1, np.uint32)
    >>> [hex(int(word[0])) for word in threefry(np, np.zeros(2, np.uint32), zeros, zeros)]
    ['0x6b200159', '0x99ba4efe']
    """
    keys = [key[0:1], key[1:2], key[0:1] ^ key[1:2] ^ PARITY]
    left, right = first + keys[0], second + keys[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            left = left + right
            right = (right << np.uint32(rotation)) | (right >> np.uint32(32 - rotation))
            right = right ^ left
        left = left + keys[(group + 1) % 3]
        right = right + keys[(group + 2) % 3] + np.uint32(group + 1)
    return left, right


def random_words(xp: Any, key: Any, n: int) -> Any:
    """Return the words that JAX draws for an array of so many, uint32 of shape (n,).

    Examples
    --------
    >>> import numpy as np
    >>> hex(int(random_words(np, np.zeros(2, np.uint32), 1)[0]))
    '0xf29a4fa7'
    """
    places = xp.arange(n, dtype=xp.uint32)
    first, second = threefry(xp, key, xp.zeros_like(places), places)
    return first ^ second


def permute(xp: Any, key: Any, positions: Any, n: int) -> Any:
    """Return where a random permutation of 0 to ``n - 1`` puts these positions.

    A Feistel network over the next power of two; what falls outside goes round again until
    it is inside (cycle walking). Each position is worked out alone.

    Parameters
    ----------
    xp : module
        ``numpy`` or ``jax.numpy``.
    key : uint32 array of shape (2,)
        Chooses the permutation.
    positions : uint32 array
        Below ``n``.
    n : int
        Above 0, at most 2^31.

    Returns
    -------
    uint32 array
        Of the shape of ``positions``; all different where those are.

    References
    ----------
    Luby and Rackoff (1988), How to construct pseudorandom permutations from pseudorandom
    functions; Black and Rogaway (2002), Ciphers with arbitrary finite domains.

    Examples
    --------
    >>> import numpy as np
    >>> order = permute(np, np.array([1, 2], np.uint32), np.arange(10, dtype=np.uint32), 10)
    >>> sorted(order.tolist())
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """
    bits = max((n - 1).bit_length(), LEAST_BITS)
    counters = xp.arange(FEISTEL_ROUNDS, dtype=xp.uint32)
    keys, _ = threefry(xp, key, counters, xp.zeros_like(counters))

    def walk(state: tuple[Any, Any]) -> tuple[Any, Any]:
        placed, is_inside = state
        placed = xp.where(is_inside, placed, _feistel(xp, keys, placed, bits))
        return placed, placed < n

    return _repeat_until_all(xp, walk, (positions, xp.zeros_like(positions, dtype=bool)))


def _feistel(xp: Any, keys: Any, value: Any, bits: int) -> Any:
    """Put a number of so many bits through the network; halves may differ by a bit."""
    widths = (bits // 2, bits - bits // 2)
    left, right = value >> xp.uint32(widths[1]), value & xp.uint32((1 << widths[1]) - 1)
    for turn in range(FEISTEL_ROUNDS):
        mask = xp.uint32((1 << widths[turn % 2]) - 1)
        left, right = right, left ^ (_scramble(xp, right ^ keys[turn : turn + 1]) & mask)
    return (left << xp.uint32(widths[1])) | right


def _scramble(xp: Any, word: Any) -> Any:
    """Mix the bits of a word: the finaliser of MurmurHash3."""
    word = (word ^ (word >> xp.uint32(16))) * xp.uint32(0x85EBCA6B)
    word = (word ^ (word >> xp.uint32(13))) * xp.uint32(0xC2B2AE35)
    return word ^ (word >> xp.uint32(16))


def _repeat_until_all(xp: Any, step: Any, state: tuple[Any, Any]) -> Any:
    """Take steps until the second part of the state is true everywhere; return the first."""
    if xp is not np:
        from jax import lax

        return lax.while_loop(lambda state: ~state[1].all(), step, state)[0]
    while not state[1].all():
        state = step(state)
    return state[0]
