import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from kilter._errors import ArgumentError, ArgumentTypeError, DataError
from kilter.data import load, number_names


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

    def test_columns_without_values(self):
        table = pa.table(
            {"a": [None, None], "b": pa.array([None, None], "string"), "c": [1, 2], "y": [0, 1]}
        )
        schema = load(table, "y").schema
        assert [column.name for column in schema.columns] == ["c"]
        assert schema.ignored == (("a", "empty"), ("b", "empty"))

    def test_no_feature_left(self):
        with pytest.raises(DataError, match=r"no feature columns left.*`x`"):
            load(pa.table({"x": [1, 1], "y": [0, 1]}), "y")
        with pytest.raises(DataError, match="no feature columns left"):
            load(pa.table({"y": [0, 1]}), "y")
