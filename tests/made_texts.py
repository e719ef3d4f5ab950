"""Datasets of texts made for a test."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from kilter._types import Column, Dataset, Schema, Texts


def as_texts(texts: Sequence[str]) -> Texts:
    """Return texts as a dataset holds them."""
    array = np.empty(len(texts), object)
    array[:] = texts
    return Texts(array)


def make_texts(labels: Any, texts: Sequence[str] | None = None, **arrays: Any) -> Dataset:
    """Return a dataset of texts; they differ where none are given."""
    labels = np.asarray(labels, np.int64)
    if texts is None:  # in letters: all numbers of as many digits are one word
        texts = [f"text {chr(97 + row // 26)} {chr(97 + row % 26)}" for row in range(len(labels))]
    classes = tuple(f"class{label}" for label in range(labels.max() + 1))
    schema = Schema((Column("note", "text"),), "target", classes)
    return Dataset("made", schema, as_texts(texts), labels, **arrays)
