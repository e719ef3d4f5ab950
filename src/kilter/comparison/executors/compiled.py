"""What XLA compiled in this process, for programs that are alike in every bit."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Sequence
from threading import Lock
from typing import Any

import jax

KEPT = 32  # programs, the latest; each is a few megabytes

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
