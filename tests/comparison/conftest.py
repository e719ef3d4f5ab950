"""A made-up table, an executor that answers at once, and what a run makes of the two."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kilter._types import Dataset
from kilter.comparison.executors.base import EncodedFold, Executor, Forecast, Lane, Task, Trained
from kilter.comparison.plan import Plan
from kilter.data import load

# `kilter.comparison.run` is the function; this is the module that holds it.
driver = importlib.import_module("kilter.comparison.run")

NAMES = {
    2: {"text": ("fine", "fraud"), "boolean": (False, True), "number": (0, 1)},
    3: {"text": ("a", "b", "c"), "number": (1, 2, 5)},
}


def make_table(
    n_classes: int = 2, kind: str = "number", rows: int = 300, seed: int = 0
) -> pa.Table:
    """Return a table in which the last class is the rarest and the first column tells most."""
    rng = np.random.default_rng(0)
    shares = 0.35 ** np.arange(n_classes)
    labels = np.resize(np.repeat(np.arange(n_classes), np.ceil(50 * shares).astype(int)), rows)
    labels = rng.permutation(labels)
    amount = rng.normal(size=rows) + 1.2 * labels
    amount[rng.random(rows) < 0.05] = np.nan
    city = rng.choice(["Oslo", "Rome", "Bonn"], rows)
    return pa.table(
        {
            "amount": pa.array(amount, from_pandas=True),
            "age": rng.normal(size=rows),
            "city": city,
            "target": np.array(NAMES[n_classes][kind])[labels],
        }
    )


class Quick(Executor):
    """Nearest class mean instead of training; draws and loss move the logits as they would.

    ``trained`` has the lanes of folds, ``refitted`` what came of those on all rows;
    ``fails_after`` raises an interrupt after that many lanes.
    """

    def __init__(self, fails_after: int | None = None) -> None:
        self.trained: list[Lane] = []
        self.refitted: list[tuple[Task, Trained]] = []
        self.shapes: dict[int, tuple[Task, list[tuple[int, ...]]]] = {}
        self.fails_after = fails_after

    def train(self, task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        for lane in lanes:
            if len(self.trained) == self.fails_after:
                raise KeyboardInterrupt
            answer = self.answer(task, lane)
            if task.to_the_end:
                self.refitted.append((task, answer))
            else:
                self.trained.append(lane)
            yield answer

    def forecast(self, task: Task, lanes: Sequence[Lane]) -> Forecast:
        return Forecast(len(lanes), 8, 2, 31, 5, 3 << 29, 12 << 30, 90.0, 7200.0)

    def answer(self, task: Task, lane: Lane) -> Trained:
        fold = task.folds[lane.fold]
        draw, loss = lane.training[:2]
        quotas = draw.quotas(fold.layout.counts, task.steps, task.batch_size)
        numbers = loss.numbers(fold.layout.counts)
        shift = np.log(quotas.slots / quotas.slots.sum()) + np.log(numbers.weights)
        shift = (shift - numbers.margins[0]).astype(np.float32)
        score = 0.5 + 0.01 * lane.fold + float(shift[-1]) / 100
        weights = self.weights(task, lane, float(shift[-1]))
        logits = [self.logits(fold, x, lane) + shift for x in (fold.validation_x, fold.test_x)]
        return Trained(lane, score, lane.seed, *logits, weights, seconds=0.25)

    def weights(self, task: Task, lane: Lane, shift: float) -> list[np.ndarray]:
        """Make up weights of the network's shapes; those of one are known, to build it once."""
        if id(task) not in self.shapes:
            shapes = [w.shape for w in task.network(0, 0).get_weights()]
            # With the task, or another one may come to have its id.
            self.shapes[id(task)] = task, shapes
        key = [lane.fold, lane.seed, int(1000 * abs(shift)), lane.training.draw.part]
        rng = np.random.default_rng(key)
        return [rng.normal(size=shape).astype(np.float32) for shape in self.shapes[id(task)][1]]

    def logits(self, fold: EncodedFold, x: np.ndarray, lane: Lane) -> np.ndarray:
        classes = range(len(fold.layout.counts))
        rng = np.random.default_rng([lane.fold, lane.seed])
        means = np.stack([fold.x[fold.labels == c].mean(axis=0) for c in classes])
        means += 0.1 * rng.normal(size=means.shape)
        distances = ((x[:, None] - means) ** 2).sum(axis=2)
        return (-0.5 * distances).astype(np.float32)


SOME = ("none", "none+threshold", "smote", "class-weights", "focal", "logit-adjust")
SETTINGS: dict[str, Any] = {
    "folds": 3,
    "seeds": 2,
    "hidden": (4,),
    "members": 2,
    "neighbors": 3,
}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Quick:
    """An executor that takes the place of all others."""
    executor = Quick()
    monkeypatch.setattr(driver, "find_executor", lambda *given: executor)
    return executor


@pytest.fixture
def table_of() -> Callable[..., pa.Table]:
    return make_table


@pytest.fixture(scope="session")
def small() -> Callable[..., SimpleNamespace]:
    """Return a function that judges a small table quickly, with all that came up on the way."""

    def make(n_classes: int = 2, kind: str = "text", remedies: Any = None, **settings: Any) -> Any:
        dataset = load(make_table(n_classes, kind), "target")
        plan = Plan.make(remedies, **{**SETTINGS, **settings})
        return _parts(dataset, plan)

    return make


def _parts(dataset: Dataset, plan: Plan) -> SimpleNamespace:
    splits, task = driver.prepare(plan, dataset)
    trained = list(Quick().train(task, driver.lanes_of(plan)))
    return SimpleNamespace(
        dataset=dataset,
        plan=plan,
        splits=splits,
        positive=task.positive,
        task=task,
        trained=trained,
    )


@pytest.fixture(scope="session", params=[2, 3], ids=["two-classes", "three-classes"])
def judged(request: pytest.FixtureRequest) -> SimpleNamespace:
    """Everything of a quick run of six remedies: its parts and its result."""
    n_classes = request.param
    dataset = load(make_table(n_classes, "text"), "target")
    plan = Plan.make(SOME, **SETTINGS)
    executor = Quick()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "find_executor", lambda *given: executor)
        result = driver.run(plan, dataset)
    parts = vars(_parts(dataset, plan))
    return SimpleNamespace(**parts, result=result, refitted=executor.refitted)
