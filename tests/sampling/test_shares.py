"""Shares: powers of the counts, shares as asked, and what goes from one to another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter._errors import ArgumentError
from kilter.sampling import Progressive
from kilter.sampling.shares import find_shares, share_out

CLASSES, COUNTS = np.arange(2), np.array([80, 20])


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        ("natural", [0.8, 0.2]),
        ("square-root", [2 / 3, 1 / 3]),  # sqrt(80) to sqrt(20) is 2 to 1
        ("balanced", [0.5, 0.5]),
        (1, [0.8, 0.2]),
        (np.float32(0.5), [2 / 3, 1 / 3]),
        (-1, [0.2, 0.8]),
        ({1: 0.3, 0: 0.7}, [0.7, 0.3]),
        ({0: 1, 1: 3}, [0.25, 0.75]),
        ([0.9, 0.1], [0.9, 0.1]),
        (np.array([0.0, 2.0]), [0, 1]),
    ],
)
def test_shares_by_a_power_or_as_asked(draw: Any, expected: list[float]) -> None:
    np.testing.assert_allclose(find_shares(draw, CLASSES, COUNTS), expected, rtol=1e-12)


def test_shares_go_by_the_name_of_the_class() -> None:
    classes = np.array([-1, 4])  # rows without a label, and those of label 4
    assert find_shares({4: 0.75, -1: 0.25}, classes, COUNTS).tolist() == [0.25, 0.75]
    assert find_shares([0, 0, 0, 0, 1], np.array([4]), COUNTS[:1]).tolist() == [1]


def test_a_progressive_draw_goes_evenly_from_one_to_the_other() -> None:
    # Kang et al. 2020, equation 3, between .8 and .5 by hand
    draw = Progressive(epochs=4)
    found = [find_shares(draw, CLASSES, COUNTS, epoch)[0] for epoch in range(6)]
    np.testing.assert_allclose(found, [0.8, 0.7, 0.6, 0.5, 0.5, 0.5])
    assert find_shares(Progressive(1), CLASSES, COUNTS)[0] == 0.5
    other = Progressive(epochs=3, start="balanced", end={0: 0.1, 1: 0.9})
    np.testing.assert_allclose(find_shares(other, CLASSES, COUNTS, 1), [0.3, 0.7])


@given(
    counts=st.lists(st.integers(1, 10**7), min_size=1, max_size=9),
    power=st.floats(-500, 500),
    epoch=st.integers(0, 20),
)
def test_shares_are_finite_and_sum_to_one(counts: list[int], power: float, epoch: int) -> None:
    draw = Progressive(10, start=power, end="natural")
    found = find_shares(draw, np.arange(len(counts)), np.array(counts), epoch)
    assert (found > 0).all()
    assert found.sum() == pytest.approx(1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.integers(9, 1000))
def test_draws_are_shared_out_whole_and_only_to_those_with_a_share(
    shares: list[float], total: int
) -> None:
    if not sum(shares):
        return
    found = share_out(np.array(shares), total)
    assert found.sum() == total
    assert ((found > 0) == (np.array(shares) > 0)).all()


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        ("balance", "`draw` must be one of natural, .* got `balance`. Did you mean `balanced`"),
        ("progressive", "`draw` must be .*Progressive\\(epochs=30\\)"),
        (float("nan"), "`draw` must be one of"),
        (None, "`draw` must be one of"),
        ({0: 0.5}, "`draw` must have a share for each class .*; 1 lack one, and none have no"),
        ({0: 0.5, 1: 0.4, 7: 0.1}, "none lack one, and 7 have no rows"),
        ([1.0], "1 lack one"),
        ({0: -1, 1: 2}, "`draw` must have shares of at least 0"),
        ({0: 0, 1: 0}, "not all 0"),
    ],
)
def test_what_is_no_draw_is_refused(draw: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        find_shares(draw, CLASSES, COUNTS)


def test_a_progressive_draw_checks_what_it_is_made_of() -> None:
    with pytest.raises(ArgumentError, match="`epochs` must be a whole number above 0"):
        Progressive(epochs=0)
    with pytest.raises(ArgumentError, match="`start` and `end` must be draws that do not change"):
        Progressive(3, start=Progressive(3))
