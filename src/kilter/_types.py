"""The shapes that travel between the layers: frozen values, no behaviour beyond slicing.

A table, its texts or a folder of images becomes a `Dataset`; `kilter.data.split` cuts it into
`Split` values, whose three parts are three types. What fits on training rows asks for a `Train`,
what tunes asks for `ValidationScores`: handing over a test part is a type error, not a habit to
remember.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from kilter._errors import ArgumentTypeError

if TYPE_CHECKING:
    import numpy as np

Label = str | int | float | bool

WHOLE = ("image", "text")
"""Kinds of columns that a row has one of and nothing beside it."""


@dataclass(frozen=True)
class Column:
    """One feature column: its name, its kind, and for categories the words it may hold.

    ``kind`` is one of ``number``, ``date``, ``boolean``, ``category`` and ``embedding``, texts
    that become ``shape[0]`` numbers by the model in the folder ``vocabulary[0]``; or ``image`` or
    ``text``, which are alone then. Else ``vocabulary`` holds the categories seen in the table, in
    sorted order; a code is a position in it. ``shape`` is that of an image: height, width,
    channels.
    """

    name: str
    kind: str
    vocabulary: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()


@dataclass(frozen=True)
class Schema:
    """What a table looks like: feature columns, target, classes, and columns left out.

    ``classes`` are the label values in sorted order, as JSON can hold them; ``ignored``
    are columns that the table had and the model does not use (constant, dropped, group,
    time), with the reason.
    """

    columns: tuple[Column, ...]
    target: str
    classes: tuple[Label, ...]
    ignored: tuple[tuple[str, str], ...] = ()

    @property
    def kind(self) -> str:
        """What a row is: ``table``, a row of one, ``image`` or ``text``."""
        first = self.columns[0].kind if self.columns else ""
        return first if first in WHOLE else "table"


@dataclass(frozen=True)
class Features:
    """Rows as two dense blocks.

    ``numbers`` is float64 of shape (rows, numbers), NaN where missing; a date becomes
    several numbers. ``codes`` is int32 of shape (rows, categories and booleans): a
    position in the column's vocabulary, -1 where missing, -2 where never seen.
    """

    numbers: np.ndarray
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: np.ndarray) -> Features:
        """Return the given rows, in the given order."""
        return Features(self.numbers[rows], self.codes[rows])


@dataclass(frozen=True)
class Images:
    """Rows as pictures of one size.

    ``pixels`` is uint8 of shape (rows, height, width, channels), ``files`` (rows,) where each
    came from, relative to the folder that was named.
    """

    pixels: np.ndarray
    files: np.ndarray

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, rows: np.ndarray) -> Images:
        """Return the given rows, in the given order."""
        return Images(self.pixels[rows], self.files[rows])


@dataclass(frozen=True)
class Texts:
    """Rows as texts: ``texts`` is an object array of strings, (rows,); "" where one is missing."""

    texts: np.ndarray

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: np.ndarray) -> Texts:
        """Return the given rows, in the given order."""
        return Texts(self.texts[rows])


AnyFeatures = Any
"""`Features`, `Images` or `Texts`, by ``schema.kind``."""


@dataclass(frozen=True)
class Dataset:
    """Rows with labels, ready to be split.

    ``labels`` is int64 of shape (rows,), positions in ``schema.classes``. ``groups``
    (int64) and ``times`` (float64, any unit that sorts) are there when they were asked for.
    ``held_out`` (bool) is there where some rows were set apart for tests: these are never
    learned from.
    """

    name: str
    schema: Schema
    features: AnyFeatures
    labels: np.ndarray
    groups: np.ndarray | None = None
    times: np.ndarray | None = None
    held_out: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def learned_labels(self) -> np.ndarray:
        """Labels of the rows that may be learned from."""
        return self.labels if self.held_out is None else self.labels[~self.held_out]

    def take(self, rows: np.ndarray) -> Dataset:
        """Return a dataset of these rows."""
        optional = ("groups", "times", "held_out")
        there = {name: getattr(self, name) for name in optional}
        taken: dict[str, Any] = {
            name: None if each is None else each[rows] for name, each in there.items()
        }
        return replace(self, features=self.features.take(rows), labels=self.labels[rows], **taken)


@dataclass(frozen=True)
class Part:
    """Some rows of a dataset: ``rows`` are their positions in it, sorted."""

    rows: np.ndarray
    features: AnyFeatures
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @classmethod
    def of(cls, dataset: Dataset, rows: np.ndarray) -> Self:
        """Cut these rows out of a dataset."""
        return cls(rows, dataset.features.take(rows), dataset.labels[rows])


class Train(Part):
    """Rows to learn from: encoders, samplers, weights and networks are fitted on these."""


class Validation(Part):
    """Rows to stop early, calibrate and pick thresholds on."""


class Test(Part):
    """Rows that are scored once."""

    __test__ = False  # not a test case, whatever pytest makes of the name


@dataclass(frozen=True)
class Split:
    """One fold: three disjoint parts."""

    train: Train
    validation: Validation
    test: Test


@dataclass(frozen=True)
class Scores:
    """Labels (rows,) and predicted probabilities (rows, classes) of one part."""

    labels: np.ndarray
    probabilities: np.ndarray


class ValidationScores(Scores):
    """Scores that a calibrator or a threshold may be fitted on."""


class TestScores(Scores):
    """Scores that are measured once and fitted on never."""

    __test__ = False


def require_part(value: Any, part: type, what: str) -> None:
    """Raise unless ``value`` is of the part that ``what`` may be fitted on."""
    if not isinstance(value, part):
        raise ArgumentTypeError(
            f"`{what}` is fitted on a `{part.__name__}` only, so that nothing leaks; "
            f"got a `{type(value).__name__}`. Take it from `kilter.data.split`."
        )
