"""Names are loaded when they are first used, and not before."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kilter._lazy import find


def test_a_name_comes_from_its_home() -> None:
    from kilter._errors import ArgumentError

    assert find("kilter", {"ArgumentError": "_errors"}, "ArgumentError") is ArgumentError


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module `kilter` has no attribute `nothing`"):
        find("kilter", {"ArgumentError": "_errors"}, "nothing")


@pytest.mark.parametrize("module", ["kilter.metrics", "kilter.decide"])
def test_scores_and_decisions_need_no_keras(module: str) -> None:
    code = f"import {module}, sys; sys.exit('keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
