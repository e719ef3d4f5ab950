"""Lanes: early stopping, chunks of any shape, an end on request."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import keras
import numpy as np
import pytest

from kilter._errors import BackendError
from kilter.comparison.executors import lanes as module
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.executors.sequential import Sequential
from kilter.comparison.run import lanes_of
from kilter.sampling import BaseDraws

LOGITS = 1e-2  # see test_contract.py


def test_lanes_need_jax(task_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    task = task_of(2)
    with pytest.raises(BackendError, match="lanes needs the JAX backend; this is torch"):
        list(Lanes().train(task, lanes_of(task.plan)))


def test_no_lanes_are_no_work(task_of: Callable) -> None:
    assert list(Lanes().train(task_of(2), [])) == []


@pytest.fixture
def epochs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The epochs that were drawn, one after the other."""
    drawn: list[int] = []
    draw = BaseDraws.epoch

    def counted(self: BaseDraws, epoch: int):
        drawn.append(epoch)
        return draw(self, epoch)

    monkeypatch.setattr(BaseDraws, "epoch", counted)
    return drawn


def test_a_lane_ends_after_its_patience_or_when_it_is_told_to(
    task_of: Callable, epochs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(2, remedies=["focal"], learning_rate=0.0, epochs=20, patience=3)
    chunk = [[lane for lane in lanes_of(task.plan) if lane.fold == 0]]
    program = module.Program(task)
    compiled = program.compile(chunk)
    epochs.clear()
    trained = program.run(compiled, chunk, share=0.5)
    assert epochs == [0, 1, 2, 3]  # without progress: the first and three more
    for one in trained:
        assert one.epoch == 0
        for weight, initial in zip(one.weights, task.network(0, 0).get_weights(), strict=True):
            np.testing.assert_array_equal(weight, initial)
    draw = BaseDraws.epoch  # counts

    def stops(self: BaseDraws, epoch: int) -> tuple:
        if epoch == 1:
            task.stop.set()
        return draw(self, epoch)

    monkeypatch.setattr(BaseDraws, "epoch", stops)
    epochs.clear()
    assert program.run(compiled, chunk, share=0.5) == []
    assert epochs == [0, 1]


def forced(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Make chunks as on an accelerator that holds so many lanes."""
    monkeypatch.setattr(module.jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(module, "LANES_ON_ACCELERATOR", at_once)
    monkeypatch.setattr(module, "LEAST_CHUNKS", 1)


@pytest.mark.parametrize(
    ("at_once", "shapes"),
    [
        (1, [(1, 3)] * 6),
        (6, [(2, 3)] * 3),
        (8, [(2, 3)] * 3),
        (12, [(4, 3), (2, 3)]),
        (256, [(6, 3)]),
    ],
)
def test_chunks_are_as_large_as_the_machine_takes(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch, at_once: int, shapes: list
) -> None:
    task = task_of(2, remedies=["focal", "smote"], seeds=3)
    lanes = lanes_of(task.plan)
    forced(monkeypatch, at_once)
    chunks = list(module._chunks(lanes))
    assert [module._shape(chunk) for chunk in chunks] == shapes
    assert sorted(map(repr, (x for c in chunks for pair in c for x in pair))) == sorted(
        map(repr, lanes)
    )


def test_an_accelerator_gets_five_chunks_so_that_an_interrupt_keeps_some(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(2, remedies=["focal"], seeds=5)
    forced(monkeypatch, 256)
    monkeypatch.setattr(module, "LEAST_CHUNKS", 5)
    chunks = list(module._chunks(lanes_of(task.plan)))
    assert [module._shape(chunk) for chunk in chunks] == [(2, 2)] * 5


def test_pairs_of_which_some_lanes_are_done_go_into_chunks_of_their_own(task_of: Callable) -> None:
    task = task_of(2, remedies=["focal", "smote"], seeds=2)
    lanes = lanes_of(task.plan)[2:]  # two of the first pair are done
    assert [module._shape(chunk) for chunk in module._chunks(lanes)] == [(1, 3)] * 3 + [(1, 1)]


def test_many_pairs_at_once_are_one_fit_after_another(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Early stopping, folds of different sizes and mixtures, two pairs to a chunk."""
    task = task_of(3, remedies=["smote"], epochs=12, patience=2, learning_rate=0.02)
    lanes = lanes_of(task.plan)
    forced(monkeypatch, 4)
    assert [module._shape(chunk) for chunk in module._chunks(lanes)] == [(2, 2)]
    together = {one.lane: one for one in Lanes().train(task, lanes)}
    assert together.keys() == set(lanes)
    assert any(one.epoch + 2 < 11 for one in together.values())  # stopped early
    # the second fold lies at an offset, and is smaller
    smote = [lane for lane in lanes if lane.training[0].synthetic and lane.fold == 1]
    for alone in Sequential().train(task, smote):
        one = together[alone.lane]
        assert one.epoch == alone.epoch
        assert one.score == pytest.approx(alone.score, abs=1e-3)
        np.testing.assert_allclose(one.validation, alone.validation, atol=LOGITS)
        np.testing.assert_allclose(one.test, alone.test, atol=LOGITS)
        assert len(one.validation) == len(task.folds[one.lane.fold].validation_x)
        network = task.network(one.lane.fold, one.lane.seed)
        network.set_weights(one.weights)
        x = task.folds[one.lane.fold].test_x
        np.testing.assert_allclose(network.predict(x, verbose=0), one.test, atol=1e-4)


class Instant:
    """Takes the place of the program: compiles and trains nothing."""

    def __init__(self, task) -> None:
        self.task = task

    def compile(self, chunk: list) -> str:
        return f"compiled for {module._shape(chunk)}"

    def run(self, compiled: str, chunk: list, share: float) -> list:
        assert compiled == f"compiled for {module._shape(chunk)}"
        assert 0 < share <= 1
        return [] if self.task.stop.is_set() else [lane for pair in chunk for lane in pair]


def test_every_lane_is_run_once(task_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Program", Instant)
    task = task_of(2, remedies=["focal", "smote"], seeds=3)
    lanes = lanes_of(task.plan)[2:]  # chunks of three lanes, and one of one
    done = list(Lanes().train(task, lanes))
    assert sorted(map(repr, done)) == sorted(map(repr, lanes))
    assert not task.stop.is_set()


def test_whoever_stops_listening_stops_the_work(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "cpu_count", lambda: 1)  # one chunk after the other
    begun, may_end = [], Event()

    class Slow(Instant):
        def run(self, compiled: str, chunk: list, share: float) -> list:
            begun.append(chunk)
            if len(begun) > 1:
                may_end.wait(10)
            return super().run(compiled, chunk, share)

    monkeypatch.setattr(module, "Program", Slow)
    task = task_of(2, remedies=["focal"], seeds=4)
    monkeypatch.setattr(task.stop, "set", lambda: (Event.set(task.stop), may_end.set()))
    training = Lanes().train(task, lanes_of(task.plan))
    next(training)
    assert not task.stop.is_set()
    training.close()
    assert task.stop.is_set()
    assert len(begun) <= 2  # of eight: what was waiting never began
