"""A step in two stages, and in the form that is quick on the device.

Lanes of a seed share the random state of their layers. `stage` takes a function of that state
and of a lane apart: what hangs on the state alone (masks of dropout, noise) comes first, so
that it is worked out once for all of them and read afterwards, instead of once a lane where
XLA fuses it into what each lane does.

On a CPU it also rewrites two operations of which XLA makes slow programs there. The results
are the same: the random bits to the last bit, the products to rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend import core

from kilter.sampling.counter import random_words

CALLS = ("jit", "pjit")
MOST_BITS = 1 << 32  # more random words of an operation than that count in 64 bits


class Stages(NamedTuple):
    """``ahead(shared)`` returns the next shared state and what to hand to ``step(kept, *rest)``.

    ``bytes`` is how much that is, ``late`` what is left for the step, as JAX traced it.
    """

    ahead: Callable[..., Any]
    step: Callable[..., Any]
    bytes: int
    late: Sequence[Any]


def stage(function: Callable[..., Any], shared: Any, *rest: Any) -> Stages:
    """Part ``function(shared, *rest) -> (shared, result)`` into what needs ``rest`` and what not.

    The next shared state must not hang on ``rest``. Arguments give shapes only.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> def step(count, x):
    ...     return count + 1, x * (count * 2)
    >>> stages = stage(step, jnp.int32(3), jnp.float32(5))
    >>> count, kept = stages.ahead(jnp.int32(3))
    >>> int(count), float(kept[0]), float(stages.step(kept, jnp.float32(5)))
    (4, 6.0, 30.0)
    """
    closed, out = jax.make_jaxpr(function, return_shape=True)(shared, *rest)
    state, result = map(jax.tree.structure, out)
    flat = Flat(closed)
    n_in, n_out = len(jax.tree.leaves(shared)), len(jax.tree.leaves(out[0]))
    of_state, of_rest = flat.inputs[:n_in], flat.inputs[n_in:]
    following, results = flat.results[:n_out], flat.results[n_out:]
    before, after, early = _part(flat, of_state, of_rest)
    needed = [slot for operation in after for slot in operation.inputs] + results
    kept = [slot for slot in dict.fromkeys(needed) if slot in early]

    def ahead(shared: Any) -> Any:
        values = flat.constants | dict(zip(of_state, jax.tree.leaves(shared), strict=True))
        _run(before, values)
        return jax.tree.unflatten(state, _read(values, following)), _read(values, kept)

    def step(from_ahead: Sequence[Any], *rest: Any) -> Any:
        values = flat.constants | dict(zip(kept, from_ahead, strict=True))
        values |= zip(of_rest, jax.tree.leaves(rest), strict=True)
        _run(after, values)
        return jax.tree.unflatten(result, _read(values, results))

    size = sum(flat.shapes[slot].size * flat.shapes[slot].dtype.itemsize for slot in kept)
    return Stages(ahead, step, size, [operation.equation for operation in after])


class Operation(NamedTuple):
    """An equation of a jaxpr, and the slots of what it reads and writes."""

    jaxpr: Any
    equation: Any
    inputs: list[int]
    outputs: list[int]


class Flat:
    """A jaxpr with the functions that it calls put in place, every value in a slot of its own.

    What is computed twice is computed once (Keras's Adam corrects its bias anew for each
    variable) and what nobody reads is not: XLA would see to both, after JAX has traced them.
    ``inputs`` and ``results`` are slots; ``shapes`` has one for each, ``constants`` the value
    where it is known.
    """

    def __init__(self, closed: Any) -> None:
        self.shapes: list[Any] = []
        self.constants: dict[int, Any] = {}
        self._literals: dict[Any, int] = {}
        self._operations: dict[Any, Operation] = {}
        self.inputs = [self._slot(variable) for variable in closed.jaxpr.invars]
        self.results = self._add(closed, self.inputs)
        self.operations = _needed(list(self._operations.values()), self.results)

    def _slot(self, atom: Any) -> int:
        self.shapes.append(atom.aval)
        return len(self.shapes) - 1

    def _constant(self, atom: Any, value: Any) -> int:
        slot = self._slot(atom)
        self.constants[slot] = value
        return slot

    def _literal(self, atom: Any) -> int:
        same = (atom.aval, np.asarray(atom.val).tobytes())  # 0.0 is not -0.0
        if same not in self._literals:
            self._literals[same] = self._constant(atom, atom.val)
        return self._literals[same]

    def _add(self, closed: Any, inputs: Sequence[int]) -> list[int]:
        """Add the operations of a jaxpr that is called with these; return what it returns."""
        jaxpr = closed.jaxpr
        slots = dict(zip(jaxpr.invars, inputs, strict=True))
        for variable, value in zip(jaxpr.constvars, closed.consts, strict=True):
            slots[variable] = self._constant(variable, value)

        def find(atom: Any) -> int:
            return self._literal(atom) if isinstance(atom, core.Literal) else slots[atom]

        for equation in jaxpr.eqns:
            read = list(map(find, equation.invars))
            if equation.primitive.name in CALLS:
                written = self._add(equation.params["jaxpr"], read)
            else:
                written = self._operation(jaxpr, equation, read).outputs
            slots |= zip(equation.outvars, written, strict=True)
        return list(map(find, jaxpr.outvars))

    def _operation(self, jaxpr: Any, equation: Any, read: list[int]) -> Operation:
        """Return the operation that does this, new if none does."""
        same = _identity(equation, read)
        if same not in self._operations:
            written = list(map(self._slot, equation.outvars))
            self._operations[same] = Operation(jaxpr, equation, read, written)
        return self._operations[same]


def _identity(equation: Any, read: Sequence[int]) -> Any:
    """Return what an operation has in common with those that do the same."""
    if equation.effects:
        return object()
    same = (equation.primitive, tuple(read), tuple(sorted(equation.params.items())))
    try:
        hash(same)
    except TypeError:  # a parameter that cannot be compared
        return id(equation), tuple(read)
    return same


def _needed(operations: Sequence[Operation], results: Sequence[int]) -> list[Operation]:
    """Return those that the results hang on, and those that do something besides."""
    needed, kept = set(results), []
    for operation in reversed(operations):
        if needed.intersection(operation.outputs) or operation.equation.effects:
            needed.update(operation.inputs)
            kept.append(operation)
    return kept[::-1]


def _part(
    flat: Flat, state: Sequence[int], rest: Sequence[int]
) -> tuple[list[Operation], list[Operation], set[int]]:
    """Return operations to run ahead and after, and the slots that hang on the state alone.

    What hangs on neither, a constant, is in both.
    """
    early, late = set(state), set(rest)
    before, after = [], []
    for operation in flat.operations:
        if late.intersection(operation.inputs):
            after.append(operation)
            late.update(operation.outputs)
        elif early.intersection(operation.inputs):
            before.append(operation)
            early.update(operation.outputs)
        else:
            before.append(operation)
            after.append(operation)
    return before, after, early


# -- running ---------------------------------------------------------------------------


def _read(values: dict[int, Any], slots: Sequence[int]) -> list[Any]:
    return [values[slot] for slot in slots]


def _run(operations: Sequence[Operation], values: dict[int, Any]) -> None:
    """Run operations, in the quick form, and put what they write beside what they read."""
    for operation in operations:
        written = _apply(operation, _read(values, operation.inputs))
        values |= zip(operation.outputs, written, strict=True)


def _apply(operation: Operation, values: list[Any]) -> Sequence[Any]:
    name, params = operation.equation.primitive.name, operation.equation.params
    on_cpu = jax.default_backend() == "cpu"  # elsewhere XLA's own forms are the quick ones
    if on_cpu and name == "random_bits" and _is_threefry(values[0], **params):
        return [_random_bits(values[0], params["shape"])]
    if on_cpu and name == "dot_general" and _is_over_rows(*values, **params):
        return [_over_rows(*values, **params)]
    return _as_it_is(operation, values)


def _as_it_is(operation: Operation, values: list[Any]) -> Sequence[Any]:
    """Bind an operation by way of a program of its own, the public way for any of them."""
    jaxpr, equation = operation.jaxpr, operation.equation
    given = {
        atom: value
        for atom, value in zip(equation.invars, values, strict=True)
        if not isinstance(atom, core.Literal)
    }
    alone = jaxpr.replace(
        constvars=[],
        invars=list(given),
        outvars=equation.outvars,
        eqns=[equation],
        effects=equation.effects,
    )
    return core.jaxpr_as_fun(core.ClosedJaxpr(alone, ()))(*given.values())


# -- rewriting -------------------------------------------------------------------------


def _is_threefry(key: Any, bit_width: int, shape: tuple[int, ...]) -> bool:
    usual = str(jax.random.key_impl(key)) == "threefry2x32" and key.ndim == 0
    by_place = jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    return usual and by_place and bit_width == 32 and math.prod(shape) < MOST_BITS


@partial(jax.jit, static_argnames="shape")  # layers of one shape are traced once
def _random_bits(key: Any, shape: tuple[int, ...]) -> Any:
    """Draw JAX's own bits in one pass over the words; its loop makes twenty."""
    return random_words(jnp, jax.random.key_data(key), math.prod(shape)).reshape(shape)


def _is_over_rows(left: Any, right: Any, **params: Any) -> bool:
    """Tell a product over the rows of a batch, as the gradient of a dense layer's weights is."""
    both = params["dimension_numbers"] == (((0,), (0,)), ((), ()))
    return both and left.ndim == right.ndim == 2


def _over_rows(left: Any, right: Any, **params: Any) -> Any:
    """Multiply with the wider side right and the other one transposed beforehand.

    XLA takes up to twice as long to transpose on the way, and eight times for few columns on
    the right. The barriers are there so that it does not turn the product round again, and
    the branch so that it does not work out the transposed side anew, column by column.
    """
    # JAX turns the gradient of a dense layer round afterwards: for a square one that is undone.
    swap = left.shape[1] >= right.shape[1]
    narrow, wide = (right, left) if swap else (left, right)
    params["dimension_numbers"] = (((1,), (0,)), ((), ()))
    barrier = lax.optimization_barrier
    columns = barrier(_settled(narrow).T)
    product = barrier(lax.dot_general(columns, wide, **params))
    return product.T if swap else product


def _settled(value: Any) -> Any:
    """Return the value from a branch that is always taken, which XLA reads as it lies there.

    What is cheap to work out it would fuse into every reader, barrier or not.
    """
    always = lax.optimization_barrier(jnp.bool_(True))
    return lax.cond(always, lambda x: x, jnp.zeros_like, value)
