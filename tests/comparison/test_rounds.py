"""Trainings that hang on others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from kilter.comparison.executors.base import EncodedFold, Executor, Lane, Task, Trained
from kilter.comparison.executors.sequential import Sequential
from kilter.comparison.prepare import lanes_of
from kilter.comparison.remedy import PARTS, Remedy
from kilter.comparison.rounds import go_on, paced_circle, rounds, train_in_rounds
from kilter.comparison.training import Loss
from kilter.sampling import Layout, philox


def fold_of(*counts: int) -> EncodedFold:
    labels = np.repeat(np.arange(len(counts)), counts)
    none = np.empty((0, 0))
    x = np.arange(len(labels), dtype=np.float32)[:, None]
    return EncodedFold(x, labels, Layout.of(labels, len(counts)), none, none, none, none, none)


def test_rounds_follow_each_other(small: Callable) -> None:
    plan = small(remedies="self-paced,focal").plan
    first, *later = rounds(lanes_of(plan))
    assert not any(lane.training.draw.paced for lane in first)
    assert [{lane.training.draw.part for lane in part} for part in later] == [{1}, {2}, {3}]
    assert sorted(map(repr, sum(later, first))) == sorted(map(repr, lanes_of(plan)))


@given(st.integers(1, 9), st.integers(10, 40), st.integers(1, PARTS), st.integers(0, 99))
def test_a_circle_has_all_rows_and_begins_with_a_subset(
    rare: int, many: int, part: int, seed: int
) -> None:
    fold, random = fold_of(many, rare), np.random.default_rng(seed)
    circle = paced_circle(fold, random.random(many + rare), part, random)
    assert sorted(circle[:many]) == list(range(many))
    assert sorted(circle[many:]) == list(range(many, many + rare))


def times_chosen(hardness: np.ndarray, part: int, rare: int = 20) -> np.ndarray:
    """Return how often each row of a large class is chosen, of 400 times."""
    fold = fold_of(len(hardness), rare)
    every = np.concatenate([hardness, np.zeros(rare)])
    chosen = Counter(
        row
        for seed in range(400)
        for row in paced_circle(fold, every, part, np.random.default_rng(seed))[:rare].tolist()
    )
    return np.array([chosen[row] for row in range(len(hardness))])


def test_degrees_of_hardness_are_sampled_as_the_paper_says() -> None:
    # 180 easy rows, 20 hard ones; of five degrees two have rows.
    hardness = np.repeat([0.1, 0.9], [180, 20])
    for part in (1, 2, 3):
        pace = np.tan(np.pi / 2 * part / PARTS)
        weights = 1 / (np.array([0.1, 0.9]) + pace)
        share = times_chosen(hardness, part)[180:].sum() / (400 * 20)
        expected = weights[1] / weights.sum()
        # Without replacement, and of 20 hard rows at most 20: a little less than that.
        assert expected - 0.12 < share < expected + 0.02
    # At first, harmony: 9 times as many easy ones; at last all degrees alike.
    assert times_chosen(hardness, 1)[180:].sum() < times_chosen(hardness, 3)[180:].sum()


def test_rows_of_one_hardness_are_chosen_alike() -> None:
    chosen = times_chosen(np.full(100, 0.3), 1)
    assert chosen.mean() == 80
    assert chosen.std() < 2 * np.sqrt(80)


@pytest.fixture
def circles(quick: Executor, monkeypatch: pytest.MonkeyPatch) -> dict[Lane, np.ndarray]:
    """The circle that each lane is given."""
    train, seen = quick.train, {}

    def watched(task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        seen.update({lane: task.circle(lane.fold, lane.seed) for lane in lanes})
        return train(task, lanes)

    monkeypatch.setattr(quick, "train", watched)
    return seen


@pytest.mark.backend
def test_a_part_sees_what_the_parts_before_ask_for(
    small: Callable, quick: Executor, circles: dict[Lane, np.ndarray]
) -> None:
    parts = small(remedies="self-paced", folds=2, seeds=1)
    task, fold = parts.task, parts.task.folds[1]
    trained = list(train_in_rounds(quick, task, lanes_of(parts.plan)))
    assert len(trained) == 2 * (1 + PARTS)  # and the baseline
    mine = [one for one in trained if one.lane.fold == 1 and one.lane.training.draw.shrink]
    network, right = task.network(0, 0), []
    for one in mine:
        part = one.lane.training.draw.part
        if part:
            random = philox(parts.plan.seed, 1, 0, part)
            expected = paced_circle(fold, 1 - np.mean(right, axis=0), part, random)
            np.testing.assert_array_equal(circles[one.lane], expected)
        network.set_weights(one.weights)
        p = softmax(network.predict(fold.x, verbose=0).astype(float), axis=1)
        right.append(p[np.arange(len(p)), fold.labels])


def test_what_goes_on_from_others_trains_together(small: Callable) -> None:
    plan = small(remedies="drw,ldam-drw,self-paced").plan
    first, second, *later = rounds(lanes_of(plan))
    assert all(lane.training.after is None for lane in first)
    names = {lane.training.loss.margin for lane in second if lane.training.after is not None}
    assert names == {0, 0.5}
    assert len(later) == PARTS - 1  # of paced ones each for itself


@pytest.mark.backend
def test_deferred_weights_go_on_from_the_best_plain_network(small: Callable) -> None:
    """Without a learning rate, the network that comes back is the one it began with."""
    parts = small(remedies="drw", network="mlp", folds=2, seeds=1, epochs=2)
    *first, second = train_in_rounds(Sequential(), parts.task, lanes_of(parts.plan))
    (plain,) = [
        one for one in first if replace(second.lane, training=one.lane.training) == one.lane
    ]
    assert second.lane.training.after == plain.lane.training
    begins = {(plain.lane.training, 1, 0): plain.weights}
    task = replace(parts.task, begins=begins)
    for found, expected in zip(
        task.beginning(second.lane).get_weights(), plain.weights, strict=True
    ):
        np.testing.assert_array_equal(found, expected)
    still = replace(task, plan=replace(parts.plan, learning_rate=0.0, epochs=1))
    (one,) = Sequential().train(still, [second.lane])
    np.testing.assert_allclose(one.test, plain.test, atol=1e-5)
    assert not np.allclose(second.test, plain.test, atol=1e-3)


@pytest.mark.backend
def test_what_was_trained_before_is_not_trained_again(
    small: Callable, quick: Executor, circles: dict[Lane, np.ndarray]
) -> None:
    parts = small(remedies="self-paced", folds=2, seeds=1)
    lanes = lanes_of(parts.plan)
    whole, expected = list(train_in_rounds(quick, parts.task, lanes)), circles.copy()
    circles.clear()
    left = [lane for lane in lanes if lane.training.draw.part == 3]
    before = [one for one in whole if one.lane not in left]
    again = list(train_in_rounds(quick, parts.task, left, before))
    assert [one.lane for one in again] == list(circles) == left
    for lane, circle in circles.items():
        np.testing.assert_array_equal(circle, expected[lane])


def test_heads_come_behind_what_they_go_on_from(small: Callable) -> None:
    on = Remedy("on", loss=Loss(gamma=1), after="crt")
    first, *second, third = rounds(lanes_of(small(remedies=["crt", "drw", on], network="mlp").plan))
    assert all(lane.training.after is None for lane in first)
    of_heads = {part[0].training.head: part for part in second}
    assert set(of_heads) == {None, "anew"}  # whole networks, and last layers
    assert all(lane.training.head == "anew" for lane in of_heads["anew"])
    assert {lane.training.after.head for lane in third} == {"anew"}


@pytest.mark.backend
def test_what_is_known_is_not_trained_again(small: Callable, quick: Executor) -> None:
    parts = small(remedies="focal,tau-norm", network="mlp", folds=2, seeds=1)
    lanes = lanes_of(parts.plan)
    there, coming = go_on(quick, parts.task, lanes, None)
    whole = [*there, *coming]
    assert (len(there), len(whole)) == (0, 6)
    assert len(quick.trained) == 4  # nothing is trained for powers of a norm
    quick.trained.clear()
    known = [one for one in whole if one.lane.training.loss.gamma == 0]
    there, coming = go_on(quick, parts.task, lanes, None, known=known)
    assert there == known
    assert [one.lane.training.loss.gamma for one in coming] == [2, 2]
    assert len(quick.trained) == 2
