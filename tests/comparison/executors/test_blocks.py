"""Lanes in places of blocks: who sits where, and with what state."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kilter.comparison.executors.base import Lane
from kilter.comparison.executors.blocks import Block, Seating
from kilter.comparison.executors.device import stack_trees
from kilter.comparison.executors.program import Numbers, State
from kilter.comparison.remedy import REMEDIES
from kilter.comparison.training import Loss

COUNTS = np.array([40, 8])
SPREAD = NamedSharding(Mesh(np.array(jax.devices()[:1]), "lanes"), PartitionSpec("lanes"))


def lanes_of(*names: str) -> list[Lane]:
    """Return a lane of each of these remedies; the fold is its number."""
    return [Lane(REMEDIES[name].trainings[0], fold, 0) for fold, name in enumerate(names)]


def numbers_of(lanes: Sequence[Lane]) -> Numbers:
    every = [
        Numbers(
            np.int32(lane.fold),
            np.int32(0),
            np.int32(5),
            lane.training.draw.quotas(COUNTS, 3, 16),
            Loss().numbers(COUNTS),
            np.ones(len(COUNTS), np.float32),
        )
        for lane in lanes
    ]
    return stack_trees(every)


def state_of(lanes: Sequence[Lane]) -> State:
    """Return a state in which the only weight of a lane is ten times its fold."""
    weights = np.array([10.0 * lane.fold for lane in lanes])
    no = np.zeros(len(lanes), bool)
    return State([weights], [], [], ([weights], []), weights, weights, no)


def seated(size: int, lanes: Sequence[Lane]) -> tuple[Seating, list[Block]]:
    seating = Seating(size, numbers_of, SPREAD)
    return seating, seating.blocks(lanes, state_of(lanes))


def test_every_lane_has_a_place_with_its_own_state_and_numbers() -> None:
    lanes = lanes_of(*["none"] * 7)
    _, blocks = seated(3, lanes)
    assert [list(block.waiting) for block in blocks] == [[0, 1, 2], [0, 1, 2], [0]]
    assert [lane for block in blocks for lane in block.waiting.values()] == lanes
    for block in blocks:
        for place, lane in block.waiting.items():
            assert block.state.trainable[0][place] == 10 * lane.fold
            assert block.numbers.fold[place] == lane.fold


def test_places_that_nobody_fills_are_done() -> None:
    _, blocks = seated(3, lanes_of(*["none"] * 4))
    assert [block.state.done.tolist() for block in blocks] == [[False] * 3, [False, True, True]]
    assert blocks[1].numbers.fold.tolist() == [3, 3, 3]  # as the first one of the block


@pytest.mark.parametrize(
    ("names", "mixes"),
    [
        (("none", "oversample"), False),
        (("none", "smote"), True),
        (("none", "cluster-smote"), True),
        (("none", "mixup"), False),  # with rows of the batch, which need no neighbours
        (("none", "remix"), False),
    ],
)
def test_a_block_knows_whether_it_mixes_rows_with_neighbors(
    names: tuple[str, ...], mixes: bool
) -> None:
    (block,) = seated(2, lanes_of(*names))[1]
    assert bool(block.mixes) is mixes


def leave(block: Block, *places: int) -> None:
    for place in places:
        del block.waiting[place]


def test_lanes_move_together_where_that_spares_a_block() -> None:
    lanes = lanes_of(*["none"] * 9)
    seating, blocks = seated(3, lanes)
    leave(blocks[0], 0, 2)
    leave(blocks[2], 1)
    moved = seating.regrouped(blocks)  # six are left, in three blocks
    assert len(moved) == 2
    assert [lane.fold for block in moved for lane in block.waiting.values()] == [1, 3, 4, 5, 6, 8]
    weights = np.concatenate([block.state.trainable[0] for block in moved])
    assert weights.tolist() == [10, 30, 40, 50, 60, 80]


def test_lanes_stay_where_no_block_is_spared() -> None:
    seating, blocks = seated(3, lanes_of(*["none"] * 9))
    leave(blocks[0], 0)
    leave(blocks[1], 1)
    stay = seating.regrouped(blocks)  # seven are left
    assert all(one is other for one, other in zip(stay, blocks, strict=True))


def test_blocks_without_lanes_are_gone() -> None:
    seating, blocks = seated(2, lanes_of(*["none"] * 4))
    leave(blocks[0], 0, 1)
    assert seating.regrouped(blocks) == [blocks[1]]
    leave(blocks[1], 0, 1)
    assert seating.regrouped(blocks) == []


def test_waiting_for_a_part_is_not_the_blocks_time() -> None:
    (block,) = seated(1, lanes_of("none"))[1]
    with ThreadPoolExecutor(1) as thread:
        begun = time.perf_counter()
        assert block.wait(thread.submit(lambda: time.sleep(0.05) or "compiled")) == "compiled"
        took = time.perf_counter() - begun
    assert 0.04 < -block.seconds <= took
