"""Mixtures of rows that were drawn: with a neighbour, with others of the batch, with any.

The arithmetic is the same on numpy and on JAX; what it is done with comes from `draws`.
"""

from __future__ import annotations

from typing import Any

from kilter.sampling.draws import Quotas

TAU = 0.5
"""Remix: the rarer class gets the label if more than 1 - TAU of the mixture is its own."""


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
