"""How much faster are lanes than loops of Keras ``fit``, and than scikit-learn's networks?

Twelve trainings, five folds, three seeds: 180 networks of 64-64 units for 30 epochs, on the
same folds with as many steps of as many rows; then the default network in its place. Each side
runs in a process of its own, three times in turn:

- `lanes`: all of them in one compiled program, scored every epoch; the first time, and with
  the compiled program found in the cache as `kilter compare` does from the second time on;
- `fit`: a fresh network, ``compile``, ``fit`` and ``predict``, one after another, on a part of
  the trainings; its rows are drawn once instead of every epoch, and it never validates;
- `fit, validating`: the same with what lanes do: average precision on the validation part
  after each epoch, and the best epoch's weights;
- `scikit-learn`: imbalanced-learn's samplers before ``MLPClassifier``, two processes of joblib,
  on a part of the trainings. It has no dropout, no weights and no other losses: for
  those remedies it does less; and nothing like the default network.

    python benchmarks/compare_speed.py [TABLE ...] [--network mlp|tabm]

Tables are names of the shared collection beside the repository; without one there, the
demo's table is taken.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from joblib import cpu_count

from _lanes import SHARED, fit, make_task, read, seconds
from kilter import Remedy
from kilter.comparison.executors.base import EncodedFold, Lane, Task
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of
from kilter.comparison.remedy import find_remedies
from kilter.comparison.training import Draw, Loss

TABLES = {
    "mlp": ("mammography", "page-blocks", "abalone9-18"),
    "tabm": ("page-blocks", "abalone9-18"),
}
WORDS = {"mlp": "a 64-64 network", "tabm": "the default network"}
EPOCHS, REPEATS = 30, 3
# With the nine trainings that have names, twelve.
MORE = (
    Remedy("sqrt-sampling", draw=Draw(power=0.5)),
    Remedy("focal-1", loss=Loss(gamma=1)),
    Remedy("half-prior", loss=Loss(prior=0.5)),
)


# -- sides -----------------------------------------------------------------------------


def run_lanes(task: Task, lanes: list[Lane]) -> float:
    from kilter.comparison.executors.lanes import Lanes

    return seconds(lambda: list(Lanes().train(task, lanes)))


def fit_one(task: Task, lane: Lane, validate: bool) -> None:
    model, fold = fit(task, lane, validate), task.folds[lane.fold]
    model.predict(fold.validation_x, batch_size=4096, verbose=0)
    model.predict(fold.test_x, batch_size=4096, verbose=0)


def run_fit(task: Task, lanes: list[Lane], validate: bool = False) -> float:
    def every() -> None:
        for lane in lanes:
            fit_one(task, lane, validate)

    return seconds(every)


def sklearn_one(fold: EncodedFold, lane: Lane, plan: Plan, steps: int, batch_size: int) -> None:
    warnings.simplefilter("ignore")  # that it has not converged
    from imblearn.over_sampling import SMOTE, RandomOverSampler
    from imblearn.under_sampling import RandomUnderSampler
    from sklearn.neural_network import MLPClassifier

    draw = lane.training.draw
    x, y = fold.x, fold.labels
    if draw.power != 1:
        fewest = int(fold.layout.counts.min())
        smote = SMOTE(k_neighbors=min(5, fewest - 1), random_state=0)
        over = smote if draw.synthetic else RandomOverSampler(random_state=0)
        sampler = RandomUnderSampler(random_state=0) if draw.shrink else over
        x, y = sampler.fit_resample(x, y)
    size = min(batch_size, len(x))
    epochs = max(1, round(plan.epochs * steps / -(-len(x) // size)))
    model = MLPClassifier(
        plan.hidden,
        alpha=plan.weight_decay,
        batch_size=size,
        learning_rate_init=plan.learning_rate,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=lane.seed,
    )
    model.fit(x, y)
    model.predict_proba(fold.validation_x)
    model.predict_proba(fold.test_x)


def run_sklearn(task: Task, lanes: list[Lane]) -> float:
    from joblib import Parallel, delayed

    settings = (task.plan, task.steps, task.batch_size)
    work = [delayed(sklearn_one)(task.folds[lane.fold], lane, *settings) for lane in lanes]
    with Parallel(n_jobs=2) as parallel:
        parallel(work[:2])  # starts the processes
        return seconds(lambda: parallel(work))


SIDES: dict[str, tuple[Callable[[Task, list[Lane]], float], int]] = {
    "lanes, first time": (run_lanes, 1),
    "lanes": (run_lanes, 1),
    "fit": (run_fit, 31),
    "fit, validating": (partial(run_fit, validate=True), 31),
    "scikit-learn": (run_sklearn, 7),
}
"""What each side does, and on every how many of the trainings.

No divisor in common with twelve, so that a part has many remedies; each repeat takes another.
"""


def measure(side: str, table: str, network: str, repeat: int) -> None:
    """Print what one side took for a training."""
    remedies = [*find_remedies(None), *MORE]
    settings = {"network": network, "epochs": EPOCHS, "patience": EPOCHS}
    plan = Plan.make(remedies, folds=5, seeds=3, **settings)
    dataset = read(table)
    task = make_task(dataset, plan)
    function, every = SIDES[side]
    lanes = lanes_of(plan)
    some = lanes[repeat % every :: every]
    took = function(task, some)
    facts = {"rows": len(dataset.labels), "steps": task.steps * EPOCHS, "all": len(lanes)}
    print(json.dumps({"each": took / len(some), "batch": task.batch_size, **facts}))


# -- the page --------------------------------------------------------------------------


def in_process(side: str, table: str, network: str, repeat: int, cache: str) -> dict[str, Any]:
    cached = {"JAX_COMPILATION_CACHE_DIR": cache, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    arguments = [table, "--network", network, "--side", side, "--repeat", str(repeat)]
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, **(cached if side.startswith("lanes") else {})},
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(table: str, network: str) -> None:
    sides = [side for side in SIDES if network == "mlp" or side != "scikit-learn"]
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in sides}
    for repeat in range(REPEATS):
        with tempfile.TemporaryDirectory() as cache:
            for side in sides:
                found[side].append(in_process(side, table, network, repeat, cache))
                print(f"{table} {side}: {found[side][-1]['each']:.3f} s", file=sys.stderr)
    facts = found["lanes"][0]
    each = {side: median(one["each"] for one in found[side]) for side in sides}
    print(f"\n## {table}, {WORDS[network]}\n")
    print(
        f"{facts['rows']:,} rows; {facts['all']} trainings of {facts['steps']:,} steps "
        f"of {facts['batch']} rows. Cores: {cpu_count()}.\n"
    )
    print("| | seconds a training | µs a step | all, seconds | times lanes |")
    print("|---|---|---|---|---|")
    for side, took in each.items():
        step = took / facts["steps"] * 1e6
        ratio = took / each["lanes"]
        total = took * facts["all"]
        print(f"| {side} | {took:.3f} | {step:.0f} | {total:.1f} | {ratio:.1f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=[])
    parser.add_argument("--network", choices=TABLES)
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--repeat", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        measure(options.side, options.tables[0], options.network, options.repeat)
        return
    print("# Lanes against loops of fit, and against scikit-learn\n")
    print("Written by `make bench` from `benchmarks/compare_speed.py`; do not edit.\n")
    print("Twelve trainings, five folds, three seeds; 30 epochs.")
    print(f"{platform.machine()}; medians of {REPEATS} runs in turn.")
    print("The head of the script says what each side does and leaves out.")
    for network in [options.network] if options.network else TABLES:
        for table in options.tables or (TABLES[network] if SHARED.exists() else ("demo",)):
            compare(table, network)


if __name__ == "__main__":
    main()
