"""Draws as numbers: which row, which partner and how much of it, for every step.

Randomness is drawn first (`draw_base`, counter-based) and applied afterwards (`draw_rows`),
by integer arithmetic only. The same base draws serve every remedy of a fold and seed, and
the same arithmetic runs on numpy and on JAX, so that remedies are compared on common random
numbers and every executor sees the very same rows.

Rows are laid out sorted by class. A remedy says with `Quotas` how many slots each class
gets. Slots are dealt in random order, and the slots of a class walk through its rows in a
shuffled circle that goes on where the last epoch ended: every row of a class is seen
equally often, and a natural draw is the usual shuffled epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from kilter.sampling.counter import permute, threefry

TICKET_BITS = 20
TICKETS = 1 << TICKET_BITS
"""Tickets are integers below this; a probability is compared with them as an integer."""


@dataclass(frozen=True)
class Layout:
    """Training rows sorted by class.

    ``order`` sorts the part's rows by class; ``starts`` and ``counts`` of shape (classes,)
    say where each class lies afterwards.
    """

    order: np.ndarray
    starts: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, n_classes: int) -> Layout:
        """Lay out rows with these labels (rows,)."""
        counts = np.bincount(labels, minlength=n_classes)
        return cls(np.argsort(labels, kind="stable"), np.cumsum(counts) - counts, counts)


class Quotas(NamedTuple):
    """What a remedy says of draws, in numbers; every field has shape (classes,) or ().

    ``slots`` is how many draws a class gets in an epoch, or in a batch where ``per_batch``
    is 1. ``pool`` is how many of the class's rows take part, and ``first`` at which place of
    its circle they begin. ``mixed`` is the number of tickets out of `TICKETS` that make a draw
    a mixture with a neighbour, and ``near`` among how many of the nearest; 0 for all known.
    ``clustered`` is 1 where neighbours are those of the row's cluster. Where ``kappa`` is above
    0 mixtures are with any row of the batch, and of labels as well,
    but for classes that are so many times as rare as the other; infinite if that is none.
    ``tail`` is 1 where they are with rows of all classes alike instead, ``cut`` where a part of
    the image comes from the other whole.
    """

    slots: Any
    pool: Any
    first: Any
    mixed: Any
    near: Any
    per_batch: Any
    clustered: Any = np.int32(0)
    kappa: Any = np.float32(0)
    tail: Any = np.int32(0)
    cut: Any = np.int32(0)


def apportion(shares: np.ndarray, total: int) -> np.ndarray:
    """Share ``total`` slots by the largest remainder, with at least one for each class.

    Examples
    --------
    >>> import numpy as np
    >>> apportion(np.array([0.985, 0.014, 0.001]), 100)
    array([98,  1,  1])
    """
    slots = largest_remainder(shares, total)
    for empty in np.flatnonzero(slots == 0):
        slots[slots.argmax()] -= 1
        slots[empty] = 1
    return slots


def largest_remainder(shares: np.ndarray, total: int) -> np.ndarray:
    """Share out a whole number by shares (n,), int64 of shape (n,), so that nothing is lost.

    Examples
    --------
    >>> import numpy as np
    >>> largest_remainder(np.array([0.5, 0.3, 0.2]), 4)
    array([2, 1, 1])
    """
    exact = shares / shares.sum() * total
    whole = np.floor(exact).astype(np.int64)
    whole[np.argsort(whole - exact, kind="stable")[: total - whole.sum()]] += 1
    return whole


def philox(*key: int) -> np.random.Generator:
    """Return counter-based random numbers that hang on the key alone, on any machine."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))


def key_words(*key: int) -> np.ndarray:
    """Turn a key of any numbers into the two words that counters need, uint32 of shape (2,)."""
    return np.random.SeedSequence(key).generate_state(2)


def shuffle_classes(layout: Layout, random: np.random.Generator) -> np.ndarray:
    """Shuffle the rows of each class: the circles that draws walk, int32 of shape (rows,)."""
    parts = [
        start + random.permutation(count)
        for start, count in zip(layout.starts, layout.counts, strict=True)
    ]
    return np.concatenate(parts).astype(np.int32)


class BaseDraws(NamedTuple):
    """The random numbers of some draws, the same for every remedy; fields of shape (draws,).

    ``positions`` says which draws of the epoch these are, ``slots`` deals them in random
    order, ``tickets`` (below `TICKETS`) and ``shares`` (float32 in [0, 1)) are for mixtures.
    """

    positions: Any
    slots: Any
    tickets: Any
    shares: Any


def draw_base(xp: Any, key: Any, epoch: Any, positions: Any, draws: int) -> BaseDraws:
    """Draw the random numbers of these positions of an epoch, on the host or the device.

    Parameters
    ----------
    xp : module
        ``numpy`` or ``jax.numpy``: the numbers are the same.
    key : uint32 array of shape (2,)
        What the numbers hang on; from `key_words`.
    epoch : int
        Which epoch.
    positions : uint32 array of shape (draws of interest,)
        Below ``draws``; any of them alone gives the number that it has among all.
    draws : int
        Draws of a whole epoch: steps times batch size.

    Examples
    --------
    >>> import numpy as np
    >>> base = draw_base(np, key_words(0), 0, np.arange(4, dtype=np.uint32), 4)
    >>> sorted(base.slots.tolist())
    [0, 1, 2, 3]
    """
    epochs = xp.full(1, epoch, xp.uint32)
    of_epoch = xp.concatenate(threefry(xp, key, epochs, xp.zeros_like(epochs)))
    first, second = threefry(xp, of_epoch, positions, xp.ones_like(positions))
    return BaseDraws(
        positions.astype(xp.int32),
        permute(xp, of_epoch, positions, draws).astype(xp.int32),
        (first >> xp.uint32(32 - TICKET_BITS)).astype(xp.int32),
        (second >> xp.uint32(8)).astype(xp.float32) * xp.float32(2**-24),
    )


def draw_rows(
    xp: Any,
    quotas: Quotas,
    starts: Any,
    circle: Any,
    epoch: Any,
    base: BaseDraws,
    steps: int,
    batch_size: int,
) -> tuple[Any, Any, Any, Any]:
    """Turn base draws into rows.

    Parameters
    ----------
    xp : module
        ``numpy`` or ``jax.numpy``: the arithmetic is the same.
    quotas : Quotas
        The remedy's numbers.
    starts : int array of shape (classes,)
        First row of each class.
    circle : int array of shape (rows,)
        Rows shuffled within their class.
    epoch : int
        How many epochs came before.
    base : BaseDraws
        Of shape (draws,): the epoch or a part of it.
    steps : int
        Steps of an epoch.
    batch_size : int
        Draws a step.

    Returns
    -------
    rows, labels, tickets, shares
        Each of shape (draws,). ``shares`` is how much of a partner goes in: 0 for a row as
        it is. A partner is the row's neighbour number ``ticket % k``, or with ``kappa`` the
        row at the place ``ticket % batch_size`` of the batch.
    """
    slot = xp.where(quotas.per_batch > 0, base.positions % batch_size, base.slots)
    batch = xp.where(quotas.per_batch > 0, base.positions // batch_size, 0)
    ends = xp.cumsum(quotas.slots)
    labels = (slot[:, None] >= ends[None, :]).sum(axis=1)
    before = epoch * xp.where(quotas.per_batch > 0, steps, 1) + batch
    turn = slot - (ends - quotas.slots)[labels] + before * quotas.slots[labels]
    place = quotas.first[labels] + turn % quotas.pool[labels]
    rows = circle[starts[labels] + place]
    mixed = base.tickets < quotas.mixed[labels]
    near = xp.where(quotas.near > 0, quotas.near, TICKETS)
    return (
        rows,
        labels,
        base.tickets % near,
        xp.where(mixed, base.shares, xp.zeros_like(base.shares)),
    )


def draw_epoch(
    quotas: Quotas,
    layout: Layout,
    circle: np.ndarray,
    key: np.ndarray,
    epoch: int,
    steps: int,
    batch_size: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw one epoch with numpy; see `draw_rows` for what comes back."""
    positions = np.arange(steps * batch_size, dtype=np.uint32)
    base = draw_base(np, key, epoch, positions, len(positions))
    return draw_rows(np, quotas, layout.starts, circle, epoch, base, steps, batch_size)
