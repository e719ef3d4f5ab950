"""Which Keras backend is used when nobody said, and what is said when there is none."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import keras
import pytest

from kilter import _backend
from kilter._errors import BackendError


@pytest.fixture
def untouched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Nobody has chosen: no environment variable, no file, and keras is not imported."""
    monkeypatch.delenv("KERAS_BACKEND")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras")
    return monkeypatch


def install(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in names else None)


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [
        (("jax", "torch"), "jax"),
        (("torch",), "torch"),
        (("tensorflow", "torch"), "tensorflow"),
        ((), None),
    ],
)
def test_the_first_installed_one_is_taken(
    untouched: pytest.MonkeyPatch, installed: Iterable[str], chosen: str | None
) -> None:
    install(untouched, *installed)
    _backend.prefer("jax", "tensorflow", "torch")
    assert os.environ.get("KERAS_BACKEND") == chosen


def test_the_environment_wins(untouched: pytest.MonkeyPatch) -> None:
    install(untouched, "jax", "torch")
    untouched.setenv("KERAS_BACKEND", "torch")
    _backend.prefer("jax")
    assert os.environ["KERAS_BACKEND"] == "torch"


def test_the_users_own_file_wins(untouched: pytest.MonkeyPatch, tmp_path: Path) -> None:
    install(untouched, "jax")
    (tmp_path / "keras.json").write_text('{"backend": "torch"}')
    _backend.prefer("jax")
    assert "KERAS_BACKEND" not in os.environ


@pytest.mark.parametrize(
    "content", ['{"backend": "tensorflow"}', '{"floatx": "float32"}', "not json", ""]
)
def test_the_file_that_keras_writes_itself_is_no_choice(
    untouched: pytest.MonkeyPatch, tmp_path: Path, content: str
) -> None:
    install(untouched, "jax")
    (tmp_path / "keras.json").write_text(content)
    _backend.prefer("jax")
    assert os.environ["KERAS_BACKEND"] == "jax"


@pytest.mark.parametrize(
    ("installed", "chosen"),
    [(("tensorflow", "jax"), None), (("jax", "torch"), "jax"), (("torch",), "torch"), ((), None)],
)
def test_what_keras_falls_back_to_is_mended_where_it_is_missing(
    untouched: pytest.MonkeyPatch, installed: Iterable[str], chosen: str | None
) -> None:
    install(untouched, *installed)
    _backend.mend_default()
    assert os.environ.get("KERAS_BACKEND") == chosen


def test_an_import_of_keras_wins(untouched: pytest.MonkeyPatch) -> None:
    install(untouched, "jax")
    untouched.setitem(sys.modules, "keras", keras)
    _backend.prefer("jax")
    assert "KERAS_BACKEND" not in os.environ


@pytest.mark.backend
def test_the_backend_in_use_is_named() -> None:
    assert _backend.require() == os.environ["KERAS_BACKEND"]


@pytest.mark.parametrize(("backend", "imported"), [("jax", False), ("tensorflow", True)])
def test_a_network_is_written_down_without_a_tensorflow_that_is_not_in_use(
    backend: str, imported: bool
) -> None:
    code = (
        "import sys, keras\n"
        "from kilter import _backend\n"
        "_backend.leave_out_tensorflow()\n"
        "network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])\n"
        "keras.saving.serialize_keras_object(network)\n"
        "print('tensorflow' in sys.modules)"
    )
    environment = {**os.environ, "KERAS_BACKEND": backend}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == f"{imported}\n"


class Missing:
    """Makes the import of keras fail as it does where a module is not installed."""

    def __init__(self, module: str) -> None:
        self.module = module

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        if name == "keras":
            raise ModuleNotFoundError(f"No module named {self.module!r}", name=self.module)


@pytest.mark.parametrize("backend", _backend.BACKENDS)
def test_a_missing_backend_is_one_sentence(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(sys, "meta_path", [Missing(backend), *sys.meta_path])
    with pytest.raises(BackendError, match=rf"`{backend}` is not installed; .*kilter\[jax\]"):
        _backend.require()


def test_anything_else_that_is_missing_is_not_blamed_on_the_backend(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.setattr(sys, "meta_path", [Missing("h5py"), *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="h5py"):
        _backend.require()
