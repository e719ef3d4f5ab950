"""From image files to pixels: many at once, each decoded once and kept in a cache."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import PIL
from PIL import Image, ImageOps

from kilter._errors import ArgumentError, SourceError, did_you_mean
from kilter._numbers import is_whole

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
GREY = ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B", "F")
LARGEST = 64
"""Pixels of the longer side, where no size is asked for: larger images are made smaller."""

BROKEN = ("refuse", "skip")
NAMED = 5  # of broken files
CACHE_BYTES = 4 << 30
KEPT_FROM = 1000  # files: to decode fewer takes no time
MAKE = (2, LARGEST, PIL.__version__)  # of what is kept: count up when other pixels come out

Shape = tuple[int, ...]  # height, width, channels


class Header(NamedTuple):
    """What an image file says of itself."""

    height: int
    width: int
    grey: bool


class Decoded(NamedTuple):
    """Pixels uint8 of shape (files, height, width, channels), and why files could not be read.

    ``faults`` has a sentence for each position; the pixels there are zeros.
    """

    pixels: np.ndarray
    faults: dict[int, str]


def decode(paths: Sequence[Path], shape: Shape | None = None, size: Any = None) -> Decoded:
    """Decode images to one shape.

    Parameters
    ----------
    paths : sequence of Path
        PNG, JPEG or whatever else Pillow reads.
    shape : (height, width, channels), optional
        What all become; without it the median height and width, made smaller if the longer
        side is above `LARGEST`, and one channel if all are grey, else three.
    size : int or (height, width), optional
        Height and width in place of those.

    Returns
    -------
    Decoded

    Raises
    ------
    ArgumentError
        ``size`` is no number of pixels, or too large for the memory.
    """
    size = None if size is None else _checked(size)
    stamps = _stamps(paths)
    # A cache of pixels is no faster for few files, and a stamp of an absent file is no key.
    keep = len(paths) >= KEPT_FROM and all(stamps)
    return _decode_kept(stamps, shape, size) if keep else _decode_all(paths, shape, size)


def _stamps(paths: Sequence[Path]) -> list[tuple[str, int, int, int] | None]:
    """Return what changes when a file does, or the right to read it."""

    def stamp(path: Path) -> tuple[str, int, int, int] | None:
        try:
            status = path.stat()
        except OSError:
            return None
        return os.path.abspath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns

    return list(map(stamp, paths))


def _decode_kept(stamps: list[Any], shape: Shape | None, size: Any) -> Decoded:
    """Decode by way of a cache in the user's folder for caches; without one if that fails."""
    try:
        memory = joblib.Memory(cache_folder(), mmap_mode="r", verbose=0)
        found = memory.cache(_decode_stamped)(stamps, shape, size, MAKE)
        memory.reduce_size(bytes_limit=CACHE_BYTES)
    except (OSError, KeyError, RuntimeError):  # no right to write, a full disk, no home
        found = _decode_stamped(stamps, shape, size, MAKE)
    return Decoded(*found)


def _decode_stamped(
    stamps: list[Any], shape: Shape | None, size: Any, make: tuple[Any, ...]
) -> tuple[Any, Any]:
    pixels, faults = _decode_all([Path(path) for path, *_ in stamps], shape, size)
    return pixels, faults


def cache_folder() -> Path:
    """Return where decoded images are kept: ``XDG_CACHE_HOME``, or ``.cache`` in the home."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kilter" / "images"


def _decode_all(paths: Sequence[Path], shape: Shape | None, size: Any) -> Decoded:
    faults: dict[int, str] = {}
    if shape is None:
        headers = _each(_header, paths, faults)
        shape = common_shape([header for header in headers if header is not None], size)
    pixels = _zeros((len(paths), *shape))

    def fill(place: int) -> None:
        if place not in faults:
            pixels[place] = _pixels(paths[place], shape)

    _each(fill, range(len(paths)), faults)
    return Decoded(pixels, faults)


def _zeros(shape: Shape) -> np.ndarray:
    try:
        return np.zeros(shape, np.uint8)
    except (MemoryError, ValueError):
        images, height, width, _ = shape
        raise ArgumentError(
            f"`size` must leave room in the memory, which {images:,} images of {height:,} by "
            f"{width:,} pixels do not. Ask for fewer pixels."
        ) from None


def _each(function: Callable[[Any], Any], items: Sequence[Any], faults: dict[int, str]) -> list:
    """Apply a function to items on several threads; note where and why it fails."""

    def attempt(place: int) -> Any:
        try:
            return function(items[place])
        except Exception as error:  # damaged files fail in too many ways to list
            faults[place] = _reason(error)
            return None

    # Pillow warns of large images and odd metadata; what matters is a fault.
    with warnings.catch_warnings(), ThreadPoolExecutor(joblib.cpu_count()) as threads:
        warnings.filterwarnings("ignore", module="PIL")
        return list(threads.map(attempt, range(len(items))))


def _reason(error: Exception) -> str:
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "not there"
    if isinstance(error, PermissionError):
        return "may not be read"
    if isinstance(error, Image.DecompressionBombError):
        return "too large"
    known = "truncated" in str(error).lower()
    return "cut off" if known else "not an image, or damaged"


class UnreadableError(Exception):
    """A file has no pixels that can be used, and says why."""


@contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    if not path.stat().st_size:
        raise UnreadableError("empty")
    # Not by its name: Pillow 13 would map a plain TIFF and mix up the rows of one that is turned.
    with path.open("rb") as file, Image.open(file) as image:
        yield image


def _header(path: Path) -> Header:
    with _open(path) as image:
        width, height = image.size
        height, width = (width, height) if _turned(image) else (height, width)
        return Header(height, width, image.mode in GREY)


def _turned(image: Image.Image) -> bool:
    """Tell whether a camera was held upright, and Pillow has not turned the size yet."""
    # To look for metadata behind the pixels of a PNG, Pillow decodes them.
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return False
    return image.getexif().get(0x0112) in (5, 6, 7, 8)


def common_shape(headers: Sequence[Header], size: Any = None) -> Shape:
    """Return the shape that images with these headers are brought to.

    Examples
    --------
    >>> common_shape([Header(300, 200, True), Header(300, 200, False)])
    (64, 43, 3)
    >>> common_shape([Header(28, 28, True)], size=32)
    (32, 32, 1)
    """
    channels = 1 if headers and all(header.grey for header in headers) else 3
    if size is not None:
        return *_checked(size), channels
    if not headers:
        return 1, 1, channels
    height, width = np.median([header[:2] for header in headers], axis=0)
    scale = min(1, LARGEST / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale)), channels


def _checked(size: Any) -> tuple[int, int]:
    pair = tuple(size) if isinstance(size, Iterable) else (size, size)
    if len(pair) != 2 or not all(is_whole(side) and side > 0 for side in pair):
        raise ArgumentError(
            f"`size` must be a number of pixels, or height and width; got {size!r}. Try 64."
        )
    return int(pair[0]), int(pair[1])


def _pixels(path: Path, shape: Shape) -> np.ndarray:
    with _open(path) as image:
        side = 2 * max(shape[:2])  # of either, as the image may have to be turned
        image.draft(None, (side, side))  # JPEG is quick to decode at a fraction
        return to_shape(ImageOps.exif_transpose(image), shape)


def to_shape(image: Image.Image, shape: Shape) -> np.ndarray:
    """Return an image as pixels of this shape, uint8."""
    height, width, channels = shape
    if image.mode.startswith("I"):  # Pillow would keep the lower half of 16 bits
        values = np.asarray(image)
        values = values >> 8 if image.mode.startswith("I;16") or values.max() > 255 else values
        image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    if image.mode == "F" and 0 < np.asarray(image).max() <= 1:  # Pillow would make it black
        raise UnreadableError("its pixels lie between 0 and 1, not 255")
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(shape)


def as_image(pixels: np.ndarray) -> Image.Image:
    """Return pixels uint8 of shape (height, width, channels) as an image of Pillow's.

    Examples
    --------
    >>> as_image(np.zeros((2, 3, 1), np.uint8)).size
    (3, 2)
    """
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def fault_names(paths: Sequence[Path], decoded: Decoded, root: Path) -> list[str]:
    """Name the files that could not be read, each with the reason."""
    return [f"{named(paths[place], root)} ({why})" for place, why in decoded.faults.items()]


def check_broken(broken: str) -> None:
    """Raise unless this is something to do about broken files."""
    if broken not in BROKEN:
        raise ArgumentError(
            f"`broken` must be one of {', '.join(BROKEN)}; got `{broken}`."
            + did_you_mean(str(broken), BROKEN)
        )


def refuse_broken(broken: Sequence[str], where: str, instead: str = "") -> None:
    """Raise a `SourceError` if there are such files, in the named place; say what else to do."""
    if broken:
        raise SourceError(
            f"{where} has {_files(len(broken))} that cannot be read as an image: "
            f"{listed(sorted(broken))}. Remove or mend what is broken{instead}."
        )


def named(path: Path, root: Path) -> str:
    """Name a file from a folder that it is in."""
    return as_text(path.relative_to(root) if path.is_relative_to(root) else path)


def as_text(name: str | Path) -> str:
    """Return a name that can be written anywhere: not all file systems hold text."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def listed(names: Sequence[str]) -> str:
    """Name the first few."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"
