"""What every augmentation is: a batch in, a batch out, in any data pipeline.

Randomness is drawn first and then applied, with numpy on the host: the same seed draws the
same numbers on every backend, nothing compiles, and a `tf.data` pipeline works whatever the
backend is.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from keras import ops, tree

from kilter._errors import ArgumentError
from kilter._numbers import above_zero
from kilter.sampling.labels import to_positions


class Draws(NamedTuple):
    """The random numbers of one batch of mixtures.

    ``partners`` of shape (rows,) says which row goes into each. ``shares`` is how much of the
    row itself stays: (rows,), or (rows, height, width) by pixel. ``label_shares`` of shape
    (rows,) is the same for its label.
    """

    partners: np.ndarray
    shares: np.ndarray
    label_shares: np.ndarray


class Augmentation:
    """Base of the augmentations: a seed, and what Keras needs to make one again."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generator = np.random.default_rng(seed)

    def for_batch(self, epoch: int, index: int) -> Augmentation:
        """Return the same with numbers of its own for a batch, whatever was drawn before."""
        keyed = copy.copy(self)
        keyed._generator = np.random.default_rng([self.seed, epoch, index])
        return keyed

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the augmentation again."""
        return {"seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Augmentation:
        """Make the augmentation again."""
        return cls(**config)


class Mixing(Augmentation):
    """Base of the mixtures of two rows; a child says what it draws."""

    def __init__(self, alpha: float, n_classes: int | None, seed: int) -> None:
        super().__init__(seed)
        self.alpha = above_zero("alpha", alpha, "The papers use .1 to 1.")
        self.n_classes = n_classes

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the augmentation again."""
        return {**super().get_config(), "alpha": self.alpha, "n_classes": self.n_classes}

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Mix a batch.

        Parameters
        ----------
        x : array or tensor of shape (rows, ...), or a structure of them
            Inputs.
        y : array or tensor of shape (rows,), (rows, 1) or (rows, classes)
            Positions of the classes, or one-hot or soft rows.

        Returns
        -------
        x, y
            Float32, ``y`` of shape (rows, classes). Tensors where tensors came, else arrays.
        """
        return self._mix(x, y)

    def draw(
        self, shapes: list[tuple[int, ...]], labels: np.ndarray, sources: np.ndarray | None
    ) -> Draws:
        """Draw for a batch; a child says how.

        Parameters
        ----------
        shapes : list of tuple
            Shape of each array of the inputs.
        labels : array of shape (rows, classes)
            Labels of the rows.
        sources : array of shape (other rows, classes), optional
            Labels of the rows to take partners from, where that is not the batch itself.
        """
        raise NotImplementedError

    def _mix(self, x: Any, y: Any, *source: Any) -> tuple[Any, Any]:
        y = y if hasattr(y, "shape") else np.asarray(y)
        check_batch(y)
        batch, others = [*tree.flatten(x), y], tree.flatten(source)
        n_classes = self.n_classes or (y.shape[-1] if len(y.shape) == 2 else None)
        shapes = [*(array.shape for array in batch[:-1]), (y.shape[0], n_classes)]
        *mixed, labels = on_host(
            lambda *arrays: self._apply(arrays[: len(batch)], arrays[len(batch) :]),
            [*batch, *others],
            shapes,
        )
        return tree.pack_sequence_as(x, mixed), labels

    def _apply(
        self, batch: tuple[np.ndarray, ...], source: tuple[np.ndarray, ...]
    ) -> list[np.ndarray]:
        (*xs, y), (*others, other_y) = batch, source or batch
        labels, sources = to_shares(y, self.n_classes), to_shares(other_y, self.n_classes)
        draws = self.draw([x.shape for x in xs], labels, sources if source else None)
        pairs = zip(xs, others, strict=True)
        return [
            *(blend(x, other[draws.partners], draws.shares) for x, other in pairs),
            blend(labels, sources[draws.partners], draws.label_shares),
        ]


def blend(x: np.ndarray, partners: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return ``shares * x + (1 - shares) * partners``, float32.

    Parameters
    ----------
    x, partners : array of shape (rows, ...)
        The rows, and what goes into each of them.
    shares : array of shape (rows,) or (rows, height, width)
        How much of ``x`` stays.

    Examples
    --------
    >>> import numpy as np
    >>> blend(np.array([[4.0, 0.0]]), np.array([[0.0, 8.0]]), np.array([0.75])).tolist()
    [[3.0, 2.0]]
    """
    shares = shares.astype(np.float32).reshape(shares.shape + (1,) * (x.ndim - shares.ndim))
    return shares * x.astype(np.float32) + (1 - shares) * partners.astype(np.float32)


def to_shares(y: np.ndarray, n_classes: int | None) -> np.ndarray:
    """Return one-hot or soft rows, float32 of shape (rows, classes)."""
    if y.ndim == 2 and y.shape[1] > 1:
        if y.shape[1] != (n_classes or y.shape[1]):
            raise ArgumentError(
                f"`y` must have positions of the classes or {n_classes} columns; got "
                f"{y.shape[1]} columns."
            )
        return y.astype(np.float32)
    if n_classes is None:
        raise ArgumentError(
            "`n_classes` must be given where labels are positions of the classes; pass "
            "`n_classes=` when making the augmentation, or one-hot labels."
        )
    positions = to_positions(y)
    if positions.min() < 0 or positions.max() >= n_classes:
        raise ArgumentError(
            f"`y` must hold positions 0 to {n_classes - 1}; got {positions.min()} to "
            f"{positions.max()}."
        )
    return np.eye(n_classes, dtype=np.float32)[positions]


def check_batch(y: Any) -> None:
    """Raise unless the labels are those of a batch."""
    if len(y.shape) == 0:
        raise ArgumentError(
            "`y` must have the labels of a batch, of shape (rows,); got a single one. Map the "
            "augmentation after `.batch(...)`."
        )


def on_host(
    function: Callable[..., list[np.ndarray]], inputs: list[Any], shapes: list[Any]
) -> list[Any]:
    """Run a numpy function on arrays or tensors, or inside a `tf.data` pipeline.

    Parameters
    ----------
    function : callable
        Takes one array an input and returns a list of float32 arrays.
    inputs : list of arrays or tensors
        What the function is run on.
    shapes : list
        Static shapes of what it returns: a graph cannot see through the function.
    """
    tf = graph_library()
    if tf is None:
        outputs = function(*map(_to_numpy, inputs))
        if not ops.is_tensor(inputs[0]):
            return outputs
        return [ops.convert_to_tensor(output) for output in outputs]
    outputs = tf.numpy_function(function, inputs, [tf.float32] * len(shapes))
    return [tf.ensure_shape(output, shape) for output, shape in zip(outputs, shapes, strict=True)]


def graph_library() -> Any:
    """Return TensorFlow inside a graph, such as a `tf.data` pipeline's, and None elsewhere."""
    tf = sys.modules.get("tensorflow")
    return None if tf is None or tf.executing_eagerly() else tf


def _to_numpy(value: Any) -> np.ndarray:
    return ops.convert_to_numpy(value) if ops.is_tensor(value) else np.asarray(value)
