"""Images with a box of another image in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilter._errors import ArgumentError
from kilter._export import register
from kilter.augment.base import Draws, Mixing
from kilter.sampling.labels import to_positions
from kilter.weights import as_counts


@register
class CutMix(Mixing):
    """Images with a box of another image of the batch, and labels mixed by its area.

    A box of about ``1 - lam`` of the area, with ``lam`` from Beta(alpha, alpha), is centred
    anywhere and cut off at the edges; the label has the partner's share of the pixels that
    were really pasted. Use it on images, where a mixture of pixels looks like nothing real.
    It works as `Mixup` does, in any data pipeline.

    Parameters
    ----------
    alpha : float
        Above 0; 1 for boxes of any size alike.
    n_classes : int, optional
        Needed where labels are positions of the classes; one-hot labels say it themselves.
    seed : int
        The same seed draws the same numbers on every backend.

    Raises
    ------
    ArgumentError
        If ``alpha`` is not above 0, the inputs are not images of shape (rows, height, width,
        channels), or labels do not fit the classes.

    References
    ----------
    Yun, Han, Oh, Chun, Choe, Yoo: CutMix: regularization strategy to train strong classifiers
    with localizable features, ICCV 2019.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.stack([np.zeros((8, 8, 1)), np.ones((8, 8, 1))])
    >>> x, y = CutMix(n_classes=2)(images, np.array([0, 1]))
    >>> np.allclose(x.mean(axis=(1, 2, 3)), y[:, 1])
    True
    """

    def __init__(self, alpha: float = 1.0, n_classes: int | None = None, seed: int = 0) -> None:
        super().__init__(alpha, n_classes, seed)

    def draw(
        self, shapes: list[tuple[int, ...]], labels: np.ndarray, sources: np.ndarray | None
    ) -> Draws:
        """Draw a partner and a box for each image."""
        if len(shapes) != 1 or len(shapes[0]) != 4:
            raise ArgumentError(
                "`x` must be images of shape (rows, height, width, channels); got "
                f"{', '.join(map(str, shapes))}. `Mixup` and `Remix` take rows of any shape."
            )
        rows, height, width, _ = shapes[0]
        lam = self._generator.beta(self.alpha, self.alpha, size=rows)
        centres = self._generator.integers((height, width), size=(rows, 2))
        kept = keep_outside(lam, centres, height, width)
        return Draws(self._partners(labels, sources), kept, kept.mean(axis=(1, 2)))

    def _partners(self, labels: np.ndarray, sources: np.ndarray | None) -> np.ndarray:
        return self._generator.permutation(len(labels))


@register
class CMO(CutMix):
    """CutMix that pastes from rare classes: context-rich minority oversampling.

    The pasted boxes come from rows drawn with a probability proportional to 1 / n_k, so that
    rare objects are seen before the many backgrounds of the frequent classes. Use it on images
    with few rows of some classes; a loss for imbalanced classes can be used with it. A batch
    may hold no rare row to paste: ``source`` gives it balanced rows of their own.

    Parameters
    ----------
    counts : sequence of shape (classes,)
        Training rows of each class, from `kilter.class_counts`.
    alpha : float
        Above 0; 1 for boxes of any size alike.
    seed : int
        The same seed draws the same numbers on every backend.

    Raises
    ------
    ArgumentError
        If a parameter is outside its range, the inputs are not images, or labels do not fit
        the classes.

    References
    ----------
    Park, Hong, Heo, Yun, Choi: The majority can help the minority: context-rich minority
    oversampling for long-tailed classification, CVPR 2022.

    Examples
    --------
    >>> import numpy as np
    >>> images = np.zeros((4, 8, 8, 1)) + np.arange(4)[:, None, None, None]
    >>> x, y = CMO(counts=[99, 1])(images, np.array([0, 0, 0, 1]))
    >>> x.shape, y.shape
    ((4, 8, 8, 1), (4, 2))
    """

    def __init__(
        self, counts: Sequence[int] | np.ndarray, alpha: float = 1.0, seed: int = 0
    ) -> None:
        self.counts = as_counts(counts)
        super().__init__(alpha, len(self.counts), seed)

    def __call__(self, x: Any, y: Any, source: tuple[Any, Any] | None = None) -> tuple[Any, Any]:
        """Paste into a batch.

        Parameters
        ----------
        x, y
            Images and labels, as for `CutMix`.
        source : tuple of two, optional
            Images and labels to paste from, such as a balanced batch: every row of it is
            taken as likely as any other. If not given, the batch itself, by its classes.

        Returns
        -------
        x, y
            Float32, ``y`` of shape (rows, classes). Tensors where tensors came, else arrays.
        """
        return self._mix(x, y, *(source or ()))

    def _partners(self, labels: np.ndarray, sources: np.ndarray | None) -> np.ndarray:
        if sources is not None:
            return self._generator.integers(len(sources), size=len(labels))
        chances = 1 / self.counts[to_positions(labels)]
        return self._generator.choice(len(labels), size=len(labels), p=chances / chances.sum())

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the augmentation again."""
        config = {**super().get_config(), "counts": self.counts.tolist()}
        del config["n_classes"]
        return config


def keep_outside(lam: np.ndarray, centres: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return 1 for pixels outside a box and 0 in it, float32 of shape (rows, height, width).

    Parameters
    ----------
    lam : array of shape (rows,)
        The box has ``sqrt(1 - lam)`` of the height and of the width, in whole pixels.
    centres : int array of shape (rows, 2)
        Row and column of its centre; what lies beyond the image is cut off.
    height, width : int
        Pixels.

    Examples
    --------
    >>> import numpy as np
    >>> keep_outside(np.array([0.75]), np.array([[0, 2]]), 4, 4)[0].astype(int).tolist()
    [[1, 0, 0, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    """
    half_sides = (np.sqrt(1 - lam)[:, None] * (height, width)).astype(int) // 2
    starts, ends = centres - half_sides, centres + half_sides
    inside = [
        (np.arange(side) >= starts[:, [axis]]) & (np.arange(side) < ends[:, [axis]])
        for axis, side in enumerate((height, width))
    ]
    return 1 - (inside[0][:, :, None] & inside[1][:, None, :]).astype(np.float32)
