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


TAU = 0.5
"""Remix: the rarer class gets the label if more than 1 - TAU of the mixture is its own."""


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


def mix(xp: Any, row: Any, partner: Any, share: Any, blendable: Any) -> Any:
    """Put a share of the partner into the row.

    Numbers are interpolated as in SMOTE; a column that cannot be (``blendable`` 0: a
    category, a boolean, a missing-value mark, a bin) comes whole from the nearer of the two.
    """
    share = share[..., None]
    weight = xp.where(blendable > 0, share, (share > 0.5).astype(row.dtype))
    return row + weight * (partner - row)


def find_partners(
    xp: Any, quotas: Quotas, rows: Any, labels: Any, places: Any, tickets: Any, starts: Any
) -> tuple[Any, Any]:
    """Return which rows those of a batch are mixed with, and their classes.

    Parameters
    ----------
    xp : module
        ``numpy`` or ``jax.numpy``.
    quotas : Quotas
        The remedy's numbers.
    rows, labels : int arrays of shape (rows,)
        What was drawn.
    places : int array of shape (rows,)
        At which place of these the partner of each stands, if it is one of the batch.
    tickets : int array of shape (rows,)
        What a row of any class is drawn by, if it is one of those.
    starts : int array of shape (classes,)
        First row of each class.
    """
    tail = tickets % len(starts)
    of_tail = starts[tail] + tickets // len(starts) % quotas.pool[tail]
    chosen = quotas.tail > 0
    return xp.where(chosen, of_tail, rows[places]), xp.where(chosen, tail, labels[places])


def mix_batch(
    xp: Any,
    quotas: Quotas,
    x: Any,
    labels: Any,
    other_x: Any,
    other_labels: Any,
    tickets: Any,
    shares: Any,
    n_classes: int,
) -> tuple[Any, Any]:
    """Mix rows of a batch with others, and their labels too (mixup, Remix, CutMix, CMO).

    Parameters
    ----------
    xp : module
        ``numpy`` or ``jax.numpy``.
    quotas : Quotas
        The remedy's numbers; nothing is mixed if ``kappa`` is 0.
    x : array of shape (rows, ...)
    labels : int array of shape (rows,)
    other_x, other_labels
        The same of the row that each is mixed with.
    tickets : int array of shape (rows,)
        Where in an image a part is cut out hangs on them.
    shares : float array of shape (rows,)
        How much of the partner goes in.
    n_classes : int
        Width of the targets.

    Returns
    -------
    x, targets
        Of shape (rows, ...) in float32, and (rows, classes); targets are one-hot where nothing
        is mixed.

    References
    ----------
    Zhang et al., mixup, ICLR 2018; Chou et al., Remix, ECCV workshops 2020; Yun et al., CutMix,
    ICCV 2019; Park et al., The majority can help the minority (CMO), CVPR 2022.
    """
    share = xp.where(quotas.kappa > 0, shares, xp.zeros_like(shares))
    weight = share.reshape(-1, *[1] * (x.ndim - 1))
    if x.ndim == 4:
        part = _cut_out(xp, x.shape[1:3], tickets, share)
        weight = xp.where(quotas.cut > 0, part[..., None], weight)
        share = xp.where(quotas.cut > 0, part.mean(axis=(1, 2)), share)
    classes = xp.arange(n_classes)
    rows_of = (quotas.pool[labels], quotas.pool[other_labels])
    kept = kept_share(xp, 1 - share, *rows_of, quotas.kappa, TAU)[:, None]
    own, other = (classes == named[:, None] for named in (labels, other_labels))
    targets = (kept * own + (1 - kept) * other).astype(share.dtype)
    x, other_x = x.astype(xp.float32), other_x.astype(xp.float32)
    return x + weight * (other_x - x), targets


def _cut_out(xp: Any, shape: tuple[int, int], tickets: Any, shares: Any) -> Any:
    """Return 1 where a rectangle of this share of the image lies, (rows, height, width).

    Its middle is anywhere; what reaches over the edge is lost.
    """
    words = tickets.astype(xp.uint32) * xp.uint32(2654435761)  # Knuth's multiplicative hash
    places = (words >> xp.uint32(20), (words >> xp.uint32(8)) & xp.uint32(4095))
    half = xp.sqrt(shares)[:, None] / 2
    down, across = (
        xp.abs((xp.arange(side) + 0.5) / side - place[:, None] / 4096) < half
        for side, place in zip(shape, places, strict=True)
    )
    return (down[:, :, None] & across[:, None, :]).astype(xp.float32)


def kept_share(xp: Any, lam: Any, own: Any, other: Any, kappa: Any, tau: Any) -> Any:
    """Return how much of its label a row keeps of which ``lam`` is in a mixture, by Remix.

    None where its class has at least ``kappa`` times as many rows (``own``) as that of its
    partner (``other``) and ``lam < tau``; all where it is the other way round and
    ``1 - lam < tau``; else ``lam``.
    """
    to_other = (own >= kappa * other) & (lam < tau)
    to_own = (kappa * own <= other) & (1 - lam < tau)
    return xp.where(to_other, 0.0, xp.where(to_own, 1.0, lam))


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
