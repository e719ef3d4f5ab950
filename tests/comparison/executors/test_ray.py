"""Lanes in the workers of a Ray cluster are the same experiment."""

import sys

import numpy as np
import pytest

from kilter._errors import BackendError
from kilter.comparison.executors.sequential import Sequential
from kilter.comparison.run import find_executor, lanes_of


@pytest.fixture
def cluster():
    ray = pytest.importorskip("ray", reason="needs the ray extra")
    yield ray
    ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings(  # files and processes of Ray's own, which it leaves to the collector
    "ignore::ResourceWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
    "ignore:os.fork:RuntimeWarning",
)
def test_ray_agrees_with_sequential(cluster, task_of, in_order):
    task = task_of(2, dropout=0.2, remedies=["smote"], epochs=2)
    there = in_order(find_executor("ray").train(task, lanes_of(task.plan)))
    here = in_order(Sequential().train(task, lanes_of(task.plan)))
    assert len(there) == 4
    forecast = find_executor("ray").forecast(task, lanes_of(task.plan))
    processors = int(cluster.cluster_resources()["CPU"])
    assert (forecast.trainings, forecast.threads) == (4, min(processors, 4))
    for one, other in zip(there, here, strict=True):
        assert one.lane == other.lane
        np.testing.assert_allclose(one.validation, other.validation, atol=1e-5)


def test_without_ray_it_says_what_to_install(monkeypatch, task_of):
    monkeypatch.setitem(sys.modules, "ray", None)
    task = task_of(2, remedies=["focal"])
    with pytest.raises(BackendError, match=r"pip install 'kilter\[ray\]'"):
        list(find_executor("ray").train(task, lanes_of(task.plan)))
