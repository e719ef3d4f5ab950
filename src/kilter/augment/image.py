"""Augmentations of images by one word, and how often each class gets them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from kilter._errors import ArgumentError, ArgumentTypeError, did_you_mean
from kilter._export import register
from kilter.augment.affine import RandomAffine

PIXELS = (0, 255)


def light(seed: int | None = None) -> list[keras.layers.Layer]:
    """Return layers that change an image as another photograph of the same thing would.

    It is turned, leaned and moved a little, and gets other light. Nothing is mirrored: a digit or
    a letter would become another one.

    Examples
    --------
    >>> [type(layer).__name__ for layer in light()]
    ['RandomAffine', 'RandomBrightness', 'RandomContrast']
    """
    return [
        RandomAffine(rotation=8, shift=0.08, shear=4, zoom=0.08, seed=_next(seed, 0)),
        layers.RandomBrightness(0.1, PIXELS, seed=_next(seed, 1)),
        layers.RandomContrast(0.1, PIXELS, seed=_next(seed, 2)),
    ]


def strong(seed: int | None = None) -> list[keras.layers.Layer]:
    """Return layers that change an image much: also mirrored, and with a part erased.

    Examples
    --------
    >>> [type(layer).__name__ for layer in strong()]
    ['RandomAffine', 'RandomBrightness', 'RandomContrast', 'RandomErasing']
    """
    turned = RandomAffine(15, 0.12, 8, 0.15, "horizontal", seed=_next(seed, 0))
    return [
        turned,
        layers.RandomBrightness(0.2, PIXELS, seed=_next(seed, 1)),
        layers.RandomContrast(0.3, PIXELS, seed=_next(seed, 2)),
        layers.RandomErasing(0.5, value_range=PIXELS, seed=_next(seed, 3)),
    ]


WORDS = {"light": light, "strong": strong}


def _next(seed: int | None, number: int) -> int | None:
    return None if seed is None else seed + number


def find_layers(augment: Any) -> tuple[keras.layers.Layer, ...]:
    """Return the layers that ``augment`` names or is.

    Parameters
    ----------
    augment : {"light", "strong"}, layer, or sequence of layers
        Layers of Keras or of one's own that change each image of a batch on its own.

    Raises
    ------
    ArgumentError
        For another word.
    ArgumentTypeError
        For what is no layer.

    Examples
    --------
    >>> [type(layer).__name__ for layer in find_layers(keras.layers.RandomFlip())]
    ['RandomFlip']
    """
    if isinstance(augment, str):
        if augment not in WORDS:
            raise ArgumentError(
                f"`augment` must be one of {', '.join(WORDS)}, or layers; got `{augment}`."
                + did_you_mean(augment, WORDS)
            )
        return tuple(WORDS[augment](0))
    many = augment if isinstance(augment, Sequence) else [augment]
    for layer in many:
        if not isinstance(layer, keras.layers.Layer):
            raise ArgumentTypeError(
                f"`augment` must be a word ({', '.join(WORDS)}), a Keras layer or several; got "
                f"{layer!r:.80}."
            )
    return tuple(many)


@register
class Augmented(keras.layers.Layer):
    """Layers that change rows in training, each with a chance of its own.

    Parameters
    ----------
    layers : sequence of keras.layers.Layer
        Change a batch, one after another.
    seed : int, optional
        Decides which rows are changed.

    Examples
    --------
    >>> import numpy as np
    >>> front = Augmented([RandomAffine(flip="horizontal", seed=1)], seed=0)
    >>> rows, chances = np.ones((2, 4, 4, 1), "float32"), np.array([0.0, 1.0], "float32")
    >>> front([rows, chances], training=True).shape == rows.shape
    True
    """

    def __init__(
        self, layers: Sequence[keras.layers.Layer], seed: int | None = None, **settings: Any
    ) -> None:
        super().__init__(**settings)
        self.layers = list(layers)
        self.seed = seed
        self.generator = keras.random.SeedGenerator(seed)

    def build(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        """Build the layers."""
        for layer in self.layers:
            if not layer.built:
                layer.build(shapes[0])

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return rows of the shape that came; ``inputs`` are those and their chances (rows,)."""
        rows, chances = inputs
        if not training:
            return rows
        rows = ops.cast(rows, "float32")
        changed = ops.copy(rows)  # on PyTorch some of Keras's layers write into what they get
        for layer in self.layers:
            changed = layer(changed, training=True) if _trains(layer) else layer(changed)
        drawn = keras.random.uniform(ops.shape(chances), seed=self.generator)
        chosen = ops.reshape(drawn < chances, (-1, *[1] * (len(rows.shape) - 1)))
        return ops.where(chosen, changed, rows)

    def compute_output_shape(self, shapes: Sequence[tuple[int | None, ...]]) -> Any:
        """Return the shape of the result."""
        return shapes[0]

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the layer again."""
        plain = [keras.saving.serialize_keras_object(layer) for layer in self.layers]
        return {**super().get_config(), "layers": plain, "seed": self.seed}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Augmented:
        """Make the layer again."""
        made = [keras.saving.deserialize_keras_object(plain) for plain in config.pop("layers")]
        return cls(made, **config)


def _trains(layer: keras.layers.Layer) -> bool:
    return bool(layer._call_has_training_arg)
