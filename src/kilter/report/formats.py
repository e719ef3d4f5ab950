"""Numbers as people read them; what is missing or not finite becomes a dash."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

NOTHING = "–"


def is_number(value: Any) -> bool:
    """Say whether a value can be shown or drawn: a finite number, and no None."""
    return isinstance(value, int | float) and math.isfinite(value)


def number(value: Any, digits: int = 3) -> str:
    """Format a score; a small one is not rounded down to nothing."""
    if not is_number(value):
        return NOTHING
    least = 10.0**-digits
    return f"<{least:.{digits}f}" if 0 < value < least / 2 else _minus(f"{value:.{digits}f}")


def signed(value: Any, digits: int = 3) -> str:
    """Format a difference with its sign."""
    if not is_number(value):
        return NOTHING
    text = _minus(f"{value:+.{digits}f}")
    return text if text.strip("+−0.") else text[1:]


def bounds(pair: Sequence[float | None] | None, sign: bool = False) -> str:
    """Format an interval, or nothing when there is none."""
    if not pair or not all(is_number(v) for v in pair):
        return ""
    return " to ".join((signed if sign else number)(v) for v in pair)


def percent(value: Any) -> str:
    """Format a share with the decimals that a small one needs."""
    if not is_number(value):
        return NOTHING
    points = 100 * value
    digits = 0 if points >= 10 or points == 0 else 1 if points >= 1 else 2
    return f"{points:.{digits}f}%" if points == 0 or points >= 0.01 else "<0.01%"


def chance(value: Any) -> str:
    """Format a probability without claiming certainty."""
    if not is_number(value):
        return NOTHING
    return "<1%" if value < 0.01 else ">99%" if value > 0.99 else f"{100 * value:.0f}%"


def count(value: Any) -> str:
    """Format a whole number with its thousands set apart."""
    return f"{value:,.0f}" if is_number(value) else NOTHING


def seconds(value: Any) -> str:
    """Format a duration as people say it."""
    if not is_number(value):
        return NOTHING
    if value < 60:
        return f"{value:.1f} s"
    return f"{value / 60:.1f} min" if value < 3600 else f"{value / 3600:.1f} h"


def size(value: Any) -> str:
    """Format a number of bytes."""
    if not is_number(value):
        return NOTHING
    mib = value / 2**20
    return f"{mib:.1f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"


def _minus(text: str) -> str:
    return text.replace("-", "−")


ALL = (number, signed, bounds, percent, chance, count, seconds, size)
