"""Lanes: early stopping, chunks of any shape, an end on request."""

from __future__ import annotations

from collections.abc import Callable

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


def test_without_progress_a_lane_ends_after_its_patience(
    task_of: Callable, epochs: list[int]
) -> None:
    task = task_of(2, remedies=["focal"], learning_rate=0.0, epochs=20, patience=3)
    trained = list(Lanes().train(task, [lane for lane in lanes_of(task.plan) if lane.fold == 0]))
    assert max(epochs) == 3  # the first and three more
    assert len(trained) == 2
    for one in trained:
        assert one.epoch == 0
        for weight, initial in zip(one.weights, task.network(0, 0).get_weights(), strict=True):
            np.testing.assert_array_equal(weight, initial)


def forced(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """Make chunks as on an accelerator that holds so many lanes."""
    monkeypatch.setattr(module.jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(module, "LANES_ON_ACCELERATOR", at_once)


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


def test_pairs_of_which_some_lanes_are_done_go_into_chunks_of_their_own(task_of: Callable) -> None:
    task = task_of(2, remedies=["focal", "smote"], seeds=2)
    lanes = lanes_of(task.plan)[2:]  # two of the first pair are done
    assert [module._shape(chunk) for chunk in module._chunks(lanes)] == [(1, 3)] * 3 + [(1, 1)]


def test_many_pairs_at_once_are_pair_after_pair_and_fit_after_fit(
    task_of: Callable, in_order: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Early stopping, uneven folds, forced chunks: three ways to train the same lanes."""
    task = task_of(3, remedies=["smote"], epochs=12, patience=2, learning_rate=0.02)
    lanes = lanes_of(task.plan)
    alone = [lane for lane in lanes if lane.fold == 1]
    ways = [in_order(Lanes().train(task, lanes)), in_order(Sequential().train(task, alone))]
    forced(monkeypatch, 4)
    assert [module._shape(chunk) for chunk in module._chunks(lanes)] == [(2, 2)]
    together = in_order(Lanes().train(task, lanes))
    assert any(one.epoch + 2 < 11 for one in together)  # some stopped early
    by_lane = {one.lane: one for one in together}
    for way in ways:
        for other in way:
            one = by_lane[other.lane]
            assert one.epoch == other.epoch
            assert one.score == pytest.approx(other.score, abs=1e-3)
            np.testing.assert_allclose(one.validation, other.validation, atol=LOGITS)
            np.testing.assert_allclose(one.test, other.test, atol=LOGITS)
    for one in together:
        assert len(one.validation) == len(task.folds[one.lane.fold].validation_x)
        network = task.network(one.lane.fold, one.lane.seed)
        network.set_weights(one.weights)
        x = task.folds[one.lane.fold].test_x
        np.testing.assert_allclose(network.predict(x, verbose=0), one.test, atol=1e-4)


def test_a_stop_ends_it_at_the_next_epoch(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = task_of(2, remedies=["focal"], epochs=500, patience=500)
    draw, drawn = BaseDraws.epoch, []

    def stops(self: BaseDraws, epoch: int):
        drawn.append(epoch)
        if epoch == 2:
            task.stop.set()
        return draw(self, epoch)

    monkeypatch.setattr(BaseDraws, "epoch", stops)
    assert list(Lanes().train(task, lanes_of(task.plan))) == []
    assert max(drawn) <= 3


def test_whoever_stops_listening_stops_the_work(
    task_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.os, "cpu_count", lambda: 1)  # one chunk after the other
    task = task_of(2, remedies=["focal"], epochs=3, seeds=3)
    training = Lanes().train(task, lanes_of(task.plan))
    assert next(training).epoch >= 0
    assert not task.stop.is_set()
    training.close()
    assert task.stop.is_set()
