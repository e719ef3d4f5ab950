import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kilter._errors import ArgumentTypeError, DataError, SchemaError, SourceError
from kilter._types import Images, Schema
from kilter.data import conform, load
from made_data import write
from made_images import draw, save, save_folder


@pytest.fixture
def schema(frame) -> Schema:
    return load(frame, "target").schema


def test_the_training_rows_come_back(frame, schema):
    expected = load(frame, "target").features
    for rows in (frame, frame[frame.columns[::-1]], frame.drop(columns=["target", "same"])):
        features = conform(rows, schema)
        np.testing.assert_array_equal(features.numbers, expected.numbers)
        np.testing.assert_array_equal(features.codes, expected.codes)


def test_unseen_missing_and_no_rows(frame, schema):
    assert conform(frame.assign(city="Lima"), schema).codes[:, 0].tolist() == [-2] * 4
    blank = conform(frame.assign(age=None, city=None, member=None, since=None), schema)
    assert np.isnan(blank.numbers).all()
    assert (blank.codes == -1).all()
    for rows in (frame.head(0), pa.table({c: [] for c in frame.columns})):
        features = conform(rows, schema)
        assert (features.numbers.shape, features.codes.shape) == ((0, 5), (0, 2))


def test_header_only_file_has_no_rows(tmp_path, schema):
    path = write(tmp_path, "age,city,member,since\n")
    assert len(conform(path, schema)) == 0


def test_whole_numbers_and_fractions_are_one_kind(schema, frame):
    assert conform(frame.assign(age=[1, 2, 3, 4]), schema).numbers[:, 0].tolist() == [
        1,
        2,
        3,
        4,
    ]


def test_absent_extra_and_retyped_columns(schema, frame):
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


def test_infinite_numbers(schema, frame):
    with pytest.raises(DataError, match="`age` must be finite"):
        conform(frame.assign(age=[1, np.inf, 2, 3]), schema)


def test_categories_that_look_like_numbers(tmp_path):
    schema = load(pa.table({"zip": ["0123", "456", "9"], "y": [0, 1, 1]}), "y").schema
    path = write(tmp_path, "zip\n0123\n9\n7\n")
    assert conform(path, schema).codes.ravel().tolist() == [0, 2, -2]
    ints = pd.DataFrame({"zip": [456, 9]})
    assert conform(ints, schema).codes.ravel().tolist() == [1, 2]
    floats = pd.DataFrame({"zip": [456.0, None]})
    assert conform(floats, schema).codes.ravel().tolist() == [1, -1]
    assert conform(pd.DataFrame({"zip": [1e300]}), schema).codes.ravel().tolist() == [-2]


def test_numbers_as_categories():
    frame = pd.DataFrame({"c": pd.Categorical([3, 1, 3]), "y": [0, 1, 1]})
    data = load(frame, "y")
    assert data.schema.columns[0].vocabulary == ("1", "3")
    assert conform(frame, data.schema).codes.ravel().tolist() == [1, 0, 1]


def test_words_that_became_numbers_in_a_csv_are_refused(tmp_path):
    rows = pa.table({"colour": ["red", "blue"] * 5, "y": [0, 1] * 5})
    schema = load(rows, "y").schema
    path = tmp_path / "new.csv"
    path.write_text("colour\n3\n4.5\n")
    with pytest.raises(SchemaError, match=r"`colour` must hold text.*holds numbers"):
        conform(path, schema)
    path.write_text("colour\n3\ngreen\n")
    assert conform(path, schema).codes.ravel().tolist() == [-2, -2]


def test_codes_among_words_may_all_be_numbers(tmp_path):
    rows = pa.table({"ward": ["7", "8", "A"] * 4, "y": [0, 1] * 6})
    path = tmp_path / "new.csv"
    path.write_text("ward\n7\n9\n")
    assert conform(path, load(rows, "y").schema).codes.ravel().tolist() == [0, -2]


class TestImages:
    @pytest.fixture
    def data(self, tmp_path):
        return load(save_folder(tmp_path / "train", "a", "b"))

    def test_the_kind_of_schema_chooses(self, tmp_path, data):
        features = conform(tmp_path / "train", data.schema)
        assert isinstance(features, Images)
        np.testing.assert_array_equal(features.pixels, data.features.pixels)
        np.testing.assert_array_equal(features.files, data.features.files)

    def test_a_file_paths_and_an_array(self, tmp_path, data):
        path = save(tmp_path / "1.png", draw(8, 6))
        for source in (path, str(path), [path], draw(1, 8, 6), draw(1, 8, 6, 1).astype(float)):
            features = conform(source, data.schema)
            np.testing.assert_array_equal(features.pixels, draw(1, 8, 6, 1))

    def test_a_table_is_refused(self, tmp_path, data):
        with pytest.raises(ArgumentTypeError, match="images must come as a folder"):
            conform(pd.DataFrame({"x": [1]}), data.schema)
        with pytest.raises(SourceError, match="cannot be read as an image"):
            conform(write(tmp_path, "x\n1\n"), data.schema)

    def test_a_folder_is_refused_where_rows_of_a_table_are_due(self, tmp_path, data, schema):
        with pytest.raises(SourceError, match="is a folder, where a table in one file"):
            conform(tmp_path / "train", schema)
