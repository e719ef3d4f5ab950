"""Find the rows that must never be parted: exact twins, and rows of one group."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from hashlib import blake2b

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kilter._types import AnyFeatures, Dataset, Features, Images, Texts
from kilter.data.words import words_of


def twins(features: AnyFeatures) -> np.ndarray:
    """Return an int64 code a row, equal where all features are (missing equals missing).

    Texts of the same words are equal: a network sees no difference.
    """
    if isinstance(features, Images):
        return _codes([_digest(image) for image in features.pixels])
    if isinstance(features, Texts):
        return _codes([" ".join(words_of(text)) for text in features.texts])
    return _table_twins(features)


def _digest(image: np.ndarray) -> bytes:
    return blake2b(image.tobytes(), digest_size=16).digest()


def _codes(values: Sequence[Hashable]) -> np.ndarray:
    """Return the place at which each value, or an equal one, was first."""
    first: dict[Hashable, int] = {}
    return np.array([first.setdefault(value, len(first)) for value in values], np.int64)


def _table_twins(features: Features) -> np.ndarray:
    rows = len(features)
    blocks = [*_comparable(features.numbers).T, *features.codes.T]
    keys = {str(position): np.ascontiguousarray(values) for position, values in enumerate(blocks)}
    table = pa.table({**keys, "row": np.arange(rows)})
    # one thread, so that the codes come in the same order every time
    found = table.group_by(list(keys), use_threads=False).aggregate([("row", "list")])
    members = found["row_list"].combine_chunks()
    codes = np.empty(rows, np.int64)
    codes[np.asarray(members.flatten())] = np.repeat(
        np.arange(len(members)), np.asarray(members.value_lengths())
    )
    return codes


def _comparable(numbers: np.ndarray) -> np.ndarray:
    """Return the bits of the numbers, with one bit pattern for NaN and one for zero."""
    return np.where(np.isnan(numbers), np.nan, numbers + 0.0).view(np.int64)


def units(dataset: Dataset) -> np.ndarray:
    """Return an int64 code a row, equal for rows that twins or groups tie together.

    Ties chain: where two groups share a twin, they are one unit.
    """
    same = twins(dataset.features)
    if dataset.groups is None:
        return same
    groups = np.unique(dataset.groups, return_inverse=True)[1] + same.max() + 1
    nodes = int(groups.max()) + 1
    ties = coo_array((np.ones(len(same), bool), (same, groups)), shape=(nodes, nodes))
    return connected_components(ties, directed=False)[1][same].astype(np.int64)
