"""The run's folder: checked before work, resumed after an interrupt, whole or not there."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kilter.comparison.folder as module
from kilter._errors import ArgumentError, OutputError, SourceError
from kilter.comparison.api import compare
from kilter.comparison.executors.base import Lane, Trained
from kilter.comparison.folder import RunFolder, fingerprint
from kilter.comparison.plan import Plan
from kilter.comparison.result import FILES
from kilter.comparison.training import Draw, Loss
from kilter.data import load
from kilter.models import mlp, tabm

SETTINGS: dict[str, Any] = {
    "remedies": "smote,focal",
    "folds": 2,
    "seeds": 1,
    "hidden": (4,),
}
LANES = 2 * 1 * 3


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "mine"


@pytest.fixture
def compared(quick, table_of: Callable, out: Path) -> Callable:
    """Return a function that compares into ``out``, and counts trainings anew."""

    def start(fails_after: int | None = None, **changes: Any) -> Any:
        quick.trained.clear()
        quick.fails_after = fails_after
        return compare(table_of(), "target", out=out, **{**SETTINGS, **changes})

    return start


def comparable(result: Any) -> Any:
    summary = {**result.summary, "environment": None}
    return summary, result.predictions.to_pylist(), [w.tolist() for w in weights(result)]


def weights(result: Any) -> list[np.ndarray]:
    return result.model.network.get_weights()


def hidden(out: Path) -> Path:
    return out.with_name(f".{out.name}.partial")


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_run_leaves_its_files_and_nothing_else(compared: Callable, out: Path) -> None:
    compared()
    assert {path.name for path in out.iterdir()} == set(FILES)
    assert [path.name for path in out.parent.iterdir()] == ["mine"]


@pytest.mark.parametrize("after", [0, 1, LANES - 1])
def test_an_interrupted_run_trains_only_what_is_missing(
    compared: Callable, quick, out: Path, after: int
) -> None:
    whole = comparable(compared())
    assert len(quick.trained) == LANES
    seen = []
    with pytest.raises(KeyboardInterrupt):
        compared(fails_after=after)
    again = compared(resume=True, observe=seen.append)
    assert len(quick.trained) == LANES - after
    assert [now.done for now in seen] == list(range(after, LANES + 2))  # the last on all rows
    assert {now.total for now in seen} == {LANES + 1}
    assert comparable(again) == whole
    assert not hidden(out).exists()


def test_an_interrupt_leaves_no_folder(compared: Callable, out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        compared(fails_after=3)
    assert not out.exists()
    assert len(list((hidden(out) / "lanes").iterdir())) == 3


def test_an_interrupt_leaves_an_earlier_run_as_it_was(compared: Callable, out: Path) -> None:
    compared()
    before = snapshot(out)
    with pytest.raises(KeyboardInterrupt):
        compared(fails_after=3, seed=1)
    assert snapshot(out) == before


def test_a_later_run_takes_the_place_of_an_earlier(compared: Callable, out: Path) -> None:
    compared()
    before = snapshot(out)
    compared(seed=1)
    after = snapshot(out)
    assert before.keys() == after.keys()
    assert before["plan.json"] != after["plan.json"]
    assert before["predictions.parquet"] != after["predictions.parquet"]


def test_without_resume_everything_is_trained_anew(compared: Callable, quick) -> None:
    with pytest.raises(KeyboardInterrupt):
        compared(fails_after=3)
    compared()
    assert len(quick.trained) == LANES


def test_there_need_not_be_anything_to_resume(compared: Callable, quick) -> None:
    compared(resume=True)
    assert len(quick.trained) == LANES


@pytest.mark.parametrize(
    "changes", [{"seed": 1}, {"epochs": 3}, {"remedies": "focal"}, {"drop": ["age"]}]
)
def test_other_settings_are_not_resumed(
    compared: Callable, quick, out: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(KeyboardInterrupt):
        compared(fails_after=3)
    before = snapshot(hidden(out))
    with pytest.raises(ArgumentError, match=r"`resume` .* other settings or another table"):
        compared(resume=True, **changes)
    assert not quick.trained
    assert snapshot(hidden(out)) == before


def test_another_table_is_not_resumed(compared: Callable, table_of: Callable, out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        compared(fails_after=3)
    table = table_of().slice(0, 290)
    with pytest.raises(ArgumentError, match="another table"):
        compare(table, "target", out=out, resume=True, **SETTINGS)


@pytest.mark.parametrize("names", [["notes.txt"], ["plan.json"], ["result.json", "x"]])
def test_a_folder_with_other_files_is_refused_and_left_alone(
    compared: Callable, quick, out: Path, names: list[str]
) -> None:
    out.mkdir(parents=True)
    for name in names:
        (out / name).write_text("mine")
    before = snapshot(out)
    with pytest.raises(OutputError, match=r"`out` must be a new or empty folder.* other files"):
        compared()
    assert snapshot(out) == before
    assert not hidden(out).exists()
    assert not quick.trained


def test_an_empty_folder_is_taken(compared: Callable, out: Path) -> None:
    out.mkdir(parents=True)
    compared()
    assert {path.name for path in out.iterdir()} == set(FILES)


def test_a_file_is_no_folder(compared: Callable, out: Path) -> None:
    out.parent.mkdir(parents=True)
    out.write_text("mine")
    with pytest.raises(OutputError, match=r"`out` must be a folder; .* is a file"):
        compared()
    assert out.read_text() == "mine"


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_folder_has_a_name(path: str) -> None:
    with pytest.raises(ArgumentError, match="`out` must name a folder"):
        RunFolder(path)


def test_a_parent_that_is_no_folder_is_found_before_work(
    compared: Callable, quick, out: Path
) -> None:
    out.parent.write_text("a file where the parent should be")
    with pytest.raises(OutputError, match=r"`out` cannot be written: .*Choose another folder\.$"):
        compared()
    assert not quick.trained


def test_a_parent_that_is_read_only_is_found_before_work(
    compared: Callable, quick, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError, match=r"`out` cannot be written: .*Read-only file system"):
        compared()
    assert not quick.trained


def test_a_bad_table_leaves_no_trace(quick, out: Path) -> None:
    with pytest.raises(SourceError):
        compare("no-such.csv", "target", out=out)
    assert not out.parent.exists()


def full(*args: Any, **kwargs: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_said_and_resumed_after(
    compared: Callable, quick, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = comparable(compared())
    for file in out.iterdir():
        file.unlink()
    out.rmdir()
    savez, calls = np.savez, []

    def full_after_two(*args: Any, **kwargs: Any) -> None:
        calls.append(1)
        (savez if len(calls) <= 2 else full)(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", full_after_two)
        with pytest.raises(OutputError, match=r"No space left on device\. Make room .* `resume`"):
            compared()
    assert not out.exists()
    assert comparable(compared(resume=True)) == whole
    assert len(quick.trained) == LANES - 2


def test_what_fails_at_the_end_is_kept_in_the_hidden_folder(
    compared: Callable, quick, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced, real = [], os.replace

    def fails_on_files(source: Any, target: Any) -> None:
        if Path(target).parent == out:
            full()
        replaced.append(target)
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", fails_on_files)
        with pytest.raises(OutputError, match=r"The files are in `.*partial`"):
            compared()
    assert len(replaced) == LANES + 1  # the trainings and, inside the hidden folder, the model
    assert set(FILES) <= {path.name for path in hidden(out).iterdir()}
    compared(resume=True)
    assert not quick.trained
    assert {path.name for path in out.iterdir()} == set(FILES)


def test_a_mark_that_cannot_be_read_costs_no_training(
    compared: Callable, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KeyboardInterrupt):
        compared(fails_after=3)
    before = snapshot(hidden(out))
    with monkeypatch.context() as patch:
        real = Path.read_text
        patch.setattr(
            Path, "read_text", lambda p, *a, **k: full() if p.parent == hidden(out) else real(p)
        )
        with pytest.raises(OutputError, match="`out` cannot be written"):
            compared(resume=True)
    assert snapshot(hidden(out)) == before


def test_a_training_comes_back_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lane = Lane((Draw(power=0.5), Loss(gamma=1.0)), 2, 1)
    other = replace(lane, seed=2)
    weights = [rng.normal(size=shape).astype(np.float32) for shape in [(4, 3), (3,), ()]]
    logits = [rng.normal(size=(n, 2)).astype(np.float32) for n in (5, 7)]
    trained = Trained(lane, 0.123456789012345, 17, *logits, weights, 1.5)
    folder = RunFolder(tmp_path / "run")
    folder.lanes.mkdir(parents=True)
    assert folder.finished([lane]) == []
    folder.save(trained)
    (again,) = folder.finished([other, lane])
    assert (again.lane, again.score, again.epoch, again.seconds) == (
        lane,
        0.123456789012345,
        17,
        1.5,
    )
    for one, two in zip(
        [*trained.weights, trained.validation, trained.test],
        [*again.weights, again.validation, again.test],
        strict=True,
    ):
        np.testing.assert_array_equal(one, two)
        assert one.dtype == two.dtype


def test_a_cut_off_training_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.lanes.mkdir(parents=True)
    lane = Lane((Draw(), Loss()), 0, 0)

    def half(file: Any, **arrays: Any) -> None:
        file.write(b"PK half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr(module.np, "savez", half)
    with pytest.raises(KeyboardInterrupt):
        folder.save(Trained(lane, 0.5, 1, np.ones(1), np.ones(1), [], 0.0))
    assert folder.finished([lane]) == []


def test_an_interrupt_waits_until_a_training_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = np.savez

    def interrupted(*given: Any, **arrays: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        save(*given, **arrays)

    monkeypatch.setattr(np, "savez", interrupted)
    lane = Lane((Draw(), Loss()), 0, 0)
    folder = RunFolder(tmp_path / "run")
    folder.lanes.mkdir(parents=True)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            folder.save(Trained(lane, 0.5, 1, np.ones(1), np.ones(1), [], 0.0))
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(folder.finished([lane])) == 1


def test_a_fingerprint_hangs_on_plan_data_and_network(table_of: Callable) -> None:
    plan, dataset = Plan.make("focal"), load(table_of(), "target")
    network, same, wider = (mlp(width, 2, seed=0) for width in (3, 3, 4))
    other = mlp(3, 2, dropout=0.5, seed=0)
    marks = {
        fingerprint(plan, dataset, network),
        fingerprint(plan, dataset, wider),
        fingerprint(plan, dataset, other),
        fingerprint(replace(plan, epochs=9), dataset, network),
        fingerprint(plan, load(table_of(), "target", drop=["age"]), network),
        fingerprint(plan, replace(dataset, labels=1 - dataset.labels), network),
        fingerprint(plan, replace(dataset, groups=np.arange(300)), network),
        fingerprint(plan, replace(dataset, times=np.arange(300.0)), network),
    }
    assert len(marks) == 8
    assert fingerprint(Plan.make("focal"), load(table_of(), "target"), same) in marks
    twice = [fingerprint(plan, dataset, tabm(3, 2, numbers=3, seed=0)) for _ in range(2)]
    assert twice[0] == twice[1]
