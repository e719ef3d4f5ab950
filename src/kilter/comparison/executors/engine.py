"""The engine: trains pools of lanes, epoch by epoch in blocks, ever fewer of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from threading import Lock
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kilter.comparison.executors.base import Lane, Task, Trained
from kilter.comparison.executors.blocks import Block, Seating
from kilter.comparison.executors.compiled import Parts, like
from kilter.comparison.executors.cost import ACCELERATOR, HOST
from kilter.comparison.executors.device import stack_folds, stack_trees
from kilter.comparison.executors.memory import even_parts, fold_bytes, lane_bytes
from kilter.comparison.executors.program import Program, Shared, State
from kilter.comparison.training import Training

Map = Callable[[Callable[[Block], list[int]], Sequence[Block]], Iterable[list[int]]]

CALL_SECONDS = 0.5  # an interrupt waits for the end of a call, and of compiling
CALL_DRAWS = 1 << 20  # of a block and call; each takes some 20 bytes
CALL_KEPT = 1 << 26  # bytes that the lanes of a pool share in a call, such as masks
SCORED = 1 << 27  # bytes that scoring computes with at once, if the limit is not less
LIVE = 2  # bytes for each number that a step computes: half of them at once, 4 bytes each
FORWARD = 3  # of what a step computes, one in so many serves to score


class Engine:
    """Trains pools of a task, in blocks of one size: its program is compiled once.

    ``limit`` bounds in bytes what a block computes with, and as well what the lanes of a pool
    keep. The places of a block are spread over ``devices``; each has all folds.
    """

    def __init__(self, task: Task, limit: int, devices: Sequence[jax.Device]) -> None:
        self.limit = limit
        self.devices = len(devices)
        mesh = Mesh(np.array(devices), "lanes")
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._spread = NamedSharding(mesh, PartitionSpec("lanes"))
        self.program = Program(task)
        self._bytes_of_lane = lane_bytes(self.program.model)
        self.size = 0  # places of a block; not settled yet
        self._parts = Parts(self.program, self._everywhere)
        self._initial: dict[tuple[Training | None, int, int], tuple[Any, State]] = {}
        self._lock = Lock()

    @property
    def task(self) -> Task:
        """That of the program: it may change in what is not compiled."""
        return self.program.task

    def load(self, folds: Sequence[int]) -> None:
        """Put these folds on the device, in the place of those before."""
        self.folds = list(folds)
        self.data: Any = None  # those before go first: both may not fit
        self.data = jax.device_put(stack_folds(self.task, self.folds), self._everywhere)

    def pools(self, lanes: Sequence[Lane]) -> list[list[Lane]]:
        """Part lanes by seed and by what fits, and settle how large their blocks are."""
        trainings = list(dict.fromkeys(lane.training for lane in lanes))

        def place(lane: Lane) -> tuple[bool, int]:
            # Those that mix rows come to lie together: a block without them does not have to.
            return lane.training.draw.synthetic, trainings.index(lane.training)

        lanes = sorted(lanes, key=place)
        seeds = list(dict.fromkeys(lane.seed for lane in lanes))
        of_seeds = [[lane for lane in lanes if lane.seed == seed] for seed in seeds]
        fitting = max(1, self.limit // self._bytes_of_lane)
        pools = [part for pool in of_seeds for part in even_parts(pool, fitting)]
        if not self.size:
            self._settle(max(map(len, pools)))
        return pools

    def _settle(self, lanes: int) -> None:
        """Choose the size of blocks and the steps of a call, for pools of so many lanes."""
        work = self.program.work(self.data)
        on_host = jax.default_backend() == "cpu"
        cost = work.cost(HOST if on_host else ACCELERATOR)
        self._bytes_of_place = LIVE * work.elements
        if on_host and work.convolutions:
            self.size, self.program.steps = self.devices, 1
        else:
            fitting = max(1, self.limit // self._bytes_of_place)
            # Each device has a block of its own, so to say, of a share of the lanes.
            size = min(cost.best_size(math.ceil(lanes / self.devices)), fitting)
            self.size = size * self.devices
            self.program.steps = self._steps_of_call(cost(self.size))
        self._settle_score()

    def _steps_of_call(self, seconds: float) -> int:
        """Return how many steps of so many seconds a call has; more than one, to be a loop."""
        in_time = int(CALL_SECONDS / seconds)
        in_memory = min(
            CALL_DRAWS // (self.task.batch_size * self.size),
            CALL_KEPT // max(1, self.program.stages.bytes),
        )
        return min(self.task.steps, max(2, min(in_time, in_memory)))

    def _settle_score(self) -> None:
        """Choose of how many lanes and rows the logits are computed at once."""
        of_row = self._bytes_of_place / FORWARD / self.task.batch_size
        most = min(SCORED, self.limit)
        rows = max(len(fold.validation_x) for fold in self.task.folds)
        lanes = self.size // self.devices
        in_turn = self.devices == 1 and of_row * rows * lanes > most
        fitting = int(most / of_row / (1 if in_turn else lanes))
        self.program.score_in_turn = in_turn
        self.program.rows_at_once = max(self.task.batch_size, fitting)
        self._bytes_of_score = min(most, int(of_row * rows * lanes))

    # -- what is made once -------------------------------------------------------------

    def _compile_steps(self, lane: Lane) -> None:
        """Let XLA compile what steps need; any lane serves as an example."""
        if "advance" not in self._parts:
            self._parts.compile_steps(self.random_state(lane), *self._shapes(lane))

    def _compile_score(self, lane: Lane) -> None:
        if "score" not in self._parts:
            self._parts.compile_score(*self._shapes(lane))

    def _shapes(self, lane: Lane) -> tuple[Any, Any, Any]:
        """Return the shapes of the data, and of the numbers and the state of a block."""
        numbers = self.program.numbers([lane], self.folds)
        state = stack_trees([self._initial_of(lane)[1]])
        of_block = partial(like, self._spread, places=self.size)
        everywhere = jax.tree.map(partial(like, self._everywhere), self.data)
        return everywhere, *jax.tree.map(of_block, (numbers, state))

    def wait(self, lane: Lane) -> float:
        """Have all compiled; return the seconds of it, which JAX's cache can spare.

        Whoever asks first gives a lane as an example.
        """
        self._compile_steps(lane)
        self._compile_score(lane)
        return self._parts.wait()

    def _initial_of(self, lane: Lane) -> tuple[Any, State]:
        """Return the random state and the state in which a lane begins, as others do, too."""
        beginning = (lane.training.after, lane.fold, lane.seed)
        if beginning not in self._initial:
            self._initial[beginning] = self.program.initial(lane)
        return self._initial[beginning]

    # -- what it will take -------------------------------------------------------------

    def trial(self, block: Block) -> float:
        """Run one call of an epoch and a score; return the seconds of a whole epoch."""
        lane = next(iter(block.waiting.values()))
        _, shared = self._ahead(self.random_state(lane), lane.seed, 0, 0)
        jax.block_until_ready(shared)
        begun = time.perf_counter()
        steps = self._advance(block, 0, 0, shared)
        jax.block_until_ready(block.state)
        advanced = time.perf_counter()
        self._score(block, 0)
        scored = time.perf_counter()
        return (advanced - begun) * self.task.steps / steps + scored - advanced

    def memory(self, lanes: int, threads: int) -> int:
        """Return the bytes that folds, so many lanes, and a block and a pool a thread take."""
        shared = self.program.stages.bytes * self.program.steps
        return (
            fold_bytes(self.task) * len(self.folds)
            + self._bytes_of_lane * lanes
            + (self._bytes_of_place * self.size + self._bytes_of_score + shared) * threads
        )

    # -- a pool ------------------------------------------------------------------------

    def train(self, pool: Sequence[Lane], map_blocks: Map, share: float) -> Iterator[Trained]:
        """Train lanes of one seed; ends early if told to.

        ``map_blocks`` applies a function to all blocks; ``share`` is how much of
        the machine one block has.
        """
        with self._lock:  # the first pool trains while the next gets ready
            if self.task.stop.is_set():
                return
            self._compile_steps(pool[0])
            blocks, seeds, seconds = self.begin(pool), self.random_state(pool[0]), 0.0
            self._compile_score(pool[0])
        for epoch in range(self.task.plan.epochs):
            ended: list[list[int]] = []
            for begin in range(0, self.task.steps, self.program.steps):
                seeds, shared = self._ahead(seeds, pool[0].seed, epoch, begin)
                call = partial(self._call, epoch, begin, shared)
                ended = list(map_blocks(call, blocks))
                if self.task.stop.is_set():
                    return
            alive = sum(len(block.waiting) for block in blocks)
            # A lane pays for the places that nobody fills.
            seconds += sum(block.seconds for block in blocks) * share / alive
            for block, places in zip(blocks, ended, strict=True):
                block.seconds = 0.0
                for place in places:
                    yield self._trained(block, place, seconds)
            blocks = self._seating.regrouped(blocks)
            if not blocks:
                return

    def _ahead(self, seeds: Any, seed: int, epoch: int, begin: int) -> tuple[Any, Shared]:
        end = min(begin + self.program.steps, self.task.steps)
        when = map(np.int32, (epoch, begin, end))
        ahead = self._parts["ahead"].result()
        following, shared = ahead(seeds, self.task.key(seed), *when)
        return following, shared

    def _call(self, epoch: int, begin: int, shared: Shared, block: Block) -> list[int]:
        """Train a block for a call; return the places whose lanes come to their end with it."""
        if self.task.stop.is_set():
            return []
        begun, ended = time.perf_counter(), []
        steps = self._advance(block, epoch, begin, shared)
        if begin + steps == self.task.steps:
            done = self._score(block, epoch)
            ended = [place for place in block.waiting if done[place]]
        jax.block_until_ready(block.state)
        block.seconds += time.perf_counter() - begun
        return ended

    def _advance(self, block: Block, epoch: int, begin: int, shared: Shared) -> int:
        """Start the steps of a call; return how many."""
        steps = min(self.program.steps, self.task.steps - begin)
        when, lanes = map(np.int32, (epoch, steps)), (block.numbers, block.state)
        advance = block.wait(self._parts["advance"])
        block.state = advance(self.data, *when, shared, block.mixes, *lanes)
        return steps

    def _score(self, block: Block, epoch: int) -> np.ndarray:
        """Score a block and wait for it; return which lanes are done."""
        score = block.wait(self._parts["score"])
        block.state = score(self.data, np.int32(epoch), block.numbers, block.state)
        return np.asarray(block.state.done)

    def _trained(self, block: Block, place: int, seconds: float) -> Trained:
        """Take a lane out of its block."""
        lane, state = block.waiting.pop(place), block.state
        trainable, other = jax.tree.map(lambda leaf: np.asarray(leaf)[place].copy(), state.best)
        place_of_fold = np.int32(self.folds.index(lane.fold))
        logits = self._parts.predict(self.data, place_of_fold, trainable, other)
        fold = self.task.folds[lane.fold]
        return Trained(
            lane,
            float(np.asarray(state.score)[place]),
            int(np.asarray(state.best_epoch)[place]),
            np.asarray(logits[0])[: len(fold.validation_x)].copy(),
            np.asarray(logits[1])[: len(fold.test_x)].copy(),
            self.program.weights(trainable, other),
            seconds,
        )

    # -- where a pool begins -----------------------------------------------------------

    def begin(self, pool: Sequence[Lane]) -> list[Block]:
        """Return the blocks in which a pool begins."""
        return self._seating.blocks(pool, stack_trees([self._initial_of(lane)[1] for lane in pool]))

    def random_state(self, lane: Lane) -> Any:
        """Return the state of layers in which the lanes of a seed begin."""
        return jax.device_put(self._initial_of(lane)[0], self._everywhere)

    @property
    def _seating(self) -> Seating:
        return Seating(self.size, partial(self.program.numbers, folds=self.folds), self._spread)
