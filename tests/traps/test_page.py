"""The page of the traps tells of the tests that there are."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("traps_page", ROOT / "docs" / "traps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_line_has_a_test_and_every_test_a_line(script) -> None:
    assert {script.line_of(test) for test in script.files()} == {*script.ADVICE, *script.TRAPS}


def test_the_page_shows_every_test_and_no_other(script) -> None:
    page = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
    shown = {line.split(" | ")[3] for line in page.splitlines() if "../tests/traps/" in line}
    there = {
        f"[{test[9:].replace('_', ' ')}](../tests/traps/{file})"
        for test, file in script.files().items()
    }
    assert shown == there


def test_every_test_passes_on_every_backend(script) -> None:
    page = (ROOT / "docs" / "traps.md").read_text(encoding="utf-8")
    assert "does not pass" not in page
