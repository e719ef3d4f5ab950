"""Mixtures of two rows and their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilter._errors import ArgumentError
from kilter._export import register
from kilter.augment.base import Draws, Mixing
from kilter.sampling.labels import to_positions
from kilter.sampling.mixtures import kept_share
from kilter.weights import as_counts


@register
class Mixup(Mixing):
    """Mixtures of pairs of rows, with labels mixed in the same shares.

    ``lam * x_i + (1 - lam) * x_j`` with a random partner j of the batch and ``lam`` from
    Beta(alpha, alpha), drawn for every row. Use it against overconfident networks, on images,
    tables of numbers or sequences of numbers; long-tailed image sets gain most with
    re-weighting in the last epochs. It works in a ``tf.data`` pipeline by
    ``dataset.map(mixup)``, as ``augment`` of `kilter.sampling.BalancedBatches`, and on the
    batches of any other loader.

    Parameters
    ----------
    alpha : float
        Above 0; the larger, the closer the mixtures are to half and half.
    n_classes : int, optional
        Needed where labels are positions of the classes; one-hot labels say it themselves.
    seed : int
        The same seed draws the same numbers on every backend.

    Raises
    ------
    ArgumentError
        If ``alpha`` is not above 0, or labels do not fit the classes.

    References
    ----------
    Zhang, Cisse, Dauphin, Lopez-Paz: mixup: Beyond empirical risk minimization, ICLR 2018.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = Mixup(n_classes=2)(np.eye(2), np.array([0, 1]))
    >>> x.shape, y.shape, np.allclose(x, y)
    ((2, 2), (2, 2), True)
    """

    def __init__(self, alpha: float = 0.2, n_classes: int | None = None, seed: int = 0) -> None:
        super().__init__(alpha, n_classes, seed)

    def draw(
        self, shapes: list[tuple[int, ...]], labels: np.ndarray, sources: np.ndarray | None
    ) -> Draws:
        """Draw a partner and a share for each row."""
        lam = self._generator.beta(self.alpha, self.alpha, size=len(labels))
        return Draws(self._generator.permutation(len(labels)), lam, lam)


@register
class Remix(Mixup):
    """Mixup whose label goes wholly to the rarer class where that is much rarer.

    Rows are mixed as in `Mixup`; see `remix_shares` for the labels. Use it in place of
    `Mixup` on imbalanced data: the network learns to leave the rare class more room. It moves
    the predicted probabilities: calibrate afterwards.

    Parameters
    ----------
    counts : sequence of shape (classes,)
        Training rows of each class, from `kilter.class_counts`.
    alpha : float
        Above 0; the larger, the closer the mixtures are to half and half.
    kappa : float
        How many times rarer the rarer class must be; at least 1.
    tau : float
        How little of it may be in the mixture: more than 1 - tau; in [0, 1].
    seed : int
        The same seed draws the same numbers on every backend.

    Raises
    ------
    ArgumentError
        If a parameter is outside its range, or labels do not fit the classes.

    References
    ----------
    Chou, Chang, Pan, Wei, Juan: Remix: rebalanced mixup, ECCV workshops 2020.

    Examples
    --------
    >>> import numpy as np
    >>> remix = Remix(counts=[90, 10], tau=1.0)  # the rarer class always wins
    >>> x, y = remix(np.eye(4), np.array([0, 0, 1, 1]))
    >>> x.shape, y.shape, set(y.round(6).ravel().tolist())
    ((4, 4), (4, 2), {0.0, 1.0})
    """

    def __init__(
        self,
        counts: Sequence[int] | np.ndarray,
        alpha: float = 1.0,
        kappa: float = 3.0,
        tau: float = 0.5,
        seed: int = 0,
    ) -> None:
        self.counts = as_counts(counts)
        super().__init__(alpha, len(self.counts), seed)
        if not (kappa >= 1 and 0 <= tau <= 1):
            raise ArgumentError(
                f"`kappa` must be at least 1 and `tau` in [0, 1]; got {kappa} and {tau}. The "
                "paper uses 3 and .5."
            )
        self.kappa, self.tau = kappa, tau

    def draw(
        self, shapes: list[tuple[int, ...]], labels: np.ndarray, sources: np.ndarray | None
    ) -> Draws:
        """Draw a partner and a share for each row, and give the labels to the rarer class."""
        partners, lam, _ = super().draw(shapes, labels, sources)
        own = self.counts[to_positions(labels)]
        shares = remix_shares(lam, own, own[partners], self.kappa, self.tau)
        return Draws(partners, lam, shares)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the augmentation again."""
        config = {**super().get_config(), "counts": self.counts.tolist()}
        del config["n_classes"]
        return {**config, "kappa": self.kappa, "tau": self.tau}


def remix_shares(
    lam: np.ndarray, own: np.ndarray, other: np.ndarray, kappa: float, tau: float
) -> np.ndarray:
    """Return how much of a row's own label stays, float of shape (rows,).

    None where its class is at least ``kappa`` times as frequent as the partner's and
    ``lam < tau``; all where it is the other way round and ``1 - lam < tau``; else ``lam``.

    Parameters
    ----------
    lam : array of shape (rows,)
        How much of the row itself stays.
    own, other : array of shape (rows,)
        Training rows of its class and of its partner's.
    kappa, tau : float
        As in `Remix`.

    Examples
    --------
    >>> import numpy as np
    >>> remix_shares(np.array([0.4, 0.6]), np.array([90, 90]), np.array([10, 10]), 3, 0.5)
    array([0. , 0.6])
    """
    shares: np.ndarray = kept_share(np, lam, own, other, kappa, tau)
    return shares
