"""Blocks: lanes of one seed that train together, each in a place of its own."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding

from kilter.comparison.executors.base import Lane
from kilter.comparison.executors.program import Numbers, State


@dataclass
class Block:
    """Lanes that train together; those that wait for their end are in ``waiting`` by place.

    ``mixes`` says whether any of them mixes rows with neighbours, ``seconds`` what the epoch took
    so far.
    """

    mixes: Any
    numbers: Numbers
    state: State
    waiting: dict[int, Lane]
    seconds: float = 0.0

    def wait(self, part: Future[Any]) -> Any:
        """Return a part of the program; the time until it is compiled is not the block's."""
        begun = time.perf_counter()
        compiled = part.result()
        self.seconds -= time.perf_counter() - begun
        return compiled


@dataclass(frozen=True)
class Seating:
    """Puts lanes into blocks of ``size`` places, spread over devices.

    ``numbers`` turns lanes into what the program reads of them.
    """

    size: int
    numbers: Callable[[Sequence[Lane]], Numbers]
    spread: NamedSharding

    def blocks(self, lanes: Sequence[Lane], state: State) -> list[Block]:
        """Return as many blocks as it takes; ``state`` lies on the host."""
        return [
            self._block(lanes, state, list(range(begin, min(begin + self.size, len(lanes)))))
            for begin in range(0, len(lanes), self.size)
        ]

    def _block(self, lanes: Sequence[Lane], state: State, places: list[int]) -> Block:
        # Places beyond the lanes are filled with the first one, and count as done.
        filled = places + places[:1] * (self.size - len(places))
        taken = jax.tree.map(lambda leaf: leaf[filled], state)
        taken = taken._replace(done=np.where(np.arange(self.size) < len(places), taken.done, True))
        numbers = self.numbers([lanes[place] for place in filled])
        quotas = numbers.quotas
        mixes = np.bool_(((quotas.mixed > 0).any(axis=-1) & (quotas.kappa == 0)).any())
        waiting = {place: lanes[i] for place, i in enumerate(places)}
        numbers, taken = jax.device_put((numbers, taken), self.spread)
        return Block(mixes, numbers, taken, waiting)

    def regrouped(self, blocks: Sequence[Block]) -> list[Block]:
        """Move what is left into fewer blocks where it fits."""
        left = [block for block in blocks if block.waiting]
        lanes = [lane for block in left for lane in block.waiting.values()]
        if math.ceil(len(lanes) / self.size) == len(left):
            return left
        taken = [
            jax.tree.map(lambda leaf, places=list(block.waiting): leaf[places], state)
            for block, state in zip(left, jax.device_get([b.state for b in left]), strict=True)
        ]
        return self.blocks(lanes, jax.tree.map(lambda *all: np.concatenate(all), *taken))
