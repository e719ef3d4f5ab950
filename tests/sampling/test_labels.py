"""Labels: the class to draw by, in every form in which labels come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from kilter._errors import ArgumentError
from kilter.sampling.labels import drawn_classes, to_array, to_positions

Y = np.array([0, 0, 1, 2, 0])


@pytest.mark.parametrize(
    "y",
    [
        Y,
        Y.tolist(),
        Y.astype("float32")[:, None],
        Y.astype("uint8"),
        np.eye(3)[Y],
        np.eye(3, dtype=bool)[Y],
        0.8 * np.eye(3)[Y] + 0.2 / 3,
        pd.Series(Y),
        pd.DataFrame({"y": Y}),
        pl.Series(Y),
        pl.DataFrame(np.eye(3)[Y]),
    ],
)
def test_labels_of_any_kind_are_the_same_classes(y: Any) -> None:
    found = drawn_classes(y)
    assert found.tolist() == Y.tolist()
    assert found.dtype == np.int64


def test_positions_of_soft_rows_are_their_largest() -> None:
    assert to_positions([[0.2, 0.5, 0.3], [0.6, 0.4, 0]]).tolist() == [1, 0]
    assert to_positions(np.array([[2.0], [0.0]])).tolist() == [2, 0]


def test_a_row_with_several_labels_is_drawn_by_its_rarest() -> None:
    # the labels have 4, 2 and 1 rows
    y = [[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert drawn_classes(np.array(y, "float32")).tolist() == [1, 0, 2, 0, -1]
    assert drawn_classes(np.array(y, bool)).tolist() == [1, 0, 2, 0, -1]


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=20))
def test_the_rarest_label_is_one_that_the_row_has(rows: list[list[bool]]) -> None:
    y = np.array(rows)
    counts = y.sum(axis=0)
    for row, found in zip(y, drawn_classes(y).tolist(), strict=True):
        assert found == -1 if not row.any() else row[found]
        assert found == -1 or counts[found] == counts[row].min()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (["a", "b"], "`y` must be finite numbers, .* such as 'a'. .*np.unique"),
        (pl.Series(["a", "b"]), "`y` must be finite numbers, .*np.unique"),
        (np.array([], "U1"), "`y` must be finite numbers"),
        ([0, 1, np.nan], "`y` must be finite numbers, .* such as nan. .* missing"),
        ([0.5, 1], "`y` must be positions .* got fractions"),
        (np.full((2, 2), 0.7), "`y` must have one class a row"),
        (np.ones((2, 2, 2)), "`y` must have one label a row"),
        (scipy.sparse.eye(3, format="csr"), "`y` must be dense"),
    ],
)
def test_what_is_no_label_is_refused(y: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        drawn_classes(y)


def test_arrays_of_tables_and_of_anything_else() -> None:
    for values in (pd.Series(Y), pl.Series(Y), Y, Y.tolist()):
        found = to_array(values)
        assert isinstance(found, np.ndarray)
        np.testing.assert_array_equal(found, Y)
