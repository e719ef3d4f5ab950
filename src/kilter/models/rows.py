"""What the rows are that a network of one's own is made for."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

TRIED = 64  # rows that a network is tried on


class Rows(NamedTuple):
    """What rows a network takes: their shape, and below which number those of words are.

    Examples
    --------
    >>> print(Rows((5,)), Rows((8, 6, 3)), Rows((40,), 900), sep="; ")
    5 columns; images of 8 x 6 x 3; texts of 40 word numbers below 900
    """

    shape: tuple[int, ...]
    vocabulary: int = 0

    @property
    def dtype(self) -> str:
        """Of what stands in a row."""
        return "int32" if self.vocabulary else "float32"

    @property
    def told(self) -> Any:
        """What a function that builds a network is told of them."""
        if self.vocabulary:
            return self.shape[0], self.vocabulary
        return self.shape[0] if len(self.shape) == 1 else self.shape

    @property
    def name(self) -> str:
        """What such a function may call that."""
        return "shape" if isinstance(self.told, tuple) else "width"

    def __str__(self) -> str:
        if self.vocabulary:
            return f"texts of {self.shape[0]} word numbers below {self.vocabulary}"
        if len(self.shape) == 1:
            return f"{self.shape[0]} columns"
        return f"images of {' x '.join(map(str, self.shape))}"

    @property
    def advice(self) -> str:
        """What a model for such rows is, behind "`build` must give a model for"."""
        if self.vocabulary:
            return (
                f"{self}, 0 for none. Give a function, which is told `(length, vocabulary)`, and "
                "begin the model with `keras.Input((length,))` and an Embedding; `length` changes "
                "how many words are read."
            )
        if len(self.shape) == 1:
            return (
                f"rows of {self}, as many as the encoded table has: numbers are there on two "
                "scales, and categories one-hot. Give a function, which is told the number of "
                "columns, and begin the model with `keras.Input((width,))`."
            )
        return (
            f"{self}, pixels from 0 to 255. Give a function, which is told the shape, and begin "
            "the model with `keras.Input(shape)`; `size` changes height and width."
        )

    def example(self) -> np.ndarray:
        """Return some rows at random."""
        random = np.random.default_rng(0)
        if self.vocabulary:
            return random.integers(self.vocabulary, size=(TRIED, *self.shape), dtype=np.int32)
        return random.normal(size=(TRIED, *self.shape)).astype("float32")
