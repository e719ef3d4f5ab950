"""Costs of blocks by hand, work by what JAX computes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from kilter.comparison.executors.cost import Cost, Rates, Work, count_work


def work_of(function: Any, *shapes: tuple[int, ...]) -> Work:
    jaxpr = jax.make_jaxpr(function)(*(jnp.zeros(shape) for shape in shapes))
    return count_work(*jaxpr.jaxpr.eqns)


def test_a_product_is_two_operations_a_number() -> None:
    work = work_of(jnp.matmul, (256, 64), (64, 32))
    assert (work.flops, work.elements) == (2 * 256 * 64 * 32, 256 * 32)


def test_a_convolution_counts_its_kernel_for_every_result() -> None:
    def convolve(images: Any, kernels: Any) -> Any:
        return jax.lax.conv(images, kernels, (1, 1), "SAME")

    work = work_of(convolve, (8, 3, 16, 16), (5, 3, 3, 3))
    assert work.convolutions == 1
    assert work.flops == 2 * (8 * 5 * 16 * 16) * (3 * 3 * 3)


def test_what_lies_within_counts_too() -> None:
    def within(x: Any) -> Any:
        x = jax.jit(jnp.sin)(x)
        return jax.lax.cond(x[0] > 0, jnp.cos, jnp.exp, x)

    # sin, cos and exp of ten numbers each, beside the comparison
    assert work_of(within, (10,)).elements >= 30


def test_a_block_pays_for_starts_a_place_for_arithmetic() -> None:
    work = Work(flops=100, elements=30, operations=5)
    cost = work.cost(Rates(flops=50, elements=10, start=0.5))
    assert cost == Cost(block=2.5, place=2 + 3)
    assert cost(3) == 2.5 + 15


@pytest.mark.parametrize(
    ("cost", "lanes", "size"),
    [
        (Cost(1, 1), 64, 8),  # sqrt(64 * 1 / 1)
        (Cost(0, 1), 64, 1),
        (Cost(1, 0.01), 60, 60),  # more than there are
        (Cost(2, 1), 50, 10),  # sqrt(100)
        (Cost(1, 1), 60, 8),  # 7.7; of 60 that makes eight blocks of 8, four places idle
    ],
)
def test_the_best_size_is_the_root(cost: Cost, lanes: int, size: int) -> None:
    assert cost.best_size(lanes) == size


def test_the_best_size_is_best_if_lanes_end_evenly() -> None:
    cost, lanes = Cost(3, 1), 60

    def spent(size: int) -> float:
        return sum(-(-alive // size) * cost(size) for alive in range(1, lanes + 1))

    best = min(range(1, lanes + 1), key=spent)
    assert spent(cost.best_size(lanes)) <= 1.05 * spent(best)


def test_larger_steps_cost_more() -> None:
    def step(x: Any, w: Any) -> Any:
        return jax.grad(lambda w: jnp.tanh(x @ w).sum())(w)

    small, large = work_of(step, (32, 8), (8, 8)), work_of(step, (256, 8), (8, 8))
    assert np.all(np.array(large[:2]) > 4 * np.array(small[:2]))
