"""The compiled program of a task: some steps of some lanes, their score, one prediction.

A function here says what one lane does; `jax.vmap` runs it for all lanes of a block. Masks
and base draws, which lanes of a seed share, are worked out before, once for all blocks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import keras
import numpy as np

from kilter.comparison.executors.base import (
    DIVERGED,
    LOSS_SHARE,
    MOST_LOSS,
    Lane,
    Task,
    seed_states,
)
from kilter.comparison.executors.cost import Work, count_work
from kilter.comparison.executors.device import Data, Tree, stack_trees
from kilter.comparison.executors.precision import average_precision
from kilter.comparison.executors.staging import stage
from kilter.comparison.training import Draw, Loss
from kilter.losses import cross_entropy
from kilter.models import each_member
from kilter.sampling import (
    BaseDraws,
    draw_base,
    draw_rows,
    find_partners,
    mix,
    mix_batch,
    pick_versions,
)


class Numbers(NamedTuple):
    """What a lane is, in numbers; of a block, with a leading lane axis.

    ``fold`` and ``circle`` say which rows of `Data` are its own, ``epochs`` when it ends,
    ``chances`` by class how often rows are changed before the network sees them.
    """

    fold: Tree
    circle: Tree
    epochs: Tree
    quotas: Tree
    loss: Tree
    chances: Tree


class Shared(NamedTuple):
    """What the lanes of a seed share in a call: what layers draw, and the base draws."""

    drawn: Tree
    base: BaseDraws


class State(NamedTuple):
    """What changes while a lane trains; of a block, with a leading lane axis."""

    trainable: Tree
    other: Tree
    optimizer: Tree
    best: Tree
    score: Tree
    best_epoch: Tree
    done: Tree


class Program:
    """What lanes of a task do, as functions to compile.

    ``steps``, to be set before compiling, is how many a call takes at most. One step alone is
    not put into a loop, and one lane not under ``vmap``: convolutions are slow there on a CPU.
    Many rows take much memory: with ``score_in_turn`` lanes are scored one after another, and
    no more than ``rows_at_once`` at a time.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.steps = task.steps
        self.score_in_turn = False
        self.rows_at_once = sys.maxsize
        self.model = task.network(0, 0)
        self.taught = task.taught(self.model, 0)
        self.optimizer = task.optimizer()
        self.optimizer.build(self.model.trainable_variables)
        x: Any = np.zeros((task.batch_size, *task.shape), task.dtype)
        if task.layers:
            x = [x, np.zeros(task.batch_size, np.float32)]
        labels: Any = np.zeros(task.batch_size, np.int32)
        if task.blends:
            labels = np.zeros((task.batch_size, task.n_classes), np.float32)
        loss = Loss().numbers(np.ones(task.n_classes))
        self._seeds, carry = self._begin(self.taught)
        self.stages = stage(self._update, self._seeds, carry, x, labels, loss)

    def _begin(self, network: Any) -> tuple[Tree, Tree]:
        """Return the random state of a network's layers, and what training changes beside it."""
        to_numpy = keras.ops.convert_to_numpy
        trainable = [to_numpy(v) for v in network.trainable_variables]
        other, seeds = _part(network, [to_numpy(v) for v in network.non_trainable_variables])
        return seeds, (trainable, other, [to_numpy(v) for v in self.optimizer.variables])

    # -- one lane ----------------------------------------------------------------------

    def _loss(
        self, trainable: Tree, other: Tree, seeds: Tree, x: Any, labels: Any, numbers: Any
    ) -> Any:
        non_trainable = _join(self.taught, other, seeds)
        logits, non_trainable, penalties = self.taught.stateless_call(
            trainable, non_trainable, x, training=True, return_losses=True
        )
        labels, logits, _ = each_member(labels, logits)
        loss = cross_entropy(labels, logits, **numbers._asdict()).mean()
        return loss + sum(penalties), non_trainable

    def _update(self, seeds: Tree, carry: Tree, x: Any, labels: Any, loss: Any) -> Any:
        """Take a step of the optimizer."""
        trainable, other, optimizer = carry
        gradient = jax.grad(self._loss, has_aux=True)
        gradients, non_trainable = gradient(trainable, other, seeds, x, labels, loss)
        other, seeds = _part(self.taught, non_trainable)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        return seeds, (trainable, other, optimizer)

    def _batches(self, data: Data, epoch: Any, base: BaseDraws, numbers: Numbers) -> list[Any]:
        """Turn base draws into batches: rows, labels, tickets and shares of (steps, rows)."""
        size = self.task.batch_size
        starts, circle = data.starts[numbers.fold], data.circles[numbers.circle]
        drawn = draw_rows(jnp, numbers.quotas, starts, circle, epoch, base, self.task.steps, size)
        rows, labels, *others = (part.reshape(-1, size) for part in drawn)
        return [rows, labels.astype(jnp.int32), *others]  # JAX in 64 bits counts in those

    def _rows(self, data: Data, mixes: Any, numbers: Numbers, batch: Tree) -> tuple[Any, Any]:
        """Fetch the rows and labels of a batch, and mix them if any lane does."""
        rows, labels, tickets, shares = batch
        offset = data.offsets[numbers.fold]
        chances = numbers.chances[labels]
        x = data.x[offset + rows]
        if self.task.blends:
            quotas, n_classes = numbers.quotas, self.task.n_classes
            places, starts = tickets % self.task.batch_size, data.starts[numbers.fold]
            others, classes = find_partners(jnp, quotas, rows, labels, places, tickets, starts)
            partners = (data.x[offset + others], classes)
            x, labels = mix_batch(jnp, quotas, x, labels, *partners, tickets, shares, n_classes)
            shares = jnp.where(quotas.kappa > 0, 0, shares)
        if data.versions is not None:
            picked = pick_versions(jnp, tickets, chances, data.versions.shape[1])
            changed = data.versions[offset + rows, jnp.maximum(picked, 1) - 1]
            x = jnp.where((picked > 0)[:, None], changed, x)
        if self.task.layers:
            return [x, chances], labels
        if data.neighbors is None:
            return x, labels
        k = self.task.plan.neighbors
        columns = numbers.quotas.clustered * k + tickets % k
        mixed = partial(_mixed, data, offset, rows, columns, shares)
        return jax.lax.cond(mixes, mixed, lambda x: x, x), labels

    def _step(
        self, data: Data, mixes: Any, drawn: Tree, numbers: Numbers, batch: Tree, carry: Tree
    ) -> Tree:
        x, labels = self._rows(data, mixes, numbers, batch)
        return self.stages.step(drawn, carry, x, labels, numbers.loss)

    def _score(self, data: Data, epoch: Any, numbers: Numbers, state: State) -> State:
        now = (state.trainable, state.other)
        logits = self._logits(*now, data.validation_x[numbers.fold])
        score = epoch if self.task.to_the_end else self._validate(data, numbers.fold, logits)
        score = jnp.where(jnp.isfinite(logits).all(), score, DIVERGED).astype(jnp.float32)
        better = (score > state.score) & ~state.done
        keep = partial(jnp.where, better)
        best_epoch = keep(epoch, state.best_epoch)
        return state._replace(
            best=jax.tree.map(keep, now, state.best),
            score=keep(score, state.score),
            best_epoch=best_epoch,
            done=state.done
            | (epoch - best_epoch >= self.task.plan.patience)
            | (epoch + 1 >= numbers.epochs),
        )

    def _validate(self, data: Data, fold: Any, logits: Any) -> Any:
        labels, ranked = (part[fold] for part in (data.validation_labels, data.validation_ranked))
        precision = average_precision(logits, labels, ranked, self.task.positive)
        there = labels >= 0
        losses = cross_entropy(jnp.maximum(labels, 0), logits)
        loss = jnp.where(there, losses, 0).sum() / there.sum()
        return precision - LOSS_SHARE * jnp.minimum(loss, MOST_LOSS)

    def _logits(self, trainable: Tree, other: Tree, x: Any) -> Any:
        """Return the logits of these rows in float32, working out as many at once as fit in."""
        _, seeds = _part(self.model, self.model.non_trainable_variables)
        non_trainable = _join(self.model, other, [jnp.asarray(seed.value) for seed in seeds])

        def call(x: Any) -> Any:
            logits, _ = self.model.stateless_call(trainable, non_trainable, x, training=False)
            return logits.astype(jnp.float32)

        if len(x) <= self.rows_at_once:
            return call(x)
        return jax.lax.map(lambda row: call(row[None])[0], x, batch_size=self.rows_at_once)

    # -- all lanes of a seed -----------------------------------------------------------

    def ahead(self, seeds: Tree, key: Any, epoch: Any, begin: Any, end: Any) -> tuple[Tree, Shared]:
        """Work out what lanes share in the steps from ``begin`` up to ``end`` of an epoch.

        ``seeds`` is the random state of layers; it comes back as after the last of the steps.
        """
        size, draws = self.task.batch_size, self.task.steps * self.task.batch_size
        positions = jnp.arange(self.steps * size, dtype=jnp.uint32)
        # The last call of an epoch may ask for more than there is; those are never used.
        positions = jnp.minimum(begin.astype(jnp.uint32) * size + positions, np.uint32(draws - 1))
        base = draw_base(jnp, key, epoch, positions, draws)

        def one(seeds: Tree, index: Any) -> tuple[Tree, Tree]:
            following, drawn = self.stages.ahead(seeds)
            return jax.tree.map(partial(jnp.where, index < end - begin), following, seeds), drawn

        seeds, drawn = jax.lax.scan(one, seeds, jnp.arange(self.steps))
        return seeds, Shared(drawn, base)

    # -- all lanes of a block ----------------------------------------------------------

    def advance(
        self,
        data: Data,
        epoch: Any,
        steps: Any,
        shared: Shared,
        mixes: Any,
        numbers: Numbers,
        state: State,
    ) -> State:
        """Take some steps; ``mixes`` says whether any lane of the block mixes rows."""
        batches = _of_each(partial(self._batches, data, epoch, shared.base), numbers)

        def step(index: Any, carry: Tree) -> Tree:
            drawn = jax.tree.map(partial(_pick, index, 0), shared.drawn)
            batch = jax.tree.map(partial(_pick, index, 1), batches)
            return _of_each(partial(self._step, data, mixes, drawn), numbers, batch, carry)

        carry = (state.trainable, state.other, state.optimizer)
        alone = self.steps == 1
        carry = step(0, carry) if alone else jax.lax.fori_loop(0, steps, step, carry)
        trainable, other, optimizer = carry
        return state._replace(trainable=trainable, other=other, optimizer=optimizer)

    def score(self, data: Data, epoch: Any, numbers: Numbers, state: State) -> State:
        """Score the validation rows at the end of an epoch and keep the best networks."""
        score = partial(self._score, data, epoch)
        return (_in_turn if self.score_in_turn else _of_each)(score, numbers, state)

    def predict(self, data: Data, fold: Any, trainable: Tree, other: Tree) -> tuple[Any, Any]:
        """Return the logits of one lane for the validation and the test rows."""
        logits = partial(self._logits, trainable, other)
        return logits(data.validation_x[fold]), logits(data.test_x[fold])

    # -- on the host -------------------------------------------------------------------

    def work(self, data: Data) -> Work:
        """Count what a step of one lane computes."""
        rows = np.zeros(self.task.batch_size, np.int32)
        batch = [rows, rows, rows, rows.astype(np.float32)]
        even, nothing = np.ones(self.task.n_classes, np.int64), np.int32(0)
        quotas = Draw().quotas(even, self.task.steps, self.task.batch_size)
        chances = np.ones(self.task.n_classes, np.float32)
        numbers = Numbers(nothing, nothing, nothing, quotas, Loss().numbers(even), chances)
        fetched = jax.make_jaxpr(partial(self._rows, data, np.bool_(True)))(numbers, batch)
        return count_work(*fetched.jaxpr.eqns, *self.stages.late)

    def numbers(self, lanes: Sequence[Lane], folds: Sequence[int]) -> Numbers:
        """Turn lanes into numbers; ``folds`` are those of the `Data`, in order."""
        task = self.task

        def of_lane(lane: Lane) -> Numbers:
            draw, loss = lane.training[:2]
            counts = task.folds[lane.fold].layout.counts
            return Numbers(
                np.int32(folds.index(lane.fold)),
                np.int32(folds.index(lane.fold) * task.plan.seeds + lane.seed),
                np.int32(task.epochs(lane.training)),
                draw.quotas(counts, task.steps, task.batch_size),
                loss.numbers(counts),
                task.chances(lane.fold),
            )

        return stack_trees([of_lane(lane) for lane in lanes])

    def initial(self, lane: Lane) -> tuple[Tree, State]:
        """Return the random state and the state that a lane begins in."""
        network = self.task.taught(self.task.beginning(lane), lane.seed)
        seeds, (trainable, other, optimizer) = self._begin(network)
        score = (np.float32(DIVERGED), np.int32(0), np.bool_(False))
        return seeds, State(trainable, other, optimizer, (trainable, other), *score)

    def weights(self, trainable: list[Any], other: list[Any]) -> list[np.ndarray]:
        """Put a lane's variables into the order of ``model.weights``."""
        model = self.model
        others, _ = _part(model, model.non_trainable_variables)
        variables = [*model.trainable_variables, *others]
        values = {id(v): a for v, a in zip(variables, [*trainable, *other], strict=True)}
        return [values[id(variable)] for variable in model.weights]


def _is_seed(network: Any) -> list[bool]:
    seeds = {id(variable) for variable in seed_states(network)}
    return [id(variable) in seeds for variable in network.non_trainable_variables]


def _join(network: Any, other: list[Any], seeds: list[Any]) -> list[Any]:
    """Put what does not train into the network's order: random states and the rest."""
    others, states = iter(other), iter(seeds)
    return [next(states) if is_seed else next(others) for is_seed in _is_seed(network)]


def _part(network: Any, non_trainable: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Part what does not train: random states come last."""
    pairs = list(zip(non_trainable, _is_seed(network), strict=True))
    return [v for v, seed in pairs if not seed], [v for v, seed in pairs if seed]


def _mixed(data: Data, offset: Any, rows: Any, columns: Any, shares: Any, x: Any) -> Any:
    near = data.neighbors[offset + rows, columns]
    return mix(jnp, x, data.x[offset + near], shares, data.blendable)


def _pick(index: Any, axis: int, part: Any) -> Any:
    return jax.lax.dynamic_index_in_dim(part, index, axis, keepdims=False)


def _of_each(function: Callable[..., Any], *trees: Tree) -> Any:
    """Apply a function to each lane of these trees."""
    if len(jax.tree.leaves(trees)[0]) > 1:
        return jax.vmap(function)(*trees)
    alone = jax.tree.map(lambda leaf: leaf[0], trees)
    return jax.tree.map(lambda leaf: leaf[None], function(*alone))


def _in_turn(function: Callable[..., Any], *trees: Tree) -> Any:
    """Do the same, one lane after another."""
    return jax.lax.map(lambda lane: function(*lane), trees)
