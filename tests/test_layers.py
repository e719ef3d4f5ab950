"""Imports go one way: down the list of layers, and never in a circle."""

from __future__ import annotations

import ast
import graphlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "kilter"

# Lowest first: a module may import what stands before it.
LAYERS = (
    *(
        "_errors",
        "_numbers",
        "_types",
        "_export",
        "_lazy",
        "_backend",
        "_ops",
        "_targets",
        "_containers",
    ),
    *(
        "data",
        "tally",
        "weights",
        "sampling",
        "augment",
        "losses",
        "metrics",
        "callbacks",
        "models",
    ),
    *(
        "decide",
        "ensemble",
        "artifact",
        "report",
        "comparison",
        "estimator",
        "_terminal",
        "cli",
        "__main__",
    ),
)
HEAVY = {"keras", "pandas", "polars", "sklearn", "jax", "torch", "tensorflow", "pyarrow", "numpy"}


def module_name(path: Path) -> str:
    parts = ("kilter", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def statements(node: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield every import, inside functions too, but not what only a type checker reads."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from statements(ast.Module([other], []))
        elif isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        else:
            yield from statements(child)


def targets(statement: ast.Import | ast.ImportFrom, module: str, is_package: bool) -> set[str]:
    """Return the modules that one statement asks for."""
    if isinstance(statement, ast.Import):
        return {alias.name for alias in statement.names}
    base = statement.module or ""
    if statement.level:
        up = statement.level - is_package
        parents = module.split(".")[: len(module.split(".")) - up]
        base = ".".join([*parents, base] if base else parents)
    inner = {f"{base}.{alias.name}" for alias in statement.names}
    return {name if name in MODULES else base for name in inner}


def imports(source: str, module: str, is_package: bool = False) -> set[str]:
    """Return the modules of kilter that a module's source imports."""
    found = {t for s in statements(ast.parse(source)) for t in targets(s, module, is_package)}
    return {t for t in found if t.split(".")[0] == "kilter"} - {module}


GRAPH = {
    name: imports(path.read_text(encoding="utf-8"), name, path.name == "__init__.py")
    for name, path in MODULES.items()
    if name != "kilter"  # loads its names lazily, from anywhere
}


def layer(module: str) -> int:
    return LAYERS.index(module.split(".")[1]) if "." in module else len(LAYERS)


def folder(module: str) -> str:
    return module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]


@pytest.mark.parametrize("module", GRAPH)
def test_every_module_has_a_layer(module: str) -> None:
    assert module.split(".")[1] in LAYERS, "give it a place in LAYERS and in the layout"


@pytest.mark.parametrize("module", GRAPH)
def test_imports_go_down(module: str) -> None:
    upward = {t for t in GRAPH[module] if layer(t) > layer(module)}
    assert not upward, f"{module} stands below {', '.join(sorted(upward))}"


def test_there_is_no_circle() -> None:
    graphlib.TopologicalSorter(GRAPH).prepare()  # CycleError names the circle


@pytest.mark.parametrize("module", [m for m in GRAPH if m.endswith(".base")])
def test_base_stands_below_its_siblings(module: str) -> None:
    siblings = {t for t in GRAPH[module] if folder(t) == folder(module)}
    assert not siblings, f"{module} imports {', '.join(sorted(siblings))}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import kilter.report", {"kilter.report"}),
        ("import numpy", set()),
        ("from kilter import report", {"kilter.report"}),
        ("from kilter import compare", {"kilter"}),
        ("from kilter.report import render", {"kilter.report.render"}),
        ("from kilter._types import Part", {"kilter._types"}),
        ("from .. import report", {"kilter.report"}),
        ("from ..report import write", {"kilter.report"}),
        ("def f():\n    import kilter.report", {"kilter.report"}),
        ("if TYPE_CHECKING:\n    import kilter.report", set()),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import kilter.report", {"kilter.report"}),
    ],
)
def test_what_counts_as_an_import(source: str, expected: set[str]) -> None:
    assert imports(source, "kilter.losses.focal") == expected


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return {name.split(".")[0] for name in json.loads(done.stdout)}


def test_importing_kilter_loads_nothing_heavy() -> None:
    assert not loaded_by("import kilter") & HEAVY


def test_the_command_line_starts_light() -> None:
    assert not loaded_by("import kilter.cli") & HEAVY


def test_draws_need_no_samplers() -> None:
    assert not loaded_by("import kilter.sampling") & {"keras", "sklearn", "imblearn", "pandas"}
