"""The folder of a run: checked before work, filled as lanes finish, complete or not there.

Finished trainings wait in a hidden folder beside the run's own. When the result is
complete it moves over; until then the run's folder does not change.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kilter._errors import ArgumentError, OutputError
from kilter._types import Dataset
from kilter.comparison.executors.base import Lane, Trained, Trainings
from kilter.comparison.plan import Plan
from kilter.comparison.result import FILES, Result

GO_ON = "Make room and go on with `resume` (`--resume`)."


@contextmanager
def _interrupted_later() -> Iterator[None]:
    """Let Ctrl-C wait: within the writing of a zip file it would come out as a `ValueError`."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[Any] = []
    signal.signal(signal.SIGINT, lambda *call: came.append(call))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if came:
        handler(*came[0])


class RunFolder:
    """Where a run keeps its trainings and, at the end, its files.

    Parameters
    ----------
    path : path
        The run's folder; new, empty, or that of an earlier run, whose files are replaced.
    resume : bool
        Go on with the trainings of an interrupted run of the same plan and data.
    """

    def __init__(self, path: str | Path, resume: bool = False) -> None:
        self.path = Path(path)
        if not self.path.name:
            raise ArgumentError(f"`out` must name a folder; got `{self.path}`.")
        self.resume = resume
        self.partial = hidden_folder(self.path)
        self.lanes = self.partial / "lanes"
        self._check()

    def _check(self) -> None:
        there = {entry.name for entry in self._entries()}
        if self.path.exists() and not os.access(self.path, os.W_OK):
            raise OutputError(f"`out` cannot be written: {self.path}. Choose another folder.")
        if there and not {"plan.json", "result.json"} <= there:
            raise OutputError(
                f"`out` must be a new or empty folder, or one of an earlier run; `{self.path}` "
                "holds other files. Choose another name."
            )

    def _entries(self) -> list[Path]:
        try:
            return list(self.path.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            if self.path.is_file():
                raise OutputError(
                    f"`out` must be a folder; `{self.path}` is a file. Choose another name."
                ) from None
            return []
        except OSError as error:
            raise OutputError(
                f"`out` cannot be read: {self.path}: {error.strerror}. Choose another folder."
            ) from error

    def start(self, plan: Plan, dataset: Dataset, network: keras.Model) -> None:
        """Make the hidden folder, or find that of the interrupted run."""
        mark = fingerprint(plan, dataset, network)
        try:
            if self.resume and self._mark() is not None:
                self._require_same(mark)
                return
            shutil.rmtree(self.partial, ignore_errors=True)
            self.lanes.mkdir(parents=True)
            (self.partial / "fingerprint").write_text(mark)
        except OSError as error:
            if not self.resume:  # else there may be trainings in it
                shutil.rmtree(self.partial, ignore_errors=True)
            raise OutputError(
                f"`out` cannot be written: {self.path}: {error.strerror}. Choose another folder."
            ) from error

    def _mark(self) -> str | None:
        path = self.partial / "fingerprint"
        return path.read_text(errors="replace") if path.exists() else None

    def _require_same(self, mark: str) -> None:
        if self._mark() != mark:
            raise ArgumentError(
                f"`resume` found an interrupted run at `{self.path}` with other settings or "
                "another table. Give the same ones, or leave `resume` out to begin anew."
            )

    def keep(self, trainings: Trainings, network: str = "") -> Trainings:
        """Pass trainings on, each of them kept; stopped before the first, nothing is left."""
        with closing(trainings):
            try:
                for trained in trainings:
                    self.save(trained, network)
                    yield trained
            except BaseException:
                self._tidy()
                raise

    @_interrupted_later()
    def save(self, trained: Trained, network: str = "") -> None:
        """Keep a training; it is there whole or not at all."""
        path = self._path(trained.lane, network)
        arrays: dict[str, Any] = {f"weight_{i}": w for i, w in enumerate(trained.weights)}
        arrays["numbers"] = [trained.score, trained.epoch, trained.seconds]
        arrays |= {"validation": trained.validation, "test": trained.test}
        unfinished = path.with_suffix(".tmp")
        try:
            with unfinished.open("wb") as file:
                np.savez(file, **arrays)
            os.replace(unfinished, path)
        except OSError as error:
            raise OutputError(
                f"`out` cannot be written: {self.partial}: {error.strerror}. {GO_ON}"
            ) from error

    def _path(self, lane: Lane, network: str) -> Path:
        name = hashlib.sha256(repr((network, lane)).encode()).hexdigest()[:24]
        return self.lanes / f"{name}.npz"

    def _tidy(self) -> None:
        """Remove the hidden folder of a run that was stopped before it had a training."""
        if not any(self.lanes.glob("*.npz")):
            shutil.rmtree(self.partial, ignore_errors=True)

    def finished(self, lanes: Sequence[Lane], network: str = "") -> list[Trained]:
        """Return the trainings among these that an interrupted run has kept.

        ``network`` names the lanes' network where a run has several.
        """
        paths = [(lane, self._path(lane, network)) for lane in lanes]
        found = [_load(lane, path) for lane, path in paths if path.exists()]
        return [trained for trained in found if trained is not None]

    @_interrupted_later()
    def publish(self, result: Result) -> None:
        """Write the run's files and move them to their place."""
        self.partial.mkdir(parents=True, exist_ok=True)
        try:
            result.save(self.partial)
        except OutputError as error:
            raise OutputError(f"{error} {GO_ON}") from error
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                os.replace(self.partial / name, self.path / name)
        except OSError as error:
            raise OutputError(
                f"`out` cannot be written: {self.path}: {error.strerror}. "
                f"The files are in `{self.partial}`."
            ) from error
        shutil.rmtree(self.partial, ignore_errors=True)


def hidden_folder(path: Path) -> Path:
    """Return where the trainings of a run wait until it is complete."""
    # Resolved, so that both are on one disk even where the run's folder is a link.
    path = path.resolve()
    return path.with_name(f".{path.name}.partial")


def fingerprint(plan: Plan, dataset: Dataset, network: keras.Model) -> str:
    """Hash everything that the trainings hang on."""
    versions = {name: version(name) for name in ("kilter", "keras", "scikit-learn")}
    settings = {**plan.to_json(), "versions": versions, "network": _architecture(network)}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    about = (dataset.labels, dataset.groups, dataset.times, dataset.held_out)
    for array in (*vars(dataset.features).values(), *about):
        digest.update(b"" if array is None else _content(array))
    return digest.hexdigest()


def _content(array: np.ndarray) -> bytes:
    if array.dtype == object:  # its bytes are addresses
        return json.dumps(array.tolist()).encode()
    return np.ascontiguousarray(array).tobytes()


def _architecture(network: keras.Model) -> str:
    """Describe a network by its layers' settings, whatever names they have got this time."""
    layers = list(network._flatten_layers())
    try:
        text = json.dumps(keras.saving.serialize_keras_object(network), default=str)
    except (NotImplementedError, TypeError, ValueError):  # a layer that cannot be saved
        text = repr([(type(one).__name__, [w.shape for w in one.weights]) for one in layers])
    # A mask is made by an operation that is no layer, and has a number in its name as well.
    parts = (one for layer in layers for one in (layer, *getattr(layer, "operations", ())))
    for number, name in enumerate(dict.fromkeys(one.name for one in parts)):
        text = text.replace(f'"name": "{name}"', f'"name": {number}')
        text = text.replace(f'["{name}",', f"[{number},")
    return re.sub(r'"shared_object_id": \d+|keras_tensor_\d+', "", text)


def _load(lane: Lane, path: Path) -> Trained | None:
    """Read a kept training; None if its file is damaged: it is trained again then."""
    try:
        return _read(lane, path)
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _read(lane: Lane, path: Path) -> Trained:
    with np.load(path, allow_pickle=False) as file:
        score, epoch, seconds = file["numbers"].tolist()
        weights = [file[f"weight_{i}"] for i in range(len(file.files) - 3)]
        return Trained(lane, score, int(epoch), file["validation"], file["test"], weights, seconds)
