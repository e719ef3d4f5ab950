import json

import pandas as pd
import pytest

from kilter._errors import ArtifactError
from kilter._types import Column, Schema
from kilter.data import load, number_names, schema_from_json, schema_to_json


def test_json_round_trip(frame):
    schema = load(frame, "target").schema
    assert schema_from_json(json.loads(json.dumps(schema_to_json(schema)))) == schema


@pytest.mark.parametrize("classes", [(0, 1), (0.0, 1.0), (False, True), ("0", "1")])
def test_class_types_survive(classes):
    schema = Schema((Column("x", "number"),), "y", classes)
    again = schema_from_json(json.loads(json.dumps(schema_to_json(schema))))
    assert [type(c) for c in again.classes] == [type(c) for c in classes]


@pytest.mark.parametrize(
    "data", [{}, {"columns": [{"name": "x", "kind": "odd", "vocabulary": []}]}, {"columns": 3}]
)
def test_not_a_schema(data):
    with pytest.raises(ArtifactError, match="`schema` must be what"):
        schema_from_json(data)


def test_number_names_are_the_columns_of_the_block(frame):
    data = load(frame, "target")
    assert len(number_names(data.schema)) == data.features.numbers.shape[1]


class TestImages:
    schema = Schema(
        (Column("image", "image", shape=(28, 32, 1)),),
        "folder",
        ("a", "b"),
        (("a/1.png", "broken"),),
    )

    def test_json_round_trip(self):
        data = schema_to_json(self.schema)
        assert data["columns"][0]["shape"] == [28, 32, 1]
        assert schema_from_json(json.loads(json.dumps(data))) == self.schema
        assert number_names(self.schema) == []

    def test_columns_of_tables_are_written_as_before(self):
        (column,) = schema_to_json(Schema((Column("x", "number"),), "y", (0, 1)))["columns"]
        assert column == {"name": "x", "kind": "number", "vocabulary": []}

    @pytest.mark.parametrize(
        "shape",
        [
            *([], [28, 32], [28, 32, 1, 1], [0, 32, 1], [28, -1, 1]),
            *(["x", 1, 1], [float("inf"), 1, 1], None, 3),
        ],
    )
    def test_another_shape_is_refused(self, shape):
        data = schema_to_json(self.schema)
        data["columns"][0]["shape"] = shape
        with pytest.raises(ArtifactError, match="`schema` must be what"):
            schema_from_json(data)

    def test_without_a_shape_it_is_refused(self):
        data = schema_to_json(self.schema)
        del data["columns"][0]["shape"]
        with pytest.raises(ArtifactError, match="`schema` must be what"):
            schema_from_json(data)

    def test_an_image_has_nothing_beside_it(self):
        data = schema_to_json(self.schema)
        plain = schema_to_json(Schema((Column("x", "number"),), "y", (0, 1)))["columns"]
        for columns in (data["columns"] + plain, plain + data["columns"], 2 * data["columns"]):
            with pytest.raises(ArtifactError, match="beside that of kind `image`"):
                schema_from_json(data | {"columns": columns})


class TestTexts:
    schema = Schema(
        (Column("note", "text"),), "spam", (False, True), (("hour", "beside the text"),)
    )

    def test_json_round_trip(self) -> None:
        data = schema_to_json(self.schema)
        assert data["columns"] == [{"name": "note", "kind": "text", "vocabulary": []}]
        again = schema_from_json(json.loads(json.dumps(data)))
        assert again == self.schema
        assert again.kind == "text"
        assert number_names(self.schema) == []

    def test_of_a_table_that_was_read(self, frame: pd.DataFrame) -> None:
        schema = load(frame, "target", text="city").schema
        assert schema_from_json(json.loads(json.dumps(schema_to_json(schema)))) == schema

    def test_a_text_has_nothing_beside_it(self) -> None:
        text = schema_to_json(self.schema)["columns"]
        number = {"name": "x", "kind": "number", "vocabulary": []}
        image = {"name": "image", "kind": "image", "vocabulary": [], "shape": [8, 8, 1]}
        for columns in ([*text, number], [number, *text], 2 * text, [*text, image]):
            data = schema_to_json(self.schema) | {"columns": columns}
            with pytest.raises(ArtifactError, match="columns beside that of kind `text`"):
                schema_from_json(data)
