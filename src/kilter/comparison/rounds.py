"""Trainings in rounds: those that hang on others come after them.

Some go on from the best network of another, with another draw or loss: deferred re-weighting
and re-sampling (Cao et al., 2019, Learning imbalanced datasets with label-distribution-aware
margin loss).

Others learn a network's last layer again, see `kilter.comparison.heads`.

Self-paced under-sampling (Liu et al., 2020, Self-paced ensemble for highly imbalanced massive
data classification) trains one network after another. Each sees all rows of the rarest class
and as many of every other, chosen by how hard the networks before find them: at first every
degree of hardness adds as much to the loss, which favours what is near the border; later all
degrees have equally many rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import keras
import numpy as np
from scipy.special import softmax

from kilter.comparison.executors.base import EncodedFold, Executor, Lane, Task, Trained, Trainings
from kilter.comparison.folder import RunFolder
from kilter.comparison.heads import train_heads
from kilter.comparison.remedy import PARTS
from kilter.comparison.training import Training
from kilter.sampling import philox

DEGREES = 5  # of hardness, as in the paper
BATCH = 4096


def go_on(
    executor: Executor,
    task: Task,
    lanes: Sequence[Lane],
    folder: RunFolder | None,
    network: str = "",
    known: Sequence[Trained] = (),
) -> tuple[list[Trained], Trainings]:
    """Return what a run's folder has of these lanes, and the others as they are trained and kept.

    ``network`` names the task's network where a run has several; ``known`` are there already.
    """
    done = {one.lane for one in known}
    there = list(known)
    if folder is not None:
        there += folder.finished([lane for lane in lanes if lane not in done], network)
    done = {one.lane for one in there}
    left = [lane for lane in lanes if lane not in done]
    coming = train_in_rounds(executor, task, left, tuple(there))
    return there, coming if folder is None else folder.keep(coming, network)


def train_in_rounds(
    executor: Executor, task: Task, lanes: Sequence[Lane], trained: Sequence[Trained] = ()
) -> Trainings:
    """Train lanes, and yield each as soon as it is done.

    ``trained`` are those that are there already. What trainings need has to be among the two.
    """
    known = list(trained)
    for some in rounds(lanes):
        if some[0].training.head is not None:
            for one in train_heads(executor, task, some, known):
                known.append(one)
                yield one
            continue
        given = replace(task, begins=_begins(some, known))
        if some[0].training.draw.paced:
            given = replace(given, circles=_circles(task, some, known))
        for one in executor.train(given, some):
            known.append(one)
            yield one


def rounds(lanes: Sequence[Lane]) -> list[list[Lane]]:
    """Part lanes into those that may train together, in order."""
    parts: dict[tuple[int, bool, Training | None], list[Lane]] = {}
    for lane in lanes:
        training = lane.training
        # Rows in an order of one's own are for one training alone.
        own = training if training.draw.paced else None
        parts.setdefault((training.round, training.head is not None, own), []).append(lane)
    return [parts[key] for key in sorted(parts, key=lambda key: key[0])]


def _begins(
    lanes: Sequence[Lane], known: Sequence[Trained]
) -> dict[tuple[Training, int, int], list[np.ndarray]]:
    """Return the weights in which lanes begin that go on from others."""
    wanted = {(lane.training.after, lane.fold, lane.seed) for lane in lanes}
    every = {(one.lane.training, one.lane.fold, one.lane.seed): one.weights for one in known}
    return {key: weights for key, weights in every.items() if key in wanted}


def _circles(
    task: Task, lanes: Sequence[Lane], known: Sequence[Trained]
) -> dict[tuple[int, int], np.ndarray]:
    """Return rows of each fold and seed in an order that begins with those to be seen."""
    network, circles = task.network(0, 0), {}
    for lane in lanes:
        before = [one.weights for one in known if _comes_before(one.lane, lane)]
        hardness = _hardness(task, lane.fold, network, before)
        part = lane.training.draw.part
        random = philox(task.plan.seed, lane.fold, lane.seed, part)
        at = lane.fold, lane.seed
        circles[at] = paced_circle(task.folds[lane.fold], hardness, part, random)
    return circles


def _comes_before(one: Lane, other: Lane) -> bool:
    earlier = [other.training._replace(draw=draw) for draw in other.training.draw.earlier()]
    return one.training in earlier and (one.fold, one.seed) == (other.fold, other.seed)


def _hardness(
    task: Task, fold: int, network: keras.Model, weights: Sequence[list[np.ndarray]]
) -> np.ndarray:
    """Return 1 less the mean probability of each training row's class."""
    x, labels = task.folds[fold].x, task.folds[fold].labels
    most = max(len(one.x) for one in task.folds)
    # Of one shape, so that nothing is compiled for each fold.
    rows = np.pad(x, [(0, most - len(x)), *[(0, 0)] * len(task.shape)])
    total = np.zeros(len(x))
    for values in weights:
        network.set_weights(values)
        logits = network.predict(rows, batch_size=BATCH, verbose=0)[: len(x)]
        total += softmax(logits.astype(np.float64), axis=1)[np.arange(len(x)), labels]
    return 1 - total / len(weights)


def paced_circle(
    fold: EncodedFold, hardness: np.ndarray, part: int, random: np.random.Generator
) -> np.ndarray:
    """Order rows within their classes: first those to be seen, as many as the rarest class has.

    Parameters
    ----------
    fold : EncodedFold
        Rows sorted by class.
    hardness : array of shape (rows,)
        1 less the probability of the true class, by the members before.
    part : int
        How many members there were.
    random : numpy.random.Generator
        Chooses.
    """
    layout, order = fold.layout, []
    for start, count in zip(layout.starts, layout.counts, strict=True):
        chances = _chances(hardness[start : start + count], part)
        chosen = random.choice(count, layout.counts.min(), replace=False, p=chances)
        rest = np.setdiff1d(np.arange(count), chosen)
        order.append(start + np.concatenate([chosen, rest]))
    return np.concatenate(order).astype(np.int32)


def _chances(hardness: np.ndarray, part: int) -> np.ndarray:
    """Return with which probability each row of a class is chosen."""
    low, high = hardness.min(), hardness.max()
    degree = np.minimum((hardness - low) / max(high - low, 1e-12) * DEGREES, DEGREES - 1)
    degree = degree.astype(int)
    count = np.bincount(degree, minlength=DEGREES)
    mean = np.bincount(degree, hardness, DEGREES) / np.maximum(count, 1)
    pace = np.tan(np.pi / 2 * min(part / PARTS, 1))
    chances = (1 / (mean + pace) / np.maximum(count, 1))[degree]
    return chances / chances.sum()
