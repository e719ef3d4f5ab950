"""Images to predict, in the shape that a model was trained on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kilter._errors import ArgumentTypeError, SchemaError, SourceError
from kilter._types import Images, Schema
from kilter.data.decode import as_image, decode, fault_names, named, refuse_broken, to_shape
from kilter.data.images import images_below


def conform_images(source: Any, schema: Schema) -> Images:
    """Read images to predict, in the shape that the model was trained on.

    Parameters
    ----------
    source : path, sequence of paths, or array
        A folder, whose images and those of folders in it are taken in order of their names, an
        image file, several, or pixels from 0 to 255 of shape (images, height, width) or with
        channels behind.
    schema : Schema
        Of the training images.

    Raises
    ------
    SourceError
        A file is not there or cannot be read as an image.
    SchemaError
        An array is not of such a shape.
    ArgumentTypeError
        It is neither.
    """
    shape = schema.columns[0].shape
    if isinstance(source, np.ndarray):
        if source.dtype.kind not in "OUS":
            return _of_array(source, shape)
        source = source.tolist()
    if not isinstance(source, str | os.PathLike):
        paths, root, where = _of_list(source), Path(), "the list"
    else:
        paths, root = _below(Path(source))
        where = f"`{root}`"
    decoded = decode(paths, shape)
    refuse_broken(fault_names(paths, decoded, root), where)
    return Images(decoded.pixels, np.array([named(path, root) for path in paths], str))


def _of_list(source: Any) -> list[Path]:
    listed = isinstance(source, Sequence) and not isinstance(source, bytes)
    wrong = [each for each in source if not isinstance(each, str | os.PathLike)] if listed else []
    if wrong or not listed:
        got = type(wrong[0] if wrong else source).__name__
        raise ArgumentTypeError(
            "images must come as a folder, a list of files, or one numpy array of pixels; got "
            f"{'a list with ' if wrong else ''}a `{got}`. Use `list` on paths, and `numpy.stack` "
            "on arrays."
        )
    return [Path(each) for each in source]


def _below(path: Path) -> tuple[list[Path], Path]:
    """Return files, and the folder that they are named from."""
    if os.path.isdir(path):
        return images_below(path), path
    if not os.path.exists(path):
        raise SourceError(f"`{path}` does not exist. Name a folder of images, or a file.")
    return [path], path.parent


def _of_array(pixels: np.ndarray, shape: tuple[int, ...]) -> Images:
    one_in_colour = pixels.ndim == 3 and pixels.shape[2] in (1, 3) and shape[1] > 3
    images = pixels[..., None] if pixels.ndim == 3 else pixels
    if one_in_colour or images.ndim != 4 or images.shape[3] not in (1, 3) or 0 in images.shape[1:]:
        raise SchemaError(
            "images must be an array of shape (images, height, width), or with 1 or 3 channels "
            f"behind; got {pixels.shape}. One image needs an axis in front: `pixels[None]`."
        )
    images = _in_bytes(images)
    if images.shape[1:] != shape:
        resized = [to_shape(as_image(one), shape) for one in images]
        images = np.array(resized, np.uint8).reshape(-1, *shape)
    return Images(images, np.array([str(row) for row in range(len(images))], str))


def _in_bytes(images: np.ndarray) -> np.ndarray:
    if images.dtype == np.uint8:
        return images
    low, high = (images.min(), images.max()) if images.size else (0, 0)
    if images.dtype.kind not in "iuf" or not (low >= 0 and (high == 0 or 1 < high <= 255)):
        raise SchemaError(
            f"images must hold numbers from 0 to 255; got {low} to {high}. Multiply by 255 what "
            "lies between 0 and 1."
        )
    return np.rint(images).astype(np.uint8)
