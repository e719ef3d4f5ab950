"""The engine: trains pools of lanes, epoch by epoch in blocks, ever fewer of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from kilter.comparison.executors.base import Lane, Task, Trained
from kilter.comparison.executors.cost import ACCELERATOR, HOST, cover
from kilter.comparison.executors.device import stack_folds, stack_trees
from kilter.comparison.executors.memory import even_parts, fold_bytes, lane_bytes
from kilter.comparison.executors.program import Numbers, Program, Shared, State

Map = Callable[[Callable[["Block"], list[int]], Sequence["Block"]], Iterable[list[int]]]

CALL_SECONDS = 0.5  # an interrupt waits for the end of a call
CALL_DRAWS = 1 << 20  # of a block and call; each takes some 20 bytes
SCORED = 1 << 27  # numbers that scoring a block computes at once
CALL_KEPT = 1 << 26  # bytes that the lanes of a block share in a call, such as masks
LIVE = 2  # bytes for each number that a step computes: half of them at once, 4 bytes each


class Compiled(NamedTuple):
    """The program for blocks of one size."""

    advance: Any
    score: Any


@dataclass
class Block:
    """Lanes that train together; those that wait for their end are in ``waiting`` by place.

    ``seconds`` is what the last epoch took.
    """

    numbers: Numbers
    shared: Shared
    state: State
    waiting: dict[int, Lane]
    seconds: float = 0.0

    @property
    def size(self) -> int:
        """Places, filled or not."""
        return len(self.numbers.fold)


class Engine:
    """Trains pools of a task; its program is compiled once for each size of block.

    ``limit`` bounds in bytes what a block computes with, and as well what the lanes of a pool
    keep. The places of a block are spread over ``devices``; each has all folds.
    """

    def __init__(self, task: Task, limit: int, devices: Sequence[jax.Device]) -> None:
        self.task = task
        self.limit = limit
        self.devices = len(devices)
        mesh = Mesh(np.array(devices), "lanes")
        self._everywhere = NamedSharding(mesh, PartitionSpec())
        self._spread = NamedSharding(mesh, PartitionSpec("lanes"))
        self.program = Program(task)
        self._bytes_of_lane = lane_bytes(self.program.model)
        self.sizes: list[int] = []
        self.compiling = 0.0  # seconds
        self._compiled: dict[int, Compiled] = {}
        self._initial: dict[tuple[int, int], tuple[Any, State]] = {}
        self._lock = Lock()
        self._predict = jax.jit(self.program.predict)

    def load(self, folds: Sequence[int]) -> None:
        """Put these folds on the device, in the place of those before."""
        self.folds = list(folds)
        self.data: Any = None  # those before go first: both may not fit
        self.data = jax.device_put(stack_folds(self.task, self.folds), self._everywhere)

    def pools(self, lanes: Sequence[Lane]) -> list[list[Lane]]:
        """Part lanes by seed and by what fits, and settle how large their blocks are."""
        trainings = list(dict.fromkeys(lane.training for lane in lanes))
        # Those that mix rows come to lie together: a block without them does not have to.
        lanes = sorted(lanes, key=lambda lane: trainings.index(lane.training))
        seeds = list(dict.fromkeys(lane.seed for lane in lanes))
        of_seeds = [[lane for lane in lanes if lane.seed == seed] for seed in seeds]
        fitting = max(1, self.limit // self._bytes_of_lane)
        pools = [part for pool in of_seeds for part in even_parts(pool, fitting)]
        if not self.sizes:
            self._settle(pools[0][0], max(map(len, pools)))
        return pools

    def _settle(self, lane: Lane, lanes: int) -> None:
        """Choose the size of blocks and the steps of a call, for pools of so many lanes."""
        work = self.program.work(self.data, lane)
        on_host = jax.default_backend() == "cpu"
        self.cost = work.cost(HOST if on_host else ACCELERATOR)
        self._bytes_of_place = LIVE * work.elements
        if on_host and work.convolutions:
            self.sizes, self.program.steps = [self.devices], 1
            return
        fitting = max(1, self.limit // self._bytes_of_place)
        # Each device has a block of its own, so to say, of a share of the lanes.
        size = min(self.cost.best_size(math.ceil(lanes / self.devices)), fitting) * self.devices
        in_time = int(CALL_SECONDS / self.cost(size))
        in_memory = min(
            CALL_DRAWS // (self.task.batch_size * size),
            CALL_KEPT // max(1, self.program.stages.bytes),
        )
        self.sizes = [size]
        rows = max(len(fold.validation_x) for fold in self.task.folds)
        scored = work.elements * rows / self.task.batch_size * size
        self.program.score_in_turn = self.devices == 1 and scored > SCORED
        self.program.steps = min(self.task.steps, max(2, min(in_time, in_memory)))

    # -- what is made once -------------------------------------------------------------

    def compiled(self, block: Block) -> Compiled:
        """Return the program for blocks of this size."""
        with self._lock:
            if block.size not in self._compiled:
                self._compiled[block.size] = self._compile(block)
            return self._compiled[block.size]

    def _compile(self, block: Block) -> Compiled:
        number, given = jnp.int32(0), (block.numbers, block.shared, block.state)
        advance = jax.jit(self.program.advance, donate_argnames="state")
        score = jax.jit(self.program.score, donate_argnames="state")
        lowered = (
            advance.lower(self.data, number, number, number, *given),
            score.lower(self.data, number, *given),
        )
        begun = time.perf_counter()
        with ThreadPoolExecutor(len(lowered)) as threads:
            compiled = Compiled(*threads.map(lambda one: one.compile(), lowered))
        self.compiling += time.perf_counter() - begun
        return compiled

    def initial(self, lane: Lane) -> tuple[Any, State]:
        """Return the random state and the state in which the lanes of a fold and seed begin."""
        pair = (lane.fold, lane.seed)
        with self._lock:
            if pair not in self._initial:
                self._initial[pair] = self.program.initial(*pair)
            return self._initial[pair]

    # -- what it will take -------------------------------------------------------------

    def trial(self, block: Block) -> float:
        """Run one call of an epoch and a score; return the seconds of a whole epoch."""
        steps, compiled = self.program.steps, self.compiled(block)
        begun = time.perf_counter()
        self._advance(compiled, block, 0, 0, steps)
        jax.block_until_ready(block.state)
        advanced = time.perf_counter()
        self._score(compiled, block, 0)
        scored = time.perf_counter()
        return (advanced - begun) * self.task.steps / steps + scored - advanced

    def memory(self, lanes: int, threads: int) -> int:
        """Return the bytes that folds, so many lanes and a block a thread take."""
        shared = self.program.stages.bytes * self.program.steps
        a_block = self._bytes_of_place * self.sizes[0] + shared
        return (
            fold_bytes(self.task) * len(self.folds)
            + self._bytes_of_lane * lanes
            + a_block * threads
        )

    # -- a pool ------------------------------------------------------------------------

    def train(self, pool: Sequence[Lane], map_blocks: Map, share: float) -> Iterator[Trained]:
        """Train lanes of one seed; ends early if told to.

        ``map_blocks`` applies a function to all blocks; ``share`` is how much of
        the machine one block has.
        """
        blocks, seconds = self.begin(pool), 0.0
        for epoch in range(self.task.plan.epochs):
            ended = list(map_blocks(partial(self._epoch, epoch), blocks))
            if self.task.stop.is_set() or not blocks:
                return
            alive = sum(len(block.waiting) for block in blocks)
            # A lane pays for the places that nobody fills.
            seconds += sum(block.seconds for block in blocks) * share / alive
            for block, places in zip(blocks, ended, strict=True):
                for place in places:
                    yield self._trained(block, place, seconds)
            blocks = self._regrouped(blocks)

    def _epoch(self, epoch: int, block: Block) -> list[int]:
        """Train a block for an epoch and return the places whose lanes have come to their end."""
        compiled, steps = self.compiled(block), self.task.steps
        begun = time.perf_counter()
        for begin in range(0, steps, self.program.steps):
            if self.task.stop.is_set():
                return []
            self._advance(compiled, block, epoch, begin, min(begin + self.program.steps, steps))
        done = self._score(compiled, block, epoch)
        block.seconds = time.perf_counter() - begun
        last = epoch + 1 == self.task.plan.epochs
        return [place for place in block.waiting if last or done[place]]

    def _advance(self, compiled: Compiled, block: Block, epoch: int, begin: int, end: int) -> None:
        when = map(jnp.int32, (epoch, begin, end))
        given = (block.numbers, block.shared, block.state)
        block.shared, block.state = compiled.advance(self.data, *when, *given)

    def _score(self, compiled: Compiled, block: Block, epoch: int) -> np.ndarray:
        """Score a block, wait for it, and return which lanes are done."""
        given = (block.numbers, block.shared, block.state)
        block.state = compiled.score(self.data, jnp.int32(epoch), *given)
        return np.asarray(block.state.done)

    def _trained(self, block: Block, place: int, seconds: float) -> Trained:
        """Take a lane out of its block."""
        lane, state = block.waiting.pop(place), block.state
        trainable, other = jax.tree.map(lambda leaf: np.asarray(leaf)[place].copy(), state.best)
        place_of_fold = jnp.int32(self.folds.index(lane.fold))
        logits = self._predict(self.data, place_of_fold, trainable, other, block.shared.seeds)
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

    # -- from blocks to blocks ---------------------------------------------------------

    def begin(self, pool: Sequence[Lane]) -> list[Block]:
        """Return the blocks in which a pool begins."""
        seeds, states = zip(*(self.initial(lane) for lane in pool), strict=True)
        return self._blocks(pool, seeds[0], stack_trees(states))

    def _blocks(self, lanes: Sequence[Lane], seeds: Any, state: State) -> list[Block]:
        """Spread lanes over the cheapest blocks; both states lie on the host."""
        blocks, begin = [], 0
        for size in cover(len(lanes), self.sizes, self.cost):
            places = range(begin, min(begin + size, len(lanes)))
            blocks.append(self._block(lanes, seeds, state, list(places), size))
            begin += len(places)
        return blocks

    def _block(
        self, lanes: Sequence[Lane], seeds: Any, state: State, places: list[int], size: int
    ) -> Block:
        # Places beyond the lanes are filled with the first one, and count as done.
        filled = places + places[:1] * (size - len(places))
        taken = jax.tree.map(lambda leaf: leaf[filled], state)
        taken = taken._replace(done=np.where(np.arange(size) < len(places), taken.done, True))
        numbers = self.program.numbers([lanes[place] for place in filled], self.folds)
        shared = self.program.shared(lanes[0].seed, numbers, seeds)
        waiting = {place: lanes[i] for place, i in enumerate(places)}
        numbers, taken = jax.device_put((numbers, taken), self._spread)
        return Block(numbers, jax.device_put(shared, self._everywhere), taken, waiting)

    def _regrouped(self, blocks: list[Block]) -> list[Block]:
        """Move what is left into other blocks where those cost less."""
        left = [block for block in blocks if block.waiting]
        alive = sum(len(block.waiting) for block in left)
        now = sum(self.cost(block.size) for block in left)
        if not left or sum(map(self.cost, cover(alive, self.sizes, self.cost))) >= now:
            return left
        lanes = [lane for block in left for lane in block.waiting.values()]
        seeds, states = jax.device_get((left[0].shared.seeds, [block.state for block in left]))
        taken = [
            jax.tree.map(lambda leaf, places=list(block.waiting): leaf[places], state)
            for block, state in zip(left, states, strict=True)
        ]
        return self._blocks(lanes, seeds, jax.tree.map(lambda *all: np.concatenate(all), *taken))
