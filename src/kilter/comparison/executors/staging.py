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
from jax import lax
from jax.extend import core

from kilter.sampling.counter import threefry

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
    arguments = jax.tree.map(_shape, (shared, *rest))
    closed, out = jax.make_jaxpr(function, return_shape=True)(*arguments)
    flat = jax.make_jaxpr(partial(_evaluate, closed))(*jax.tree.leaves(arguments))
    n_in, n_out = len(jax.tree.leaves(shared)), len(jax.tree.leaves(out[0]))
    jaxpr = flat.jaxpr
    before, after, early = _part(jaxpr, n_in)
    results = jaxpr.outvars[n_out:]
    needed = [v for equation in after for v in equation.invars] + results
    kept = [v for v in dict.fromkeys(map(_variable, needed)) if v in early]
    constants = dict(zip(jaxpr.constvars, flat.consts, strict=True))

    def ahead(shared: Any) -> Any:
        env = constants | dict(zip(jaxpr.invars[:n_in], jax.tree.leaves(shared), strict=True))
        values = _run(jaxpr, before, env, [*jaxpr.outvars[:n_out], *kept])
        return jax.tree.unflatten(jax.tree.structure(out[0]), values[:n_out]), values[n_out:]

    def step(from_ahead: Sequence[Any], *rest: Any) -> Any:
        env = constants | dict(zip(kept, from_ahead, strict=True))
        env |= dict(zip(jaxpr.invars[n_in:], jax.tree.leaves(rest), strict=True))
        return jax.tree.unflatten(jax.tree.structure(out[1]), _run(jaxpr, after, env, results))

    size = sum(v.aval.size * v.aval.dtype.itemsize for v in kept)
    return Stages(ahead, step, size, _part(closed.jaxpr, n_in)[1])


def _shape(leaf: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(jnp.shape(leaf), jnp.result_type(leaf))


def _variable(atom: Any) -> Any:
    return None if isinstance(atom, core.Literal) else atom


def _part(jaxpr: Any, n_shared: int) -> tuple[list[Any], list[Any], set[Any]]:
    """Return equations to run ahead and after, and the variables that hang on the state alone.

    What hangs on neither, a constant, is in both.
    """
    early, late = set(jaxpr.invars[:n_shared]), set(jaxpr.invars[n_shared:])
    before, after = [], []
    for equation in jaxpr.eqns:
        inputs = set(map(_variable, equation.invars))
        if inputs & late:
            after.append(equation)
            late.update(equation.outvars)
        elif inputs & early:
            before.append(equation)
            early.update(equation.outvars)
        else:
            before.append(equation)
            after.append(equation)
    return before, after, early


# -- evaluating ------------------------------------------------------------------------


def _evaluate(closed: Any, *arguments: Any) -> list[Any]:
    jaxpr = closed.jaxpr
    env = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *arguments], strict=True))
    return _run(jaxpr, jaxpr.eqns, env, jaxpr.outvars)


def _run(
    jaxpr: Any, equations: Sequence[Any], env: dict[Any, Any], wanted: Sequence[Any]
) -> list[Any]:
    """Run some equations of a jaxpr, in the quick form."""

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, core.Literal) else env[atom]

    for equation in equations:
        results = _apply(jaxpr, equation, [read(atom) for atom in equation.invars])
        env.update(zip(equation.outvars, results, strict=True))
    return [read(atom) for atom in wanted]


def _apply(jaxpr: Any, equation: Any, values: list[Any]) -> Sequence[Any]:
    name, params = equation.primitive.name, equation.params
    if name in CALLS:
        return _evaluate(params["jaxpr"], *values)
    on_cpu = jax.default_backend() == "cpu"  # elsewhere XLA's own forms are the quick ones
    if on_cpu and name == "random_bits" and _is_threefry(values[0], **params):
        return [_random_bits(values[0], params["shape"])]
    if on_cpu and name == "dot_general" and _is_over_rows(*values, **params):
        return [_over_rows(*values, **params)]
    return _as_it_is(jaxpr, equation, values)


def _as_it_is(jaxpr: Any, equation: Any, values: list[Any]) -> Sequence[Any]:
    """Bind an operation by way of a program of its own, the public way for any of them."""
    given = {v: x for v, x in zip(equation.invars, values, strict=True) if _variable(v)}
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


def _random_bits(key: Any, shape: tuple[int, ...]) -> Any:
    """Draw JAX's own bits in one pass over the words; its loop makes twenty."""
    places = lax.iota(jnp.uint32, math.prod(shape))
    first, second = threefry(jnp, jax.random.key_data(key), jnp.zeros_like(places), places)
    return (first ^ second).reshape(shape)


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
