"""Remedies for the last layer: what they see, what they may look at, and what they hand over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.neighbors import NearestNeighbors

import kilter.comparison.heads as heads
from kilter.comparison.executors.base import Executor, Forecast, Lane, Task, Trained
from kilter.comparison.executors.sequential import Sequential, predict
from kilter.comparison.prepare import lanes_of
from kilter.comparison.remedy import REMEDIES, Remedy
from kilter.comparison.rounds import train_in_rounds
from kilter.comparison.training import NORM, Draw

pytestmark = pytest.mark.backend

KINDS = ("crt", "lws", "marc", "tau-norm")
FEW: dict[str, Any] = {"network": "mlp", "hidden": (6,), "folds": 2, "seeds": 1}


class Given(Executor):
    """Networks of random weights instead of training, or those that they begin with."""

    def __init__(self, begun: bool = False) -> None:
        self.begun = begun
        self.tasks: list[Task] = []

    def train(self, task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        self.tasks.append(task)
        model = task.network(0, 0)  # for all lanes, as each would be compiled
        for lane in lanes:
            random, fold = np.random.default_rng([lane.fold, lane.seed]), task.folds[lane.fold]
            weights = [random.normal(size=w.shape) for w in model.get_weights()]
            model.set_weights(task.beginning(lane).get_weights() if self.begun else weights)
            logits = [predict(model, x) for x in (fold.validation_x, fold.test_x)]
            yield Trained(lane, 0.5, 0, *logits, model.get_weights(), 0.0)

    def forecast(self, task: Task, lanes: Sequence[Lane]) -> Forecast:
        raise NotImplementedError


def split(trained: Sequence[Trained]) -> tuple[dict[Any, Trained], list[Trained]]:
    """Return the networks of the first stage by their place, and those of the second."""
    first = [one for one in trained if one.lane.training.after is None]
    second = [one for one in trained if one.lane.training.after is not None]
    return {(one.lane.fold, one.lane.seed): one for one in first}, second


def run(parts: SimpleNamespace, executor: Executor | None = None, **changes: Any) -> Any:
    """Train all lanes; the first stage is of random networks, whatever the executor."""
    task = replace(parts.task, **changes)
    lanes = lanes_of(parts.plan)
    whole = [lane for lane in lanes if lane.training.after is None]
    known = list(Given().train(task, whole))
    rest = [lane for lane in lanes if lane not in whole]
    return split([*known, *train_in_rounds(executor or Given(), task, rest, known)])


def hidden(weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Return the features of a perceptron of one hidden layer."""
    return np.maximum(x @ weights[0] + weights[1], 0)


def nested(width: int, n_classes: int) -> keras.Model:
    layers = keras.layers
    inner = keras.Sequential([keras.Input((width,)), layers.Dense(7, "relu"), layers.Dropout(0.5)])
    rows = keras.Input((width,))
    ended = layers.Dense(n_classes, "softmax")(inner(rows))
    return keras.Model(rows, ended)


# -- what is handed over -----------------------------------------------------------------


@pytest.mark.parametrize(("n_classes", "build"), [(2, None), (3, None), (3, nested)])
def test_the_network_gives_the_logits_of_the_head(
    small: Callable, n_classes: int, build: Any
) -> None:
    parts = small(n_classes, remedies=list(KINDS), **FEW, build=build)
    _, second = run(parts)
    assert len(second) == len(KINDS) * 2
    network = parts.task.network(0, 0)
    for one in second:
        fold = parts.task.folds[one.lane.fold]
        network.set_weights(one.weights)
        for x, logits in ((fold.validation_x, one.validation), (fold.test_x, one.test)):
            assert logits.dtype == np.float32
            found = predict(network, x)
            if build is not None:  # a softmax, whose logarithm serves as logits
                found, logits = (log_softmax(z.astype(float), axis=1) for z in (found, logits))
            np.testing.assert_allclose(found, logits, rtol=1e-3, atol=2e-4)


def test_all_but_the_last_layer_is_that_of_the_first_stage(small: Callable) -> None:
    first, second = run(small(3, remedies=list(KINDS), **FEW))
    for one in second:
        *same, kernel, bias = one.weights
        *expected, old_kernel, old_bias = first[one.lane.fold, one.lane.seed].weights
        for found, wanted in zip(same, expected, strict=True):
            assert found is wanted  # a copy for each remedy, fold and seed would be gigabytes
        assert kernel.dtype == bias.dtype == np.float32
        whole = one.lane.training.head == NORM and one.epoch == 0  # divided by the power 0
        assert np.allclose(kernel, old_kernel, rtol=1e-3, atol=1e-3) == whole
        assert not np.allclose(bias, old_bias)


def test_factors_begin_with_what_is_there(small: Callable) -> None:
    first, second = run(small(3, remedies="lws,marc", **FEW), Given(begun=True))
    for one in second:
        before = first[one.lane.fold, one.lane.seed]
        np.testing.assert_allclose(one.test, before.test, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(one.weights[-2], before.weights[-2], rtol=1e-4, atol=1e-5)


class Fixed(Given):
    """Gives a head of factors those of `FACTORS`."""

    FACTORS = np.array([[2.0, 0.5, 1.0], [3.0, -1.0, 0.0]], np.float32)

    def train(self, task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        for one in super().train(task, lanes):
            yield replace(one, weights=[self.FACTORS[: len(one.weights[0])]])


@pytest.mark.parametrize("name", ["lws", "marc"])
def test_a_class_has_its_factor_and_its_margin(small: Callable, name: str) -> None:
    """z of class k becomes f_k z_k, and for MARC f_k z_k + m_k ||w_k||."""
    parts = small(3, remedies=name, **FEW)
    first, second = run(parts, Fixed())
    network = parts.task.network(0, 0)
    for one in second:
        before = first[one.lane.fold, one.lane.seed]
        expected = before.test * Fixed.FACTORS[0]
        if name == "marc":
            norms = np.sqrt((before.weights[-2].astype(float) ** 2).sum(axis=0))
            expected = expected + Fixed.FACTORS[1] * norms
        network.set_weights(one.weights)
        found = predict(network, parts.task.folds[one.lane.fold].test_x)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_a_unit_that_no_training_row_makes_fire_does_not_blow_up(small: Callable) -> None:
    parts = small(remedies="crt", **FEW)
    task, lanes = parts.task, lanes_of(parts.plan)
    first = list(Given().train(task, [one for one in lanes if one.training.head is None]))
    for one in first:
        fold = task.folds[one.lane.fold]
        sums, rows = (x @ one.weights[0][:, 0] for x in (fold.x, fold.test_x))
        one.weights[1][0] = -max(sums)
        fold.test_x[rows.argmax()] += one.weights[0][:, 0]  # so that it fires there
        assert hidden(one.weights, fold.x)[:, 0].max() < 1e-5
        assert hidden(one.weights, fold.test_x)[:, 0].max() > 1e-3
    rest = [lane for lane in lanes if lane.training.head is not None]
    for one in train_in_rounds(Given(), task, rest, first):
        assert np.abs(one.test).max() < 100


# -- dividing by norms -------------------------------------------------------------------


def divided(before: Trained, x: np.ndarray, power: float) -> np.ndarray:
    """Return logits without bias; norms, of which the mean is 1, are divided by to this power."""
    kernel = before.weights[-2].astype(float)
    norms = np.sqrt((kernel**2).sum(axis=0))
    return hidden(before.weights, x.astype(float)) @ (kernel / (norms / norms.mean()) ** power)


def balanced(labels: np.ndarray, logits: np.ndarray) -> float:
    p, classes = softmax(logits, axis=1), np.arange(logits.shape[1])
    rows = [labels == c for c in classes]
    return float(np.mean([log_loss(labels[mine], p[mine], labels=classes) for mine in rows]))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_tau_is_the_power_that_fits_each_class_of_the_validation_rows_best(
    small: Callable, n_classes: int
) -> None:
    parts = small(n_classes, remedies="tau-norm", **FEW)
    first, second = run(parts)
    for one in second:
        before, fold = first[one.lane.fold, one.lane.seed], parts.task.folds[one.lane.fold]
        powers = np.arange(21) / 10
        losses = [
            balanced(fold.validation_labels, divided(before, fold.validation_x, power))
            for power in powers
        ]
        assert one.epoch == np.argmin(losses)
        expected = divided(before, fold.test_x, powers[one.epoch])
        np.testing.assert_allclose(one.test, expected, rtol=1e-3, atol=1e-3)
        norms = np.linalg.norm(before.weights[-2], axis=0)
        expected = norms / (norms / norms.mean()) ** powers[one.epoch]
        np.testing.assert_allclose(np.linalg.norm(one.weights[-2], axis=0), expected, rtol=1e-3)
        np.testing.assert_allclose(one.weights[-1], 0, atol=1e-3)


def test_the_power_of_the_folds_is_taken_on_all_rows(small: Callable) -> None:
    parts = small(3, remedies="tau-norm", **FEW)
    (training,) = REMEDIES["tau-norm"].trainings
    first, second = run(parts, ends={training: 5, training.after: 1})
    for one in second:
        assert one.epoch == one.score == 4
        before, fold = first[one.lane.fold, one.lane.seed], parts.task.folds[one.lane.fold]
        expected = divided(before, fold.test_x, 0.4)
        np.testing.assert_allclose(one.test, expected, rtol=1e-3, atol=1e-3)


# -- what a head sees --------------------------------------------------------------------


def test_it_sees_standardised_features_of_each_place(small: Callable) -> None:
    parts, executor = small(3, remedies="crt", **{**FEW, "seeds": 2}), Given()
    first, _ = run(parts, executor)
    (task,) = executor.tasks
    assert (len(task.folds), task.shape, task.layers) == (4, (6,), ())
    for seen, (fold, seed) in zip(task.folds, [(0, 0), (0, 1), (1, 0), (1, 1)], strict=True):
        whole, weights = parts.task.folds[fold], first[fold, seed].weights
        x, *others = (hidden(weights, part) for part in (whole.x, whole.validation_x, whole.test_x))
        mean, spread = x.mean(axis=0), x.std(axis=0)
        spread = np.where(spread > 0, spread, spread.mean())  # of a unit that never fires
        for found, features in zip(
            (seen.x, seen.validation_x, seen.test_x), (x, *others), strict=True
        ):
            np.testing.assert_allclose(found, (features - mean) / spread, rtol=1e-3, atol=1e-3)
        np.testing.assert_array_equal(seen.labels, whole.labels)
        np.testing.assert_array_equal(seen.validation_labels, whole.validation_labels)
        assert seen.layout is whole.layout
        assert seen.blendable.all()


def test_smote_is_between_features(small: Callable) -> None:
    parts, executor = small(remedies="crt,head-smote", **FEW), Given()
    run(parts, executor)
    (task,) = executor.tasks
    for fold in task.folds:
        rare = np.flatnonzero(fold.labels == 1)
        near = NearestNeighbors(n_neighbors=parts.plan.neighbors + 1).fit(fold.x[rare])
        distances = near.kneighbors(fold.x[rare])[0][:, 1:]
        found = np.linalg.norm(fold.x[rare][:, None] - fold.x[fold.neighbors[rare]], axis=2)
        np.testing.assert_allclose(np.sort(found, axis=1), distances, rtol=1e-4, atol=1e-4)


def test_no_neighbors_are_searched_where_nothing_is_mixed(small: Callable) -> None:
    executor = Given()
    run(small(remedies="crt,lws", **FEW), executor)
    assert all(fold.neighbors.size == 0 for task in executor.tasks for fold in task.folds)


# -- leaks -------------------------------------------------------------------------------


def test_rows_that_are_not_learned_from_change_no_layer(small: Callable) -> None:
    """How features are scaled hangs on training rows; what learns stops by validation rows."""
    parts = small(3, remedies=list(KINDS), **FEW)
    random = np.random.default_rng(1)

    def noise(x: np.ndarray) -> np.ndarray:
        return random.normal(5, 9, x.shape).astype(np.float32)

    folds = parts.task.folds
    other_tests = tuple(replace(fold, test_x=noise(fold.test_x)) for fold in folds)
    others = tuple(replace(fold, validation_x=noise(fold.validation_x)) for fold in other_tests)
    _, expected = run(parts)
    for changed, kinds in ((other_tests, KINDS), (others, KINDS[:3])):
        _, found = run(parts, folds=changed)
        trainings = [REMEDIES[name].trainings[0] for name in kinds]
        for one, other in zip(found, expected, strict=True):
            if one.lane.training in trainings:
                for weights in zip(one.weights, other.weights, strict=True):
                    np.testing.assert_array_equal(*weights)


# -- training ----------------------------------------------------------------------------


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let heads train for few epochs."""
    monkeypatch.setitem(heads.SETTINGS, "epochs", 4)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="lanes need JAX")
@pytest.mark.usefixtures("short")
def test_lanes_and_one_by_one_agree(small: Callable) -> None:
    from kilter.comparison.executors.lanes import Lanes

    parts = small(3, remedies="head-smote,head-vs,marc", **FEW)
    (_, together), (_, alone) = (run(parts, executor) for executor in (Lanes(), Sequential()))
    by_lane = {one.lane: one for one in together}
    assert len(by_lane) == len(alone) == 3 * 2
    for one in alone:
        other = by_lane[one.lane]
        np.testing.assert_allclose(other.test, one.test, rtol=1e-3, atol=1e-3)
        assert other.score == pytest.approx(one.score, abs=1e-4)
        assert other.epoch == one.epoch


def test_what_is_left_trains_as_among_all(small: Callable) -> None:
    """A run that goes on may have some places of the second stage left only."""
    parts = small(remedies="crt,head-focal", **{**FEW, "seeds": 2})
    task, lanes = parts.task, lanes_of(parts.plan)
    first = list(Given().train(task, [one for one in lanes if one.training.head is None]))
    rest = [lane for lane in lanes if lane.training.head is not None]
    left = [lane for lane in rest if (lane.fold, lane.seed) in ((0, 1), (1, 0))]
    begun = Given(begun=True)
    whole = {one.lane: one for one in train_in_rounds(begun, task, rest, first)}
    again = list(train_in_rounds(begun, task, left, first[::-1]))
    assert [one.lane for one in again] == left
    for one in again:
        np.testing.assert_array_equal(one.test, whole[one.lane].test)
    one, other = ([fold.x for fold in task.folds] for task in begun.tasks)
    np.testing.assert_array_equal(one, other)


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="150 calls of fit take long")
def test_a_head_comes_to_where_logistic_regression_does(
    small: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(heads.SETTINGS, "learning_rate", 0.05)
    settings = {"weight_decay": 0.0, "batch_size": 200}
    parts = small(remedies="head-class-weights", **FEW, **settings)
    (training,) = REMEDIES["head-class-weights"].trainings
    lanes = [one for one in lanes_of(parts.plan) if one.fold == 0]
    task = replace(parts.task, ends={training: 150, training.after: 1})
    first = list(Given().train(task, [one for one in lanes if one.training.head is None]))
    (one,) = train_in_rounds(Sequential(), task, lanes[-1:], first)
    fold, (before,) = task.folds[0], first
    reference = LogisticRegression(C=np.inf, class_weight="balanced", max_iter=5000)
    reference.fit(hidden(before.weights, fold.x), fold.labels)
    expected = reference.predict_proba(hidden(before.weights, fold.test_x))
    np.testing.assert_allclose(softmax(one.test, axis=1), expected, atol=0.02)


def test_a_head_may_go_on_from_a_head_and_a_network_from_it(small: Callable) -> None:
    scaled = Remedy("scaled", draw=Draw(power=0), head="scale", after="crt")
    on = Remedy("on", draw=Draw(power=0), after="crt")
    executor = Given(begun=True)
    _, second = run(small(remedies=[scaled, on], **FEW), executor)
    by_kind = {(one.lane.training.head, one.lane.fold): one for one in second}
    assert len(by_kind) == 3 * 2
    for kind in ("scale", None):  # both begin with what they go on from
        for fold in range(2):
            found, before = by_kind[kind, fold].test, by_kind["anew", fold].test
            np.testing.assert_allclose(found, before, rtol=1e-4, atol=1e-4)
    begins = executor.tasks[-1].begins
    assert [training.head for training, *_ in begins] == ["anew"] * 2
