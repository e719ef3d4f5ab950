"""Staging: the same numbers as the function as it is, and what lanes share comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from jax.extend import core

from kilter.comparison.executors.base import Task
from kilter.comparison.executors.program import Program
from kilter.comparison.executors.staging import Stages, stage
from kilter.comparison.prepare import lanes_of
from kilter.comparison.training import Loss


def through(function: Callable[..., Any], *arguments: Any) -> Any:
    """Run a function of no shared state by its stages."""
    stages = stage(lambda shared, *rest: (shared, function(*rest)), (), *arguments)
    return jax.jit(stages.step)(stages.ahead(())[1], *arguments)


def names(function: Callable[..., Any], *arguments: Any) -> set[str]:
    """Return the names of all operations of a function."""

    def inside(jaxpr: Any) -> Iterator[str]:
        for equation in jaxpr.eqns:
            yield equation.primitive.name
            for inner in core.jaxprs_in_params(equation.params):
                yield from inside(inner)

    return set(inside(jax.make_jaxpr(function)(*arguments).jaxpr))


def test_what_is_left_for_the_step_draws_nothing() -> None:
    def function(key: Any, x: Any) -> Any:
        return key, x @ x * jax.random.bernoulli(key, 0.5, (2, 2))

    stages = stage(function, jax.random.PRNGKey(0), jnp.eye(2))
    left = {equation.primitive.name for equation in stages.late}
    assert {"dot_general", "mul"} <= left
    assert not left & {"random_bits", "random_wrap", "lt"}


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 4)])
def test_random_bits_are_those_of_jax(shape: tuple[int, ...]) -> None:
    draw = partial(jax.random.bits, shape=shape)
    stages = stage(lambda key: (key, draw(key)), jax.random.PRNGKey(0))
    assert "random_bits" not in names(stages.ahead, jax.random.PRNGKey(0))
    for seed in (0, 1, 2**31 - 1):
        key = jax.random.PRNGKey(seed)
        np.testing.assert_array_equal(through(draw, key), draw(key))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32"])
def test_bits_of_any_width_are_those_of_jax(dtype: str) -> None:
    draw = partial(jax.random.bits, shape=(33,), dtype=dtype)
    key = jax.random.PRNGKey(3)
    np.testing.assert_array_equal(through(draw, key), draw(key))


@pytest.mark.parametrize("name", ["rbg", "threefry2x32"])
def test_keys_of_any_kind_draw_what_jax_draws(name: str) -> None:
    def draw(words: Any) -> Any:
        return jax.random.normal(jax.random.wrap_key_data(words, impl=name), (5, 3))

    words = jax.random.key_data(jax.random.key(1, impl=name))
    np.testing.assert_array_equal(through(draw, words), draw(words))


def over_rows(one: Any, other: Any) -> Any:
    """Multiply as the gradient of a dense layer's weights does."""
    return jax.lax.dot_general(one, other, (((0,), (0,)), ((), ())))


@pytest.mark.parametrize(("left", "right"), [(1, 1), (5, 2), (2, 5), (4, 4), (1, 9)])
def test_a_product_over_rows_is_the_product(left: int, right: int) -> None:
    random = np.random.default_rng([left, right])
    one, other = random.normal(size=(7, left)), random.normal(size=(7, right))
    product = partial(over_rows, other=np.float32(other))
    assert "optimization_barrier" in names(partial(through, product), np.float32(one))
    found = through(product, np.float32(one))
    np.testing.assert_allclose(found, one.T @ other, rtol=1e-4, atol=1e-5)
    found = jax.vmap(partial(through, product))(np.float32([one, 2 * one]))
    np.testing.assert_allclose(found, [one.T @ other, 2 * one.T @ other], rtol=1e-4, atol=1e-5)


def dropout_step(seeds: Any, weights: Any, x: Any) -> Any:
    def loss(weights: Any) -> Any:
        hidden = jax.nn.relu(x @ weights)
        kept = jax.random.bernoulli(seeds, 0.5, hidden.shape)
        return (jnp.where(kept, hidden, 0) ** 2).sum()

    return seeds + jnp.array([0, 1], jnp.uint32), weights - jax.grad(loss)(weights)


@pytest.fixture(scope="module")
def staged() -> tuple[Stages, tuple[Any, Any, Any]]:
    random = np.random.default_rng(0)
    x, weights = random.normal(size=(6, 3)), random.normal(size=(3, 4))
    arguments = (jax.random.PRNGKey(5), jnp.float32(weights), jnp.float32(x))
    return stage(dropout_step, *arguments), arguments


def test_stages_do_what_the_function_does(staged: Any) -> None:
    stages, (seeds, weights, x) = staged
    for _ in range(3):
        expected_seeds, expected = dropout_step(seeds, weights, x)
        seeds, kept = stages.ahead(seeds)
        weights = stages.step(kept, weights, x)
        np.testing.assert_array_equal(seeds, expected_seeds)
        np.testing.assert_allclose(weights, expected, rtol=1e-5, atol=1e-6)


def test_masks_are_worked_out_ahead(staged: Any) -> None:
    stages, (seeds, weights, x) = staged
    _, kept = stages.ahead(seeds)
    assert [(mask.shape, mask.dtype.name) for mask in kept] == [((6, 4), "bool")]
    assert stages.bytes == 24
    in_step = names(stages.step, kept, weights, x)
    assert "dot_general" in in_step
    assert not in_step & {"random_bits", "random_wrap", "xor", "lt"}
    assert "dot_general" not in names(stages.ahead, seeds)


def test_accelerators_get_the_operations_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def function(key: Any, x: Any) -> Any:
        return key, over_rows(x, jax.random.bits(key, (5, 2)).astype(jnp.float32))

    def operations() -> tuple[set[str], set[str]]:
        stages = stage(function, key, x)
        return names(stages.ahead, key), names(stages.step, stages.ahead(key)[1], x)

    key, x = jax.random.PRNGKey(0), jnp.ones((5, 3))
    ahead, step = operations()
    assert "random_bits" not in ahead
    assert "optimization_barrier" in step
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    ahead, step = operations()
    assert "random_bits" in ahead
    assert "optimization_barrier" not in step


def test_a_result_may_hang_on_the_state_alone() -> None:
    stages = stage(lambda seed, x: (seed + 1, (seed * 2, seed, x, 3)), 1, 2.0)
    following, kept = stages.ahead(5)
    assert following == 6
    assert stages.step(kept, 7.0) == (10, 5, 7.0, 3)


def test_a_function_called_twice_is_early_once_and_late_once() -> None:
    @jax.jit
    def wave(x: Any) -> Any:
        return jnp.sin(x) + jax.jit(jnp.cos)(x)

    arguments = (jnp.float32(0.3), jnp.float32(0.7))
    stages = stage(lambda seed, x: (wave(seed), wave(seed) * wave(x)), *arguments)
    following, kept = stages.ahead(arguments[0])
    early, late = (np.sin(x) + np.cos(x) for x in (0.3, 0.7))
    assert float(following) == pytest.approx(early, rel=1e-6)
    assert float(stages.step(kept, arguments[1])) == pytest.approx(early * late, rel=1e-6)
    assert [equation.primitive.name for equation in stages.late] == ["sin", "cos", "add", "mul"]


def test_what_is_done_twice_is_done_once_and_what_nobody_reads_is_not() -> None:
    def function(seed: Any, x: Any) -> Any:
        _ = jnp.exp(x)
        zeros = jnp.maximum(x, 0.0) / -0.0 + jnp.maximum(x, 0.0) / 0.0
        return seed, (jnp.sin(x * 2) + jnp.sin(x * 2), x + 2, zeros)

    stages = stage(function, 1, jnp.float32(3))
    left = [equation.primitive.name for equation in stages.late]
    assert left == ["max", "div", "div", "add", "mul", "sin", "add", "add"]
    twice, added, zeros = stages.step(stages.ahead(1)[1], jnp.float32(3))
    assert float(twice) == pytest.approx(2 * np.sin(6), rel=1e-6)
    assert float(added) == 5
    assert np.isnan(zeros)  # inf - inf: one zero is below nothing


def test_what_is_done_for_its_effect_stays(capfd: pytest.CaptureFixture) -> None:
    @jax.jit
    def told(x: Any) -> Any:
        jax.debug.print("here {}", x)
        return x

    stages = stage(lambda seed, x: (seed, told(x) + told(x)), 1, jnp.float32(3))
    assert stages.step(stages.ahead(1)[1], jnp.float32(3)) == 6
    jax.effects_barrier()
    assert capfd.readouterr().out.count("here 3.0") == 2


def test_control_flow_and_rules_of_derivatives_stay() -> None:
    def function(x: Any) -> Any:
        x = jax.lax.cond(x.sum() > 0, jax.nn.relu, jnp.negative, x)
        x, _ = jax.lax.scan(lambda carry, _: (jax.nn.silu(carry), None), x, length=2)
        return jax.nn.logsumexp(jax.nn.relu(x) + jax.checkpoint(jnp.sin)(x))

    for sign in (1, -1):
        x = sign * jnp.arange(4.0)
        assert through(function, x) == pytest.approx(float(function(x)), abs=1e-6)


def test_layers_of_all_kinds_step_alike(task_of: Callable) -> None:
    def build(shape: tuple[int, ...], outputs: int, seed: int) -> keras.Model:
        of = keras.layers
        layers = [
            of.GaussianNoise(0.1, seed=1),
            of.Dense(5, "gelu", kernel_initializer=keras.initializers.GlorotUniform(seed)),
            of.BatchNormalization(),
            of.AlphaDropout(0.2, seed=2),
            of.Dense(outputs, kernel_initializer=keras.initializers.GlorotUniform(seed)),
        ]
        return keras.Sequential([keras.Input(shape), *layers])

    task = task_of(2)
    task = Task(task.plan, task.folds, 2, 1, build, task.stop)
    program = Program(task)
    seeds, state = program.initial(lanes_of(task.plan)[0])
    carry = (state.trainable, state.other, state.optimizer)
    x = np.random.default_rng(0).normal(size=(task.batch_size, *task.shape)).astype(np.float32)
    labels = np.arange(task.batch_size, dtype=np.int32) % 2
    rest = (carry, x, labels, Loss(gamma=1).numbers(np.array([3, 1])))
    expected_seeds, expected = jax.jit(program._update)(seeds, *rest)
    following, kept = jax.jit(program.stages.ahead)(seeds)
    jax.tree.map(np.testing.assert_array_equal, following, expected_seeds)
    close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
    jax.tree.map(close, jax.jit(program.stages.step)(kept, *rest), expected)
