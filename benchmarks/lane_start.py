"""How soon do lanes begin to train, the first time and the next?

From encoded folds until the first block of lanes takes its first step, of all trainings of
5 folds and 3 seeds, in a process of its own: with an empty compilation cache, and with the one
that the run before has filled. For comparison one network through plain Keras ``fit``, to the
end of its first batch, within which it compiles; a step alone takes milliseconds.

    python benchmarks/lane_start.py
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from threading import Lock

import keras

from _lanes import fit, make_task, read
from kilter.comparison.executors.base import Task
from kilter.comparison.executors.engine import Engine
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of

TABLES = {"mammography": (64, 64), "adult": (256, 256)}
SIDES = ("lanes, empty cache", "lanes, the next time", "fit")
REPEATS = 5


def measure(table: str, side: str) -> None:
    """Print the seconds until the first step, and end there."""
    plan = Plan.make(folds=5, seeds=3, network="mlp", hidden=TABLES[table])
    task = make_task(read(table), plan)
    begun = time.perf_counter()

    def tell() -> None:
        print(time.perf_counter() - begun, flush=True)

    (of_fit if side == "fit" else of_lanes)(task, tell)


def of_lanes(task: Task, tell: Callable[[], None]) -> None:
    told = Lock()

    def first(self: Engine, *call: object) -> None:
        self._parts["advance"].result()
        told.acquire()  # the other thread waits here until all ends
        tell()
        self._parts["score"].result()  # comes into the cache as well
        os._exit(0)

    Engine._advance = first  # type: ignore[method-assign, assignment]
    list(Lanes().train(task, lanes_of(task.plan)))


def of_fit(task: Task, tell: Callable[[], None]) -> None:
    def first(batch: int, logs: object) -> None:
        tell()
        os._exit(0)

    at_end = keras.callbacks.LambdaCallback(on_train_batch_end=first)
    fit(task, lanes_of(task.plan)[0], callbacks=[at_end])


def in_process(table: str, side: str, cache: str) -> float:
    environment = {**os.environ, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    if side != "fit":
        environment["JAX_COMPILATION_CACHE_DIR"] = cache
    command = [sys.executable, __file__, "--table", table, "--side", side]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment)
    return float(done.stdout.splitlines()[0])


def measured(table: str) -> list[list[float]]:
    """Return the seconds of each side in each repeat."""
    found = []
    for _ in range(REPEATS):
        with tempfile.TemporaryDirectory() as cache:
            found.append([in_process(table, side, cache) for side in SIDES])
        print(f"{table}: {found[-1]}", file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", help=argparse.SUPPRESS)
    parser.add_argument("--side", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.table:
        measure(options.table, options.side)
        return
    print("# The start of lanes\n")
    print(f"Written by `make bench` from `benchmarks/{Path(__file__).name}`; do not edit.\n")
    print(
        "Seconds from encoded folds until the first block of lanes steps, and until one network "
        f"has had its first batch by `fit`. {platform.machine()}, {os.cpu_count()} cores; medians "
        f"of {REPEATS} in turn, and the extremes.\n"
    )
    print("| | " + " | ".join(SIDES) + " |")
    print("|---|" + "---|" * len(SIDES))
    for table, hidden in TABLES.items():
        sides = zip(*measured(table), strict=True)
        cells = [f"{median(s):.2f} ({min(s):.2f} to {max(s):.2f})" for s in sides]
        print(f"| {table}, {hidden[0]}-{hidden[1]} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
