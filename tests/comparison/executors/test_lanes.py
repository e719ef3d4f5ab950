"""Lanes: threads, groups of folds, an end on request."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Event

import jax
import keras
import numpy as np
import pytest

from kilter._errors import ArgumentError, BackendError
from kilter.comparison.executors import lanes as module
from kilter.comparison.executors.base import Trained
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.executors.program import Program
from kilter.comparison.executors.sequential import Sequential
from kilter.comparison.prepare import lanes_of
from kilter.comparison.remedy import REMEDIES

HERE = Path(__file__).parent


def test_lanes_need_jax(task_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    task = task_of(2)
    with pytest.raises(BackendError, match="lanes needs the JAX backend; this is torch"):
        list(Lanes().train(task, lanes_of(task.plan)))


def test_no_lanes_are_no_work(task_of: Callable) -> None:
    assert list(Lanes().train(task_of(2), [])) == []


def test_folds_one_after_another_are_folds_together(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch, in_order: Callable
) -> None:
    task = task_of(2, remedies=["smote"], dropout=0.2)
    lanes = lanes_of(task.plan)
    loaded = []
    load = module.Engine.load
    monkeypatch.setattr(
        module.Engine, "load", lambda self, folds: loaded.append(folds) or load(self, folds)
    )
    together = in_order(Lanes().train(task, lanes))
    apart = in_order(Lanes(memory=1e-6).train(task, lanes))
    assert loaded == [[0, 1], [0], [1]]
    for one, other in zip(together, apart, strict=True):
        assert one.epoch == other.epoch
        np.testing.assert_allclose(one.test, other.test, atol=1e-4)


def test_lanes_to_the_end_are_those_of_one_fit_after_another(
    task_of: Callable, in_order: Callable
) -> None:
    task = task_of(3, remedies=["focal"], epochs=2, network="tabm", members=2, dropout=0.2)
    task = replace(task, ends={lane.training: 2 for lane in lanes_of(task.plan)})
    lanes = in_order(Lanes().train(task, lanes_of(task.plan)))
    alone = in_order(Sequential().train(task, lanes_of(task.plan)))
    for one, other in zip(lanes, alone, strict=True):
        assert one.epoch == other.epoch == 1
        np.testing.assert_allclose(one.test, other.test, atol=1e-3)


def test_penalties_of_the_users_own_layers_count(task_of: Callable) -> None:
    def build(shape: tuple[int, ...], n_classes: int, seed: int) -> keras.Model:
        initial = keras.initializers.GlorotUniform(seed=1)
        penalty = keras.regularizers.L2(3.0)
        dense = keras.layers.Dense(
            n_classes, kernel_initializer=initial, kernel_regularizer=penalty
        )
        return keras.Sequential([keras.Input(shape), dense])

    task = replace(task_of(2, remedies=[], epochs=2), build=build)
    lane = lanes_of(task.plan)[:1]
    (one,), (alone,) = (list(kind.train(task, lane)) for kind in (Lanes(), Sequential()))
    np.testing.assert_allclose(one.weights[0], alone.weights[0], atol=1e-4)
    assert (np.abs(one.weights[0]) < np.abs(task.network(0, 0).get_weights()[0])).all()


class Instant:
    """Takes the place of the engine: compiles and trains nothing."""

    def __init__(self, task, limit, devices) -> None:
        self.task, self.devices = task, len(devices)

    def load(self, folds) -> None:
        self.folds = folds

    def pools(self, lanes) -> list:
        return [[lane for lane in lanes if lane.seed == s] for s in range(self.task.plan.seeds)]

    def train(self, pool, map_blocks, share):
        assert 0 < share <= 1
        for lane in pool:
            if self.task.stop.is_set():
                return
            yield Trained(lane, 0.5, 0, *map_blocks(np.zeros, [1, 1]), [], share)


def test_every_lane_is_run_once(task_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Engine", Instant)
    task = task_of(2, remedies=["focal", "smote"], seeds=3)
    lanes = lanes_of(task.plan)[2:]  # two are done
    done = [one.lane for one in Lanes().train(task, lanes)]
    assert sorted(map(repr, done)) == sorted(map(repr, lanes))
    assert not task.stop.is_set()


def test_whoever_stops_listening_stops_the_work(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "cpu_count", lambda: 1)  # one pool after the other
    begun, may_end = [], Event()

    class Slow(Instant):
        def train(self, pool, map_blocks, share):
            begun.append(pool)
            if len(begun) > 1:
                may_end.wait(10)
            yield from super().train(pool, map_blocks, share)

    monkeypatch.setattr(module, "Engine", Slow)
    task = task_of(2, remedies=["focal"], seeds=4)
    monkeypatch.setattr(task.stop, "set", lambda: (Event.set(task.stop), may_end.set()))
    training = Lanes().train(task, lanes_of(task.plan))
    next(training)
    assert not task.stop.is_set()
    training.close()
    assert task.stop.is_set()
    assert len(begun) <= 2  # of four: what was waiting never began


def test_what_goes_wrong_in_a_thread_comes_out(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Instant):
        def train(self, pool, map_blocks, share):
            yield from super().train(pool[:1], map_blocks, share)
            raise MemoryError("no more")

    monkeypatch.setattr(module, "Engine", Broken)
    task = task_of(2, remedies=["focal"], seeds=2)
    with pytest.raises(MemoryError, match="no more"):
        list(Lanes().train(task, lanes_of(task.plan)))


@pytest.mark.parametrize("policy", ["bfloat16", "mixed_bfloat16"])
def test_networks_in_threads_have_the_policy_of_the_caller(
    task_of: Callable, in_order: Callable, policy: str
) -> None:
    task = task_of(2, remedies=["smote"], epochs=2)
    keras.config.set_dtype_policy(policy)
    try:
        together = in_order(Lanes().train(task, lanes_of(task.plan)))
        alone = in_order(Sequential().train(task, lanes_of(task.plan)))
    finally:
        keras.config.set_dtype_policy("float32")
    for one, other in zip(together, alone, strict=True):
        assert one.test.dtype == np.float32
        np.testing.assert_allclose(one.test, other.test, atol=0.05)


def test_numbers_of_64_bits_train_alike(task_of: Callable, in_order: Callable) -> None:
    task = task_of(3, remedies=["smote", "focal"], epochs=2)
    expected = in_order(Lanes().train(task, lanes_of(task.plan)))
    jax.config.update("jax_enable_x64", True)
    try:
        found = in_order(Lanes().train(task, lanes_of(task.plan)))
    finally:
        jax.config.update("jax_enable_x64", False)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.test, other.test, atol=1e-3)


def test_what_goes_wrong_while_the_score_is_compiled_comes_out(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def score(self, *given: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(Program, "_score", score)
    task = task_of(2, remedies=["focal"], seeds=3)
    with pytest.raises(MemoryError, match="no more"):
        list(Lanes().train(task, lanes_of(task.plan)))


def test_pools_get_ready_one_after_another(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    def noted(name: str) -> Callable:
        function = getattr(module.Engine, name)

        def noting(self, *given):
            events.append(name)
            found = function(self, *given)
            events.append("done")
            return found

        return noting

    for name in ("_compile_steps", "begin", "_compile_score"):
        monkeypatch.setattr(module.Engine, name, noted(name))
    monkeypatch.setattr(module, "cpu_count", lambda: 2)
    task = task_of(2, remedies=["focal"], seeds=2)
    list(Lanes().train(task, lanes_of(task.plan)))
    a_pool = ["_compile_steps", "done", "begin", "done", "_compile_score", "done"]
    assert events == 2 * a_pool


def test_a_forecast_needs_jax(task_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    task = task_of(2)
    with pytest.raises(BackendError, match="lanes needs the JAX backend; this is torch"):
        Lanes().forecast(task, lanes_of(task.plan))


def test_a_forecast_counts_what_goes_on_from_another_alike(task_of: Callable) -> None:
    task = task_of(2, remedies=["drw"])
    found = Lanes().forecast(task, lanes_of(task.plan))
    assert found.trainings == 2 * 2
    assert 0 < found.seconds <= found.most


def test_a_forecast_counts_epochs_by_hand(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    # two pools of six lanes; a block and epoch takes a second, on each of two threads
    task = task_of(2, remedies=["focal", "smote"], seeds=2, epochs=20, patience=4)
    monkeypatch.setattr(module, "_workers", lambda devices: 2)
    monkeypatch.setattr(module.Engine, "trial", lambda self, block: 1.0)
    monkeypatch.setattr(module.time, "perf_counter", lambda: 0.0)

    def settle(self, lanes) -> None:
        self.size, self._bytes_of_place, self._bytes_of_score = 4, 1000, 500

    monkeypatch.setattr(module.Engine, "_settle", settle)
    found = Lanes(memory=3).forecast(task, lanes_of(task.plan))
    assert (found.trainings, found.lanes, found.threads, found.folds) == (12, 4, 2, 2)
    # two blocks a pool for twenty epochs
    assert found.most == 2 * 2 * 20 / 2
    # twelve lanes in fours for sqrt(5 * 20) epochs, and as long again for the slowest of each pool
    assert found.seconds == pytest.approx((12 / 4 + 2) * 10 / 2)
    assert found.limit == 3 << 30
    assert found.memory is not None
    assert 2 * (4 * 1000 + 500) < found.memory < 1 << 20


@pytest.mark.parametrize(("cache", "expected"), [(None, 60), ("there", 60 - 4)])
def test_a_forecast_leaves_out_what_the_run_finds_compiled(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch, cache: str | None, expected: float
) -> None:
    clock = [0.0]

    def wait(self, block) -> float:
        clock[0] = 60.0  # when all is ready
        return 4.0

    monkeypatch.setattr(module.Engine, "wait", wait)
    monkeypatch.setattr(module.Engine, "trial", lambda self, block: 0.0)
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", cache)
    try:
        found = Lanes().forecast(task_of(2), lanes_of(task_of(2).plan))
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
    assert (found.seconds, found.most) == (expected, expected)


def test_a_forecast_of_few_seconds_holds(task_of: Callable) -> None:
    task = task_of(2, remedies=["focal"], epochs=3, patience=3)
    found = Lanes().forecast(task, lanes_of(task.plan))
    assert 0 < found.seconds <= found.most < 60
    assert found.steps == task.steps


def test_more_devices_than_there_are(task_of: Callable) -> None:
    task = task_of(2)
    with pytest.raises(ArgumentError, match=r"`devices` must be at most \d+, as many as .* got 99"):
        list(Lanes(devices=99).train(task, lanes_of(task.plan)))


@pytest.mark.slow
def test_many_devices_give_the_numbers_of_one(tmp_path: Path) -> None:
    """In a process of its own: how many devices a host has is fixed when JAX begins."""
    count = "--xla_force_host_platform_device_count=4"
    environment = {**os.environ, "KERAS_BACKEND": "jax", "XLA_FLAGS": count}
    command = [sys.executable, str(HERE / "on_devices.py")]
    done = subprocess.run(command, env=environment, timeout=300, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["4", "devices,", "8", "lanes", "alike"]


def test_blocks_share_a_quarter_of_the_memory_among_the_threads(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = []

    class Limited(Instant):
        def __init__(self, task, limit, devices) -> None:
            super().__init__(task, limit, devices)
            limits.append(limit)

    monkeypatch.setattr(module, "Engine", Limited)
    monkeypatch.setattr(module, "_workers", lambda devices: 4)
    task = task_of(2)
    list(Lanes(memory=8).train(task, lanes_of(task.plan)))
    assert limits == [1 << 29]


def test_what_is_confirmed_needs_no_other_program(task_of: Callable) -> None:
    task = task_of(2, remedies=["focal"], confirm=1)
    executor = Lanes()
    more, mixed = (
        replace(
            task,
            plan=replace(task.plan, remedies=(*task.plan.remedies, REMEDIES[name]), confirm=0),
        )
        for name in ("class-weights", "mixup")
    )
    for each, programs in ((task, 1), (more, 1), (mixed, 2)):  # mixup has labels of shares
        lanes = [lane for lane in lanes_of(each.plan) if lane.training.loss.weights is None]
        found = list(executor.train(each, lanes[-1:]))
        assert [one.lane for one in found] == lanes[-1:]
        assert len(executor._engines) == programs
