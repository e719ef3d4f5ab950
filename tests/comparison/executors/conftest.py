"""A small task, and what the lanes make of it on JAX, whatever backend the tests run on."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Event

import numpy as np
import pytest

HERE = Path(__file__).parent


def make_task(n_classes: int, dropout: float = 0.0, **settings):
    """Build a task of two folds."""
    from kilter.comparison.executors.base import EncodedFold, Task
    from kilter.comparison.plan import Plan
    from kilter.models import mlp
    from kilter.sampling import Layout, class_neighbors

    def fold(seed: int, rows: int) -> EncodedFold:
        rng = np.random.default_rng(seed)
        labels = rng.choice(n_classes, rows + 200, p=_shares(n_classes))
        x = rng.normal(size=(rows + 200, 4)).astype(np.float32)
        x[:, 0] += labels
        x[:, 3] = x[:, 3] > 0
        layout = Layout.of(labels[:rows], n_classes)
        train, truth = x[:rows][layout.order], labels[:rows][layout.order]
        near = class_neighbors(train, truth, 5)
        blendable = np.array([True, True, True, False])
        validation = x[rows : rows + 120], labels[rows : rows + 120]
        return EncodedFold(train, truth, layout, near, blendable, *validation, x[rows + 120 :])

    def build(width: int, outputs: int, seed: int):
        return mlp(width, outputs, hidden=settings.get("hidden", (8,)), dropout=dropout, seed=seed)

    plan = Plan.make(**{"folds": 2, "seeds": 1, "epochs": 4, "batch_size": 32, **settings})
    folds = (fold(1, 300), fold(2, 270))
    return Task(plan, folds, n_classes, n_classes - 1, build, Event())


def _shares(n_classes: int) -> np.ndarray:
    shares = 0.3 ** np.arange(n_classes)
    return shares / shares.sum()


def write_reference(path: Path, n_classes: int) -> None:
    """Train the lanes and write initial weights and results."""
    from kilter.comparison.executors.lanes import Lanes
    from kilter.comparison.run import lanes_of

    task = make_task(n_classes)
    arrays = {}
    for number, one in enumerate(_in_order(Lanes().train(task, lanes_of(task.plan)))):
        arrays[f"{number}_score"] = one.score
        arrays[f"{number}_epoch"] = one.epoch
        arrays[f"{number}_validation"] = one.validation
        arrays[f"{number}_test"] = one.test
    np.savez(path, **arrays)


def _in_order(trained):
    return sorted(trained, key=lambda one: repr(one.lane))


@pytest.fixture(scope="session")
def reference_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lanes")
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    command = [sys.executable, __file__, str(folder)]
    subprocess.run(command, check=True, env=environment, timeout=300)
    return folder


@pytest.fixture(scope="session", params=[2, 3], ids=["two-classes", "three-classes"])
def reference(request, reference_folder):
    """Return a task, and the arrays that `write_reference` makes of it in a process on JAX."""
    with np.load(reference_folder / f"{request.param}.npz") as file:
        return make_task(request.param), dict(file)


@pytest.fixture
def in_order():
    return _in_order


@pytest.fixture
def task_of():
    return make_task


if __name__ == "__main__":
    for count in (2, 3):
        write_reference(Path(sys.argv[1]) / f"{count}.npz", count)
