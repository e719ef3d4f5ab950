"""The encoder of images: pixels stay as they are, and the network scales them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from kilter._errors import SchemaError
from kilter._types import Images, Schema, Train, require_part
from kilter.data.base import Encoder, whole_json


@dataclass(frozen=True)
class ImageEncoder(Encoder):
    """Pixels from 0 to 255 as they are, in a quarter of the memory of floats.

    Networks scale them, as those of `keras.applications` do.

    Attributes
    ----------
    pixels : (height, width, channels)

    Examples
    --------
    >>> pixels = np.zeros((2, 8, 8, 1), np.uint8)
    >>> ImageEncoder((8, 8, 1)).transform(Images(pixels, np.array(["a", "b"]))) is pixels
    True
    """

    FILE: ClassVar = "encoder.json"

    pixels: tuple[int, ...]

    @classmethod
    def fit(cls, train: Train, schema: Schema) -> Self:
        """Take the shape of the schema; there is nothing to learn.

        Raises
        ------
        ArgumentTypeError
            ``train`` is not the training part of a split.
        """
        require_part(train, Train, "Encoder.fit")
        return cls(schema.columns[0].shape)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of an image."""
        return self.pixels

    @property
    def blendable(self) -> np.ndarray:
        """None: a mean of two images shows two things, each half as bright."""
        return np.zeros(self.shape, bool)

    def transform(self, features: Images) -> np.ndarray:
        """Return the pixels, uint8 of shape (rows, height, width, channels)."""
        if features.pixels.shape[1:] != self.shape:
            raise SchemaError(
                f"`features` must be images of shape {self.shape}; got "
                f"{features.pixels.shape[1:]}. Make them with `kilter.data.conform`."
            )
        return features.pixels

    def require_fit(self, schema: Schema) -> None:
        """Raise a `ValueError` unless images of this schema have its shape."""
        if schema.columns[0].shape != self.shape:
            raise ValueError(
                f"images of {schema.columns[0].shape}, and the encoder of {self.shape}"
            )

    def dumps(self) -> bytes:
        """Return the encoder as JSON."""
        return json.dumps({"shape": self.shape}).encode()

    @classmethod
    def loads(cls, content: bytes) -> Self:
        """Return the encoder that `dumps` wrote.

        Raises
        ------
        ArtifactError
            The bytes are no such encoder.
        """
        with whole_json():
            return cls(tuple(int(side) for side in json.loads(content)["shape"]))
