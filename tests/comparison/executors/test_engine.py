"""The engine: early stopping, blocks of any size, lanes that leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import keras
import numpy as np
import pytest

from kilter.comparison.executors import engine as module
from kilter.comparison.executors.base import Lane, Task, Trained
from kilter.comparison.executors.engine import Engine
from kilter.comparison.executors.sequential import Sequential
from kilter.comparison.prepare import lanes_of
from kilter.comparison.remedy import Remedy
from kilter.comparison.training import Draw

LOGITS = 1e-2  # see test_contract.py
DEVICE = jax.devices()[:1]


def engine_of(task: Task, size: int, steps: int | None = None) -> Engine:
    """Return an engine with blocks of this size and so many steps a call."""
    engine = Engine(task, 1 << 30, DEVICE)
    engine.load(range(len(task.folds)))
    engine.size = size
    engine.program.steps = task.steps if steps is None else steps
    return engine


def trained_by(engine: Engine, lanes: Sequence[Lane]) -> dict[Lane, Trained]:
    return {one.lane: one for one in engine.train(lanes, map, 1.0)}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Epochs and first steps of the calls of blocks, in their order."""
    seen: list[tuple[int, int]] = []
    call = Engine._call

    def counted(self: Engine, epoch: int, begin: int, *rest: Any) -> list[int]:
        seen.append((epoch, begin))
        return call(self, epoch, begin, *rest)

    monkeypatch.setattr(Engine, "_call", counted)
    return seen


def test_a_lane_ends_after_its_patience(task_of: Callable, calls: list) -> None:
    task = task_of(2, remedies=["focal"], learning_rate=0.0, epochs=20, patience=3)
    lanes = [lane for lane in lanes_of(task.plan) if lane.fold == 0]
    trained = trained_by(engine_of(task, 2), lanes)
    assert calls == [(epoch, 0) for epoch in range(4)]  # the first and three more
    assert trained.keys() == set(lanes)
    for one in trained.values():
        assert one.epoch == 0
        for weight, initial in zip(one.weights, task.network(0, 0).get_weights(), strict=True):
            np.testing.assert_array_equal(weight, initial)


def test_a_pool_ends_when_it_is_told_to(task_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(2, epochs=20, patience=20)
    engine, advance, advanced = engine_of(task, 1), Engine._advance, []

    def counted(self: Engine, *given: Any) -> int:
        advanced.append(given)
        if len(advanced) == 4:  # one of three blocks in the second epoch
            task.stop.set()
        return advance(self, *given)

    monkeypatch.setattr(Engine, "_advance", counted)
    assert list(engine.train(lanes_of(task.plan)[:3], map, 1.0)) == []
    assert len(advanced) == 4


def test_a_pool_that_is_told_to_end_does_not_begin(task_of: Callable) -> None:
    task = task_of(2)
    engine = engine_of(task, 1)
    task.stop.set()
    assert list(engine.train(lanes_of(task.plan), map, 1.0)) == []
    assert "ahead" not in engine._parts


def agree(one: Trained, other: Trained, atol: float = LOGITS) -> None:
    assert one.epoch == other.epoch
    assert one.score == pytest.approx(other.score, abs=1e-3)
    np.testing.assert_allclose(one.validation, other.validation, atol=atol)
    np.testing.assert_allclose(one.test, other.test, atol=atol)


@pytest.mark.parametrize("size", [1, 2, 4, 7])
def test_blocks_of_any_size_are_one_fit_after_another(
    task_of: Callable, calls: list, size: int
) -> None:
    """Early stopping, folds of different sizes, mixtures, lanes that move to other blocks."""
    task = task_of(3, remedies=["smote", "focal"], epochs=12, patience=2, learning_rate=0.02)
    lanes = lanes_of(task.plan)  # three trainings of two folds
    together = trained_by(engine_of(task, size), lanes)
    assert together.keys() == set(lanes)
    blocks = [sum(epoch == number for epoch, _ in calls) for number in range(12)]
    assert blocks[0] == -(-6 // size)
    assert len(set(blocks) - {0}) > (size < 6)  # some left early, the rest moved
    # the second fold lies at an offset, and is smaller
    smote = [lane for lane in lanes if lane.training.draw.synthetic and lane.fold == 1]
    for alone in Sequential().train(task, smote):
        one = together[alone.lane]
        agree(one, alone)
        assert len(one.validation) == len(task.folds[one.lane.fold].validation_x)
        network = task.network(one.lane.fold, one.lane.seed)
        network.set_weights(one.weights)
        x = task.folds[one.lane.fold].test_x
        np.testing.assert_allclose(network.predict(x, verbose=0), one.test, atol=1e-4)


@pytest.mark.parametrize("steps", [1, 3, 100])
def test_an_epoch_in_parts_is_the_epoch(task_of: Callable, steps: int) -> None:
    task = task_of(2, remedies=["balanced-batches"], dropout=0.2)  # ten steps an epoch
    lanes = lanes_of(task.plan)
    whole = trained_by(engine_of(task, 4), lanes)
    parts = trained_by(engine_of(task, 4, steps), lanes)
    for lane, one in whole.items():
        agree(one, parts[lane], atol=1e-4)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("score_in_turn", True), ("rows_at_once", 1), ("rows_at_once", 50), ("rows_at_once", 120)],
)
def test_lanes_scored_in_turn_or_in_parts_are_lanes_scored_together(
    task_of: Callable, setting: str, value: int
) -> None:
    task = task_of(3, remedies=["focal"], dropout=0.2, patience=1)
    lanes = lanes_of(task.plan)
    together = trained_by(engine_of(task, 4), lanes)
    engine = engine_of(task, 4)
    setattr(engine.program, setting, value)
    apart = trained_by(engine, lanes)
    for lane, one in together.items():
        agree(one, apart[lane], atol=1e-4)


@pytest.mark.parametrize(("rows", "limit"), [(120, 1 << 40), (120, 1 << 14), (1 << 21, 1 << 40)])
def test_many_rows_are_scored_in_turn_and_in_parts(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch, rows: int, limit: int
) -> None:
    task = task_of(2, remedies=["smote", "focal"])
    engine = Engine(task, limit, DEVICE)
    engine.load([0, 1])
    object.__setattr__(task.folds[0], "validation_x", np.empty((rows, 4), np.float32))
    engine.pools(lanes_of(task.plan))
    all_fit = rows == 120 and limit > 1 << 14
    assert engine.program.score_in_turn is not all_fit
    assert (engine.program.rows_at_once >= rows) is all_fit
    assert engine.program.rows_at_once >= task.batch_size


def test_lanes_say_how_long_they_took(task_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    task = task_of(2, remedies=["focal"], epochs=3, patience=3)
    now = iter(range(1000))
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(next(now)))
    trained = trained_by(engine_of(task, 4), lanes_of(task.plan))
    # Three epochs of four lanes; in each the clock is looked at five times after the first, and
    # twice a second has gone by with waiting for a part of the program.
    assert [one.seconds for one in trained.values()] == [pytest.approx(3 * (5 - 2) / 4)] * 4


def test_pools_are_lanes_of_one_seed_with_those_that_mix_side_by_side(task_of: Callable) -> None:
    steep = Remedy("steep", Draw(power=0.5, partner="neighbor"))
    task = task_of(2, remedies=["smote", "focal", steep], seeds=3)
    engine = Engine(task, 1 << 30, DEVICE)
    engine.load([0, 1])
    pools = engine.pools(lanes_of(task.plan))
    assert [{lane.seed for lane in pool} for pool in pools] == [{0}, {1}, {2}]
    for pool in pools:
        mixing = [lane.training.draw.synthetic for lane in pool]
        assert mixing == sorted(mixing)
        assert any(mixing)


def test_folds_make_room_for_the_next(task_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, held = Engine(task_of(2), 1 << 30, DEVICE), []
    engine.load([0])
    stack = module.stack_folds

    def stacked(*given: object) -> object:
        held.append(engine.data)
        return stack(*given)

    monkeypatch.setattr(module, "stack_folds", stacked)
    engine.load([1])
    assert held == [None]
    assert engine.data.offsets.tolist() == [0]


def test_what_memory_holds_bounds_a_block(task_of: Callable) -> None:
    task = task_of(2, remedies=["smote", "focal"])
    sizes = []
    for limit in (1, 1 << 40):
        engine = Engine(task, limit, DEVICE)
        engine.load([0, 1])
        engine.pools(lanes_of(task.plan))
        sizes.append(engine.size)
    assert sizes == [1, 6]


def test_what_memory_holds_bounds_a_pool(task_of: Callable) -> None:
    task = task_of(2, remedies=["smote", "focal"])
    weights = sum(weight.size for weight in task.network(0, 0).get_weights())
    engine = Engine(task, 5 * weights * 4 * 4, DEVICE)  # four lanes of five copies, float32
    engine.load([0, 1])
    pools = engine.pools(lanes_of(task.plan))
    assert [len(pool) for pool in pools] == [3, 3]
    assert {lane for pool in pools for lane in pool} == set(lanes_of(task.plan))


def test_what_lanes_share_bounds_the_steps_of_a_call(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(task_of(2, dropout=0.5, batch_size=4, hidden=(8, 3)), 1 << 30, DEVICE)
    engine.load([0, 1])
    a_mask = 4 * sum(engine.task.plan.hidden)
    assert engine.program.stages.bytes == a_mask
    monkeypatch.setattr(module, "CALL_KEPT", 3 * a_mask + 1)
    engine.pools(lanes_of(engine.task.plan))
    assert engine.program.steps == 3


def test_convolutions_are_trained_alone_step_by_step(task_of: Callable, in_order: Callable) -> None:
    def build(shape: tuple[int, ...], outputs: int, seed: int) -> keras.Model:
        layers = keras.layers
        glorot = keras.initializers.GlorotUniform
        return keras.Sequential(
            [
                keras.Input(shape),
                layers.Reshape((*shape, 1)),
                layers.Conv1D(4, 2, activation="relu", kernel_initializer=glorot(seed)),
                layers.Flatten(),
                layers.Dense(outputs, kernel_initializer=glorot(seed + 1)),
            ]
        )

    task = task_of(2, remedies=["focal"], epochs=2)
    task = Task(task.plan, task.folds, 2, 1, build, task.stop)
    engine = Engine(task, 1 << 30, DEVICE)
    engine.load([0, 1])
    (pool,) = engine.pools(lanes_of(task.plan))
    assert (engine.size, engine.program.steps) == (1, 1)
    found = in_order(engine.train(pool, map, 1.0))
    for one, alone in zip(found, in_order(Sequential().train(task, pool)), strict=True):
        agree(one, alone)
