"""Checks of single numbers, each with the sentence that says what is wrong."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

from kilter._errors import ArgumentError


def not_negative(name: str, value: Any, hint: str = "") -> float:
    """Return a number as a float; raise unless it is finite and at least 0."""
    number = _to_float(value)
    if not 0 <= number < math.inf:
        raise ArgumentError(
            f"`{name}` must be a finite number of at least 0; got {value}. {hint}".rstrip()
        )
    return number


def above_zero(name: str, value: Any, hint: str = "") -> float:
    """Return a number as a float; raise unless it is finite and above 0."""
    number = _to_float(value)
    if not 0 < number < math.inf:
        raise ArgumentError(f"`{name}` must be above 0; got {value}. {hint}".rstrip())
    return number


def is_whole(value: Any) -> bool:
    """Say whether a value is a whole number of Python's or numpy's; a truth value is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def whole(name: str, value: Any, least: int) -> int:
    """Return a whole number as an int; raise unless it is one, and at least ``least``."""
    if not is_whole(value) or value < least:
        raise ArgumentError(f"`{name}` must be a whole number of at least {least}; got {value!r}.")
    return int(value)


def _to_float(value: Any) -> float:
    return float(value) if hasattr(value, "__float__") else math.nan
