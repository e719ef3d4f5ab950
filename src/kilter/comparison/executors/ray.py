"""The Ray executor: lanes through plain Keras ``fit``, on all processes of a Ray cluster."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Iterator, Sequence
from threading import Event
from typing import Any

import keras

from kilter._errors import BackendError
from kilter.comparison.executors.base import Executor, Forecast, Lane, Task, Trained
from kilter.comparison.executors.sequential import Sequential


class Ray(Executor):
    """Trains each lane in a worker of a Ray cluster; runs on every backend.

    Joins the cluster that ``ray.init`` or ``RAY_ADDRESS`` names, else starts one on this
    machine for the time of the run. Worth it with many machines; on one, lanes are faster.
    """

    def train(self, task: Task, lanes: Sequence[Lane]) -> Iterator[Trained]:
        """Hand out all lanes and yield each as soon as a worker is done with it."""
        ray = _connect()
        shared = ray.put(dataclasses.replace(task, stop=_Never()))
        worker = ray.remote(num_cpus=1)(_train_one)
        pending = [worker.remote(shared, lane) for lane in lanes]
        try:
            while pending:
                done, pending = ray.wait(pending)
                yield from ray.get(done)
        finally:
            for left in pending:
                ray.cancel(left)

    def forecast(self, task: Task, lanes: Sequence[Lane]) -> Forecast:
        """Share what one lane takes here, compiling too, among the processors of the cluster."""
        workers = max(1, min(int(_connect().cluster_resources().get("CPU", 1)), len(lanes)))
        alone, each = Sequential().forecast(task, lanes[:1]), len(lanes) / workers
        return dataclasses.replace(
            alone,
            trainings=len(lanes),
            threads=workers,
            seconds=alone.seconds * each,
            most=alone.most * each,
        )


class _Never(Event):
    """An event that travels to other processes, where nobody sets it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Event, ()


def _train_one(task: Task, lane: Lane) -> Trained:
    return next(iter(Sequential().train(task, [lane])))


def _connect() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        raise BackendError(
            "`executor` ray needs Ray: `pip install 'kilter[ray]'`, or use `executor` auto."
        ) from error
    if not ray.is_initialized():
        environment = {"KERAS_BACKEND": keras.backend.backend()}
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(
            runtime_env={"env_vars": environment},
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    return ray
