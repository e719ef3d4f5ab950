"""What every encoder is: fitted on a training part, it turns features into what a network sees."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self

import numpy as np

from kilter._errors import ArtifactError
from kilter._types import Schema, Train


@contextmanager
def whole_json() -> Iterator[None]:
    """Turn what reading damaged JSON raises into one sentence."""
    try:
        yield
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise ArtifactError(
            f"the encoder cannot be read ({type(error).__name__}). Save the model again."
        ) from None


class Encoder(ABC):
    """From features to an array with a leading axis of rows.

    ``FILE`` names its part of a model file.
    """

    FILE: ClassVar[str]

    @classmethod
    @abstractmethod
    def fit(cls, train: Train, schema: Schema) -> Self:
        """Learn what it needs from the training part, and nothing else."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Of an encoded row."""

    @property
    def vocabulary(self) -> int:
        """How many different whole numbers an encoded row may hold; 0 where it measures."""
        return 0

    @property
    @abstractmethod
    def blendable(self) -> np.ndarray:
        """Where a mean of two rows is a plausible row; bool of the shape of a row."""

    @abstractmethod
    def transform(self, features: Any) -> np.ndarray:
        """Return the rows, encoded."""

    @abstractmethod
    def require_fit(self, schema: Schema) -> None:
        """Raise a `ValueError` unless it takes the columns of this schema."""

    @abstractmethod
    def dumps(self) -> bytes:
        """Return the encoder as bytes, written without pickle."""

    @classmethod
    @abstractmethod
    def loads(cls, content: bytes) -> Self:
        """Return the encoder that `dumps` wrote."""
