"""The lane executor: many trainings stacked on a leading axis of one compiled program.

A pool is lanes of one seed, of any folds and remedies. It is trained epoch by epoch, in
blocks of one size, since each size has to be compiled. Lanes that stop early leave it, and
the rest move together. Blocks run side by side on host threads.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from typing import Any

import jax
import keras
from joblib import cpu_count

from kilter._errors import ArgumentError, BackendError
from kilter.comparison.executors.base import Executor, Forecast, Lane, Task, Trained
from kilter.comparison.executors.engine import Engine
from kilter.comparison.executors.memory import budget, fold_groups

MOST_THREADS = 8


class Lanes(Executor):
    """Trains all lanes of a shape in one compiled program; needs the JAX backend.

    ``memory`` bounds what the lanes take, in GiB; half of the device's if not given. Folds
    that do not fit in together are trained one after another. Lanes are spread over as many
    ``devices`` of JAX's as given, or all.
    """

    def __init__(self, memory: float | None = None, devices: int | None = None) -> None:
        self.memory = memory
        self.devices = devices
        self._engines: list[Engine] = []

    def train(self, task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        """Train pool by pool, as many blocks at a time as there are host threads."""
        _require_jax()
        if not lanes:
            return
        limit = budget(self.memory)
        engine = self._engine(task, limit)
        for folds in _groups(task, lanes, limit):
            engine.load(folds)
            mine = [lane for lane in lanes if lane.fold in folds]
            yield from _run_threads(engine, engine.pools(mine))
        engine.data = None

    def forecast(self, task: Task, lanes: Sequence[Lane]) -> Forecast:
        """Compile, and time an epoch of as many blocks as run side by side."""
        _require_jax()
        lanes = [_from_the_start(lane) for lane in lanes]
        begun, limit = time.perf_counter(), budget(self.memory)
        engine, groups = self._engine(task, limit), _groups(task, lanes, limit)
        threads = _workers(engine.devices)
        engine.load(groups[0])
        pools = engine.pools([lane for lane in lanes if lane.fold in groups[0]])
        blocks = [block for pool in pools[:threads] for block in engine.begin(pool)][:threads]
        compiling = engine.wait(pools[0][0])
        with ThreadPoolExecutor(threads) as workers:
            list(workers.map(engine.trial, blocks))
            ready = time.perf_counter() - begun
            epoch = sum(workers.map(engine.trial, blocks)) / len(blocks) / threads
        if jax.config.jax_compilation_cache_dir:  # type: ignore[attr-defined]
            ready -= compiling  # the run itself will find it in the cache
        size, epochs = engine.size, task.expected_epochs
        places = [math.ceil(len(pool) / size) for pool in pools]
        # The slowest lane of a pool takes about twice as long, and the places of others are idle.
        useful = (sum(map(len, pools)) / size + len(pools)) * epochs
        most = sum(places) * task.plan.epochs
        return Forecast(
            trainings=len(lanes),
            lanes=size,
            threads=threads,
            steps=engine.program.steps,
            folds=len(groups[0]),
            memory=engine.memory(max(map(len, pools)) * min(threads, len(pools)), threads),
            limit=limit,
            seconds=ready + len(groups) * epoch * min(useful, most),
            most=ready + len(groups) * epoch * most,
        )

    def _engine(self, task: Task, limit: int) -> Engine:
        """Make the engine; blocks have a quarter of the limit, and pools, one a thread each.

        That of an earlier task serves again if this one differs in nothing that is compiled.
        """
        for engine in self._engines:
            if _same_program(engine.task, task):
                engine.program.task = task
                return engine
        devices = _devices(self.devices)
        self._engines.append(Engine(task, limit // 4 // _workers(len(devices)), devices))
        return self._engines[-1]


def _from_the_start(lane: Lane) -> Lane:
    """Return a lane that takes as long, and goes on from no other."""
    return replace(lane, training=lane.training._replace(after=None))


def _same_program(one: Task, other: Task) -> bool:
    same = one.folds is other.folds and one.build is other.build and one.layers is other.layers
    return same and _compiled(one) == _compiled(other)


def _compiled(task: Task) -> tuple[Any, ...]:
    """Return what is compiled of a task, besides networks and shapes: no remedy is."""
    plan = replace(task.plan, remedies=(), confirm=0)
    return plan, task.blends, task.ends, task.stop


def _groups(task: Task, lanes: Sequence[Lane], limit: int) -> list[list[int]]:
    """Return which folds lie on the device together, in half of the limit.

    Those that no lane needs are among them, unless a whole group is: so shapes stay the same.
    """
    wanted = {lane.fold for lane in lanes}
    groups = fold_groups(task, range(len(task.folds)), limit // 2)
    return [group for group in groups if wanted & set(group)]


def _require_jax() -> None:
    if keras.backend.backend() != "jax":
        raise BackendError(
            f"`executor` lanes needs the JAX backend; this is {keras.backend.backend()}. "
            "Set `KERAS_BACKEND=jax`, or use `executor` sequential."
        )


def _devices(wanted: int | None) -> list[jax.Device]:
    there = jax.local_devices()
    if wanted is not None and wanted > len(there):
        raise ArgumentError(
            f"`devices` must be at most {len(there)}, as many as JAX sees here; got {wanted}."
        )
    return there[:wanted]


def _workers(devices: int) -> int:
    """Return how many host threads compute: JAX frees the interpreter lock meanwhile."""
    on_one_host = jax.default_backend() == "cpu" and devices == 1
    return min(cpu_count(), MOST_THREADS) if on_one_host else 1


def _run_threads(engine: Engine, pools: Sequence[Sequence[Lane]]) -> Iterator[Trained]:
    """Train as many pools at once as there are threads, and yield lanes as they end.

    Each pool has a thread that waits for its blocks; those are computed by workers that all
    pools share, so that nobody is idle while a pool has only few lanes left.
    """
    threads = _workers(engine.devices)
    results: SimpleQueue[Any] = SimpleQueue()
    futures: list[Future[None]] = []

    def work(pool: Sequence[Lane]) -> None:
        for trained in engine.train(pool, workers.map, 1 / threads):
            results.put(trained)

    with ThreadPoolExecutor(threads) as workers, _like_here(threads) as waiting:
        try:
            for pool in pools:
                futures.append(waiting.submit(work, pool))
                futures[-1].add_done_callback(results.put)
            left = len(futures)
            while left:
                result = results.get()
                if isinstance(result, Trained):
                    yield result
                else:
                    left -= 1
                    result.result()  # raises what the thread raised
        finally:
            # Reached by an interrupt as well: what runs ends with its next call of a block.
            if not all(future.done() for future in futures):
                engine.task.stop.set()
                waiting.shutdown(cancel_futures=True)


def _like_here(threads: int) -> ThreadPoolExecutor:
    """Return threads that build networks as this one would: Keras keeps a policy a thread."""
    policy = keras.config.dtype_policy()
    return ThreadPoolExecutor(
        threads, initializer=keras.config.set_dtype_policy, initargs=(policy,)
    )
