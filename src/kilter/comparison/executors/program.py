"""The compiled program of a task: some steps of some lanes, their score, one prediction.

A function here says what one lane does; `jax.vmap` runs it for all lanes of a block. What
lanes of the same seed share (the random state of layers, the key of the base draws) has no
lane axis, so that masks and base draws are worked out once a block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from kilter.comparison.executors.base import DIVERGED, Lane, Task, seed_states
from kilter.comparison.executors.cost import Work, count_work
from kilter.comparison.executors.device import Data, Tree, stack_trees
from kilter.comparison.executors.precision import average_precision
from kilter.comparison.executors.staging import stage
from kilter.comparison.remedy import Loss
from kilter.losses import cross_entropy
from kilter.sampling import draw_base, draw_rows, mix


class Numbers(NamedTuple):
    """What a lane is, in numbers; a leading lane axis but for ``key`` and ``mixes``.

    ``fold`` and ``circle`` say which rows of `Data` are its own, ``mixes`` whether any lane
    of the block mixes rows.
    """

    fold: Tree
    circle: Tree
    key: Tree
    mixes: Tree
    quotas: Tree
    loss: Tree


class State(NamedTuple):
    """What changes while lanes train; a leading lane axis but for ``seeds``."""

    trainable: Tree
    other: Tree
    seeds: Tree
    optimizer: Tree
    best: Tree
    score: Tree
    best_epoch: Tree
    done: Tree


SHARED = ("key", "mixes", "seeds")
"""Fields without a lane axis: lanes of a block have one seed."""


def map_lanes(function: Callable[..., Any], *trees: Any) -> Any:
    """Apply a function to the leaves of `Numbers` or `State` that have a lane axis."""
    fields = {
        name: jax.tree.map(function, *(getattr(tree, name) for tree in trees))
        for name in trees[0]._fields
        if name not in SHARED
    }
    return trees[0]._replace(**fields)


def _axes(kind: Any) -> Any:
    return kind(*(None if name in SHARED else 0 for name in kind._fields))


class Program:
    """What lanes of a task do, as functions to compile.

    ``steps``, to be set before compiling, is how many a call takes at most. One step alone is
    not put into a loop, and one lane not under ``vmap``: convolutions are slow there on a CPU.
    With ``score_in_turn`` lanes are scored one after another, as many rows take much memory.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.steps = task.steps
        self.score_in_turn = False
        self.model = task.network(0, 0)
        self.optimizer = task.optimizer()
        self.optimizer.build(self.model.trainable_variables)
        seeds = {id(variable) for variable in seed_states(self.model)}
        self.is_seed = [id(variable) in seeds for variable in self.model.non_trainable_variables]
        x = np.zeros((task.batch_size, task.width), np.float32)
        labels = np.zeros(task.batch_size, np.int32)
        loss = Loss().numbers(np.ones(task.n_classes))
        self.stages = stage(self._update, *self._begin(self.model), x, labels, loss)

    def _begin(self, network: Any) -> tuple[Tree, Tree]:
        """Return the random state of a network's layers, and what training changes beside it."""
        to_numpy = keras.ops.convert_to_numpy
        trainable = [to_numpy(v) for v in network.trainable_variables]
        other, seeds = self._part([to_numpy(v) for v in network.non_trainable_variables])
        return seeds, (trainable, other, [to_numpy(v) for v in self.optimizer.variables])

    # -- one lane ----------------------------------------------------------------------

    def _join(self, other: list[Any], seeds: list[Any]) -> list[Any]:
        others, states = iter(other), iter(seeds)
        return [next(states) if is_seed else next(others) for is_seed in self.is_seed]

    def _part(self, non_trainable: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        pairs = list(zip(non_trainable, self.is_seed, strict=True))
        return [v for v, seed in pairs if not seed], [v for v, seed in pairs if seed]

    def _loss(
        self, trainable: Tree, other: Tree, seeds: Tree, x: Any, labels: Any, numbers: Any
    ) -> Any:
        non_trainable = self._join(other, seeds)
        logits, non_trainable = self.model.stateless_call(
            trainable, non_trainable, x, training=True
        )
        return cross_entropy(labels, logits, **numbers._asdict()).mean(), non_trainable

    def _update(self, seeds: Tree, carry: Tree, x: Any, labels: Any, loss: Any) -> Any:
        """Take a step of the optimizer."""
        trainable, other, optimizer = carry
        gradient = jax.grad(self._loss, has_aux=True)
        gradients, non_trainable = gradient(trainable, other, seeds, x, labels, loss)
        other, seeds = self._part(non_trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        return seeds, (trainable, other, optimizer)

    def _rows(self, data: Data, numbers: Numbers, batch: Tree) -> Any:
        """Fetch the rows of a batch, and mix them if any lane of the block does."""
        rows, _, tickets, shares = batch
        offset = data.offsets[numbers.fold]
        x = data.x[offset + rows]
        if data.neighbors is None:
            return x
        mixed = partial(_mixed, data, offset, rows, tickets, shares)
        return jax.lax.cond(numbers.mixes, mixed, lambda x: x, x)

    def _advance(
        self,
        data: Data,
        epoch: Any,
        begin: Any,
        end: Any,
        numbers: Numbers,
        state: State,
    ) -> State:
        size, draws = self.task.batch_size, self.task.steps * self.task.batch_size
        ahead = jnp.arange(self.steps * size, dtype=jnp.uint32)
        # The last call of an epoch may ask for more than there is; those are never used.
        positions = jnp.minimum(begin.astype(jnp.uint32) * size + ahead, np.uint32(draws - 1))
        base = draw_base(jnp, numbers.key, epoch, positions, draws)
        starts, circle = data.starts[numbers.fold], data.circles[numbers.circle]
        drawn = draw_rows(jnp, numbers.quotas, starts, circle, epoch, base, self.task.steps, size)
        batches = [part.reshape(-1, size) for part in drawn]

        seeds, kept = self._ahead(state.seeds, end - begin)

        def step(index: Any, carry: Tree) -> Tree:
            batch, now = jax.tree.map(
                lambda part: jax.lax.dynamic_index_in_dim(part, index, keepdims=False),
                (batches, kept),
            )
            x = self._rows(data, numbers, batch)
            return self.stages.step(now, carry, x, batch[1], numbers.loss)

        carry = (state.trainable, state.other, state.optimizer)
        if self.steps == 1:
            carry = step(0, carry)
        else:
            carry = jax.lax.fori_loop(0, end - begin, step, carry)
        trainable, other, optimizer = carry
        return state._replace(trainable=trainable, other=other, seeds=seeds, optimizer=optimizer)

    def _ahead(self, seeds: Tree, steps: Any) -> tuple[Tree, Tree]:
        """Work out what so many steps share, and leave the random state as after the last."""

        def one(seeds: Tree, index: Any) -> tuple[Tree, Tree]:
            following, kept = self.stages.ahead(seeds)
            return jax.tree.map(partial(jnp.where, index < steps), following, seeds), kept

        return jax.lax.scan(one, seeds, jnp.arange(self.steps))

    def _score(self, data: Data, epoch: Any, numbers: Numbers, state: State) -> State:
        now = (state.trainable, state.other)
        logits = self._logits(*now, state.seeds, data.validation_x[numbers.fold])
        labels, ranked = (
            part[numbers.fold] for part in (data.validation_labels, data.validation_ranked)
        )
        score = average_precision(logits, labels, ranked, self.task.positive)
        score = jnp.where(jnp.isfinite(logits).all(), score, DIVERGED)
        better = (score > state.score) & ~state.done
        keep = partial(jnp.where, better)
        best_epoch = keep(epoch, state.best_epoch)
        return state._replace(
            best=jax.tree.map(keep, now, state.best),
            score=keep(score, state.score),
            best_epoch=best_epoch,
            done=state.done | (epoch - best_epoch >= self.task.plan.patience),
        )

    def _logits(self, trainable: Tree, other: Tree, seeds: Tree, x: Any) -> Any:
        non_trainable = self._join(other, seeds)
        return self.model.stateless_call(trainable, non_trainable, x, training=False)[0]

    # -- all lanes of a block ----------------------------------------------------------

    def advance(
        self, data: Data, epoch: Any, begin: Any, end: Any, numbers: Numbers, state: State
    ) -> State:
        """Take the steps from ``begin`` up to ``end`` of an epoch."""
        return _of_each(partial(self._advance, data, epoch, begin, end), numbers, state)

    def score(self, data: Data, epoch: Any, numbers: Numbers, state: State) -> State:
        """Score the validation rows at the end of an epoch and keep the best networks."""
        score = partial(self._score, data, epoch)
        return (_in_turn if self.score_in_turn else _of_each)(score, numbers, state)

    def predict(
        self, data: Data, fold: Any, trainable: Tree, other: Tree, seeds: Tree
    ) -> tuple[Any, Any]:
        """Return the logits of one lane for the validation and the test rows."""
        logits = partial(self._logits, trainable, other, seeds)
        return logits(data.validation_x[fold]), logits(data.test_x[fold])

    # -- on the host -------------------------------------------------------------------

    def work(self, data: Data, lane: Lane) -> Work:
        """Count what a step of one lane computes."""
        rows = jnp.zeros(self.task.batch_size, jnp.int32)
        batch = [rows, rows, rows, rows.astype(jnp.float32)]
        numbers = map_lanes(lambda leaf: leaf[0], self.numbers([lane], [lane.fold]))
        fetched = jax.make_jaxpr(partial(self._rows, data, numbers))(batch)
        return count_work(fetched.jaxpr, self.stages.whole)

    def numbers(self, lanes: Sequence[Lane], folds: Sequence[int]) -> Numbers:
        """Turn lanes of one seed into numbers; ``folds`` are those of the `Data`, in order."""
        task = self.task

        def of_lane(lane: Lane) -> Numbers:
            draw, loss = lane.training
            counts = task.folds[lane.fold].layout.counts
            return Numbers(
                np.int32(folds.index(lane.fold)),
                np.int32(folds.index(lane.fold) * task.plan.seeds + lane.seed),
                None,
                None,
                draw.quotas(counts, task.steps, task.batch_size),
                loss.numbers(counts),
            )

        stacked = stack_trees([of_lane(lane) for lane in lanes])
        mixes = np.bool_((stacked.quotas.mixed > 0).any())
        return stacked._replace(key=task.key(lanes[0].seed), mixes=mixes)

    def initial(self, fold: int, seed: int) -> State:
        """Return the state that lanes of a fold and seed begin in, without a lane axis."""
        seeds, (trainable, other, optimizer) = self._begin(self.task.network(fold, seed))
        score = (np.float32(DIVERGED), np.int32(0), np.bool_(False))
        return State(trainable, other, seeds, optimizer, (trainable, other), *score)

    def weights(self, trainable: list[Any], other: list[Any]) -> list[np.ndarray]:
        """Put a lane's variables into the order of ``model.weights``."""
        model = self.model
        others, _ = self._part(model.non_trainable_variables)
        variables = [*model.trainable_variables, *others]
        values = {id(v): a for v, a in zip(variables, [*trainable, *other], strict=True)}
        return [values[id(variable)] for variable in model.weights]


def _mixed(data: Data, offset: Any, rows: Any, tickets: Any, shares: Any, x: Any) -> Any:
    near = data.neighbors[offset + rows, tickets % data.neighbors.shape[1]]
    return mix(jnp, x, data.x[offset + near], shares, data.blendable)


def _of_each(function: Callable[[Numbers, State], State], numbers: Numbers, state: State) -> State:
    if len(state.score) > 1:
        axes = (_axes(Numbers), _axes(State))
        return jax.vmap(function, in_axes=axes, out_axes=_axes(State))(numbers, state)
    alone = (map_lanes(lambda leaf: leaf[0], tree) for tree in (numbers, state))
    return map_lanes(lambda leaf: leaf[None], function(*alone))


def _in_turn(function: Callable[[Numbers, State], State], numbers: Numbers, state: State) -> State:
    def lane(index: Any) -> State:
        return function(*(map_lanes(lambda leaf: leaf[index], tree) for tree in (numbers, state)))

    lanes = jax.lax.map(lane, jnp.arange(len(state.score)))
    return lanes._replace(seeds=state.seeds)
