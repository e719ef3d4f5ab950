"""Numbers as piecewise-linear embeddings."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from scipy.stats import norm

from kilter._export import register
from kilter._numbers import whole
from kilter.models.initial import Uniform

ARGUMENTS = ("numbers", "units", "bins", "scales", "seed")
FAR = 1e4  # stands for infinity: half precision can hold it


@register
class NumberEmbedding(keras.layers.Layer):
    """Replace the first columns of a row, numbers of a normal shape, by embeddings of them.

    Each number gets ``units`` of its own: a linear function of it, plus a piecewise-linear
    one with knots at the quantiles of a standard normal distribution, so that about as many
    rows lie in each piece. Where columns have the same numbers on other scales, linear
    functions of these are added. A network of dense layers alone is slow to learn functions that
    bend at a few places, as those of tables do; trees find them at once. The pieces begin at
    zero: at first the embedding is linear. Columns after the numbers pass as they are.

    Parameters
    ----------
    numbers : int
        How many columns are numbers; `kilter.data.TableEncoder` puts them first.
    units : int
        Of each number.
    bins : int
        Pieces of each number, at least 2.
    scales : int
        How often the numbers are there: all of them in normal shape, then all on another
        scale, and so on.
    seed : int, optional
        Makes the initial weights repeatable.

    References
    ----------
    Gorishniy, Rubachev and Babenko (2022), On embeddings for numerical features in tabular
    deep learning. Its knots are quantiles of the training rows; those of the normal
    distribution are the same for rows of that shape, and for every fold.

    Examples
    --------
    >>> import numpy as np
    >>> embed = NumberEmbedding(2, units=3)
    >>> embed(np.zeros((5, 4), "float32")).shape == (5, 2 * 3 + 2)
    True
    """

    def __init__(
        self,
        numbers: int,
        units: int = 4,
        bins: int = 8,
        scales: int = 1,
        seed: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.numbers = whole("numbers", numbers, 1)
        self.units = whole("units", units, 1)
        self.bins = whole("bins", bins, 2)
        self.scales = whole("scales", scales, 1)
        self.seed = seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make slopes (scales, numbers, units), offsets, and pieces (numbers, bins, units)."""
        limit = (3 / self.scales) ** 0.5  # a variance of 1 for all scales together
        slope = Uniform(-limit, limit, self.seed)
        offset = Uniform(-1.0, 1.0, None if self.seed is None else self.seed + 1)
        shape = (self.numbers, self.units)
        self.slope = self.add_weight((self.scales, *shape), slope, name="slope")
        self.offset = self.add_weight(shape, offset, name="offset")
        self.pieces = self.add_weight((shape[0], self.bins, shape[1]), "zeros", name="pieces")

    def call(self, x: Any) -> Any:
        """Return (rows, numbers * units + other columns) from (rows, columns)."""
        end = self.scales * self.numbers
        scaled, others = ops.reshape(x[:, :end], (-1, self.scales, self.numbers)), x[:, end:]
        # All parts in one product: a CPU is slow at many of few columns.
        parts = self._in_pieces(scaled[:, 0, :, None]), ops.transpose(scaled, (0, 2, 1))
        weights = self.pieces, ops.transpose(self.slope, (1, 0, 2))
        parts, weights = ops.concatenate(parts, axis=2), ops.concatenate(weights, axis=1)
        embedded = ops.einsum("rnf,nfu->rnu", parts, weights) + self.offset
        flat = ops.reshape(embedded, (-1, self.numbers * self.units))
        return ops.concatenate([flat, others], axis=-1)

    def _in_pieces(self, numbers: Any) -> Any:
        """Return how far each number is through each piece: 0 before it, 1 after.

        The outer two go on beyond their ends.
        """
        starts, widths, low, high = (
            ops.convert_to_tensor(part, dtype=numbers.dtype) for part in pieces(self.bins)
        )
        return ops.clip((numbers - starts) / widths, low, high)

    def compute_output_shape(self, input_shape: tuple[int | None, int]) -> tuple[int | None, int]:
        """Return the shape of the result."""
        rows, columns = input_shape
        return rows, self.numbers * (self.units - self.scales) + columns

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the layer again."""
        own = {name: getattr(self, name) for name in ARGUMENTS}
        return {**super().get_config(), **own}


def pieces(bins: int) -> tuple[np.ndarray, ...]:
    """Return where pieces begin, their widths, and what is least and most in each.

    All float32 of shape (bins,). The outer two are as wide as their neighbours are.

    Examples
    --------
    >>> starts, widths, low, high = pieces(4)
    >>> starts.round(2), widths.round(2)[1:]
    (array([-1.35, -0.67,  0.  ,  0.67], dtype=float32), array([0.67, 0.67, 0.67], dtype=float32))
    """
    knots = norm.ppf(np.arange(1, bins) / bins)
    width = knots[1] - knots[0] if bins > 2 else 1.0
    edges = np.concatenate([knots[:1] - width, knots, knots[-1:] + width])
    low, high = np.zeros(bins), np.ones(bins)
    low[0], high[-1] = -FAR, FAR
    starts, widths = edges[:-1], np.diff(edges)
    return tuple(part.astype(np.float32) for part in (starts, widths, low, high))
