"""The error tree: one root, and the built-in class that people already catch."""

from __future__ import annotations

import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter import _errors
from kilter._errors import KilterError, did_you_mean

BUILT_IN = {
    "ArgumentError": ValueError,
    "ArgumentTypeError": TypeError,
    "DataError": ValueError,
    "SchemaError": ValueError,
    "TooFewRowsError": ValueError,
    "SourceError": OSError,
    "OutputError": OSError,
    "ArtifactError": ValueError,
    "BackendError": RuntimeError,
}
CLASSES = {
    name: value
    for name, value in vars(_errors).items()
    if inspect.isclass(value) and issubclass(value, KilterError) and value is not KilterError
}


def test_the_tree_is_complete() -> None:
    assert CLASSES.keys() == BUILT_IN.keys()


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_error_is_caught_by_the_root_and_by_its_built_in_class(name: str) -> None:
    error = CLASSES[name]("`x` must be 1; got 2.")
    assert isinstance(error, KilterError)
    assert isinstance(error, BUILT_IN[name])
    assert str(error) == "`x` must be 1; got 2."


def test_what_is_about_the_table_is_a_data_error() -> None:
    below = {name for name, value in CLASSES.items() if issubclass(value, _errors.DataError)}
    assert below == {"DataError", "SchemaError", "TooFewRowsError"}


@pytest.mark.parametrize("name", CLASSES)
def test_the_tree_in_the_docstring_shows_it(name: str) -> None:
    (line,) = (line for line in (_errors.__doc__ or "").splitlines() if f"─ {name} " in line)
    parent = CLASSES[name].__mro__[1]
    assert line.startswith("    │") == (parent is _errors.DataError)
    if parent is KilterError:
        assert f"({BUILT_IN[name].__name__})" in line


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("smotte", " Did you mean `smote`?"),
        ("focall", " Did you mean `focal`?"),
        ("zzzz", ""),
        ("", ""),
    ],
)
def test_did_you_mean(name: str, hint: str) -> None:
    assert did_you_mean(name, ["none", "smote", "focal"]) == hint


@pytest.mark.parametrize("name", ["Rate", "rate", "RATE"])
def test_names_that_differ_in_case_only(name: str) -> None:
    assert did_you_mean(name, ["Rate", "rate", "RATE"]) == f" Did you mean `{name}`?"


@given(st.lists(st.text(min_size=1), min_size=1))
def test_a_known_name_is_its_own_nearest(known: list[str]) -> None:
    assert did_you_mean(known[0], iter(known)) == f" Did you mean `{known[0]}`?"
