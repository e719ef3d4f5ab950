import datetime as dt
import decimal
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kilter._errors import (
    ArgumentError,
    ArgumentTypeError,
    ArtifactError,
    DataError,
    SchemaError,
    SourceError,
)
from kilter._types import Column, Schema
from kilter.data import conform, load, number_names, read, schema_from_json, schema_to_json


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [31, 54, None, 22],
            "city": ["Rome", None, "Oslo", "Rome"],
            "member": pd.array([True, False, None, True], "boolean"),
            "since": pd.to_datetime(
                ["2024-01-31 05:00", None, "1969-12-31 00:00", "2000-02-29 23:59"]
            ),
            "same": [1, 1, 1, 1],
            "target": ["no", "yes", "no", "no"],
        }
    )


def write(folder: Path, text: str | bytes, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


class TestRead:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    @pytest.mark.parametrize("name", ["t.csv", "t.txt"])
    def test_finds_the_delimiter(self, tmp_path, delimiter, name):
        text = "a,b,c\n1,x y,2.5\n2,z,3\n".replace(",", delimiter)
        assert read(write(tmp_path, text, name)).to_pydict() == {
            "a": [1, 2],
            "b": ["x y", "z"],
            "c": [2.5, 3.0],
        }

    def test_delimiters_in_quotes_and_in_rows_do_not_count(self, tmp_path):
        text = 'id,"a;b;c;d"\n1,x;y;z;w\n2,"p, q"\n'
        assert read(write(tmp_path, text)).to_pydict() == {
            "id": [1, 2],
            "a;b;c;d": ["x;y;z;w", "p, q"],
        }

    def test_tsv_is_cut_at_tabs(self, tmp_path):
        assert read(write(tmp_path, "a,b\tc\n1\t2\n", "t.tsv")).column_names == ["a,b", "c"]

    def test_one_column(self, tmp_path):
        assert read(write(tmp_path, "a\n1\n2\n")).to_pydict() == {"a": [1, 2]}

    def test_quoted_newlines_byte_order_mark_and_missing_words(self, tmp_path):
        text = b'\xef\xbb\xbfa,b,c\n1,"x\ny",?\nNA,,2\n'
        assert read(write(tmp_path, text)).to_pydict() == {
            "a": [1, None],
            "b": ["x\ny", None],
            "c": [None, 2],
        }

    def test_types_are_inferred_from_the_whole_column(self, tmp_path):
        text = "a,b\n" + "1,2\n" * 500_000 + "x,2\n"
        table = read(write(tmp_path, text))
        assert pa.types.is_string(table["a"].type)
        assert len(table) == 500_001

    def test_the_same_as_pandas(self, tmp_path, frame):
        path = tmp_path / "t.csv"
        frame.to_csv(path, index=False)
        ours = read(path)
        assert ours["since"].to_pylist() == [
            None if pd.isna(value) else value.to_pydatetime() for value in frame["since"]
        ]
        assert ours["member"].to_pylist() == [True, False, None, True]
        assert ours["age"].to_pylist() == [31, 54, None, 22]

    def test_pandas_index_is_left_behind(self, tmp_path, frame):
        shuffled = frame.iloc[[2, 0, 3]]
        assert read(shuffled).column_names == list(frame.columns)
        shuffled.to_parquet(tmp_path / "t.parquet")
        assert read(tmp_path / "t.parquet").column_names == list(frame.columns)

    def test_folders_with_an_equals_sign_add_no_column(self, tmp_path):
        folder = tmp_path / "year=2024"
        folder.mkdir()
        pq.write_table(pa.table({"a": [1]}), folder / "t.parquet")
        assert read(folder / "t.parquet").column_names == ["a"]

    @pytest.mark.parametrize(
        "make",
        [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.table],
        ids=["pandas", "polars", "lazy", "pyarrow"],
    )
    def test_any_dataframe(self, make):
        data = {"a": [1, 2], "b": ["x", "y"]}
        assert read(make(data)).to_pydict() == data

    def test_columns_can_be_kept_as_text(self, tmp_path):
        table = read(write(tmp_path, "zip,n\n0123,1\n"), text=["zip", "absent"])
        assert table.to_pydict() == {"zip": ["0123"], "n": [1]}


class TestReadErrors:
    def test_absent_file_names_a_near_one(self, tmp_path):
        write(tmp_path, "a\n1\n", "fraud.csv")
        with pytest.raises(SourceError, match=r"does not exist. Did you mean `fraud.csv`\?"):
            read(tmp_path / "frued.csv")
        with pytest.raises(SourceError, match="does not exist"):
            read(str(tmp_path / "no" / "such.csv"))

    def test_folder(self, tmp_path):
        with pytest.raises(SourceError, match="is a folder"):
            read(tmp_path)

    def test_no_permission(self, tmp_path, monkeypatch):
        path = write(tmp_path, "a\n1\n")

        def refuse(*args, **kwargs):
            raise PermissionError(13, "no")

        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(SourceError, match="may not be read by this user"):
            read(path)

    def test_empty_file(self, tmp_path):
        with pytest.raises(SourceError, match="is an empty file"):
            read(write(tmp_path, ""))

    @pytest.mark.parametrize("text", ["a,target\n", "a,target"])
    def test_header_only_cannot_be_trained_on(self, tmp_path, text):
        with pytest.raises(DataError, match="no rows"):
            load(write(tmp_path, text), "target")

    def test_not_utf8(self, tmp_path):
        text = "a,b\n1,x\n2,é\n".encode("latin-1")
        with pytest.raises(SourceError, match=r"line 3 is not.*iconv -f LATIN1"):
            read(write(tmp_path, text))
        with pytest.raises(SourceError, match="line 1 is not"):
            read(write(tmp_path, "é,b\n1,x\n".encode("latin-1")))
        with pytest.raises(SourceError, match="it is UTF-16"):
            read(write(tmp_path, "a,b\n1,x\n".encode("utf-16")))

    def test_truncated_parquet(self, tmp_path):
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table({"a": list(range(1000))}), path)
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(SourceError, match="is not a whole Parquet file"):
            read(path)

    def test_corrupt_parquet(self, tmp_path):
        path = tmp_path / "t.parquet"
        pq.write_table(pa.table({"a": np.random.default_rng(0).random(10_000)}), path)
        content = bytearray(path.read_bytes())
        content[4:200] = b"\xff" * 196
        path.write_bytes(content)
        with pytest.raises(SourceError, match="is not a whole Parquet file"):
            read(path)

    def test_unknown_extension(self, tmp_path):
        with pytest.raises(SourceError, match=r"must end in \.csv.*got `\.xlsx`"):
            read(write(tmp_path, "a\n1\n", "t.xlsx"))

    def test_repeated_names(self, tmp_path):
        with pytest.raises(DataError, match="`a` is there more than once"):
            read(write(tmp_path, "a,b,a\n1,2,3\n"))
        with pytest.raises(DataError, match="`a` is there more than once"):
            read(pd.DataFrame([[1, 2]], columns=["a", "a"]))
        with pytest.raises(DataError, match="`a` is there more than once"):
            read(pa.table([[1], [2]], names=["a", "a"]))

    def test_ragged_rows(self, tmp_path):
        with pytest.raises(DataError, match=r"row 3 .* has 3 fields, and the header has 2"):
            read(write(tmp_path, "a,b\n1,2\n1,2,3\n"))

    @pytest.mark.parametrize("values", [["x", 1, 2.0], [1, "x", 2.0]])
    def test_mixed_types(self, values):
        with pytest.raises(DataError, match="`odd` must hold values of one type"):
            read(pd.DataFrame({"ok": [1, 2, 3], "odd": pd.Series(values, dtype=object)}))

    @pytest.mark.parametrize("source", [np.zeros((2, 2)), [1, 2], None, 3])
    def test_not_a_table(self, source):
        with pytest.raises(ArgumentTypeError, match="`source` must be a path"):
            read(source)


class TestLoad:
    def test_kinds_values_and_what_is_ignored(self, frame):
        data = load(frame, "target")
        assert [(c.name, c.kind, c.vocabulary) for c in data.schema.columns] == [
            ("age", "number", ()),
            ("city", "category", ("Oslo", "Rome")),
            ("member", "boolean", ("false", "true")),
            ("since", "date", ()),
        ]
        assert data.schema.ignored == (("same", "constant"),)
        assert data.schema.classes == ("no", "yes")
        np.testing.assert_array_equal(data.labels, [0, 1, 0, 0])
        np.testing.assert_array_equal(data.features.codes, [[1, 1], [-1, 0], [0, -1], [1, 1]])
        np.testing.assert_array_equal(data.features.numbers[:, 0], [31, 54, np.nan, 22])
        assert data.features.numbers.dtype == np.float64
        assert data.features.codes.dtype == np.int32

    def test_dates_as_pandas_has_them(self, frame):
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

    def test_times_of_day_and_time_zones(self):
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

    def test_every_number_type(self):
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
    def test_targets(self, values, classes):
        data = load(pd.DataFrame({"x": range(len(values)), "y": values}), "y")
        assert data.schema.classes == classes
        assert [type(c) for c in data.schema.classes] == [type(c) for c in classes]
        json.dumps(data.schema.classes)
        np.testing.assert_array_equal(data.labels, pd.factorize(pd.Series(values), sort=True)[0])

    def test_groups_and_times(self, frame):
        frame["who"] = ["b", "a", "b", "c"]
        frame["when"] = ["2024-01-02", "2024-01-01", "2024-01-04", "2024-01-03"]
        data = load(frame, "target", group="who", time="when", drop=["age"], name="mine")
        np.testing.assert_array_equal(data.groups, [0, 1, 0, 2])
        np.testing.assert_array_equal(data.times, 19723 + np.array([1, 0, 3, 2]))
        assert dict(data.schema.ignored) == {
            "who": "group",
            "when": "time",
            "age": "dropped",
            "same": "constant",
        }
        assert data.name == "mine"

    def test_drop_takes_one_name(self, frame):
        assert dict(load(frame, "target", drop="age").schema.ignored)["age"] == "dropped"

    def test_the_same_from_every_source(self, tmp_path, frame):
        frame.to_csv(tmp_path / "t.csv", index=False)
        frame.to_parquet(tmp_path / "t.parquet")
        expected = load(frame, "target")
        for source in (tmp_path / "t.csv", tmp_path / "t.parquet", pl.from_pandas(frame)):
            data = load(source, "target")
            assert data.schema == expected.schema
            np.testing.assert_array_equal(data.features.numbers, expected.features.numbers)
            np.testing.assert_array_equal(data.features.codes, expected.features.codes)

    def test_polars_not_a_number_is_missing(self):
        data = load(pl.DataFrame({"x": [1.0, float("nan"), None], "y": [0, 1, 1]}), "y")
        np.testing.assert_array_equal(np.isnan(data.features.numbers[:, 0]), [False, True, True])

    @pytest.mark.parametrize("name", ["adult", "sick", "car", "page-blocks", "yeast4"])
    def test_real_tables_as_pandas_has_them(self, table_path, name):
        frame = pd.read_parquet(table_path(name))
        data = load(table_path(name), "target", drop=frame.columns[frame.isna().all()], name=name)
        assert data.name == name
        labels, classes = pd.factorize(frame["target"], sort=True)
        np.testing.assert_array_equal(data.labels, labels)
        assert data.schema.classes == tuple(classes)
        for at, column in enumerate(number_names(data.schema)):
            np.testing.assert_array_equal(data.features.numbers[:, at], frame[column].to_numpy())
        words = [c.name for c in data.schema.columns if c.kind == "category"]
        for at, column in enumerate(words):
            codes = pd.factorize(frame[column], sort=True)[0]
            np.testing.assert_array_equal(data.features.codes[:, at], codes)


class TestLoadErrors:
    def test_unknown_columns(self, frame):
        with pytest.raises(ArgumentError, match=r"`targt`.* Did you mean `target`\? It has `age`"):
            load(frame, "targt")
        for role in ({"drop": ["x"]}, {"group": "x"}, {"time": "x"}):
            with pytest.raises(ArgumentError, match="`x` was named as"):
                load(frame, "target", **role)
        with pytest.raises(ArgumentTypeError, match="must be given by name; got `3`"):
            load(frame, 3)

    def test_lists_ten_columns(self):
        table = pa.table({f"c{at}": [at] for at in range(15)})
        with pytest.raises(ArgumentError, match="`c9` and 5 more"):
            load(table, "y")

    def test_one_role_a_column(self, frame):
        with pytest.raises(ArgumentError, match="named as target and as group"):
            load(frame, "target", group="target")
        with pytest.raises(ArgumentError, match="named as dropped and as time"):
            load(frame, "target", drop=["age"], time="age")

    def test_infinite_numbers(self):
        table = pa.table({"x": [1.0, np.inf, 2.0, -np.inf], "y": [0, 1, 0, 1]})
        with pytest.raises(DataError, match=r"`x` .* 2 of its values .* row 2"):
            load(table, "y")

    def test_columns_without_values(self):
        table = pa.table(
            {"a": [None, None], "b": pa.array([None, None], "string"), "c": [1, 2], "y": [0, 1]}
        )
        with pytest.raises(DataError, match=r"`a`, `b` must hold values.*`--drop a,b`"):
            load(table, "y")
        assert len(load(table, "y", drop=["a", "b"]).schema.columns) == 1

    @pytest.mark.parametrize("values", [[[1], [2]], [b"a", b"b"], [{"k": 1}, {"k": 2}]])
    def test_kinds_that_are_none(self, values):
        with pytest.raises(DataError, match=r"`x` must hold numbers, text.*--drop x"):
            load(pa.table({"x": values, "y": [0, 1]}), "y")

    def test_missing_labels(self):
        with pytest.raises(DataError, match=r"`y` is the target .* missing in 2 rows.* row 2"):
            load(pa.table({"x": [1, 2, 3], "y": ["a", None, None]}), "y")
        with pytest.raises(DataError, match="missing in 1 rows"):
            load(pl.DataFrame({"x": [1, 2, 3], "y": [0.0, float("nan"), 1.0]}), "y")

    def test_one_class(self):
        with pytest.raises(DataError, match="every row is `a`"):
            load(pa.table({"x": [1, 2], "y": ["a", "a"]}), "y")

    @pytest.mark.parametrize("values", [np.arange(60) / 7, np.arange(1001), np.arange(1001.0)])
    def test_regression_targets(self, values):
        with pytest.raises(DataError, match="looks like a quantity"):
            load(pa.table({"x": np.arange(len(values)), "y": values}), "y")

    def test_many_whole_classes_are_fine(self):
        values = np.tile(np.arange(200.0), 2)
        data = load(pa.table({"x": np.arange(400), "y": values}), "y")
        assert len(data.schema.classes) == 200

    def test_infinite_label(self):
        with pytest.raises(DataError, match="must be finite"):
            load(pa.table({"x": [1, 2], "y": [0.0, np.inf]}), "y")

    def test_no_feature_left(self):
        with pytest.raises(DataError, match=r"no feature columns left.*`x`"):
            load(pa.table({"x": [1, 1], "y": [0, 1]}), "y")
        with pytest.raises(DataError, match="no feature columns left"):
            load(pa.table({"y": [0, 1]}), "y")

    def test_groups_and_times_must_be_known(self):
        table = pa.table({"x": [1, 2], "w": ["a", None], "s": ["a", "b"], "y": [0, 1]})
        with pytest.raises(DataError, match="`w` is the group"):
            load(table, "y", group="w")
        with pytest.raises(DataError, match="`w` is the time"):
            load(table, "y", time="w")
        with pytest.raises(DataError, match=r"`s` .* must hold numbers or dates"):
            load(table, "y", time="s")
        with pytest.raises(DataError, match="must be finite"):
            load(pa.table({"x": [1, 2], "t": [1.0, np.inf], "y": [0, 1]}), "y", time="t")


class TestConform:
    @pytest.fixture
    def schema(self, frame) -> Schema:
        return load(frame, "target").schema

    def test_the_training_rows_come_back(self, frame, schema):
        expected = load(frame, "target").features
        for rows in (frame, frame[frame.columns[::-1]], frame.drop(columns=["target", "same"])):
            features = conform(rows, schema)
            np.testing.assert_array_equal(features.numbers, expected.numbers)
            np.testing.assert_array_equal(features.codes, expected.codes)

    def test_unseen_missing_and_no_rows(self, frame, schema):
        assert conform(frame.assign(city="Lima"), schema).codes[:, 0].tolist() == [-2] * 4
        blank = conform(frame.assign(age=None, city=None, member=None, since=None), schema)
        assert np.isnan(blank.numbers).all()
        assert (blank.codes == -1).all()
        for rows in (frame.head(0), pa.table({c: [] for c in frame.columns})):
            features = conform(rows, schema)
            assert (features.numbers.shape, features.codes.shape) == ((0, 5), (0, 2))

    def test_header_only_file_has_no_rows(self, tmp_path, schema):
        path = write(tmp_path, "age,city,member,since\n")
        assert len(conform(path, schema)) == 0

    def test_whole_numbers_and_fractions_are_one_kind(self, schema, frame):
        assert conform(frame.assign(age=[1, 2, 3, 4]), schema).numbers[:, 0].tolist() == [
            1,
            2,
            3,
            4,
        ]

    def test_absent_extra_and_retyped_columns(self, schema, frame):
        with pytest.raises(SchemaError, match=r"`age` is not there. Did you mean `aged`\?"):
            conform(frame.rename(columns={"age": "aged"}), schema)
        with pytest.raises(SchemaError, match="`more` was not in it"):
            conform(frame.assign(more=1), schema)
        retyped = {
            "age": ["a"] * 4,
            "city": [1, 2, 3, 4],
            "member": [0, 1, 0, 1],
            "since": ["2024-01-01"] * 4,
        }
        for name, values in retyped.items():
            with pytest.raises(SchemaError, match=f"`{name}` must hold .*, as in the training"):
                conform(frame.assign(**{name: values}), schema)
        with pytest.raises(SchemaError, match=r"`age` must hold numbers.* it holds dates"):
            conform(frame.assign(age=frame["since"]), schema)

    def test_infinite_numbers(self, schema, frame):
        with pytest.raises(DataError, match="`age` must be finite"):
            conform(frame.assign(age=[1, np.inf, 2, 3]), schema)

    def test_categories_that_look_like_numbers(self, tmp_path):
        schema = load(pa.table({"zip": ["0123", "456", "9"], "y": [0, 1, 1]}), "y").schema
        path = write(tmp_path, "zip\n0123\n9\n7\n")
        assert conform(path, schema).codes.ravel().tolist() == [0, 2, -2]
        ints = pd.DataFrame({"zip": [456, 9]})
        assert conform(ints, schema).codes.ravel().tolist() == [1, 2]
        floats = pd.DataFrame({"zip": [456.0, None]})
        assert conform(floats, schema).codes.ravel().tolist() == [1, -1]
        assert conform(pd.DataFrame({"zip": [1e300]}), schema).codes.ravel().tolist() == [-2]

    def test_numbers_as_categories(self):
        frame = pd.DataFrame({"c": pd.Categorical([3, 1, 3]), "y": [0, 1, 1]})
        data = load(frame, "y")
        assert data.schema.columns[0].vocabulary == ("1", "3")
        assert conform(frame, data.schema).codes.ravel().tolist() == [1, 0, 1]


class TestSchema:
    def test_json_round_trip(self, frame):
        schema = load(frame, "target").schema
        assert schema_from_json(json.loads(json.dumps(schema_to_json(schema)))) == schema

    @pytest.mark.parametrize("classes", [(0, 1), (0.0, 1.0), (False, True), ("0", "1")])
    def test_class_types_survive(self, classes):
        schema = Schema((Column("x", "number"),), "y", classes)
        again = schema_from_json(json.loads(json.dumps(schema_to_json(schema))))
        assert [type(c) for c in again.classes] == [type(c) for c in classes]

    @pytest.mark.parametrize(
        "data", [{}, {"columns": [{"name": "x", "kind": "odd", "vocabulary": []}]}, {"columns": 3}]
    )
    def test_not_a_schema(self, data):
        with pytest.raises(ArtifactError, match="`schema` must be what"):
            schema_from_json(data)

    def test_number_names_are_the_columns_of_the_block(self, frame):
        data = load(frame, "target")
        assert len(number_names(data.schema)) == data.features.numbers.shape[1]


def test_importing_data_needs_no_keras():
    code = "import sys, kilter.data; print({'keras', 'polars'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
