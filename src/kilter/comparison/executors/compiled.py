"""What XLA compiled in this process, for programs that are alike in every bit."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding

from kilter.comparison.executors.device import Tree
from kilter.comparison.executors.program import Program

KEPT = 32  # programs, the latest; each is a few megabytes
COMPILERS = 3  # threads, one for each part of a program that is compiled ahead

_programs: dict[Hashable, Any] = {}
_lock = Lock()


def compile_once(lowered: Any, devices: Sequence[jax.Device]) -> Any:
    """Compile what was lowered for these devices, unless its like is there.

    A cross-validation of a whole comparison has as many tasks as folds. Their tables are of
    about one size, so that they train by the same program, which takes seconds to compile.
    """
    if getattr(jax.config, "jax_use_simplified_jaxpr_constants", False):
        return lowered.compile()  # constants are arguments then, which no text tells apart
    text = hashlib.sha256(lowered.as_text().encode()).digest()
    shapes = tuple(jax.tree.leaves(lowered.in_avals))  # the text leaves out what is not used
    key = (text, shapes, lowered.in_tree, lowered.out_tree, tuple(devices))
    with _lock:
        known = _programs.pop(key, None)
    compiled = known or lowered.compile()
    with _lock:
        _programs[key] = compiled
        while len(_programs) > KEPT:
            del _programs[next(iter(_programs))]
    return compiled


class Parts:
    """The parts of a program, each compiled on a thread while JAX traces the next.

    ``everywhere`` is how data is laid on devices that all have all of it. Trees of shapes stand
    for what parts are called with.
    """

    def __init__(self, program: Program, everywhere: NamedSharding) -> None:
        self._program, self._everywhere = program, everywhere
        self._compile = partial(compile_once, devices=tuple(everywhere.mesh.devices.flat))
        self._compilers = ThreadPoolExecutor(COMPILERS)
        self._futures: dict[str, Future[Any]] = {}
        self._predict: Any = None  # compiled when the first lane comes to its end

    def __contains__(self, name: str) -> bool:
        return name in self._futures

    def __getitem__(self, name: str) -> Future[Any]:
        return self._futures[name]

    def compile_steps(self, seeds: Tree, data: Tree, numbers: Tree, state: Tree) -> None:
        """Compile ``ahead`` and ``advance``, which steps need."""
        ahead = jax.jit(self._program.ahead, out_shardings=self._everywhere)
        advance = jax.jit(self._program.advance, donate_argnames="state")
        number = np.int32(0)
        first = ahead.lower(seeds, self._program.task.key(0), number, number, number)
        self._futures["ahead"] = self._compilers.submit(self._compile, first)
        shared = jax.tree.map(partial(like, self._everywhere), first.out_info[1])
        mixes = np.bool_(False)
        second = advance.lower(data, number, number, shared, mixes, numbers, state)
        self._futures["advance"] = self._compilers.submit(self._compile, second)

    def compile_score(self, data: Tree, numbers: Tree, state: Tree) -> None:
        """Trace and compile ``score`` while lanes train: nobody needs it before."""
        score = jax.jit(self._program.score, donate_argnames="state")
        self._futures["score"] = self._compilers.submit(
            lambda: self._compile(score.lower(data, np.int32(0), numbers, state))
        )
        self._compilers.shutdown(wait=False)  # it was the last

    def wait(self) -> float:
        """Have compiled what was begun; return the seconds of it."""
        begun = time.perf_counter()
        for part in self._futures.values():
            part.result()
        return time.perf_counter() - begun

    def predict(self, *arguments: Any) -> Any:
        """Predict the validation and test rows of a fold."""
        if self._predict is None:
            self._predict = self._compile(jax.jit(self._program.predict).lower(*arguments))
        return self._predict(*arguments)


def like(sharding: NamedSharding, info: Any, places: int = 0) -> jax.ShapeDtypeStruct:
    """Return the shape of an array on devices; ``places`` replace the one that it has."""
    shape = (places, *info.shape[1:]) if places else info.shape
    return jax.ShapeDtypeStruct(shape, info.dtype, sharding=sharding)
