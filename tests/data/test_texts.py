"""Texts out of tables of every kind, and texts to predict."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter._errors import ArgumentError, ArgumentTypeError, DataError, SchemaError, SourceError
from kilter._types import Column, Schema, Texts
from kilter.data.texts import conform_texts, load_texts
from made_data import write

NOTES = ["see you", None, "Free entry!\nCall 007", " "]
READ = ["see you", "", "Free entry!\nCall 007", " "]
SCHEMA = Schema((Column("note", "text"),), "spam", ("no", "yes"))


def rows(**columns: Any) -> dict[str, Any]:
    return {"note": NOTES, "spam": ["no", "no", "yes", "no"], **columns}


def as_csv(folder: Path) -> Path:
    quoted = (f'"{text}"' if text else "" for text in NOTES)
    lines = (f"{text},{label}" for text, label in zip(quoted, rows()["spam"], strict=True))
    return write(folder, "note,spam\n" + "\n".join(lines) + "\n")


def as_parquet(folder: Path) -> Path:
    pq.write_table(pa.table(rows()), folder / "t.parquet")
    return folder / "t.parquet"


def coded(folder: Path) -> pa.Table:
    """Return a table whose texts are coded, by another dictionary in each half."""
    table = pa.table(rows())
    halves = [
        half.set_column(0, "note", half["note"].dictionary_encode())
        for half in (table.slice(0, 2), table.slice(2))
    ]
    return pa.concat_tables(halves)


def with_type(type_: Any) -> Callable[[Path], pa.Table]:
    return lambda folder: pa.table(rows()).set_column(0, "note", pa.array(NOTES).cast(type_))


SOURCES: dict[str, Callable[[Path], Any]] = {
    "csv": as_csv,
    "parquet": as_parquet,
    "pyarrow": lambda folder: pa.table(rows()),
    "pyarrow large": with_type(pa.large_string()),
    "pyarrow view": with_type(pa.string_view()),
    "pyarrow coded": coded,
    "pandas": lambda folder: pd.DataFrame(rows()),
    "pandas objects": lambda folder: pd.DataFrame(rows()).astype({"note": object}),
    "pandas strings": lambda folder: pd.DataFrame(rows()).astype({"note": "string"}),
    "pandas categories": lambda folder: pd.DataFrame(rows()).astype({"note": "category"}),
    "pandas index": lambda folder: pd.DataFrame(rows(), index=[7, 7, 3, 1]),
    "polars": lambda folder: pl.DataFrame(rows()),
    "polars lazy": lambda folder: pl.LazyFrame(rows()),
    "polars categories": lambda folder: pl.DataFrame(rows()).cast({"note": pl.Categorical}),
}


@pytest.fixture(params=SOURCES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Return the same four rows, the second without a text."""
    return SOURCES[request.param](tmp_path)


class TestLoad:
    def test_texts_are_as_they_stand_and_missing_ones_are_empty(self, source: Any) -> None:
        data = load_texts(source, "spam", "note")
        assert isinstance(data.features, Texts)
        assert data.features.texts.dtype == object
        assert data.features.texts.tolist() == READ
        assert data.labels.tolist() == [0, 0, 1, 0]
        assert data.schema == SCHEMA
        assert data.schema.kind == "text"
        assert data.groups is data.times is data.held_out is None

    def test_missing_in_pandas_ways(self) -> None:
        for missing in (None, np.nan, pd.NA, float("nan")):
            frame = pd.DataFrame({"note": pd.Series(["a", missing], dtype=object), "y": [0, 1]})
            assert load_texts(frame, "y", "note").features.texts.tolist() == ["a", ""]

    def test_a_name(self, tmp_path: Path) -> None:
        assert load_texts(as_csv(tmp_path), "spam", "note").name == "t"
        assert load_texts(pa.table(rows()), "spam", "note").name == "table"
        assert load_texts(pa.table(rows()), "spam", "note", name="mine").name == "mine"

    def test_what_looks_like_something_else_stays_text(self, tmp_path: Path) -> None:
        looks = ["007", "1e5", "2024-01-31", "true", "1_000", "-0.50", "inf"]
        path = write(tmp_path, "note,y\n" + "".join(f"{each},{len(each) % 2}\n" for each in looks))
        assert load_texts(path, "y", "note").features.texts.tolist() == looks

    def test_texts_in_a_file_may_hold_anything_quoted(self, tmp_path: Path) -> None:
        path = write(tmp_path, 'y;note\n0;"a; ""b""\nc, d"\n1; e \n0;😀 مرحبا\n')
        texts = ['a; "b"\nc, d', " e ", "😀 مرحبا"]
        assert load_texts(path, "y", "note").features.texts.tolist() == texts

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=2))
    def test_no_sign_of_a_text_is_changed(self, texts: list[str]) -> None:
        texts = ["a", *texts]
        table = pa.table({"note": texts, "y": np.arange(len(texts)) % 2})
        assert load_texts(table, "y", "note").features.texts.tolist() == texts

    def test_a_long_text_is_whole(self) -> None:
        long = "word " * 500_000
        table = pa.table({"note": [long, "ok"], "y": [0, 1]})
        assert load_texts(table, "y", "note").features.texts[0] == long


class TestRoles:
    def test_other_columns_are_left_out_whatever_they_hold(self) -> None:
        odd = {"hour": [1, 2, 3, 4], "same": [1] * 4, "tags": [["a"], [], ["b"], None]}
        data = load_texts(pa.table(rows(**odd)), "spam", "note")
        assert data.schema.ignored == tuple((name, "beside the text") for name in odd)

    def test_each_role_is_told(self) -> None:
        who = ["b", "a", "b", "c"]
        more = {"who": who, "day": [3, 1, 2, 2], "id": [1, 2, 3, 4], "x": [0] * 4}
        data = load_texts(
            pa.table(rows(**more)), "spam", "note", drop=["id"], group="who", time="day"
        )
        assert dict(data.schema.ignored) == {
            "id": "dropped",
            "who": "group",
            "day": "time",
            "x": "beside the text",
        }
        assert data.groups is not None
        assert data.times is not None
        assert (data.groups[:, None] == data.groups).tolist() == [
            [one == other for other in who] for one in who
        ]
        assert data.times.tolist() == [3, 1, 2, 2]

    def test_what_is_dropped_may_be_named_alone_or_twice(self) -> None:
        table = pa.table(rows(x=[1, 2, 3, 4]))
        for drop in ("x", ["x"], ["x", "x"], {"x": None}, iter(["x"])):
            ignored = load_texts(table, "spam", "note", drop=drop).schema.ignored
            assert ignored == (("x", "dropped"),)

    @pytest.mark.parametrize(
        ("target", "options", "said"),
        [
            ("note", {}, "`note` can have one role only; it was named as target and as text"),
            ("spam", {"drop": "note"}, "named as text and as dropped"),
            ("spam", {"drop": ["note", "note"]}, "named as text and as dropped"),
            ("spam", {"group": "note"}, "named as text and as group"),
            ("spam", {"time": "note"}, "named as text and as time"),
        ],
    )
    def test_a_column_has_one_role(self, target: str, options: Any, said: str) -> None:
        with pytest.raises(ArgumentError, match=said):
            load_texts(pa.table(rows()), target, "note", **options)

    def test_a_column_that_is_not_there_has_a_suggestion(self) -> None:
        with pytest.raises(ArgumentError) as info:
            load_texts(pa.table(rows()), "spam", "notes")
        assert str(info.value) == (
            "`notes` was named as text, and the table has no such column. Did you mean `note`? "
            "It has `note`, `spam`."
        )
        with pytest.raises(ArgumentError, match=r"`when` was named as dropped, and the table has "):
            load_texts(pa.table(rows()), "spam", "note", drop="when")

    def test_a_column_that_is_not_in_the_file_has_a_suggestion(self, tmp_path: Path) -> None:
        with pytest.raises(ArgumentError, match=r"`Note` was named as text.* mean `note`\?"):
            load_texts(as_csv(tmp_path), "spam", "Note")

    @pytest.mark.parametrize("name", [3, ["note"], b"note"])
    def test_a_column_is_named(self, name: Any) -> None:
        with pytest.raises(ArgumentTypeError, match="the text column must be given by name; got"):
            load_texts(pa.table(rows()), "spam", name)


class TestRefused:
    @pytest.mark.parametrize(
        ("values", "type_"),
        [
            ([1, 2, 3, 4], "int64"),
            ([1.5, None, 2.5, 3.5], "double"),
            ([True, False, None, True], "bool"),
            ([b"a", b"b", b"c", b"d"], "binary"),
            ([["a"], ["b"], [], None], "list<"),
            (np.array(["2024-01-31"] * 4, "datetime64[s]"), "timestamp"),
            (pa.array([b"a", b"b", b"c", b"d"]).dictionary_encode(), "dictionary<values=binary"),
        ],
    )
    def test_a_column_of_something_else(self, values: Any, type_: str) -> None:
        said = rf"`note` must hold texts; it holds `{type_}.*leave `text` out: other columns are"
        with pytest.raises(DataError, match=said):
            load_texts(pa.table(rows(note=values)), "spam", "note")

    def test_bytes_and_mixtures_in_pandas(self) -> None:
        with pytest.raises(DataError, match="`note` must hold texts; it holds `binary`"):
            load_texts(pd.DataFrame(rows(note=[b"a", None, b"c", b"d"])), "spam", "note")
        with pytest.raises(DataError, match="`note` must hold values of one type"):
            load_texts(pd.DataFrame(rows(note=["a", 3, "c", "d"])), "spam", "note")

    def test_no_rows(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="`table` has columns and no rows"):
            load_texts(pd.DataFrame(rows()).head(0), "spam", "note")
        with pytest.raises(DataError, match=r"no rows\. Add rows"):
            load_texts(write(tmp_path, "note,spam\n"), "spam", "note")

    @pytest.mark.parametrize("values", [["", "", "", ""], [None] * 4, ["", None, None, ""]])
    def test_no_text_in_any_row(self, values: Any) -> None:
        for table in (pa.table(rows(note=values)), pd.DataFrame(rows(note=values))):
            with pytest.raises(DataError, match="`note` has no text in any row"):
                load_texts(table, "spam", "note")

    def test_blanks_in_every_row_are_no_text(self) -> None:
        with pytest.raises(DataError, match="`note` has no text in any row"):
            load_texts(pa.table(rows(note=[" ", "\n", "\t", None])), "spam", "note")

    def test_labels_must_be_known_and_differ(self) -> None:
        with pytest.raises(DataError, match=r"`spam` is the target and must be known in every row"):
            load_texts(pa.table(rows(spam=["no", None, "yes", "no"])), "spam", "note")
        with pytest.raises(DataError, match=r"`spam` .* must have two classes or more"):
            load_texts(pa.table(rows(spam=["no"] * 4)), "spam", "note")

    def test_no_file_and_no_table(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match=r"does not exist\. Did you mean `t\.csv`\?"):
            load_texts(as_csv(tmp_path).with_name("tt.csv"), "spam", "note")
        with pytest.raises(ArgumentTypeError, match="`source` must be a path to a CSV or Parquet"):
            load_texts(READ, "spam", "note")


class TestConform:
    def test_the_training_rows_come_back(self, source: Any) -> None:
        assert conform_texts(source, SCHEMA).texts.tolist() == READ

    def test_columns_beside_it_do_not_matter(self) -> None:
        table = pa.table({"new": [["a"]], "note": ["b"], "spam": [3]})
        assert conform_texts(table, SCHEMA).texts.tolist() == ["b"]

    @pytest.mark.parametrize("kind", [list, tuple, np.array])
    def test_texts_in_a_row(self, kind: Any) -> None:
        texts = conform_texts(kind(READ), SCHEMA).texts
        assert (texts.dtype, texts.tolist()) == (object, READ)

    def test_none_in_a_list_is_missing(self) -> None:
        for texts in (NOTES, np.array(NOTES, object)):
            assert conform_texts(texts, SCHEMA).texts.tolist() == READ

    def test_what_looks_like_numbers_stays_text(self, tmp_path: Path) -> None:
        path = write(tmp_path, "note\n007\n1.50\n")
        assert conform_texts(path, SCHEMA).texts.tolist() == ["007", "1.50"]

    def test_no_rows_are_fine(self, tmp_path: Path) -> None:
        empty = [
            *([], np.array([]), np.array([], object), pa.table({"note": []})),
            *(pd.DataFrame(rows()).head(0), pl.DataFrame({"note": []}), write(tmp_path, "note\n")),
        ]
        for source in empty:
            assert len(conform_texts(source, SCHEMA)) == 0

    def test_no_rows_of_no_type_are_fine(self) -> None:
        assert len(conform_texts(pd.DataFrame({"note": pd.Series([], dtype=float)}), SCHEMA)) == 0

    def test_all_may_be_missing(self) -> None:
        table = pa.table({"note": pa.nulls(2)})
        assert conform_texts(table, SCHEMA).texts.tolist() == ["", ""]

    @pytest.mark.parametrize(
        "series",
        [pd.Series(READ), pd.Series(READ, dtype="category"), pl.Series(READ), pa.array(READ)],
        ids=["pandas", "pandas categories", "polars", "pyarrow"],
    )
    def test_a_column_alone_is_texts(self, series: Any) -> None:
        assert conform_texts(series, SCHEMA).texts.tolist() == READ

    def test_a_table_without_the_column(self, tmp_path: Path) -> None:
        with pytest.raises(SchemaError) as info:
            conform_texts(pd.DataFrame({"text": ["a"], "x": [1]}), SCHEMA)
        assert str(info.value) == (
            "the table must have the column `note`, whose texts the model was trained on; it has "
            "`text`, `x`. Rename one."
        )
        path = write(tmp_path, "text,x\na,1\n")
        with pytest.raises(SchemaError, match=rf"^`{path}` must have the column `note`"):
            conform_texts(path, SCHEMA)

    @pytest.mark.parametrize(
        ("texts", "what"),
        [
            (["a", 3], "int"),
            (["a", b"b"], "bytes"),
            (["a", 1.5], "float"),
            ([["a"]], "list"),
            (np.array([1.5]), "float64"),
        ],
    )
    def test_what_is_no_text_among_them(self, texts: Any, what: str) -> None:
        with pytest.raises(ArgumentTypeError, match=f"texts must be strings; got a `{what}` among"):
            conform_texts(texts, SCHEMA)

    def test_an_array_of_no_dimension(self) -> None:
        with pytest.raises(ArgumentTypeError):
            conform_texts(np.array("a"), SCHEMA)

    def test_a_column_of_something_else(self) -> None:
        with pytest.raises(DataError, match="`note` must hold texts; it holds `int64`"):
            conform_texts(pa.table({"note": [1, 2]}), SCHEMA)

    def test_a_text_itself_is_taken_for_a_path(self) -> None:
        with pytest.raises(SourceError, match="`free entry` does not exist"):
            conform_texts("free entry", SCHEMA)
