"""The program: what a lane is in numbers, what it begins with, what leaves it."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import keras
import numpy as np

from kilter.comparison.executors.base import DIVERGED, Task
from kilter.comparison.executors.device import stack_folds
from kilter.comparison.executors.program import Program
from kilter.comparison.prepare import lanes_of


def test_numbers_are_those_of_draw_and_loss(task_of: Callable) -> None:
    task = task_of(2, remedies=["smote", "class-weights"], seeds=2)
    lanes = [lane for lane in lanes_of(task.plan) if lane.seed == 1]
    numbers = Program(task).numbers(lanes, [1, 0])  # the folds lie the other way round
    for place, lane in enumerate(lanes):
        draw, loss = lane.training[:2]
        counts = task.folds[lane.fold].layout.counts
        assert numbers.fold[place] == 1 - lane.fold
        assert numbers.circle[place] == 2 * (1 - lane.fold) + 1
        quotas = draw.quotas(counts, task.steps, task.batch_size)
        np.testing.assert_array_equal(numbers.quotas.slots[place], quotas.slots)
        np.testing.assert_array_equal(numbers.loss.weights[place], loss.numbers(counts).weights)


def test_a_lane_begins_with_the_networks_weights(task_of: Callable) -> None:
    task = task_of(2)
    program = Program(task)
    lane = next(lane for lane in lanes_of(task.plan) if lane.fold == 1)
    _, state = program.initial(lane)
    expected = task.network(1, 0).get_weights()
    for found in (program.weights(state.trainable, state.other), program.weights(*state.best)):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert state.score == DIVERGED
    assert not state.done


def test_weights_stand_in_the_order_of_the_model(task_of: Callable) -> None:
    """Batch normalisation has weights of both kinds among each other."""

    def build(shape: tuple[int, ...], outputs: int, seed: int) -> keras.Model:
        layers = keras.layers
        normalised = [layers.Dense(3), layers.BatchNormalization(), layers.Dense(outputs)]
        return keras.Sequential([keras.Input(shape), *normalised])

    task = task_of(2)
    task = Task(task.plan, task.folds, 2, 1, build, task.stop)
    program = Program(task)
    _, state = program.initial(lanes_of(task.plan)[0])
    shapes = [weight.shape for weight in program.weights(state.trainable, state.other)]
    assert shapes == [tuple(weight.shape) for weight in task.network(0, 0).weights]


def test_a_prediction_is_that_of_the_network(task_of: Callable) -> None:
    task = task_of(2)
    program = Program(task)
    _, state = program.initial(lanes_of(task.plan)[0])
    data = jax.tree.map(jnp.asarray, stack_folds(task, [1, 0]))
    logits = program.predict(data, 1, state.trainable, state.other)
    for found, x in zip(logits, (task.folds[0].validation_x, task.folds[0].test_x), strict=True):
        expected = task.network(0, 0).predict(x, verbose=0)
        np.testing.assert_allclose(found[: len(x)], expected, atol=1e-5)


def test_work_grows_with_the_batch(task_of: Callable) -> None:
    works = []
    for size in (32, 64):
        task = task_of(2, batch_size=size)
        data = jax.tree.map(jnp.asarray, stack_folds(task, [0, 1]))
        works.append(Program(task).work(data))
    small, large = works
    # products over the rows, forward and back twice, for 4 inputs, 8 units and 2 outputs; the
    # gradient towards the inputs is nobody's
    assert small.flops == 2 * 32 * (2 * 4 * 8 + 3 * 8 * 2)
    assert large.flops == 2 * small.flops
