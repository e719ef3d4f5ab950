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

from kilter._errors import BackendError, did_you_mean

BACKENDS = ("jax", "tensorflow", "torch")
KERAS_DEFAULT = "tensorflow"


def _chosen_by_user() -> bool:
    if "keras" in sys.modules or os.environ.get("KERAS_BACKEND"):
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
    _check(os.environ.get("KERAS_BACKEND") or KERAS_DEFAULT)
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
    except ValueError as error:  # a name in keras.json that Keras does not know
        raise _unknown(f"{error}.") from error
    backend = str(keras.backend.backend())
    _check(backend)
    return backend


def leave_out_tensorflow() -> None:
    """Keep Keras from importing TensorFlow where another backend is in use.

    To write a network down it asks of every value whether it is one of TensorFlow's, and so
    imports what takes seconds and talks to the terminal. Only for a process that runs none of
    the user's code: some of Keras's layers ask the same before they need it.
    """
    import keras
    from keras.src.utils import module_utils

    if keras.backend.backend() != KERAS_DEFAULT and KERAS_DEFAULT not in sys.modules:
        module_utils.tensorflow._available = False


def _check(backend: str) -> None:
    if backend not in BACKENDS:
        raise _unknown(f"got `{backend}`.{did_you_mean(backend, BACKENDS)}")


def _unknown(what: str) -> BackendError:
    return BackendError(
        f"`KERAS_BACKEND`, or `backend` in keras.json, must be one of {', '.join(BACKENDS)}; {what}"
    )
