"""How near do lanes come to what the machine can do?

Against plain Keras ``fit`` and against a training loop written by hand in JAX: one jitted step
with dropout and AdamW, called in a loop over rows that lie ready, with nothing around it. And
the rate of floating-point operations that lanes reach, set-up, scoring and all, against the
rate of the bare matrix products of a step, of OpenBLAS on all cores at once.

Everything in one process, three times in turn; networks, folds, steps and batch size are the
same. The loops train a part of what lanes train, and neither validates nor predicts.

    python benchmarks/lane_limit.py [--tables mammography adult kddcup10]

A table of which a class has fewer rows than five folds need (kddcup10) gets copies of those
rows, moved by one in one column. Without the shared collection beside the repository the
demo's table is taken.
"""

from __future__ import annotations

import argparse
import itertools
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from threadpoolctl import threadpool_limits

from _lanes import SHARED, fit, make_task, read, seconds
from kilter.comparison.executors.base import Lane, Task
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.executors.sequential import epoch_rows
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of


class Case(NamedTuple):
    """A table, a network, and how much to train of it."""

    hidden: tuple[int, ...]
    remedies: list[str]
    epochs: int


CASES = {
    "mammography": Case((64, 64), ["none", "focal", "smote", "class-weights"], 30),
    "adult": Case((256, 256), ["none", "focal", "smote", "class-weights"], 10),
    "kddcup10": Case((256, 256), ["none", "focal"], 2),
}
REPEATS = 3
State = tuple[Any, Any, Any, Any]


def lanes_seconds(task: Task, lanes: list[Lane]) -> float:
    """Return the seconds a step of all lanes, all that belongs to it included."""
    took = seconds(lambda: list(Lanes().train(task, lanes)))
    return took / (len(lanes) * task.plan.epochs * task.steps)


def fit_seconds(task: Task, lane: Lane) -> float:
    """Return the seconds a step of a plain ``fit``, compiling included."""
    return seconds(lambda: fit(task, lane)) / (task.plan.epochs * task.steps)


# -- by hand ---------------------------------------------------------------------------


def loss_by_hand(keep: float, layers: Any, key: Any, x: Any, y: Any) -> Any:
    *hidden, (weights, bias) = layers
    for number, (w, b) in enumerate(hidden):
        x = jax.nn.relu(x @ w + b)
        mask = jax.random.bernoulli(jax.random.fold_in(key, number), keep, x.shape)
        x = jnp.where(mask, x / keep, 0)
    logs = jax.nn.log_softmax(x @ weights + bias)
    return -jnp.take_along_axis(logs, y[:, None], axis=1).mean()


def step_by_hand(plan: Plan, state: State, x: Any, y: Any) -> State:
    layers, first, second, count = state
    key = jax.random.fold_in(jax.random.key(0), count)
    gradients = jax.grad(partial(loss_by_hand, 1 - plan.dropout))(layers, key, x, y)
    count = count + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradients)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradients)
    rate = plan.learning_rate * jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)

    def move(w: Any, m: Any, v: Any) -> Any:
        decayed = w * (1 - plan.learning_rate * plan.weight_decay)
        return decayed - rate * m / (jnp.sqrt(v) + 1e-7)

    return jax.tree.map(move, layers, first, second), first, second, count


def by_hand_seconds(task: Task, lane: Lane) -> float:
    """Return the seconds a step of the loop written by hand, once it is compiled."""
    arrays = [jnp.asarray(one) for one in task.network(lane.fold, lane.seed).get_weights()]
    layers = list(zip(arrays[::2], arrays[1::2], strict=True))
    zeros = jax.tree.map(jnp.zeros_like, layers)
    state: State = (layers, zeros, jax.tree.map(jnp.zeros_like, layers), jnp.int32(0))
    x, y = (jnp.asarray(part) for part in epoch_rows(task, lane, epoch=0))
    size, steps = task.batch_size, task.steps
    batches = [(x[i * size : (i + 1) * size], y[i * size : (i + 1) * size]) for i in range(steps)]
    step = jax.jit(partial(step_by_hand, task.plan), donate_argnums=0)
    state = jax.block_until_ready(step(state, *batches[0]))
    begin = time.perf_counter()
    for _ in range(task.plan.epochs):
        for batch in batches:
            state = step(state, *batch)
    jax.block_until_ready(state)
    return (time.perf_counter() - begin) / (task.plan.epochs * steps)


# -- rates -----------------------------------------------------------------------------


def shapes(task: Task) -> Iterator[tuple[int, int, int]]:
    """Yield rows, inner length and columns of the products of a step."""
    rows, widths = task.batch_size, [task.shape[0], *task.plan.hidden, task.n_classes]
    for number, (k, n) in enumerate(itertools.pairwise(widths)):
        yield rows, k, n
        yield k, rows, n
        if number:
            yield rows, n, k


def product_rate(task: Task, lasting: float = 0.5) -> float:
    """Return operations a second of a step's products alone, a thread on each core."""
    each = list(shapes(task))
    flops = sum(2 * m * k * n for m, k, n in each)

    def work(_: int) -> float:
        random = np.random.default_rng(0)
        pairs = [
            (random.normal(size=(m, k)).astype("f"), random.normal(size=(k, n)).astype("f"))
            for m, k, n in each
        ]
        rounds, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < lasting:
            for left, right in pairs:
                left @ right
            rounds += 1
        return rounds * flops / (time.perf_counter() - begin)

    cores = os.cpu_count() or 1
    with threadpool_limits(1), ThreadPoolExecutor(cores) as threads:
        return sum(threads.map(work, range(cores)))


# -- the page --------------------------------------------------------------------------


def measure(table: str) -> None:
    case = CASES.get(table, CASES["mammography"])
    settings = {"seeds": 1, "network": "mlp", "hidden": case.hidden}
    plan = Plan.make(case.remedies, **settings, epochs=case.epochs, patience=case.epochs)
    dataset = read(table, least=2 * plan.folds)
    task = make_task(dataset, plan)
    lanes = lanes_of(plan)
    sides: dict[str, Callable[[], float]] = {
        "lanes": lambda: lanes_seconds(task, lanes),
        "written by hand": lambda: by_hand_seconds(task, lanes[0]),
        "fit": lambda: fit_seconds(task, lanes[0]),
    }
    found: dict[str, list[float]] = {side: [] for side in sides}
    rates = []
    for _ in range(REPEATS):
        for side, run in sides.items():
            found[side].append(run())
            print(f"{table} {side}: {found[side][-1] * 1e6:.0f} us", file=sys.stderr)
        rates.append(product_rate(task))
    flops = sum(2 * m * k * n for m, k, n in shapes(task))
    step, products = median(found["lanes"]), flops / median(rates)
    print(f"\n## {table}, {'-'.join(map(str, case.hidden))}\n")
    print(
        f"{len(dataset.labels):,} rows, {task.shape[0]} columns encoded, {task.n_classes} classes; "
        f"{len(lanes)} trainings of {task.steps * case.epochs:,} steps of {task.batch_size} rows, "
        f"{flops / 1e6:.1f} MFLOP each.\n"
    )
    print("| | µs a step | GFLOP/s | times lanes |")
    print("|---|---|---|---|")
    rows = {side: median(values) for side, values in found.items()}
    for side, took in {**rows, "the products alone": products}.items():
        rate = flops / took / 1e9
        print(f"| {side} | {took * 1e6:.0f} | {rate:.0f} | {took / step:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", default=list(CASES) if SHARED.exists() else ["demo"])
    options = parser.parse_args()
    print("# Lanes against the limit of the machine\n")
    print("Written by `make bench` from `benchmarks/lane_limit.py`; do not edit.\n")
    print("Lanes with set-up, scoring and predictions; the loop written by hand without compiling.")
    print(f"{platform.machine()}, {os.cpu_count()} cores; medians of {REPEATS} runs in turn.")
    for table in options.tables:
        measure(table)


if __name__ == "__main__":
    main()
