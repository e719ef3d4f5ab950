import datetime as dt
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter._errors import DataError
from kilter._types import Column
from kilter.data import load, number_names
from kilter.data.columns import (
    as_text,
    block,
    date_parts,
    describe,
    kind_of,
    reads_as_numbers,
    stack,
)


def test_dates_as_pandas_has_them(frame):
    data = load(frame, "target")
    at = number_names(data.schema).index("since.days")
    since = frame["since"]
    expected = np.column_stack(
        [
            (since - pd.Timestamp(0)) / pd.Timedelta(days=1),
            since.dt.month,
            since.dt.day_of_week,
            since.dt.hour,
        ]
    )
    np.testing.assert_allclose(data.features.numbers[:, at : at + 4], expected, rtol=1e-14)


def test_times_of_day_and_time_zones():
    table = pa.table(
        {
            "at": [dt.time(6), dt.time(18, 30)],
            "zoned": pd.to_datetime(["2024-01-01", "2024-07-01"]).tz_localize("Europe/Rome"),
            "y": [0, 1],
        }
    )
    numbers = load(table, "y").features.numbers
    np.testing.assert_allclose(numbers[:, 0], [0.25, 18.5 / 24])
    np.testing.assert_array_equal(numbers[:, 7], [23, 22])


def test_every_number_type():
    kinds = [pa.int8(), pa.uint64(), pa.float16(), pa.float32(), pa.decimal128(9, 2)]
    values = [1, 2, None]
    columns = {
        str(kind): pa.array([decimal.Decimal(v) if v else None for v in values]).cast(kind)
        if pa.types.is_decimal(kind)
        else pa.array([np.float16(v) if v else None for v in values], kind)
        if kind == pa.float16()
        else pa.array(values, kind)
        for kind in kinds
    }
    data = load(pa.table({**columns, "y": [0, 1, 1]}), "y")
    assert {column.kind for column in data.schema.columns} == {"number"}
    np.testing.assert_array_equal(
        data.features.numbers, np.repeat([[1.0], [2.0], [np.nan]], 5, axis=1)
    )


def test_polars_not_a_number_is_missing():
    data = load(pl.DataFrame({"x": [1.0, float("nan"), None], "y": [0, 1, 1]}), "y")
    np.testing.assert_array_equal(np.isnan(data.features.numbers[:, 0]), [False, True, True])


def test_infinite_numbers():
    table = pa.table({"x": [1.0, np.inf, 2.0, -np.inf], "y": [0, 1, 0, 1]})
    with pytest.raises(DataError, match=r"`x` .* 2 of its values .* row 2"):
        load(table, "y")


@pytest.mark.parametrize("values", [[[1], [2]], [b"a", b"b"], [{"k": 1}, {"k": 2}]])
def test_kinds_that_are_none(values):
    with pytest.raises(DataError, match=r"`x` must hold numbers, text.*--drop x"):
        load(pa.table({"x": values, "y": [0, 1]}), "y")


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        (pa.string(), "category"),
        (pa.large_string(), "category"),
        (pa.string_view(), "category"),
        (pa.dictionary(pa.int8(), pa.int64()), "category"),
        (pa.dictionary(pa.int8(), pa.binary()), None),
        (pa.uint8(), "number"),
        (pa.null(), "number"),
        (pa.bool_(), "boolean"),
        (pa.date32(), "date"),
        (pa.time32("s"), "date"),
        (pa.timestamp("ns", "UTC"), "date"),
        (pa.duration("s"), None),
        (pa.binary(), None),
    ],
    ids=str,
)
def test_kind_of_a_type(type_, kind):
    assert kind_of(type_) == kind


@given(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)))
def test_date_parts_as_the_standard_library_has_them(when):
    days = (when - dt.datetime(1970, 1, 1)) / dt.timedelta(days=1)
    (parts,) = date_parts(pa.chunked_array([[when]]))
    assert parts[0] == pytest.approx(days, rel=1e-12, abs=1e-9)
    assert parts[1:].tolist() == [when.month, when.weekday(), when.hour]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([1.0, None, 20.0], ["1", None, "20"]),
        ([1.5, 2.0], ["1.5", "2"]),
        (pa.array(["b", "a", None, "b"]).dictionary_encode(), ["b", "a", None, "b"]),
        (pa.array([7, 3, 7]).dictionary_encode(), ["7", "3", "7"]),
    ],
)
def test_values_as_text(values, text):
    assert as_text(pa.chunked_array([values])).to_pylist() == text


def test_a_vocabulary_is_sorted_and_codes_are_places_in_it():
    words = pa.chunked_array([["b", None], ["a", "b"]])
    column = describe("w", words)
    assert column == Column("w", "category", ("a", "b"))
    assert block(column, words).tolist() == [[1], [-1], [0], [1]]
    assert block(column, pa.chunked_array([["c", "a"]])).tolist() == [[-2], [0]]


@pytest.mark.parametrize(
    ("words", "expected"),
    [(("Rome", "0123"), True), (("-5",), True), (("1.5", "1e3", "", "12a"), False), ((), False)],
)
def test_words_that_a_reader_takes_for_numbers(words, expected):
    assert reads_as_numbers(words) == expected


def test_blocks_keep_the_order_of_their_columns():
    columns = (
        Column("a", "number"),
        Column("w", "category", ("x",)),
        Column("d", "date"),
        Column("b", "boolean", ("false", "true")),
    )
    blocks = {
        "b": np.array([[1]], np.int32),
        "d": np.array([[2.0, 3.0, 4.0, 5.0]]),
        "w": np.array([[-1]], np.int32),
        "a": np.array([[9.0]]),
    }
    features = stack(columns, blocks, 1)
    assert features.numbers.tolist() == [[9, 2, 3, 4, 5]]
    assert features.codes.tolist() == [[-1, 1]]
    none = stack((), {}, 3)
    assert (none.numbers.shape, none.codes.shape) == ((3, 0), (3, 0))
