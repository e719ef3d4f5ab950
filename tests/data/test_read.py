from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kilter._errors import ArgumentTypeError, DataError, SourceError
from kilter.data import load, read
from made_data import write


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

    def test_a_pandas_index_that_has_a_name_is_left_behind_too(self, tmp_path, frame):
        named = frame.set_index(pd.Index(range(7, 7 + len(frame)), name="customer"))
        named.to_parquet(tmp_path / "t.parquet")
        for source in (named, tmp_path / "t.parquet", pa.Table.from_pandas(named)):
            assert read(source).column_names == list(frame.columns)

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
