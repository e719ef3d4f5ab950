"""The lane executor: many trainings stacked on leading axes of one compiled JAX program.

A chunk is some (fold, seed) pairs times all remedies. `jax.vmap` runs over both axes;
within a pair the remedies share the dropout state (unbatched, so a mask is drawn once),
the initial weights and the base draws. `jax.lax.scan` runs over the steps of an epoch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np
from joblib import cpu_count

from kilter._errors import BackendError
from kilter.comparison.executors.base import (
    DIVERGED,
    Executor,
    Lane,
    Task,
    Trained,
    by_pair,
)
from kilter.comparison.executors.device import Data, Tree, stack_bases, stack_folds, stack_trees
from kilter.comparison.executors.precision import average_precision
from kilter.losses import cross_entropy
from kilter.sampling import draw_rows, mix

to_numpy = keras.ops.convert_to_numpy
LANES_ON_ACCELERATOR = 256
LEAST_CHUNKS = 5
MOST_THREADS = 8


class State(NamedTuple):
    """What changes while lanes train; axes (pairs, remedies, ...) but for ``seeds``."""

    trainable: Tree
    other: Tree
    seeds: Tree
    optimizer: Tree
    best: Tree
    score: Tree
    best_epoch: Tree
    done: Tree


STATE_OF_REMEDY = State(0, 0, None, 0, 0, 0, 0, 0)


class Lanes(Executor):
    """Trains all lanes of a shape in one compiled program; needs the JAX backend."""

    def train(self, task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        """Train chunk by chunk, as many at a time as there are host threads for it."""
        if keras.backend.backend() != "jax":
            raise BackendError(
                f"`executor` lanes needs the JAX backend; this is {keras.backend.backend()}. "
                "Set `KERAS_BACKEND=jax`, or use `executor` sequential."
            )
        if not lanes:
            return
        program = Program(task)
        chunks = list(_chunks(lanes))
        by_shape = {_shape(chunk): chunk for chunk in chunks}
        compiled = {shape: program.compile(chunk) for shape, chunk in by_shape.items()}
        yield from _run_threads(
            [partial(program.run, compiled[_shape(chunk)], chunk) for chunk in chunks], task
        )


def _run_threads(jobs: Sequence[Callable[[float], list[Trained]]], task: Task) -> Iterator[Trained]:
    """Run jobs on host threads: JAX releases the interpreter lock while it computes."""
    workers = _workers(len(jobs))
    with ThreadPoolExecutor(workers) as pool:
        futures: list[Future[list[Trained]]] = [pool.submit(job, 1 / workers) for job in jobs]
        try:
            for future in as_completed(futures):
                yield from future.result()
        finally:
            # Reached by an interrupt as well: what runs ends at its next epoch.
            if not all(future.done() for future in futures):
                task.stop.set()
                pool.shutdown(cancel_futures=True)


def _workers(jobs: int) -> int:
    if jax.default_backend() != "cpu":
        return 1
    return max(1, min(jobs, cpu_count(), MOST_THREADS))


def _chunks(lanes: Sequence[Lane]) -> Iterator[list[list[Lane]]]:
    """Group lanes into chunks of pairs with equally many remedies."""
    pairs = sorted(by_pair(lanes).values(), key=len, reverse=True)
    while pairs:
        size = len(pairs[0])
        alike = [pair for pair in pairs if len(pair) == size]
        at_once = _pairs_at_once(len(alike), size)
        for begin in range(0, len(alike), at_once):
            yield alike[begin : begin + at_once]
        pairs = pairs[len(alike) :]


def _pairs_at_once(pairs: int, size: int) -> int:
    """Return how many pairs make a chunk: few enough that an interrupted run keeps some."""
    if jax.default_backend() == "cpu":
        return 1
    return max(1, min(LANES_ON_ACCELERATOR // size, -(-pairs // LEAST_CHUNKS)))


def _shape(chunk: list[list[Lane]]) -> tuple[int, int]:
    return len(chunk), len(chunk[0])


class Program:
    """The compiled program of a task: one epoch of a chunk, and its predictions."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.model = task.network(0, 0)
        self.optimizer = task.optimizer()
        self.optimizer.build(self.model.trainable_variables)
        seeds = {id(variable) for variable in _seed_states(self.model)}
        non_trainable = self.model.non_trainable_variables
        self.is_seed = [id(variable) in seeds for variable in non_trainable]
        self.data = stack_folds(task)

    # -- one lane, one epoch -----------------------------------------------------------

    def _join(self, other: list[Any], seeds: list[Any]) -> list[Any]:
        others, states = iter(other), iter(seeds)
        return [next(states) if is_seed else next(others) for is_seed in self.is_seed]

    def _part(self, non_trainable: list[Any]) -> tuple[list[Any], list[Any]]:
        pairs = list(zip(non_trainable, self.is_seed, strict=True))
        return [v for v, seed in pairs if not seed], [v for v, seed in pairs if seed]

    def _loss(
        self, trainable: Tree, other: Tree, seeds: Tree, x: Any, labels: Any, numbers: Any
    ) -> Any:
        non_trainable = self._join(other, seeds)
        logits, non_trainable = self.model.stateless_call(
            trainable, non_trainable, x, training=True
        )
        return cross_entropy(labels, logits, **numbers._asdict()).mean(), non_trainable

    def _step(self, data: Data, offset: Any, numbers: Any, carry: Tree, batch: Tree) -> Any:
        trainable, other, seeds, optimizer = carry
        rows, labels, tickets, shares = batch
        x = data.x[rows]
        if data.neighbors is not None:
            near = data.neighbors[rows, tickets % data.neighbors.shape[1]]
            x = mix(jnp, x, data.x[offset + near], shares, data.blendable)
        gradient = jax.grad(self._loss, has_aux=True)
        gradients, non_trainable = gradient(trainable, other, seeds, x, labels, numbers)
        other, seeds = self._part(non_trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        return (trainable, other, seeds, optimizer), None

    def _lane_epoch(
        self, data: Data, fold: Any, circle: Any, base: Any, epoch: Any, state: State, numbers: Any
    ) -> State:
        quotas, loss = numbers
        offset = data.offsets[fold]
        size = self.task.batch_size
        rows, *rest = draw_rows(jnp, quotas, data.starts[fold], circle, epoch, base, size)
        batches = [part.reshape(-1, size) for part in (rows + offset, *rest)]
        carry = (state.trainable, state.other, state.seeds, state.optimizer)
        step = partial(self._step, data, offset, loss)
        (trainable, other, seeds, optimizer), _ = jax.lax.scan(step, carry, batches)
        logits = self._logits(trainable, other, seeds, data.validation_x[fold])
        score = average_precision(logits, data.validation_labels[fold], self.task.positive)
        score = jnp.where(jnp.isfinite(logits).all(), score, DIVERGED)
        better = (score > state.score) & ~state.done
        keep = partial(jnp.where, better)
        best_epoch = keep(epoch, state.best_epoch)
        return State(
            trainable,
            other,
            seeds,
            optimizer,
            jax.tree.map(keep, (trainable, other), state.best),
            keep(score, state.score),
            best_epoch,
            state.done | (epoch - best_epoch >= self.task.plan.patience),
        )

    def _logits(self, trainable: Tree, other: Tree, seeds: Tree, x: Any) -> Any:
        non_trainable = self._join(other, seeds)
        return self.model.stateless_call(trainable, non_trainable, x, training=False)[0]

    def _lane_predict(self, data: Data, fold: Any, state: State) -> tuple[Any, Any]:
        trainable, other = state.best
        predict = partial(self._logits, trainable, other, state.seeds)
        return predict(data.validation_x[fold]), predict(data.test_x[fold])

    # -- all lanes of a chunk ----------------------------------------------------------

    def _epoch(
        self, data: Data, folds: Any, circles: Any, bases: Any, epoch: Any, state: State, nums: Any
    ) -> State:
        def pair(fold: Any, circle: Any, base: Any, state: State, numbers: Any) -> State:
            lane = partial(self._lane_epoch, data, fold, circle, base, epoch)
            remedies = jax.vmap(lane, in_axes=(STATE_OF_REMEDY, 0), out_axes=STATE_OF_REMEDY)
            return remedies(state, numbers)

        return jax.vmap(pair)(folds, circles, bases, state, nums)

    def _predict(self, data: Data, folds: Any, state: State) -> Any:
        def pair(fold: Any, state: State) -> Any:
            lane = partial(self._lane_predict, data, fold)
            return jax.vmap(lane, in_axes=(STATE_OF_REMEDY,))(state)

        return jax.vmap(pair)(folds, state)

    def compile(self, chunk: list[list[Lane]]) -> tuple[Any, Any]:
        """Compile both functions for chunks of this shape."""
        folds, circles, bases, numbers, state = self._inputs(chunk)
        epoch = jax.jit(self._epoch, donate_argnums=5).lower(
            self.data, folds, circles, stack_bases(bases, 0), jnp.int32(0), state, numbers
        )
        predict = jax.jit(self._predict).lower(self.data, folds, state)
        return epoch.compile(), predict.compile()

    def _inputs(self, chunk: list[list[Lane]]) -> tuple[Any, ...]:
        task = self.task
        pairs = [(pair[0].fold, pair[0].seed) for pair in chunk]
        bases = [task.base_draws(*pair) for pair in pairs]
        rows = self.data.x.shape[0] // len(task.folds)
        circles = np.stack([np.resize(base.circle, rows) for base in bases])
        numbers = stack_trees([stack_trees([self._numbers(x) for x in pair]) for pair in chunk])
        state = stack_trees([self._initial(*pair, len(chunk[0])) for pair in pairs])
        folds = jnp.array([fold for fold, _ in pairs])
        return folds, jnp.asarray(circles), bases, numbers, state

    def _numbers(self, lane: Lane) -> tuple[Any, Any]:
        counts = self.task.folds[lane.fold].layout.counts
        draw, loss = lane.training
        return draw.quotas(counts, self.task.steps, self.task.batch_size), loss.numbers(counts)

    def _initial(self, fold: int, seed: int, remedies: int) -> State:
        network = self.task.network(fold, seed)
        other, seeds = self._part([to_numpy(v) for v in network.non_trainable_variables])
        trainable = [to_numpy(v) for v in network.trainable_variables]
        optimizer = [to_numpy(v) for v in self.optimizer.variables]
        lane = (np.float32(DIVERGED), np.int32(0), np.bool_(False))
        state = State(trainable, other, seeds, optimizer, (trainable, other), *lane)
        each = jax.tree.map(lambda a: np.broadcast_to(a, (remedies, *np.shape(a))), state)
        return each._replace(seeds=seeds)

    def run(
        self, compiled: tuple[Any, Any], chunk: list[list[Lane]], share: float
    ) -> list[Trained]:
        """Train one chunk; an empty list if it was stopped. ``share`` is of the machine."""
        begin = time.perf_counter()
        epoch_function, predict = compiled
        folds, circles, bases, numbers, state = self._inputs(chunk)
        for epoch in range(self.task.plan.epochs):
            if self.task.stop.is_set():
                return []
            base = stack_bases(bases, epoch)
            state = epoch_function(
                self.data, folds, circles, base, jnp.int32(epoch), state, numbers
            )
            if state.done.all():
                break
        validation, test = jax.device_get(predict(self.data, folds, state))
        lanes = sum(len(pair) for pair in chunk)
        seconds = (time.perf_counter() - begin) * share / lanes
        return self._collect(chunk, jax.device_get(state), validation, test, seconds)

    def _collect(
        self, chunk: list[list[Lane]], state: State, validation: Any, test: Any, seconds: float
    ) -> list[Trained]:
        def trained(at: tuple[int, int], lane: Lane) -> Trained:
            fold = self.task.folds[lane.fold]
            return Trained(
                lane,
                float(state.score[at]),
                int(state.best_epoch[at]),
                validation[at][: len(fold.validation_x)],
                test[at][: len(fold.test_x)],
                self._weights(*jax.tree.map(lambda a: a[at], state.best)),
                seconds,
            )

        return [
            trained((i, j), lane) for i, pair in enumerate(chunk) for j, lane in enumerate(pair)
        ]

    def _weights(self, trainable: list[Any], other: list[Any]) -> list[np.ndarray]:
        """Put a lane's variables into the order of ``model.weights``."""
        model = self.model
        others, _ = self._part(model.non_trainable_variables)
        variables = [*model.trainable_variables, *others]
        values = {id(v): a for v, a in zip(variables, [*trainable, *other], strict=True)}
        return [values[id(variable)] for variable in model.weights]


def _seed_states(model: keras.Model) -> list[Any]:
    layers = model._flatten_layers()
    return [generator.state for layer in layers for generator in layer._seed_generators]
