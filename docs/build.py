"""Write docs/reference.md: every public name with the first line of its docstring."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

import kilter

HERE = Path(__file__).parent
PACKAGES = sorted(p.parent.name for p in Path(kilter.__file__).parent.glob("*/__init__.py"))


def first_line(value: object) -> str:
    """Return what a docstring says first, or what a constant is; fit for a table cell."""
    if isinstance(value, str | int | float):
        return f"`{value!r}`"
    if isinstance(value, dict):
        return ", ".join(f"`{key}`" for key in value)
    text = (inspect.getdoc(value) or "").partition("\n")[0]
    return text.replace("|", "\\|")


def section(name: str) -> Iterator[str]:
    """Yield the lines of one module: its heading, its purpose, its names."""
    module = importlib.import_module(name)
    yield from (f"## {name}", "", first_line(module), "", "| name | what it is |", "|---|---|")
    for public in module.__all__:
        yield f"| `{public}` | {first_line(getattr(module, public))} |"
    yield ""


def main() -> None:
    """Write the page."""
    head = ["# Reference", "", "Written by `make docs`; do not edit.", ""]
    modules = ["kilter", *(f"kilter.{p}" for p in PACKAGES)]
    lines = [line for name in modules for line in section(name)]
    (HERE / "reference.md").write_text("\n".join([*head, *lines]).rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    main()
