"""The search on a device finds what the one on the host does."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from kilter._errors import ArgumentError
from kilter.sampling import device
from kilter.sampling.nearest import Search, find

needs_jax = pytest.mark.skipif(
    importlib.util.find_spec("jax") is None, reason="JAX is not installed"
)


@needs_jax
@pytest.mark.parametrize("offset", [0, 1000])
@pytest.mark.parametrize("k", [1, 5])
def test_it_finds_the_nearest(offset: int, k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "ROWS", 100)
    monkeypatch.setattr(device, "QUERIES", 70)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((450, 6)) + offset
    queries = rng.standard_normal((150, 6)) + offset
    expected = find(Search(x, queries, k))
    distances, rows = device.nearest(x, queries, k)
    np.testing.assert_allclose(distances, expected.distances, rtol=1e-12)
    np.testing.assert_array_equal(rows, expected.rows)


@needs_jax
def test_rows_that_float32_cannot_tell_apart_are_told_apart() -> None:
    # 40 rows, each a little farther from the query than the one before, far below float32.
    x = np.append(1e-9 * np.arange(40)[::-1] + 1.0, 3.0)[:, None]
    queries = np.zeros((1, 1))
    assert device.nearest(x, queries, 3)[1].tolist() == [[39, 38, 37]]


@needs_jax
@pytest.mark.parametrize("rows", [300, 350])
@pytest.mark.parametrize("size", [1, 1e20])
def test_few_queries_are_searched_again(
    rows: int, size: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "ROWS", 100)
    again: list[int] = []
    scan = device.Scan
    monkeypatch.setattr(device, "Scan", lambda c, q, k: again.append(len(q)) or scan(c, q, k))
    x = size * np.random.default_rng(0).standard_normal((rows, 6))
    found = device.nearest(x, x, 3)
    np.testing.assert_array_equal(found[1], find(Search(x, x, 3)).rows)
    assert sum(again) < 5


@needs_jax
def test_fewer_rows_than_candidates_are_no_trouble() -> None:
    x = np.array([[0.0], [1.0], [5.0]])
    assert device.nearest(x, x, 2)[1].tolist() == [[0, 1], [1, 0], [2, 1]]


def test_short_searches_and_those_for_the_host_stay_there() -> None:
    assert not device.takes("auto", 10)
    assert not device.takes("cpu", 10**12)


def test_a_gpu_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_may_have_gpu", lambda: False)
    with pytest.raises(ArgumentError, match='`device` is "gpu" and JAX sees none'):
        device.takes("gpu", 10)


def test_a_long_search_takes_the_gpu_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_may_have_gpu", lambda: True)
    monkeypatch.setattr(device, "_has_gpu", lambda: True)
    assert device.takes("auto", 10**12)
    assert device.takes("gpu", 10)
