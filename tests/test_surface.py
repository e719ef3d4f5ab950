"""The public names: sorted, loadable, and explained."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kilter

PACKAGE = Path(kilter.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
PACKAGES = sorted(p.parent.name for p in PACKAGE.glob("*/__init__.py"))
COMMANDS = ("demo", "inspect", "compare", "predict", "report")


def short(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def explained(value: object) -> bool:
    """Say whether a name has its own docstring; constants need none."""
    if not (inspect.isclass(value) or inspect.isroutine(value) or inspect.ismodule(value)):
        return True
    return bool((getattr(value, "__doc__", None) or "").strip())


def place(name: str) -> tuple[int, str]:
    """Return the sort key that the linter uses too: constants, classes, then the rest."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


@pytest.mark.parametrize("name", ["kilter", *(f"kilter.{p}" for p in PACKAGES)])
def test_all_is_sorted_and_resolves(name: str) -> None:
    module = importlib.import_module(name)
    assert list(module.__all__) == sorted(set(module.__all__), key=place)
    missing = [n for n in module.__all__ if not hasattr(module, n)]
    assert not missing


@pytest.mark.parametrize("name", ["kilter", *(f"kilter.{p}" for p in PACKAGES)])
def test_public_names_are_explained(name: str) -> None:
    module = importlib.import_module(name)
    silent = [n for n in module.__all__ if not explained(getattr(module, n))]
    assert not silent


@pytest.mark.parametrize("path", MODULES, ids=short)
def test_every_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        kilter.no_such_name  # noqa: B018


def test_dir_lists_the_public_names() -> None:
    assert set(kilter.__all__) <= set(dir(kilter))


def test_the_commands_exist() -> None:
    call = [sys.executable, "-c", "from kilter.cli import main; main()", "--help"]
    done = subprocess.run(call, capture_output=True, text=True, check=True, timeout=60)
    missing = [c for c in COMMANDS if not re.search(rf"\b{c}\b", done.stdout)]
    assert not missing
