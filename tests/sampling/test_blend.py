"""Blends lie between two rows, in their type."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter.sampling.blend import blend, to_type


def test_pixels_do_not_wrap_around() -> None:
    own, others = np.array([[250, 0, 7]], "uint8"), np.array([[0, 255, 8]], "uint8")
    found = blend(own, others, np.array([0.3], "float32"))
    assert found.dtype == np.uint8
    assert found.tolist() == [[175, 76, 7]]  # 250 - 75, 76.5 to even, 7.3


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float16", "float32", "float64", "bool"])
@given(seed=st.integers(0, 99))
def test_a_blend_lies_between_the_two_and_keeps_the_type(dtype: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    own, others = (rng.integers(0, 200, size=(5, 2, 3)).astype(dtype) for _ in range(2))
    shares = rng.random(5, dtype=np.float32)
    found = blend(own, others, shares)
    assert found.dtype == own.dtype
    share = shares[:, None, None].astype(float)
    exact = (1 - share) * own.astype(float) + share * others.astype(float)
    step = 0.5 if own.dtype.kind != "f" else 0.2 if dtype == "float16" else 1e-4
    assert np.abs(found.astype(float) - exact).max() <= step + 1e-4


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("uint8", [2, 2, 0, 255]),
        ("int8", [2, 2, -4, 127]),
        ("bool", [True, True, False, True]),
        ("float32", [1.6, 2.4, -4.4, 300]),
    ],
)
def test_numbers_are_rounded_into_what_a_type_holds(dtype: str, expected: list) -> None:
    found = to_type(np.array([1.6, 2.4, -4.4, 300]), np.dtype(dtype))
    assert found.dtype == dtype
    np.testing.assert_allclose(found.astype(float), np.array(expected, float), rtol=1e-6)
