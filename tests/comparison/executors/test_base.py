"""What all executors share: batch size, steps, common random numbers."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kilter.comparison.executors.base import Executor, Lane, Task, seed_states


def task_of_size(task: Task, rows: int, n_classes: int = 2, batch_size: int | None = None) -> Task:
    fold = SimpleNamespace(x=np.empty((rows, 3)))
    plan = replace(task.plan, batch_size=batch_size)
    return Task(plan, (fold,), n_classes, 1, task.build, task.stop)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rows", "batch"),
    [(10, 32), (960, 32), (1920, 64), (7_680, 256), (1_000_000, 256), (4_000, 128)],
)
def test_about_thirty_steps_an_epoch(task_of, rows: int, batch: int) -> None:
    task = task_of_size(task_of(2), rows)
    assert task.batch_size == batch
    assert (task.steps - 1) * batch < rows <= task.steps * batch


def test_a_batch_has_room_for_every_class(task_of) -> None:
    assert task_of_size(task_of(2), 100, n_classes=300).batch_size == 300
    assert task_of_size(task_of(2), 100, n_classes=3, batch_size=2).batch_size == 3


def test_a_batch_size_that_is_given_is_taken(task_of) -> None:
    task = task_of_size(task_of(2), 101, batch_size=10)
    assert (task.batch_size, task.steps) == (10, 11)


def test_all_folds_have_as_many_steps(task_of) -> None:
    task = task_of(2)  # folds of 300 and 270 training rows, batches of 32
    assert task.steps == 10
    assert task.shape == (4,)


def test_circles_hang_on_plan_seed_fold_and_seed(task_of) -> None:
    task = task_of(2)
    circle = task.circle(0, 1)
    np.testing.assert_array_equal(circle, task.circle(0, 1))
    assert len(task.circle(1, 1)) == 270
    for other in (task.circle(0, 0), task_of(2, seed=1).circle(0, 1)):
        assert (circle != other).any()


def test_base_draws_hang_on_plan_seed_and_seed(task_of) -> None:
    task = task_of(2)
    np.testing.assert_array_equal(task.key(1), task.key(1))
    for other in (task.key(0), task_of(2, seed=1).key(1)):
        assert (task.key(1) != other).all()


def test_dropout_hangs_on_plan_seed_and_seed_and_differs_by_layer(task_of) -> None:
    def states(task: Task, fold: int, seed: int) -> list:
        model = task.network(fold, seed)
        return [keras.ops.convert_to_numpy(state).tolist() for state in seed_states(model)]

    task = task_of(2, dropout=0.5, hidden=(8, 8))
    one, other = states(task, 0, 1)
    assert one != other
    assert states(task, 1, 1) == [one, other]
    for different in (states(task, 0, 0), states(task_of(2, 0.5, seed=1), 0, 1)):
        assert one not in different


def test_initial_weights_hang_on_them_too(task_of) -> None:
    def kernel(task: Task, fold: int, seed: int) -> np.ndarray:
        return task.network(fold, seed).get_weights()[0]

    task = task_of(2)
    np.testing.assert_array_equal(kernel(task, 0, 1), kernel(task, 0, 1))
    others = [kernel(task, 1, 1), kernel(task, 0, 0), kernel(task_of(2, seed=1), 0, 1)]
    assert all((kernel(task, 0, 1) != other).any() for other in others)


def test_the_optimizer_is_the_plans_and_new(task_of) -> None:
    task = task_of(2, learning_rate=0.25, weight_decay=0.125)
    one, other = task.optimizer(), task.optimizer()
    assert one is not other
    assert float(one.learning_rate) == 0.25
    assert one.weight_decay == 0.125


def test_lanes_are_values() -> None:
    assert Lane(("a", "b"), 0, 1) == Lane(("a", "b"), 0, 1)  # type: ignore[arg-type]


def test_an_executor_must_train() -> None:
    with pytest.raises(TypeError, match="train"):
        Executor()  # type: ignore[abstract]


def test_rarer_classes_are_changed_more_often(task_of) -> None:
    task = task_of(3, remedies=[])
    counts = task.folds[0].layout.counts
    assert task.chances(0).tolist() == [1, 1, 1]
    given = replace(task, plan=replace(task.plan, augment_share=0.4))
    expected = [1 - 0.6 * count / counts.max() for count in counts]
    np.testing.assert_allclose(given.chances(0), expected, rtol=1e-6)


def test_what_changes_rows_draws_by_the_seed_and_is_not_in_the_network(task_of) -> None:
    noise = keras.layers.GaussianNoise(1.0, seed=0)
    task = replace(task_of(2, remedies=[], seeds=2), layers=(noise,))
    x, chances = task.folds[0].x, np.ones(len(task.folds[0].x), np.float32)

    def trained_on(fold: int, seed: int) -> np.ndarray:
        network = task.network(fold, seed)
        taught = task.taught(network, seed)
        assert [id(one) for one in taught.trainable_variables] == [
            id(one) for one in network.trainable_variables
        ]
        front = next(layer for layer in taught.layers if type(layer).__name__ == "Augmented")
        return keras.ops.convert_to_numpy(front([x, chances], training=True))

    np.testing.assert_array_equal(trained_on(0, 0), trained_on(1, 0))
    assert np.abs(trained_on(0, 0) - trained_on(0, 1)).max() > 0.5
    network = task.network(0, 0)
    assert replace(task, layers=()).taught(network, 0) is network
