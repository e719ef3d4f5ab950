"""A small task, and what the lanes make of it on JAX, whatever backend the tests run on."""

import os
import subprocess
import sys
from pathlib import Path
from threading import Event

import numpy as np
import pytest

HERE = Path(__file__).parent


@pytest.fixture(autouse=True, scope="package")
def optimized():
    """Let XLA optimise here as it does for users; other tests are spared the wait."""
    import jax

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "0")  # for other processes
        jax.config.update("jax_disable_most_optimizations", False)
        yield
    others = os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] != "0"
    jax.config.update("jax_disable_most_optimizations", others)


def make_task(n_classes: int, dropout: float = 0.0, rows: tuple[int, int] = (300, 270), **settings):
    """Build a task of two folds with so many training rows."""
    from kilter.comparison.executors.base import EncodedFold, Task
    from kilter.comparison.plan import Plan
    from kilter.models import mlp, tabm
    from kilter.sampling import Layout, class_clusters, class_neighbors

    def fold(seed: int, rows: int) -> EncodedFold:
        rng = np.random.default_rng(seed)
        labels = rng.choice(n_classes, rows + 200, p=_shares(n_classes))
        x = rng.normal(size=(rows + 200, 4)).astype(np.float32)
        x[:, 0] += labels
        x[:, 3] = x[:, 3] > 0
        layout = Layout.of(labels[:rows], n_classes)
        train, truth = x[:rows][layout.order], labels[:rows][layout.order]
        clusters = class_clusters(train, truth, range(n_classes))
        near = np.hstack([class_neighbors(train, each, 5) for each in (truth, clusters)])
        blendable = np.array([True, True, True, False])
        validation = x[rows : rows + 120], labels[rows : rows + 120]
        return EncodedFold(train, truth, layout, near, blendable, *validation, x[rows + 120 :])

    def build(shape: tuple[int, ...], outputs: int, seed: int):
        parts = {"hidden": settings.get("hidden", (8,)), "dropout": dropout, "seed": seed}
        if plan.network == "mlp":
            return mlp(*shape, outputs, **parts)
        return tabm(*shape, outputs, numbers=3, members=plan.members, **parts)

    usual = {"folds": 2, "seeds": 1, "epochs": 4, "batch_size": 32, "network": "mlp"}
    plan = Plan.make(**{**usual, **settings})
    folds = (fold(1, rows[0]), fold(2, rows[1]))
    return Task(plan, folds, n_classes, n_classes - 1, build, Event())


def _shares(n_classes: int) -> np.ndarray:
    shares = 0.3 ** np.arange(n_classes)
    return shares / shares.sum()


REFERENCES = {
    "mlp-two-classes": {"n_classes": 2},
    "tabm-three-classes": {"n_classes": 3, "network": "tabm", "members": 3},
}


def write_reference(path: Path, settings: dict) -> None:
    """Train the lanes and write their results."""
    from kilter.comparison.executors.lanes import Lanes
    from kilter.comparison.prepare import lanes_of

    task = make_task(**settings)
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


@pytest.fixture(scope="session", params=REFERENCES)
def reference(request, reference_folder):
    """Return a task, and the arrays that `write_reference` makes of it in a process on JAX."""
    with np.load(reference_folder / f"{request.param}.npz") as file:
        return make_task(**REFERENCES[request.param]), dict(file)


@pytest.fixture
def in_order():
    return _in_order


@pytest.fixture
def task_of():
    return make_task


if __name__ == "__main__":
    for name, settings in REFERENCES.items():
        write_reference(Path(sys.argv[1]) / f"{name}.npz", settings)
