"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from kilter.report import formats


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (formats.number(0.12345), "0.123"),
        (formats.number(-0.5, 1), "−0.5"),
        (formats.number(None), "–"),
        (formats.number(0.0001), "<0.001"),
        (formats.number(0), "0.000"),
        (formats.signed(0.0123), "+0.012"),
        (formats.signed(-0.0123), "−0.012"),
        (formats.signed(-0.0), "0.000"),
        (formats.bounds([0.1, 0.2]), "0.100 to 0.200"),
        (formats.bounds([-0.1, 0.2], sign=True), "−0.100 to +0.200"),
        (formats.bounds(None), ""),
        (formats.percent(0.234), "23%"),
        (formats.percent(0.0234), "2.3%"),
        (formats.percent(0.00234), "0.23%"),
        (formats.percent(0.0000234), "<0.01%"),
        (formats.percent(0.0), "0%"),
        (formats.chance(0.999), ">99%"),
        (formats.chance(0.001), "<1%"),
        (formats.chance(0.5), "50%"),
        (formats.count(1234567), "1,234,567"),
        (formats.seconds(14.25), "14.2 s"),
        (formats.seconds(90), "1.5 min"),
        (formats.seconds(5400), "1.5 h"),
        (formats.size(1048576 * 3 // 2), "1.5 MiB"),
        (formats.size(1 << 30), "1.0 GiB"),
        (formats.size(12.5 * 2**30), "12.5 GiB"),
    ],
)
def test_numbers_as_people_read_them(shown: str, expected: str) -> None:
    assert shown == expected


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf, "0.5"])
def test_what_is_no_number_is_a_dash(value: object) -> None:
    assert not formats.is_number(value)
    for write in set(formats.ALL) - {formats.bounds}:
        assert write(value) == "–"
    assert formats.bounds([0.1, value]) == ""
