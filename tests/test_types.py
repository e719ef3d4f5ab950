"""The values between the layers: frozen, sliced in order, and typed by what they may be for."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from kilter._errors import ArgumentTypeError, KilterError
from kilter._types import (
    Column,
    Dataset,
    Features,
    Images,
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


PIXELS = np.arange(4 * 2 * 3, dtype=np.uint8).reshape(4, 2, 3, 1)
FILES = np.array(["a.png", "b.png", "c.png", "d.png"])


def test_images_are_taken_in_the_order_asked_for() -> None:
    taken = Images(PIXELS, FILES).take(np.array([3, 0, 0]))
    np.testing.assert_array_equal(taken.pixels, PIXELS[[3, 0, 0]])
    assert taken.files.tolist() == ["d.png", "a.png", "a.png"]
    assert len(taken) == 3
    assert Images(PIXELS, FILES).take(np.array([True, False, False, True])).files.tolist() == [
        "a.png",
        "d.png",
    ]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ((), "table"),
        ((Column("x", "number"),), "table"),
        ((Column("x", "category"), Column("y", "date")), "table"),
        ((Column("image", "image", shape=(2, 3, 1)),), "image"),
    ],
)
def test_what_a_row_is(columns: tuple[Column, ...], kind: str) -> None:
    assert Schema(columns, "t", (0, 1)).kind == kind


class TestHeldOut:
    def test_all_may_be_learned_from_where_none_is_held_out(self, dataset: Dataset) -> None:
        assert dataset.held_out is None
        np.testing.assert_array_equal(dataset.learned_labels, [0, 1, 0, 1])

    def test_what_is_held_out_is_not_learned_from(self, dataset: Dataset) -> None:
        held = replace(dataset, held_out=np.array([True, False, False, True]))
        np.testing.assert_array_equal(held.learned_labels, [1, 0])

    def test_rows_are_taken_with_all_that_is_known_of_them(self, dataset: Dataset) -> None:
        known = {
            "groups": np.array([7, 8, 9, 6]),
            "times": np.array([0.5, 1.5, 2.5, 3.5]),
            "held_out": np.array([True, False, False, True]),
        }
        rows = np.array([3, 1])
        taken = replace(dataset, **known).take(rows)
        for name, values in known.items():
            np.testing.assert_array_equal(getattr(taken, name), values[rows])
        np.testing.assert_array_equal(taken.labels, [1, 1])
        np.testing.assert_array_equal(taken.features.codes, CODES[rows])
        assert taken.schema is dataset.schema
        assert dataset.take(rows).groups is None
        assert dataset.take(rows).held_out is None
