"""Weights that a network begins with, from a file."""

from __future__ import annotations

import warnings
from pathlib import Path

import keras
import numpy as np

from kilter._errors import ArgumentError, SourceError

SUFFIXES = (".weights.h5", ".h5", ".keras")


def load_pretrained(model: keras.Model, path: str | Path) -> None:
    """Load weights into the layers that they fit; others, such as the last, keep their own.

    Use it to go on from a network that has learned on other data, of which more was there. Never
    take one that has seen the rows that you test on.

    Parameters
    ----------
    model : keras.Model
        Its layers are matched in their order, as ``keras.Model.load_weights`` does.
    path : path
        A file that ``save_weights`` or ``save`` of such a network wrote.

    Raises
    ------
    SourceError
        If it is not there or is no such file.
    ArgumentError
        If no layer of the model takes anything from it.

    Examples
    --------
    >>> import tempfile
    >>> from kilter.models import mlp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     old, new = mlp(4, 9, seed=0), mlp(4, 2, seed=1)
    ...     old.save_weights(f"{folder}/old.weights.h5")
    ...     load_pretrained(new, f"{folder}/old.weights.h5")
    >>> [bool((one == other).all()) for one, other in zip(old.get_weights(), new.get_weights())
    ...  if one.shape == other.shape and one.ndim == 2]
    [True, True]
    """
    path = Path(path)
    if not path.is_file():
        raise SourceError(f"`pretrained` names no file `{path}`. Check the path.")
    if not path.name.endswith(SUFFIXES):
        raise SourceError(
            f"`pretrained` must end in {', '.join(SUFFIXES)}, as Keras writes weights; got "
            f"`{path}`."
        )
    own = model.get_weights()
    model.set_weights([np.full_like(values, np.nan) for values in own])
    try:
        with warnings.catch_warnings():  # of each layer that does not fit, which is as it should be
            warnings.simplefilter("ignore")
            model.load_weights(path, skip_mismatch=True)
    except Exception as error:  # Keras refuses a file in too many ways to list
        raise SourceError(
            f"`pretrained` cannot be read: `{path}` raises {type(error).__name__}: {error}"
        ) from error
    finally:
        fitting = _keep_whole_layers(model, own)
    if not fitting:
        raise ArgumentError(
            f"`pretrained` has nothing for this network: no layer in `{path}` is like one of its "
            "own. Give the network that the weights are of as `build`, with another last layer."
        )


def _keep_whole_layers(model: keras.Model, own: list[np.ndarray]) -> bool:
    """Put a layer's own weights back unless all were loaded; say whether any layer's were."""
    layers = [variable.path.rpartition("/")[0] for variable in model.weights]
    loaded = model.get_weights()
    lacking = {
        layer for layer, values in zip(layers, loaded, strict=True) if not np.isfinite(values).all()
    }
    pairs = zip(layers, own, loaded, strict=True)
    model.set_weights([mine if layer in lacking else new for layer, mine, new in pairs])
    return bool(set(layers) - lacking)
