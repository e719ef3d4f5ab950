import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilter._errors import ArgumentError, ArtifactError, SourceError
from kilter.decide import Costs, Threshold, read_costs

CLASSES = ["a", "b", "c"]
MATRIX = ((0.0, 1.0, 2.0), (3.0, 0.0, 4.0), (5.0, 6.0, 0.0))
NESTED = {"a": {"b": 1, "c": 2}, "b": {"a": 3, "c": 4}, "c": {"a": 5, "b": 6}}


def test_two_classes_give_elkans_threshold():
    # Elkan 2001, equation 2: predict 1 where p > (c10 - c00) / (c10 - c00 + c01 - c11).
    costs, rule = Costs([[-1, 4], [20, 0]]), Threshold.at(5 / 25)
    p = np.linspace(0.005, 0.995, 100)
    p = np.column_stack([1 - p, p])
    np.testing.assert_array_equal(costs.apply(p), rule.apply(p))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 50), min_size=9, max_size=9), st.integers(0, 1000))
def test_no_other_decision_costs_less(values, seed):
    matrix = np.reshape(values, (3, 3)) * (1 - np.eye(3))
    p = np.random.default_rng(seed).dirichlet(np.ones(3), 20)
    chosen = Costs(matrix).apply(p)
    for row, predicted in zip(p, chosen, strict=True):
        expected = [sum(row[i] * matrix[i, j] for i in range(3)) for j in range(3)]
        assert expected[predicted] == pytest.approx(min(expected))


def test_equal_costs_take_the_most_probable_class():
    p = np.random.default_rng(0).dirichlet(np.ones(4), 50)
    np.testing.assert_array_equal(Costs(1 - np.eye(4)).apply(p), p.argmax(axis=1))


def test_expected_cost_by_hand():
    assert Costs(MATRIX).expected_cost([0, 1, 2, 2], [0, 2, 0, 1]) == (0 + 4 + 5 + 6) / 4


def test_is_frozen_and_compares_by_value():
    assert Costs(np.array(MATRIX)) == Costs(MATRIX)
    assert len({Costs(np.array(MATRIX)), Costs(MATRIX)}) == 1


def test_json_round_trip():
    costs = Costs(MATRIX)
    assert Costs.from_json(json.loads(json.dumps(costs.to_json()))) == costs
    with pytest.raises(ArtifactError, match=r"`Costs.to_json`"):
        Costs.from_json({"matrix": "x"})


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0, 1]], "one row and one column a class"),
        ([[0]], "one row and one column a class"),
        ([[0, 1], [1]], "numbers in equal rows"),
        ([["x", 1], [1, 0]], "numbers in equal rows"),
        ([[0, np.nan], [1, 0]], "finite costs"),
        ([[1, 0], [0, 1]], "right decision dearer than a wrong one; row 0"),
    ],
)
def test_matrix_is_checked(matrix, message):
    with pytest.raises(ArgumentError, match=message):
        Costs(matrix)


def test_columns_are_checked():
    with pytest.raises(ArgumentError, match="must have 3 columns"):
        Costs(MATRIX).apply([[0.5, 0.5]])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("costs.json", json.dumps(NESTED)),
        ("costs.csv", ",a,b,c\na,0,1,2\nb,3,0,4\nc,5,6,0\n"),
        ("shuffled.csv", "true, c, a, b\nb,4,3,0\nc,0,5,6\na,2,0,1\n"),
        ("plain.csv", "a,b,c\n0,1,2\n3,0,4\n5,6,0\n"),
        ("excel.csv", "\ufeff,a,b,c\r\na,0,1,2\r\nb,3,0,4\r\nc,5,6,0\r\n"),
    ],
)
def test_every_form_of_file_gives_the_same(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert read_costs(path, CLASSES).matrix == MATRIX
    assert read_costs(str(path), CLASSES).matrix == MATRIX


def test_labels_that_are_numbers(tmp_path):
    path = tmp_path / "costs.json"
    path.write_text('{"0": {"1": 1}, "1": {"0": 30}}')
    assert read_costs(path, [0, 1]).matrix == ((0, 1), (30, 0))


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("a.json", "{", SourceError, "is not JSON"),
        ("a.json", "[1, 2]", SourceError, "Nest the labels"),
        ("a.csv", ",a,b\na,0,1\n", SourceError, "square table"),
        ("a.csv", "", SourceError, "square table"),
        ("a.json", '{"frod": {"a": 1}}', ArgumentError, "no label of the data"),
        ("a.json", '{"a": {"b": 1}}', ArgumentError, "take `a` for `c`"),
        ("a.json", json.dumps(NESTED).replace("6", '"six"'), ArgumentError, "got `six` for `c`"),
    ],
)
def test_files_are_checked(tmp_path, name, text, error, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_costs(path, CLASSES)


def test_a_missing_file(tmp_path):
    with pytest.raises(SourceError, match="cannot be read"):
        read_costs(tmp_path / "none.csv", CLASSES)
