"""Tables of any kind: rows taken and numbers put back, in the kind and types they came in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from kilter._containers import is_frame, restore, take, to_array, to_frame
from kilter._errors import ArgumentError, ArgumentTypeError

TABLE = np.array([[1.5, 0.0, 2.0], [0.0, 0.0, -3.25], [4.0, 5.5, 0.0], [0.0, 7.0, 8.0]])
ROWS = np.array([3, 0, 0, 2])
EXPECTED = np.array([[0.0, 7.0, 8.0], [1.5, 0.0, 2.0], [1.5, 0.0, 2.0], [4.0, 5.5, 0.0]])
INDEX = ["w", "x", "y", "z"]

KINDS: dict[str, Callable[[np.ndarray], Any]] = {
    "array": np.array,
    "fortran": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=0)[::2],
    "list": lambda x: x.tolist(),
    "csr_matrix": sparse.csr_matrix,
    "csc_matrix": sparse.csc_matrix,
    "csr_array": sparse.csr_array,
    "csc_array": sparse.csc_array,
    "pandas": lambda x: pd.DataFrame(x, columns=list("abc"), index=INDEX[: len(x)]),
    "pandas_sparse": lambda x: pd.DataFrame(x).astype(pd.SparseDtype(float, 0.0)),
    "polars": lambda x: pl.DataFrame(x, schema=list("abc")),
}


def dense(table: Any) -> np.ndarray:
    if sparse.issparse(table):
        return table.toarray()
    return np.asarray(table)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_taken_in_the_kind_of_the_table(kind: str) -> None:
    table = KINDS[kind](TABLE)
    found = take(table, ROWS)
    assert type(found) is type(table)
    np.testing.assert_array_equal(dense(found), EXPECTED)
    np.testing.assert_array_equal(dense(table), TABLE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_without_rows_keeps_its_columns(kind: str) -> None:
    found = take(KINDS[kind](TABLE), np.empty(0, np.int64))
    assert len(dense(found)) == 0
    if kind != "list":
        assert found.shape == (0, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_come_back_as_the_kind_of_the_table(kind: str) -> None:
    table = KINDS[kind](TABLE)
    numbers = type(table)(EXPECTED) if sparse.issparse(table) else EXPECTED
    found = restore(numbers, like=table)
    assert type(found) is type(table)
    np.testing.assert_array_equal(dense(found), EXPECTED)


@pytest.mark.parametrize("kind", KINDS)
def test_an_array_is_read_of_every_kind(kind: str) -> None:
    table = KINDS[kind](TABLE)
    found = to_array(table)
    assert sparse.issparse(found) == sparse.issparse(table)
    np.testing.assert_array_equal(dense(found), TABLE)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_a_frame(kind: str) -> None:
    assert is_frame(KINDS[kind](TABLE)) == kind.startswith(("pandas", "polars"))


@pytest.mark.parametrize("series", [pd.Series, pl.Series])
def test_a_series_is_no_frame(series: Callable) -> None:
    assert not is_frame(series([1, 2]))
    assert to_array(series([1, 2])).tolist() == [1, 2]


@given(
    st.lists(st.integers(0, 6), max_size=12),
    st.sampled_from(["C", "F"]),
    st.sampled_from([(7,), (7, 2), (7, 2, 3), (7, 2, 3, 1)]),
    st.sampled_from(["u1", "f2", "f4", "i8", "?", "U3", "O", "M8[D]"]),
)
def test_taking_is_indexing(rows: list[int], order: str, shape: tuple, dtype: str) -> None:
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype, order=order)
    chosen = np.array(rows, np.int64)
    found = take(values, chosen)
    assert found.dtype == values.dtype
    assert found.shape == (len(rows), *shape[1:])
    np.testing.assert_array_equal(
        found, np.array([values[row] for row in rows]).reshape(found.shape)
    )


def test_rows_of_a_file_are_read_and_not_written(tmp_path: Path) -> None:
    file = tmp_path / "rows"
    TABLE.tofile(file)
    table = np.memmap(file, dtype=np.float64, mode="r+", shape=TABLE.shape)
    found = take(table, ROWS)
    np.testing.assert_array_equal(found, EXPECTED)
    found[:] = -1
    table.flush()
    np.testing.assert_array_equal(np.fromfile(file).reshape(TABLE.shape), TABLE)


def test_a_sparse_table_keeps_its_type_of_numbers() -> None:
    table = sparse.csc_matrix(TABLE.astype(np.float32))
    assert take(table, ROWS).dtype == np.float32
    assert take(table, ROWS).format == "csc"


def typed_pandas() -> pd.DataFrame:
    columns = {
        "int8": np.array([1, -2, 3, 4], np.int8),
        "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
        "truth": np.array([True, False, True, True]),
        "single": np.array([0.5, 1.5, np.nan, 2.5], np.float32),
        "category": pd.Categorical(["u", "v", "u", "v"], categories=["v", "u", "t"]),
        "text": ["a", "b", None, "d"],
        "time": pd.to_datetime(["2020-01-01", "2020-01-02", None, "2020-01-04"]),
        "sparse": pd.arrays.SparseArray([0.0, 0.0, 1.5, 0.0]),
    }
    return pd.DataFrame(columns, index=INDEX)


def test_pandas_keeps_types_and_starts_a_new_index() -> None:
    table = typed_pandas()
    found = take(table, ROWS)
    pd.testing.assert_frame_equal(found, table.iloc[ROWS].reset_index(drop=True))
    assert list(table.index) == INDEX


def test_polars_keeps_types() -> None:
    table = pl.DataFrame(
        {
            "int8": pl.Series([1, -2, None, 4], dtype=pl.Int8),
            "category": pl.Series(["u", "v", "u", None], dtype=pl.Categorical),
            "list": [[1], [2, 3], [], [4]],
        }
    )
    assert take(table, ROWS).equals(table[ROWS.tolist()])
    assert take(table, ROWS).schema == table.schema


def test_a_series_keeps_its_name_and_type() -> None:
    series = pd.Series([1, 2, None, 4], dtype="Int8", name="class", index=INDEX)
    expected = pd.Series([4, 1, 1, None], dtype="Int8", name="class")
    pd.testing.assert_series_equal(take(series, ROWS), expected)
    found = take(pl.Series("class", [1, 2, None, 4], dtype=pl.Int8), ROWS)
    assert found.equals(pl.Series("class", [4, 1, 1, None], dtype=pl.Int8), check_names=True)
    assert found.dtype == pl.Int8


def test_a_list_keeps_what_is_in_it() -> None:
    things = [object() for _ in range(4)]
    found = take(things, ROWS)
    assert [one is things[row] for one, row in zip(found, ROWS, strict=True)] == [True] * 4


def test_other_sequences_become_arrays() -> None:
    assert take((1, 2, 3, 4), ROWS).tolist() == [4, 1, 1, 3]
    assert take(range(4), ROWS).tolist() == [3, 0, 0, 2]


def test_images_get_their_shape_back() -> None:
    images = np.zeros((4, 2, 3, 1))
    numbers = np.arange(30.0).reshape(5, 6)
    found = restore(numbers, like=images)
    assert found.shape == (5, 2, 3, 1)
    np.testing.assert_array_equal(found[4, :, :, 0], [[24, 25, 26], [27, 28, 29]])


# To the nearest whole number: 1.4, 1.6 and -1.6 are 1, 2 and -2; of truths, 0.4 and 0.6 are 0, 1.
MADE = np.array([[1.4, 0.4, 2.25], [1.6, 0.6, -0.5], [-1.6, 1.0, 1e-3]])
WHOLE, TRUTH, FRACTION = [1, 2, -2], [False, True, True], [2.25, -0.5, 1e-3]


@pytest.mark.parametrize("whole", ["int8", "int64", "Int64", "int32[pyarrow]"])
@pytest.mark.parametrize("truth", ["bool", "boolean"])
@pytest.mark.parametrize("fraction", ["float32", "float64", "Float64"])
def test_pandas_rounds_what_is_whole(whole: str, truth: str, fraction: str) -> None:
    kinds = {"i": whole, "t": truth, "f": fraction}
    table = pd.DataFrame({"i": [1, 2], "t": [True, False], "f": [0.5, 1.5]}).astype(kinds)
    found = restore(MADE, like=table)
    expected = pd.DataFrame({"i": WHOLE, "t": TRUTH, "f": FRACTION}).astype(kinds)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("whole", [pl.Int8, pl.Int64])
@pytest.mark.parametrize("fraction", [pl.Float32, pl.Float64])
def test_polars_rounds_what_is_whole(whole: Any, fraction: Any) -> None:
    schema = {"i": whole, "t": pl.Boolean, "f": fraction}
    table = pl.DataFrame({"i": [1, 2], "t": [True, False], "f": [0.5, 1.5]}, schema=schema)
    found = restore(MADE, like=table)
    assert found.equals(pl.DataFrame({"i": WHOLE, "t": TRUTH, "f": FRACTION}, schema=schema))
    assert found.schema == schema


def test_a_sparse_frame_comes_back_sparse_from_a_sparse_matrix() -> None:
    table = KINDS["pandas_sparse"](TABLE)
    found = restore(sparse.csr_matrix(EXPECTED), like=table)
    assert all(isinstance(kind, pd.SparseDtype) for kind in found.dtypes)
    np.testing.assert_array_equal(found.to_numpy(), EXPECTED)


def test_names_of_columns_need_not_be_text() -> None:
    names = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)])
    table = pd.DataFrame(TABLE, columns=names)
    pd.testing.assert_frame_equal(restore(TABLE, like=table), table)
    pd.testing.assert_frame_equal(take(table, np.arange(4)), table)


def test_a_lazy_table_is_to_be_collected() -> None:
    with pytest.raises(ArgumentTypeError, match=r"lazy one, `LazyFrame`. Pass `table.collect"):
        to_frame(pl.DataFrame({"a": [1]}).lazy())


def test_columns_of_the_same_name_are_named() -> None:
    table = pd.DataFrame(np.eye(3), columns=["a", "b", "a"])
    with pytest.raises(ArgumentError, match=r"columns of different names: .* 'a' 2 times"):
        to_frame(table)
