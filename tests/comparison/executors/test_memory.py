"""Budgets, and the folds that fit into them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from kilter.comparison.executors import memory
from kilter.comparison.executors.device import stack_folds
from kilter.comparison.executors.memory import budget, fold_bytes, fold_groups


def test_a_budget_is_given_in_gib() -> None:
    assert budget(2.5) == 2.5 * 2**30


def test_half_of_the_device_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    device = SimpleNamespace(memory_stats=lambda: {"bytes_limit": 80 << 30})
    monkeypatch.setattr(memory.jax, "local_devices", lambda: [device])
    assert budget(None) == 40 << 30


def test_a_host_tells_its_memory_or_is_taken_for_a_small_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    device = SimpleNamespace(memory_stats=lambda: None)
    monkeypatch.setattr(memory.jax, "local_devices", lambda: [device])
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1 << 20}
    monkeypatch.setattr(memory.os, "sysconf", pages.__getitem__, raising=False)
    monkeypatch.setattr(memory, "CONTAINER", ())
    assert budget(None) == 2 << 30
    monkeypatch.delattr(memory.os, "sysconf")
    assert budget(None) == 4 << 30


@pytest.mark.parametrize(
    ("said", "expected"), [("1073741824\n", 1 << 29), ("max\n", 2 << 30), ("9" * 19, 2 << 30)]
)
def test_a_container_may_allow_less(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, expected: int
) -> None:
    device = SimpleNamespace(memory_stats=lambda: None)
    monkeypatch.setattr(memory.jax, "local_devices", lambda: [device])
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1 << 20}
    monkeypatch.setattr(memory.os, "sysconf", pages.__getitem__, raising=False)
    limit = tmp_path / "memory.max"
    limit.write_text(said)
    monkeypatch.setattr(memory, "CONTAINER", (str(tmp_path / "none"), str(limit)))
    assert budget(None) == expected


def test_the_bytes_of_a_fold_are_those_on_the_device(task_of: Callable) -> None:
    task = task_of(2, seeds=3)
    data = stack_folds(task, [0])
    taken = sum(leaf.nbytes for leaf in jax.tree.leaves(data))
    # besides: labels, offsets, starts
    assert fold_bytes(task) == pytest.approx(taken, rel=0.1)


@pytest.mark.parametrize(
    ("folds", "groups"),
    [
        (9, [[0, 1, 2, 3, 4]]),
        (5, [[0, 1, 2, 3, 4]]),
        (4, [[0, 1, 2], [3, 4, 4]]),
        (2, [[0, 1], [2, 3], [4, 4]]),
        (1, [[0], [1], [2], [3], [4]]),
        (0.5, [[0], [1], [2], [3], [4]]),  # one has to be there
    ],
)
def test_folds_go_together_as_far_as_they_fit(
    monkeypatch: pytest.MonkeyPatch, folds: float, groups: list
) -> None:
    monkeypatch.setattr(memory, "fold_bytes", lambda task: 1000)
    found = fold_groups(SimpleNamespace(), range(5), int(folds * 1000))  # type: ignore[arg-type]
    assert found == groups
    assert len({len(group) for group in found}) == 1


def test_only_folds_that_are_wanted_are_loaded(task_of: Callable) -> None:
    assert fold_groups(task_of(2), [1], 1 << 30) == [[1]]
    assert np.array(fold_groups(task_of(2), [0, 1], 1)).tolist() == [[0], [1]]
