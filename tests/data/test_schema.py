import json

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
