"""Which Keras backend is used when nobody said.

Keras itself falls back to TensorFlow and fails where that is not installed. kilter picks
an installed backend instead; what the user set always wins: ``KERAS_BACKEND``, an import of
keras before, or a ``keras.json`` that names another backend than TensorFlow. One that names
TensorFlow is no choice: Keras writes it by itself on its first import.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

from kilter._errors import BackendError

BACKENDS = ("jax", "tensorflow", "torch")
KERAS_DEFAULT = "tensorflow"


def _chosen_by_user() -> bool:
    if "keras" in sys.modules or "KERAS_BACKEND" in os.environ:
        return True
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    try:
        configured = json.loads((home / "keras.json").read_text()).get("backend", KERAS_DEFAULT)
    except (OSError, ValueError):
        return False
    return bool(configured != KERAS_DEFAULT)


def prefer(*backends: str) -> None:
    """Set the first of these backends that is installed, unless the user chose one."""
    found = [name for name in backends if importlib.util.find_spec(name)]
    if found and not _chosen_by_user():
        os.environ["KERAS_BACKEND"] = found[0]


def mend_default() -> None:
    """Where Keras would fall back to a TensorFlow that is not there, set what is."""
    if not importlib.util.find_spec(KERAS_DEFAULT):
        prefer("jax", "torch")


def require() -> str:
    """Return the name of the backend in use; raise a clear error when there is none."""
    try:
        import keras
    except ModuleNotFoundError as error:
        if error.name not in BACKENDS:
            raise
        raise BackendError(
            f"the Keras backend `{error.name}` is not installed; "
            "`pip install 'kilter[jax]'` installs the fastest one for kilter, or set "
            "`KERAS_BACKEND` to one that you have."
        ) from error
    return str(keras.backend.backend())
