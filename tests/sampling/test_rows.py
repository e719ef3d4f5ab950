"""Rows: the same batch from everything that rows can be kept in, and nothing but the batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from kilter._errors import ArgumentError
from kilter.sampling.rows import to_rows

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
X[X < 0] = 0
PICKED = np.array([7, 39, 7, 0, 12])
NAMES = ["a", "b", "c"]


@pytest.mark.parametrize(
    "values",
    [
        X,
        np.asfortranarray(X),
        np.repeat(X, 2, axis=1)[:, ::2],
        X.tolist(),
        scipy.sparse.csr_matrix(X),
        scipy.sparse.csc_matrix(X),
        scipy.sparse.coo_array(X),
        pd.DataFrame(X, columns=NAMES),
        pl.DataFrame(X, schema=NAMES),
        pd.DataFrame(X, columns=NAMES, index=range(100, 140)),  # by place, not by name
    ],
    ids=lambda values: type(values).__name__,
)
def test_rows_of_everything_are_the_rows(values: Any) -> None:
    rows = to_rows(values)
    found = rows.take(PICKED)
    np.testing.assert_array_equal(found, X[PICKED])
    assert found.flags.c_contiguous
    assert rows.shape == X.shape
    assert found.dtype == rows.dtype
    assert found.dtype == np.float32 or isinstance(values, list)


@given(st.lists(st.integers(0, 39), min_size=1, max_size=60))
def test_a_memory_map_is_read_in_order_and_put_back(picked: list[int]) -> None:
    rows = to_rows(X)
    mapped = type(rows)(X, mapped=True)
    np.testing.assert_array_equal(mapped.take(np.array(picked)), X[picked])


def test_a_memory_map_stays_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", X.reshape(40, 1, 3))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    rows = to_rows(mapped)
    assert np.shares_memory(rows.array, mapped)
    found = rows.take(PICKED)
    np.testing.assert_array_equal(found[:, 0], X[PICKED])
    assert type(found) is np.ndarray
    assert found.flags.writeable


def test_only_the_rows_of_the_batch_become_dense(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes = []
    dense = scipy.sparse.csr_matrix.toarray
    monkeypatch.setattr(
        scipy.sparse.csr_matrix, "toarray", lambda self: shapes.append(self.shape) or dense(self)
    )
    to_rows(scipy.sparse.csr_matrix(X)).take(PICKED)
    assert shapes == [(5, 3)]


def test_arrays_are_not_copied() -> None:
    assert np.shares_memory(to_rows(X).array, X)
    column = pl.Series("a", X[:, 0])
    (kept,) = to_rows(pl.DataFrame({"a": column})).columns
    assert np.shares_memory(kept, column.to_numpy())


def test_columns_of_several_types_have_one_that_holds_them() -> None:
    frame = pd.DataFrame({"a": np.arange(3, dtype="int8"), "b": [True, False, True]})
    found = to_rows(frame).take(np.array([2, 0]))
    assert found.tolist() == [[2, 1], [0, 1]]
    frame = pl.DataFrame({"a": [1, None, 3], "b": [0.5, 1.5, 2.5]})
    np.testing.assert_array_equal(to_rows(frame).take(np.array([1, 2])), [[np.nan, 1.5], [3, 2.5]])


def test_series_and_arrays_of_any_dimension() -> None:
    np.testing.assert_array_equal(to_rows(pd.Series(X[:, 0])).take(PICKED), X[PICKED, 0])
    images = np.arange(40 * 12, dtype="uint8").reshape(40, 2, 2, 3)
    np.testing.assert_array_equal(to_rows(images).take(PICKED), images[PICKED])


@pytest.mark.parametrize("library", [pd, pl])
def test_a_column_that_is_not_numeric_is_named(library: Any) -> None:
    frame = library.DataFrame({"a": [1.0, 2.0], "city": ["x", "y"]})
    with pytest.raises(ArgumentError, match="`x` must have columns of numbers; got `city` of Str"):
        to_rows(frame)
