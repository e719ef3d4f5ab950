import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kilter._errors import ArgumentError, ArgumentTypeError, DataError, SourceError
from kilter._types import Features, Images, Texts
from kilter.data import load, load_images, load_table, load_texts
from kilter.data.load import is_folder
from made_data import write
from made_images import save, save_folder

TABLE = {
    "x": [1.5, 2.5, 3.5, 4.5],
    "z": [2.5, 3.5, 4.5, 1.5],
    "y": [0, 1, 0, 1],
    "g": [1, 1, 2, 2],
    "t": [4, 3, 2, 1],
}


def test_a_folder_is_images(tmp_path):
    root = save_folder(tmp_path / "pets", "a", "b")
    for source in (root, str(root), f"{root}/"):
        data = load(source, size=(3, 4), name="n")
        expected = load_images(root, size=(3, 4), name="n")
        assert data.schema == expected.schema
        assert data.name == expected.name
        assert isinstance(data.features, Images)
        np.testing.assert_array_equal(data.features.pixels, expected.features.pixels)


def test_broken_files_are_skipped_if_asked(tmp_path):
    save_folder(tmp_path, "a", "b")
    (tmp_path / "a" / "0.png").write_bytes(b"")
    with pytest.raises(SourceError, match="1 file that cannot be read"):
        load(tmp_path)
    assert len(load(tmp_path, broken="skip")) == 5


def test_a_file_or_a_frame_is_a_table(tmp_path):
    path = write(tmp_path, "x,y\n1.5,0\n2.5,1\n")
    for source in (path, str(path), pa.table(TABLE), pd.DataFrame(TABLE)):
        data = load(source, "y")
        assert isinstance(data.features, Features)
        assert data.schema == load_table(source, "y").schema


def test_options_of_a_table_reach_it():
    data = load(pa.table(TABLE), "y", drop="x", group="g", time="t", name="n")
    expected = load_table(pa.table(TABLE), "y", drop=("x",), group="g", time="t", name="n")
    assert data.schema == expected.schema
    assert data.name == "n"
    np.testing.assert_array_equal(data.groups, expected.groups)
    np.testing.assert_array_equal(data.times, expected.times)


@pytest.mark.parametrize(
    "options",
    [
        *({"target": "y"}, {"drop": "x"}, {"drop": ["x"]}, {"group": "g"}, {"time": "t"}),
        *({"text": "x"}, {"text": ""}),
    ],
)
def test_options_of_a_table_are_not_for_images(tmp_path, options):
    (name,) = options
    with pytest.raises(ArgumentError, match=rf"^`{name}` is for tables: the class .* Leave it out"):
        load(save_folder(tmp_path, "a", "b"), **options)


def test_no_columns_to_drop_are_fine_for_images(tmp_path):
    assert len(load(save_folder(tmp_path, "a", "b"), drop=())) == 6


@pytest.mark.parametrize("size", [0, 64, (64, 32), np.array([64, 32])])
def test_size_is_not_for_a_table(size):
    with pytest.raises(ArgumentError, match=r"^`size` is for a folder of images, and this is a "):
        load(pa.table(TABLE), "y", size=size)


def test_broken_files_are_not_for_a_table():
    with pytest.raises(ArgumentError, match=r"^`broken` is for a folder of images, and this is a "):
        load(pa.table(TABLE), "y", broken="skip")
    assert len(load(pa.table(TABLE), "y", broken="refuse")) == len(TABLE["y"])


def test_a_table_needs_a_target():
    with pytest.raises(ArgumentTypeError, match=r"^`target` must name the column.*Only a folder"):
        load(pa.table(TABLE))


def test_a_typing_error_in_the_path_is_not_taken_for_a_table_without_target(tmp_path):
    with pytest.raises(SourceError, match=rf"^`{tmp_path}/imagse` does not exist\. Check the path"):
        load(tmp_path / "imagse")


def test_an_empty_folder(tmp_path):
    with pytest.raises(DataError, match="must have a folder of images for each class"):
        load(tmp_path)


def test_what_a_folder_is(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "broken").symlink_to(tmp_path / "absent")
    assert is_folder(tmp_path)
    assert is_folder(str(tmp_path / "link"))
    for other in (
        save(tmp_path / "a.png"),
        tmp_path / "broken",
        tmp_path / "absent",
        "\0",
        3,
        TABLE,
    ):
        assert not is_folder(other)


def test_a_path_below_a_closed_folder_is_said_so(tmp_path, monkeypatch):
    real = os.stat

    def closed(path, **options):
        if str(path).startswith(str(tmp_path)):
            raise PermissionError(13, "Permission denied", path)
        return real(path, **options)

    monkeypatch.setattr(os, "stat", closed)
    with pytest.raises(SourceError):
        load(tmp_path / "table.csv", "y")
    with pytest.raises(SourceError):
        load(tmp_path / "images")


NOTES = {**TABLE, "note": ["see you", "win it", "ok", None]}


def test_a_column_of_texts_is_read_as_such() -> None:
    data = load(pa.table(NOTES), "y", text="note")
    assert isinstance(data.features, Texts)
    assert data.features.texts.tolist() == ["see you", "win it", "ok", ""]
    assert isinstance(load(pa.table(NOTES), "y").features, Features)


def test_options_of_texts_reach_them() -> None:
    options: dict[str, Any] = {"drop": "x", "group": "g", "time": "t", "name": "n"}
    data = load(pa.table(NOTES), "y", text="note", **options)
    expected = load_texts(pa.table(NOTES), "y", "note", **options)
    assert data.schema == expected.schema
    assert data.schema.kind == "text"
    assert data.name == "n"
    assert data.groups is not None
    assert data.times is not None
    assert data.groups.tolist() == [0, 0, 1, 1]
    assert data.times.tolist() == [4, 3, 2, 1]


def test_texts_out_of_a_file_need_a_target_and_have_no_size(tmp_path: Path) -> None:
    path = write(tmp_path, "note,y\n007,0\n08,1\n")
    assert load(str(path), "y", text="note").features.texts.tolist() == ["007", "08"]
    with pytest.raises(ArgumentTypeError, match=r"^`target` must name the column"):
        load(path, text="note")
    with pytest.raises(ArgumentError, match=r"^`size` is for a folder of images"):
        load(path, "y", text="note", size=64)


def test_a_column_of_texts_that_is_not_there() -> None:
    for name in ("", "notes"):
        with pytest.raises(ArgumentError, match=rf"^`{name}` was named as text, and the table has"):
            load(pa.table(NOTES), "y", text=name)
