"""What the rows are that a network of one's own is made for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kilter.models.rows import Rows

COLUMNS, IMAGES, TEXTS = Rows((5,)), Rows((8, 6, 3)), Rows((4,), 9)


@pytest.mark.parametrize(
    ("rows", "told", "name", "dtype"),
    [
        (COLUMNS, 5, "width", "float32"),
        (IMAGES, (8, 6, 3), "shape", "float32"),
        (TEXTS, (4, 9), "shape", "int32"),
    ],
)
def test_what_a_function_is_told(rows: Rows, told: Any, name: str, dtype: str) -> None:
    assert (rows.told, rows.name, rows.dtype) == (told, name, dtype)


@pytest.mark.parametrize("rows", [COLUMNS, IMAGES, TEXTS])
def test_examples_are_such_rows(rows: Rows) -> None:
    found = rows.example()
    assert found.shape[1:] == rows.shape
    assert found.dtype == rows.dtype
    np.testing.assert_array_equal(found, rows.example())


def test_examples_of_texts_are_words_that_there_are() -> None:
    assert set(TEXTS.example().ravel()) == set(range(9))


@pytest.mark.parametrize(
    ("rows", "advice"),
    [
        (COLUMNS, "rows of 5 columns, as many as the encoded table has"),
        (IMAGES, "images of 8 x 6 x 3, pixels from 0 to 255. Give a function"),
        (TEXTS, "texts of 4 word numbers below 9, 0 for none. Give a function"),
    ],
)
def test_advice_names_them(rows: Rows, advice: str) -> None:
    assert rows.advice.startswith(advice)
