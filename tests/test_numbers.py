"""Checks of single numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from kilter._errors import ArgumentError
from kilter._numbers import above_zero, is_whole, not_negative

NO_NUMBERS = [-0.1, float("nan"), float("inf"), "2", None, [1.0]]


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_not_negative(value: Any) -> None:
    with pytest.raises(ArgumentError, match="`tau` must be a finite number of at least 0; got"):
        not_negative("tau", value)


@pytest.mark.parametrize("value", [0, *NO_NUMBERS])
def test_above_zero(value: Any) -> None:
    with pytest.raises(ArgumentError, match=r"`scale` must be above 0; got .* The paper takes 30"):
        above_zero("scale", value, "The paper takes 30.")


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int8(2), np.array(2.0)])
def test_numbers_become_floats(value: Any) -> None:
    for found in (not_negative("tau", value), above_zero("tau", value)):
        assert type(found) is float
        assert found == 2
    assert not_negative("tau", 0) == 0


def test_whole_numbers() -> None:
    assert all(map(is_whole, [0, -3, np.int64(7), np.uint8(1)]))
    assert not any(map(is_whole, [True, np.True_, 1.0, np.float32(1), "1", None]))
