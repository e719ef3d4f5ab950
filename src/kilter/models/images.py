"""The default network for images."""

from __future__ import annotations

import itertools

import keras
from keras import layers

from kilter.models.initial import GlorotUniform, HeUniform

SMALL, LARGE = 20, 64
"""Pixels of the shorter side up to which the first convolution keeps every pixel, and from which
it keeps one of four rather than of two."""
LAST = 4  # pixels of the shorter side that are left at the end
WIDEST = 8  # times the width of the first layer


def convnet(
    shape: tuple[int, ...],
    n_classes: int,
    *,
    width: int = 24,
    dropout: float = 0.1,
    seed: int | None = None,
) -> keras.Model:
    """Build a small convolutional network that ends in logits.

    Use it for images of some dozen pixels a side, of which a few thousand are there to learn
    from; for photographs a network of `keras.applications` with pretrained weights is better. It
    is made for a CPU, where fine maps cost most and a maximum over pixels is slow to learn
    through: the first convolution skips pixels, means make maps smaller, and the features are
    mean and maximum of each map that is left.

    Parameters
    ----------
    shape : (height, width, channels)
        Of an image, with pixels from 0 to 255, eight or more a side.
    n_classes : int
        Number of outputs.
    width : int
        Filters of the first layer; there are twice as many after each halving, up to eight times.
    dropout : float
        Share of the features that are left out in a training step.
    seed : int, optional
        Makes initial weights and dropout repeatable without touching any global state.

    Returns
    -------
    keras.Model
        From (rows, height, width, channels) to logits (rows, n_classes).

    Examples
    --------
    >>> convnet((28, 28, 1), 10).output_shape
    (None, 10)
    """
    seeds = itertools.repeat(None) if seed is None else itertools.count(seed)
    side = min(shape[:2])
    stride = 1 if side < SMALL else 2 if side < LARGE else 4
    images = keras.Input(shape)
    x = layers.Rescaling(1 / 127.5, offset=-1)(images)
    x = _block(x, width, 5 if stride == 4 else 3, stride, next(seeds))
    side = -(-side // stride)
    for stage in itertools.count(1):
        if side <= LAST and stage > 2:
            break
        if side > LAST:
            x, side = layers.AveragePooling2D(2)(x), side // 2
        x = _block(x, width * min(2**stage, WIDEST), 3, 1, next(seeds))
    maps = [layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)]
    features = layers.Concatenate()(maps)
    if dropout:
        features = layers.Dropout(dropout, seed=next(seeds))(features)
    last = layers.Dense(n_classes, kernel_initializer=GlorotUniform(next(seeds)))
    return keras.Model(images, last(features))


def _block(
    x: keras.KerasTensor, filters: int, kernel: int, stride: int, seed: int | None
) -> keras.KerasTensor:
    he = HeUniform(seed)
    x = layers.Conv2D(filters, kernel, stride, "same", use_bias=False, kernel_initializer=he)(x)
    # Keras's momentum of .99 is slow for epochs of some dozen steps.
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
