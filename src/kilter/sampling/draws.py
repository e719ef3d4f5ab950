"""Draws as numbers: which row, which partner and how much of it, for every step.

Randomness is drawn first (`BaseDraws`, numpy, counter-based) and applied afterwards
(`draw_rows`, integer arithmetic only). The same base draws serve every remedy of a fold
and seed, and the same arithmetic runs on numpy and on JAX, so that remedies are compared
on common random numbers and every executor sees the very same rows.

Rows are laid out sorted by class. A remedy says with `Quotas` how many slots each class
gets. Slots are dealt in random order, and the slots of a class walk through its rows in a
shuffled circle that goes on where the last epoch ended: every row of a class is seen
equally often, and a natural draw is the usual shuffled epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

TICKETS = 1 << 20
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
    is 1. ``pool`` is how many of the class's rows take part. ``mixed`` is the number of
    tickets out of `TICKETS` that make a draw a mixture with a neighbour.
    """

    slots: Any
    pool: Any
    mixed: Any
    per_batch: Any


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


class BaseDraws:
    """The random numbers of one (fold, seed): the same for every remedy.

    Parameters
    ----------
    layout : Layout
        Where the classes lie.
    draws : int
        Draws an epoch: steps times batch size.
    key : tuple of int
        What the numbers hang on; the same key gives the same numbers on any machine.

    Examples
    --------
    >>> import numpy as np
    >>> base = BaseDraws(Layout.of(np.array([0, 0, 0, 1]), 2), draws=4, key=(0, 0))
    >>> slots, tickets, shares = base.epoch(0)
    >>> sorted(slots.tolist())
    [0, 1, 2, 3]
    """

    def __init__(self, layout: Layout, draws: int, key: tuple[int, ...]) -> None:
        self._draws = draws
        self._key = key
        self.circle = self._circle(layout)

    def generator(self, *counter: int) -> np.random.Generator:
        """Return the random numbers at a counter; this class itself takes 0 and (1, epoch)."""
        return np.random.Generator(np.random.Philox(np.random.SeedSequence([*self._key, *counter])))

    def _circle(self, layout: Layout) -> np.ndarray:
        """Shuffle the rows of each class, int32 of shape (rows,)."""
        generator = self.generator(0)
        parts = [
            start + generator.permutation(count)
            for start, count in zip(layout.starts, layout.counts, strict=True)
        ]
        return np.concatenate(parts).astype(np.int32)

    def epoch(self, epoch: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return slots (int32), tickets (int32) and shares (float32), each (draws,)."""
        generator = self.generator(1, epoch)
        slots = generator.permutation(self._draws).astype(np.int32)
        tickets = generator.integers(TICKETS, size=self._draws, dtype=np.int32)
        return slots, tickets, generator.random(self._draws, dtype=np.float32)


def draw_rows(
    xp: Any,
    quotas: Quotas,
    starts: Any,
    circle: Any,
    epoch: Any,
    base: tuple[Any, Any, Any],
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
    base : tuple
        Slots, tickets and shares, each of shape (draws,).
    batch_size : int
        Draws a step.

    Returns
    -------
    rows, labels, tickets, shares
        Each of shape (draws,). ``shares`` is how much of a partner goes in: 0 for a row as
        it is. A partner is the row's neighbour number ``ticket % k``.
    """
    slots, tickets, shares = base
    position = xp.arange(slots.shape[0], dtype=slots.dtype)
    batches = slots.shape[0] // batch_size
    slot = xp.where(quotas.per_batch > 0, position % batch_size, slots)
    batch = xp.where(quotas.per_batch > 0, position // batch_size, 0)
    ends = xp.cumsum(quotas.slots)
    labels = (slot[:, None] >= ends[None, :]).sum(axis=1)
    before = epoch * xp.where(quotas.per_batch > 0, batches, 1) + batch
    turn = slot - (ends - quotas.slots)[labels] + before * quotas.slots[labels]
    rows = circle[starts[labels] + turn % quotas.pool[labels]]
    mixed = tickets < quotas.mixed[labels]
    return rows, labels, tickets, xp.where(mixed, shares, xp.zeros_like(shares))


def mix(xp: Any, row: Any, partner: Any, share: Any, blendable: Any) -> Any:
    """Put a share of the partner into the row.

    Numbers are interpolated as in SMOTE; a column that cannot be (``blendable`` 0: a
    category, a boolean, a missing-value mark) comes whole from the nearer of the two.
    """
    share = share[..., None]
    weight = xp.where(blendable > 0, share, (share > 0.5).astype(row.dtype))
    return row + weight * (partner - row)


def draw_epoch(
    quotas: Quotas, layout: Layout, base: BaseDraws, epoch: int, batch_size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw one epoch with numpy; see `draw_rows` for what comes back."""
    return draw_rows(np, quotas, layout.starts, base.circle, epoch, base.epoch(epoch), batch_size)
