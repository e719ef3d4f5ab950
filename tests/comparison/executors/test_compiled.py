"""A program is compiled once a process, and another one apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import kilter.comparison.executors.compiled as module
from kilter.comparison.executors.compiled import compile_once
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.prepare import lanes_of

DEVICES = jax.devices()[:1]


@pytest.fixture(autouse=True)
def programs(monkeypatch: pytest.MonkeyPatch) -> dict[Any, Any]:
    """Begin with nothing compiled."""
    monkeypatch.setattr(module, "_programs", {})
    return module._programs


def lowered(factor: float, argument: Any = 1.0) -> Any:
    return jax.jit(lambda x: jax.tree.map(lambda leaf: leaf * factor, x)).lower(argument)


def test_what_is_alike_is_compiled_once() -> None:
    assert compile_once(lowered(2.0), DEVICES) is compile_once(lowered(2.0), DEVICES)


@pytest.mark.parametrize(
    "other", [(3.0, 1.0), (2.0, jnp.ones(2)), (2.0, {"x": 1.0})], ids=["number", "shape", "tree"]
)
def test_another_number_shape_or_tree_is_another_program(other: Any) -> None:
    first, second = compile_once(lowered(2.0), DEVICES), compile_once(lowered(*other), DEVICES)
    assert first is not second
    assert float(first(1.0)) == 2


@pytest.fixture(params=[False, True])
def constants_apart(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Whether JAX leaves the constants of a program out of its text."""
    before = jax.config.jax_use_simplified_jaxpr_constants
    jax.config.update("jax_use_simplified_jaxpr_constants", request.param)
    yield request.param
    jax.config.update("jax_use_simplified_jaxpr_constants", before)


@pytest.mark.parametrize("kind", [np.asarray, jnp.asarray])
def test_another_array_that_is_enclosed_is_another_program(
    constants_apart: bool, programs: dict[Any, Any], kind: Callable
) -> None:
    for factor in (2.0, 3.0):
        enclosed = kind(np.full(5000, factor, "float32"))
        program = compile_once(
            jax.jit(lambda x, array=enclosed: (x * array).sum()).lower(1.0), DEVICES
        )
        assert float(program(1.0)) == 5000 * factor
    assert len(programs) == (0 if constants_apart else 2)


def test_an_argument_that_is_not_used_counts_too() -> None:
    for size in (2, 3):
        unused = jnp.ones(size)
        program = compile_once(jax.jit(lambda x, y: x + 1).lower(1.0, unused), DEVICES)
        assert float(program(1.0, unused)) == 2


def test_other_devices_have_programs_of_their_own() -> None:
    compile_once(lowered(2.0), DEVICES)
    assert compile_once(lowered(2.0), [*DEVICES, *DEVICES]) is not compile_once(
        lowered(2.0), DEVICES
    )


def test_the_latest_are_kept(programs: dict[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT", 2)
    first, second = (compile_once(lowered(factor), DEVICES) for factor in (1.0, 2.0))
    assert compile_once(lowered(1.0), DEVICES) is first  # now the later one of the two
    compile_once(lowered(3.0), DEVICES)
    assert len(programs) == 2
    assert compile_once(lowered(1.0), DEVICES) is first
    assert compile_once(lowered(2.0), DEVICES) is not second


def test_tables_of_nearly_as_many_rows_train_by_one_program(
    programs: dict[Any, Any], task_of: Callable
) -> None:
    for rows in ((300, 270), (299, 271)):
        task = task_of(2, epochs=1, rows=rows)
        assert len(list(Lanes().train(task, lanes_of(task.plan)))) == len(lanes_of(task.plan))
        assert len(programs) == 4  # randomness ahead, steps, score, logits
