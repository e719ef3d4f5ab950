"""Images: from a folder of class folders to a dataset."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np

from kilter._errors import DataError, SourceError
from kilter._types import Column, Dataset, Images, Schema
from kilter.data.decode import (
    SUFFIXES,
    as_text,
    check_broken,
    decode,
    fault_names,
    listed,
    named,
    refuse_broken,
)

COLUMN, TARGET = "image", "folder"
TRAINED, TESTED = ("train", "training"), ("test", "testing")
HELD_BACK = ("val", "valid", "validation")  # by others; here the folds say what validates


class Found(NamedTuple):
    """Image files, the class folder of each, and whether it is for tests."""

    paths: list[Path]
    classes: list[str]
    tested: list[bool]

    def take(self, places: Sequence[int]) -> Found:
        """Return those at the given places."""
        return Found(
            [self.paths[place] for place in places],
            [self.classes[place] for place in places],
            [self.tested[place] for place in places],
        )


def load_images(
    folder: str | Path, *, size: Any = None, broken: str = "refuse", name: str | None = None
) -> Dataset:
    """Read a folder that has a folder of images for each class.

    Use it for pictures; `kilter.compare` and ``kilter inspect`` call it where they are given a
    folder.

    Parameters
    ----------
    folder : path
        Below it a folder a class, named like it; or ``train`` and ``test`` with those below
        them. What is in ``test`` is scored and never learned from; ``val`` counts as ``train``,
        since folds say what validates. Other files are passed over.
    size : int or (height, width), optional
        Pixels to bring all images to; else their median size, at most 64 on the longer side.
    broken : {"refuse", "skip"}
        What to do about files that cannot be read as an image.
    name : str, optional
        Of the data set; the folder's if not given.

    Returns
    -------
    Dataset
        ``features.pixels`` is uint8 of shape (images, height, width, channels): grey if all
        images are, else red, green and blue. What was left out is in ``schema.ignored``.

    Raises
    ------
    SourceError
        The folder is not there, or a file is broken and to be refused.
    DataError
        There are no images, or fewer than two classes.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for label in ("bolt", "nut"):
    ...         Path(folder, label).mkdir()
    ...         Image.fromarray(np.zeros((8, 6), np.uint8)).save(Path(folder, label, "1.png"))
    ...     data = load_images(folder)
    >>> data.schema.classes, data.features.pixels.shape
    (('bolt', 'nut'), (2, 8, 6, 1))
    """
    check_broken(broken)
    root = Path(folder)
    found = find_images(root)
    decoded = decode(found.paths, None, size)
    if broken == "refuse":
        leave_out = ", or leave it out with `broken='skip'` (`--broken skip`)"
        refuse_broken(fault_names(found.paths, decoded, root), f"`{root}`", leave_out)
    whole = [place for place in range(len(found.paths)) if place not in decoded.faults]
    ignored = sorted(named(found.paths[place], root) for place in decoded.faults)
    pixels = decoded.pixels[whole] if ignored else decoded.pixels
    return _dataset(root, name, pixels, found.take(whole), ignored)


def _dataset(
    root: Path, name: str | None, pixels: np.ndarray, found: Found, broken: list[str]
) -> Dataset:
    _refuse_none_whole(root, found)
    _refuse_only_tested(root, found)
    classes, labels = np.unique(found.classes, return_inverse=True)
    _refuse_few_classes(root, classes.tolist())
    column = Column(COLUMN, "image", shape=pixels.shape[1:])
    ignored = tuple((path, "broken") for path in broken)
    return Dataset(
        name or as_text(root.resolve().name),
        Schema((column,), TARGET, tuple(classes.tolist()), ignored),
        Images(pixels, np.array([named(path, root) for path in found.paths])),
        labels.astype(np.int64),
        held_out=np.array(found.tested) if any(found.tested) else None,
    )


def find_images(root: Path) -> Found:
    """Find the images of each class folder, those of ``train`` and ``test`` if there are such."""
    if not os.path.isdir(root):
        raise SourceError(f"`{root}` is no folder. Check the path.")
    learned, tested = _parts(root)
    found = Found([], [], [])
    for parent in (*learned, *tested):
        for path, label in _of_classes(parent):
            found.paths.append(path)
            found.classes.append(label)
            found.tested.append(parent in tested)
    _refuse_none(root, found)
    _refuse_only_tested(root, found)
    return found


def _parts(root: Path) -> tuple[list[Path], list[Path]]:
    """Return the folders with the classes to learn from, and those with the classes to test on."""
    learned = _called(root, (*TRAINED, *HELD_BACK))
    tested = _called(root, TESTED)
    # A class may well be called `train`: its folder has images, and no folders of classes.
    if len(learned) + len(tested) < 2 or not any(map(_folders, learned)):
        return [root], []
    for part in (*learned, *tested):
        _refuse_unlabelled(root, part)
    return learned, tested


def _called(root: Path, names: Sequence[str]) -> list[Path]:
    entries = _folders(root)
    return [entry for name in names for entry in entries if entry.name.lower() == name]


def _folders(root: Path) -> list[Path]:
    try:
        entries = [entry for entry in root.iterdir() if entry.is_dir()]
    except OSError as error:
        _refuse_unreadable(error)
    return sorted(entry for entry in entries if not _hidden(entry))


def _refuse_unreadable(error: OSError) -> NoReturn:
    raise SourceError(
        f"`{error.filename}` cannot be read: {error.strerror}. Change its mode, or move it."
    ) from None


def _hidden(path: Path) -> bool:
    return path.name.startswith((".", "__MACOSX"))


def _of_classes(parent: Path) -> Iterator[tuple[Path, str]]:
    for folder in _folders(parent):
        for path in images_below(folder):
            yield path, as_text(folder.name)


def images_below(folder: Path) -> list[Path]:
    """Return the image files in a folder and below it, sorted; hidden ones are passed over."""
    found = []
    for base, folders, files in os.walk(folder, onerror=_refuse_unreadable):
        folders[:] = [name for name in folders if not _hidden(Path(name))]
        paths = [Path(base, name) for name in files if not _hidden(Path(name))]
        found += [path for path in paths if path.suffix.lower() in SUFFIXES]
    return sorted(found)


def _refuse_unlabelled(root: Path, part: Path) -> None:
    if not _folders(part) and images_below(part):
        raise DataError(
            f"`{root}` has `{part.name}` with images in no folder of a class, beside others that "
            "have such folders. Put them into folders of their classes, or name the one folder "
            "to use."
        )


def _refuse_none_whole(root: Path, found: Found) -> None:
    if not found.paths:
        raise DataError(f"`{root}` has no image that can be read. Check the files in it.")


def _refuse_none(root: Path, found: Found) -> None:
    if found.paths:
        return
    loose = len(images_below(root))
    there = f"it has {loose:,} images in no folder of a class" if loose else "it has none"
    raise DataError(
        f"`{root}` must have a folder of images for each class, and {there}. Put the images of "
        f"each class ({', '.join(SUFFIXES[:3])}, ...) into a folder of its name."
    )


def _refuse_only_tested(root: Path, found: Found) -> None:
    learned = {
        label for label, tested in zip(found.classes, found.tested, strict=True) if not tested
    }
    unknown = sorted(set(found.classes) - learned)
    if unknown:
        raise DataError(
            f"`{root}` has classes to test on that there is nothing to learn of: "
            f"{listed([f'`{name}`' for name in unknown])}. Name the folders alike in both."
        )


def _refuse_few_classes(root: Path, classes: list[str]) -> None:
    if len(classes) < 2:
        raise DataError(
            f"`{root}` must have two classes or more; its images are all in `{classes[0]}`. Name "
            "the folder above the class folders."
        )
