"""Datasets, files and probabilities made for a test."""

from pathlib import Path

import numpy as np

from kilter._types import Column, Dataset, Features, Schema


def make_dataset(
    labels: np.ndarray,
    numbers: np.ndarray | None = None,
    codes: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    times: np.ndarray | None = None,
) -> Dataset:
    """Return a dataset with these blocks; rows differ where no numbers are given."""
    labels = np.asarray(labels, np.int64)
    if numbers is None:
        numbers = np.arange(len(labels), dtype=float)[:, None]
    if codes is None:
        codes = np.empty((len(labels), 0), np.int32)
    vocabulary = tuple(f"w{code:03}" for code in range(int(codes.max(initial=0)) + 1))
    columns = [Column(f"x{place}", "number") for place in range(numbers.shape[1])]
    columns += [Column(f"c{place}", "category", vocabulary) for place in range(codes.shape[1])]
    classes = tuple(f"class{label}" for label in range(labels.max() + 1))
    schema = Schema(tuple(columns), "target", classes)
    return Dataset("made", schema, Features(numbers, codes), labels, groups, times)


def write(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    """Write a file into a folder, text as UTF-8."""
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def two_columns(p: np.ndarray) -> np.ndarray:
    """Return the probabilities of two classes from those of the second."""
    p = np.asarray(p)
    return np.column_stack([1 - p, p])
