"""Which Keras backend is used when nobody said.

Keras itself falls back to TensorFlow and fails where that is not installed. kilter picks
an installed backend instead; what the user set (``KERAS_BACKEND``, ``keras.json``, or an
import of keras before) always wins.
"""

import importlib.util
import os
import sys
from pathlib import Path

from kilter._errors import BackendError

BACKENDS = ("jax", "tensorflow", "torch")


def _chosen_by_user() -> bool:
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return (
        "keras" in sys.modules or "KERAS_BACKEND" in os.environ or (home / "keras.json").is_file()
    )


def prefer(*backends: str) -> None:
    """Set the first of these backends that is installed, unless the user chose one."""
    if _chosen_by_user():
        return
    found = [name for name in backends if importlib.util.find_spec(name)]
    if found:
        os.environ["KERAS_BACKEND"] = found[0]


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
