"""What a step costs, and which blocks of lanes cost least.

A block pays for itself (operations to start) and for each of its places (arithmetic). Many
places share the block's part; few leave fewer of them idle when lanes stop early. The two
parts are estimated from what JAX says that a step computes, by the rates below, and never by
a clock: the choice would hang on the machine's mood, and with it the last digits of the
result. Masks are drawn once for all blocks, and count for none.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple


class Rates(NamedTuple):
    """What a thread or an accelerator does in a second, and seconds to start an operation."""

    flops: float
    elements: float
    start: float


# Fitted to blocks of 1 to 9 lanes of dense networks on one core of a Xeon of 2.1 GHz.
HOST = Rates(flops=1.05e11, elements=1.8e10, start=3.6e-8)
# An H100 at small products, by its data sheet and the usual 5 us a kernel; not measured.
ACCELERATOR = Rates(flops=1e13, elements=2e11, start=5e-6)


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
    operations: int = 0
    convolutions: int = 0

    def cost(self, rates: Rates) -> Cost:
        """Estimate."""
        return Cost(
            self.operations * rates.start,
            self.flops / rates.flops + self.elements / rates.elements,
        )


def count_work(*equations: Any) -> Work:
    """Count what equations of a jaxpr compute together; the body of a loop counts once."""
    work = Work()
    for equation in equations:
        inner = list(_inner(equation))
        part = count_work(*inner) if inner else _own_work(equation)
        work = Work(*map(sum, zip(work, part, strict=True)))
    return work


def _inner(equation: Any) -> Iterator[Any]:
    """Yield the equations of the functions that an equation calls."""
    for value in equation.params.values():
        for one in value if isinstance(value, tuple | list) else (value,):
            yield from getattr(getattr(one, "jaxpr", one), "eqns", ())


def _own_work(equation: Any) -> Work:
    name = equation.primitive.name
    size = sum(math.prod(getattr(out.aval, "shape", ())) for out in equation.outvars)
    flops = 0
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        flops = 2 * size * math.prod(shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        outputs = kernel[equation.params["dimension_numbers"].rhs_spec[0]]
        flops = 2 * size * math.prod(kernel) // outputs
    return Work(flops, size, 1, name == "conv_general_dilated")
