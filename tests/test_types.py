"""The values between the layers: frozen, sliced in order, and typed by what they may be for."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from kilter._errors import ArgumentTypeError, KilterError
from kilter._types import (
    Column,
    Dataset,
    Features,
    Part,
    Schema,
    Scores,
    TestScores,
    Train,
    Validation,
    ValidationScores,
    require_part,
)
from kilter._types import Test as TestPart

NUMBERS = np.array([[0.5, np.nan], [1.5, 2.0], [2.5, 3.0], [3.5, 4.0]])
CODES = np.array([[0], [1], [-1], [-2]], np.int32)


@pytest.fixture
def dataset() -> Dataset:
    schema = Schema((Column("a", "number"), Column("c", "category", ("x", "y"))), "t", (0, 1))
    return Dataset("made", schema, Features(NUMBERS, CODES), np.array([0, 1, 0, 1]))


def test_features_are_taken_in_the_order_asked_for() -> None:
    taken = Features(NUMBERS, CODES).take(np.array([3, 0, 0]))
    np.testing.assert_array_equal(taken.numbers, [[3.5, 4.0], [0.5, np.nan], [0.5, np.nan]])
    np.testing.assert_array_equal(taken.codes, [[-2], [0], [0]])
    assert taken.codes.dtype == np.int32
    assert len(taken) == 3


@pytest.mark.parametrize("part", [Train, Validation, TestPart])
def test_a_part_is_cut_out_of_a_dataset_and_keeps_its_type(
    dataset: Dataset, part: type[Part]
) -> None:
    cut = part.of(dataset, np.array([1, 2]))
    assert type(cut) is part
    assert (len(cut), len(dataset)) == (2, 4)
    np.testing.assert_array_equal(cut.features.numbers, [[1.5, 2.0], [2.5, 3.0]])
    np.testing.assert_array_equal(cut.labels, [1, 0])


def test_values_do_not_change(dataset: Dataset) -> None:
    with pytest.raises(FrozenInstanceError):
        dataset.name = "other"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        dataset.schema.target = "other"  # type: ignore[misc]


@pytest.mark.parametrize("given", [TestPart, Validation, Part])
def test_nothing_but_a_training_part_is_fitted_on(dataset: Dataset, given: type[Part]) -> None:
    require_part(Train.of(dataset, np.array([0])), Train, "SMOTE")
    with pytest.raises(ArgumentTypeError, match=rf"^`SMOTE` .*`Train`.*`{given.__name__}`") as info:
        require_part(given.of(dataset, np.array([0])), Train, "SMOTE")
    assert isinstance(info.value, KilterError)


@pytest.mark.parametrize("given", [TestScores, Scores])
def test_nothing_but_validation_scores_tunes(given: type[Scores]) -> None:
    with pytest.raises(ArgumentTypeError, match="`ValidationScores` only"):
        require_part(given(np.array([0]), np.ones((1, 2)) / 2), ValidationScores, "scores")
