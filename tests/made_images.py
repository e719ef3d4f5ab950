"""Image files, and datasets of images, made for a test."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kilter._types import Column, Dataset, Images, Schema


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    """Return random pixels, uint8."""
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def save(path: Path, pixels: np.ndarray | None = None, **options: Any) -> Path:
    """Write pixels as an image file, random ones if not given, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = draw(8, 6, seed=sum(map(ord, str(path)))) if pixels is None else pixels
    Image.fromarray(image).save(path, **options)
    return path


def save_folder(root: Path, *classes: str, count: int = 3) -> Path:
    """Write a folder of small images, no two alike, for each class."""
    for place, label in enumerate(classes):
        for number in range(count):
            seed = [place, number, *str(root).encode()]
            pixels = np.random.default_rng(seed).integers(0, 256, (8, 6), np.uint8)
            save(root / label / f"{number}.png", pixels)
    return root


def make_images(
    labels: np.ndarray, pixels: np.ndarray | None = None, held_out: np.ndarray | None = None
) -> Dataset:
    """Return a dataset of images; they differ where no pixels are given."""
    labels = np.asarray(labels, np.int64)
    if pixels is None:
        pixels = draw(len(labels), 4, 5, 1)
    column = Column("image", "image", shape=pixels.shape[1:])
    classes = tuple(f"class{label}" for label in range(labels.max() + 1))
    files = np.array([f"{row}.png" for row in range(len(labels))])
    schema = Schema((column,), "folder", classes)
    return Dataset("made", schema, Images(pixels, files), labels, held_out=held_out)


def save_shades(root: Path, seed: int = 0, **counts: int) -> Path:
    """Write a folder for each class; its images are the brighter the later the class is named."""
    random = np.random.default_rng(seed)
    for place, (label, count) in enumerate(counts.items()):
        for number in range(count):
            pixels = random.integers(0, 150, (8, 8)) + 50 * place
            save(root / label / f"{number}.png", pixels.astype(np.uint8))
    return root
