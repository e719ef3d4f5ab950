"""What a step costs, and which blocks of lanes cost least.

A block pays for itself (operations to start, masks to draw) and for each of its places
(arithmetic). Many places share the block's part; few leave fewer of them idle when lanes
stop early. The two parts are estimated from what JAX says that a step computes, by the
rates below, and never by a clock: the choice would hang on the machine's mood, and with it
the last digits of the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple


class Rates(NamedTuple):
    """What a thread or an accelerator does in a second, and seconds to start an operation."""

    flops: float
    elements: float
    random_words: float
    start: float


# Fitted to blocks of 1 to 15 lanes of two dense networks on one core of a Xeon of 2.1 GHz.
HOST = Rates(flops=1e11, elements=1.5e10, random_words=7e8, start=5e-8)
# An H100 at small products, by its data sheet and the usual 5 us a kernel; not measured.
ACCELERATOR = Rates(flops=1e13, elements=2e11, random_words=5e10, start=5e-6)


@dataclass(frozen=True)
class Cost:
    """Seconds of a step of a block: a part for the block and one for each place."""

    block: float
    place: float

    def __call__(self, size: int) -> float:
        """Return the seconds of a step of so many places."""
        return self.block + self.place * size

    def best_size(self, lanes: int) -> int:
        """Return how many places a block should have.

        If lanes end evenly over time, half of them train on average, and half a block
        stands idle: the cost of a useful lane is (block / s + place) (1 + s / lanes), which
        is least at s = sqrt(lanes block / place).
        """
        wanted = max(1.0, math.sqrt(lanes * self.block / self.place))
        blocks = max(1, round(lanes / wanted))
        return math.ceil(lanes / blocks)


class Work(NamedTuple):
    """What a function computes for one lane: counts of its operations and their results."""

    flops: int = 0
    elements: int = 0
    random_words: int = 0
    operations: int = 0
    convolutions: int = 0

    def cost(self, rates: Rates) -> Cost:
        """Estimate; random numbers are shared by the lanes of a block."""
        return Cost(
            self.operations * rates.start + self.random_words / rates.random_words,
            self.flops / rates.flops + self.elements / rates.elements,
        )


def count_work(*jaxprs: Any) -> Work:
    """Count what jaxprs compute together; the body of a loop counts once."""
    work = Work()
    for equation in chain.from_iterable(jaxpr.eqns for jaxpr in jaxprs):
        inner = list(_inner(equation))
        part = count_work(*inner) if inner else _own_work(equation)
        work = Work(*map(sum, zip(work, part, strict=True)))
    return work


def _inner(equation: Any) -> Iterator[Any]:
    for value in equation.params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            if hasattr(one, "jaxpr"):
                yield one.jaxpr
            elif hasattr(one, "eqns"):
                yield one


def _own_work(equation: Any) -> Work:
    name = equation.primitive.name
    size = sum(math.prod(getattr(out.aval, "shape", ())) for out in equation.outvars)
    if name == "random_bits":
        return Work(random_words=size, operations=1)
    flops = 0
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        flops = 2 * size * math.prod(shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        outputs = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
        flops = 2 * size * math.prod(kernel) // outputs
    return Work(flops, size, 0, 1, name == "conv_general_dilated")


def cover(lanes: int, sizes: Sequence[int], cost: Callable[[int], float]) -> tuple[int, ...]:
    """Return the block sizes that hold so many lanes and cost least, largest first.

    Examples
    --------
    >>> cover(5, [16, 4], Cost(block=1, place=1))
    (4, 4)
    >>> cover(5, [16, 4], Cost(block=20, place=1))
    (16,)
    """
    best: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    for held in range(1, lanes + 1):
        ways = [(best[max(0, held - size)], size) for size in sizes]
        best.append(min((spent + cost(size), (*used, size)) for (spent, used), size in ways))
    return tuple(sorted(best[lanes][1], reverse=True))
