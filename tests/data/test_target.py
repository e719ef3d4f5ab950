import datetime as dt
import decimal
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from kilter._errors import DataError
from kilter.data import load
from kilter.data.target import read_groups, read_labels, read_times


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([3, 1, 3], (1, 3)),
        ([True, False, True], (False, True)),
        (["b", "a", "b"], ("a", "b")),
        ([0.5, 1.0, 0.5], (0.5, 1.0)),
        ([dt.date(2024, 1, 2), dt.date(2024, 1, 1)] * 2, ("2024-01-01", "2024-01-02")),
        ([decimal.Decimal("1.5"), decimal.Decimal("0.5")] * 2, (0.5, 1.5)),
        (pd.Categorical(["b", "a", "b"]), ("a", "b")),
    ],
)
def test_targets(values, classes):
    data = load(pd.DataFrame({"x": range(len(values)), "y": values}), "y")
    assert data.schema.classes == classes
    assert [type(c) for c in data.schema.classes] == [type(c) for c in classes]
    json.dumps(data.schema.classes)
    np.testing.assert_array_equal(data.labels, pd.factorize(pd.Series(values), sort=True)[0])


def test_missing_labels():
    with pytest.raises(DataError, match=r"`y` is the target .* missing in 2 rows.* row 2"):
        load(pa.table({"x": [1, 2, 3], "y": ["a", None, None]}), "y")
    with pytest.raises(DataError, match="missing in 1 row"):
        load(pl.DataFrame({"x": [1, 2, 3], "y": [0.0, float("nan"), 1.0]}), "y")


def test_one_class():
    with pytest.raises(DataError, match="every row is `a`"):
        load(pa.table({"x": [1, 2], "y": ["a", "a"]}), "y")


@pytest.mark.parametrize("values", [np.arange(60) / 7, np.arange(1001), np.arange(1001.0)])
def test_regression_targets(values):
    with pytest.raises(DataError, match="looks like a quantity"):
        load(pa.table({"x": np.arange(len(values)), "y": values}), "y")


def test_many_whole_classes_are_fine():
    values = np.tile(np.arange(200.0), 2)
    data = load(pa.table({"x": np.arange(400), "y": values}), "y")
    assert len(data.schema.classes) == 200


def test_infinite_label():
    with pytest.raises(DataError, match="must be finite"):
        load(pa.table({"x": [1, 2], "y": [0.0, np.inf]}), "y")


def test_groups_and_times_must_be_known():
    table = pa.table({"x": [1, 2], "w": ["a", None], "s": ["a", "b"], "y": [0, 1]})
    with pytest.raises(DataError, match="`w` is the group"):
        load(table, "y", group="w")
    with pytest.raises(DataError, match="`w` is the time"):
        load(table, "y", time="w")
    with pytest.raises(DataError, match=r"`s` .* must hold numbers or dates"):
        load(table, "y", time="s")
    with pytest.raises(DataError, match="must be finite"):
        load(pa.table({"x": [1, 2], "t": [1.0, np.inf], "y": [0, 1]}), "y", time="t")


def test_labels_are_places_in_the_sorted_classes():
    labels, classes = read_labels("y", pa.chunked_array([["rare", "often"], ["often", "a"]]))
    assert classes == ("a", "often", "rare")
    assert (labels.tolist(), labels.dtype) == ([2, 1, 1, 0], np.int64)


def test_groups_are_numbered_as_they_come():
    codes = read_groups("g", pa.chunked_array([[7, 3], [7, -1]]))
    assert (codes.tolist(), codes.dtype) == ([0, 1, 0, 2], np.int64)


@pytest.mark.parametrize(
    ("values", "times"),
    [
        ([3, -1], [3, -1]),
        ([dt.date(1970, 1, 3), dt.date(1969, 12, 31)], [2, -1]),
        ([dt.datetime(1970, 1, 1, 18)], [0.75]),
        (["1970-01-02", "1970-02-01"], [1, 31]),
    ],
)
def test_times_are_numbers_or_days(values, times):
    found = read_times("t", pa.chunked_array([values]))
    assert (found.tolist(), found.dtype) == (times, np.float64)


@pytest.mark.parametrize(
    ("classes", "fits"), [(1000, True), (1001, False)], ids=["a thousand", "one more"]
)
def test_a_thousand_classes_at_most(classes, fits):
    values = pa.chunked_array([[f"c{at}" for at in range(classes)]])
    if fits:
        assert len(read_labels("y", values)[1]) == classes
    else:
        with pytest.raises(DataError, match="1,001 different values"):
            read_labels("y", values)


def test_one_missing_label_is_one_row():
    with pytest.raises(DataError, match="missing in 1 row,"):
        read_labels("y", pa.chunked_array([["a", None, "b"]]))
