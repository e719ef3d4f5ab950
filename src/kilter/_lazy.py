"""Load names when they are first used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any


def find(package: str, homes: Mapping[str, str], name: str) -> Any:
    """Return a name from the module of a package that is its home; for ``__getattr__``.

    Examples
    --------
    >>> find("kilter", {"ArgumentError": "_errors"}, "ArgumentError").__name__
    'ArgumentError'
    """
    if name not in homes:
        raise AttributeError(f"module `{package}` has no attribute `{name}`")
    return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)
