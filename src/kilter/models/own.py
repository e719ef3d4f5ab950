"""A network of the user's own, made fit to be trained beside others."""

from __future__ import annotations

import inspect
import random
import runpy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import keras
import numpy as np
from keras import ops

from kilter._errors import ArgumentError, ArgumentTypeError, SourceError
from kilter._export import register
from kilter._targets import to_logits
from kilter.models.members import Members
from kilter.models.pretrained import load_pretrained
from kilter.models.rows import Rows

TAKEN = "_taken_by_kilter"


@register
class Logits(keras.layers.Layer):
    """From probabilities, or the logit of class 1 of two, to logits (rows, classes).

    Parameters
    ----------
    from_logits : bool
        Whether it gets logits.

    Examples
    --------
    >>> import numpy as np
    >>> np.asarray(Logits(from_logits=True)(np.array([[2.0]]))).tolist()
    [[0.0, 2.0]]
    """

    def __init__(self, from_logits: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.from_logits = from_logits

    def call(self, outputs: Any) -> Any:
        """Return logits."""
        return to_logits(outputs, self.from_logits)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return *shape[:-1], max(2, shape[-1] or 0)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the layer again."""
        return {**super().get_config(), "from_logits": self.from_logits}


def own_network(
    build: Any,
    shape: tuple[int, ...],
    n_classes: int,
    seed: int,
    *,
    vocabulary: int = 0,
    pretrained: str | None = None,
) -> keras.Model:
    """Make a user's network for rows of this shape and these classes, ending in logits.

    Parameters
    ----------
    build : function or keras.Model
        A function of the number of columns (for images of their shape, height, width and
        channels; for texts of their length and vocabulary) and of classes that returns a new model,
        or a model, whose architecture is taken and whose weights are drawn anew. It may end in
        probabilities or logits of each class, of class 1 of two in one column, or in logits of
        several members, (rows, members, classes), which are trained as `Members`.
    shape : tuple of int
        Of a row: (columns,), or (height, width, channels) of an image, with pixels from 0 to 255.
    n_classes : int
        How many it tells apart.
    seed : int
        What initial weights and dropout hang on, where layers have no seed of their own.
    vocabulary : int
        Of texts: word numbers are below it. 0 for rows of anything else.
    pretrained : path, optional
        Of weights to begin with; see `load_pretrained`.

    Returns
    -------
    keras.Model
        From (rows, *shape) to logits (rows, n_classes).

    Raises
    ------
    ArgumentTypeError
        If ``build`` is no model and returns none.
    ArgumentError
        If the model takes or gives other shapes.

    Examples
    --------
    >>> import keras
    >>> def build(width, n_classes):
    ...     layers = keras.layers
    ...     end = layers.Dense(n_classes, "softmax")
    ...     return keras.Sequential([keras.Input((width,)), layers.Dense(8, "relu"), end])
    >>> own_network(build, (5,), 3, seed=0).output_shape
    (None, 3)
    """
    given = Rows(shape, vocabulary)
    with _drawn_from(seed):
        model = _made(build, given, n_classes)
        ends = _output_shape(model, given, n_classes)
    if pretrained is not None:
        load_pretrained(model, pretrained)
    if isinstance(model, Members):
        return model
    if len(ends) == 3:
        return Members(model)
    rows = keras.Input(shape, dtype=given.dtype, name="rows")
    from_logits = ends_in_logits(model, given)
    if from_logits and ends[-1] == n_classes:
        return keras.Model(rows, model(rows))
    return keras.Model(rows, Logits(from_logits)(model(rows)))


_drawing = Lock()


@contextmanager
def _drawn_from(seed: int) -> Iterator[None]:
    """Let layers without a seed draw theirs from this one: Keras takes it from `random`.

    All threads have that in common, and lanes build networks on several.
    """
    with _drawing:
        state = random.getstate()
        random.seed(seed)
        try:
            yield
        finally:
            random.setstate(state)


def _made(build: Any, rows: Rows, n_classes: int) -> keras.Model:
    if isinstance(build, keras.Model):
        return _cloned(build)
    if not _takes_two(build):
        raise ArgumentTypeError(
            "`build` must be a Keras model, or a function of the number of columns (or the shape "
            "of an image, or length and vocabulary of texts) and of classes that returns one; got "
            f"{build!r:.80}. Write `def build({rows.name}, "
            "n_classes):`."
        )
    try:
        model = build(rows.told, n_classes)
    except Exception as error:  # whatever a user's function may do
        raise ArgumentError(
            f"`build` was called with {rows} and {n_classes} classes, and raised "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(model, keras.Model):
        raise ArgumentTypeError(
            f"`build` must return a Keras model; it returned a {type(model).__name__}. Does the "
            "function end in `return`?"
        )
    if getattr(model, TAKEN, False):
        raise ArgumentError(
            "`build` must return a new model each time: every training begins anew, and one that "
            "has learned would know rows that it is tested on. Make the layers in the function."
        )
    setattr(model, TAKEN, True)
    return model


def warn_if_lost(model: keras.Model) -> None:
    """Warn unless a model can be opened again once it is saved.

    Examples
    --------
    >>> import keras
    >>> warn_if_lost(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]))
    """
    try:
        plain = keras.saving.serialize_keras_object(model)
        keras.saving.deserialize_keras_object(plain, safe_mode=True)
    except Exception as error:  # Keras refuses in too many ways to list
        warnings.warn(
            "`build` gives a model that cannot be opened again once it is saved "
            f"({type(error).__name__}). Put `@keras.saving.register_keras_serializable()` above "
            "layers of your own, give them a `get_config`, and use no Lambda.",
            UserWarning,
            stacklevel=2,
        )


def _cloned(model: keras.Model) -> keras.Model:
    try:
        return keras.models.clone_model(model)
    except Exception as error:  # Keras refuses in too many ways to list
        raise ArgumentError(
            f"`build` is a model that Keras cannot make anew ({type(error).__name__}). Give a "
            "function that returns it."
        ) from error


def _takes_two(build: Any) -> bool:
    try:
        inspect.signature(build).bind(1, 2)
    except (TypeError, ValueError):
        return False
    return True


def _output_shape(model: Any, rows: Rows, n_classes: int) -> tuple[int | None, ...]:
    """Return the shape of a model's output for rows like these."""
    try:
        ends = tuple(model(keras.KerasTensor((None, *rows.shape), rows.dtype)).shape)
    except Exception as error:  # layers refuse a shape in too many ways to list
        raise ArgumentError(f"`build` must give a model for {rows.advice}") from error
    allowed = {n_classes, 1} if n_classes == 2 and len(ends) == 2 else {n_classes}
    if len(ends) not in (2, 3) or ends[-1] not in allowed:
        raise ArgumentError(
            f"`build` must give a model that ends in {n_classes} columns, one a class; got the "
            f"shape {ends}. End it in `Dense(n_classes)`."
        )
    return ends


def ends_in_logits(model: Any, rows: Rows) -> bool:
    """Say whether a model gives logits rather than probabilities: by trying it on some rows.

    Examples
    --------
    >>> import keras
    >>> ends = [keras.layers.Dense(2), keras.layers.Dense(2, "softmax")]
    >>> [ends_in_logits(keras.Sequential([keras.Input((3,)), end]), Rows((3,))) for end in ends]
    [True, False]
    """
    outputs = ops.convert_to_numpy(model(rows.example(), training=False)).astype(float)
    if outputs.min() <= 0 or outputs.max() >= 1:  # no probability is that sure before training
        return True
    return outputs.shape[-1] > 1 and not np.allclose(outputs.sum(axis=-1), 1, atol=1e-2)


def find_build(text: str) -> Any:
    """Find what ``build`` names: a ``.keras`` file, or a function in a Python file.

    Parameters
    ----------
    text : str
        ``model.keras``, ``network.py:function`` or ``network.py``, whose function is ``build``.

    Raises
    ------
    SourceError
        If there is no such file, it cannot be opened, or it has no such function.

    Examples
    --------
    >>> find_build("nowhere.py")
    Traceback (most recent call last):
    ...
    kilter._errors.SourceError: `build` names no file `nowhere.py`. Check the path.
    """
    file, _, name = text.partition(".py:")
    path = Path(f"{file}.py") if name else Path(text)
    found = run_file(path, "build")
    if path.suffix == ".keras":
        return found
    if (name or "build") not in found:
        raise SourceError(
            f"`build` finds no function `{name or 'build'}` in `{path}`. Name it after a colon: "
            f"`{path}:function`."
        )
    return found[name or "build"]


def run_file(path: Path, argument: str) -> Any:
    """Open a ``.keras`` file, or run a Python file and return what it defines.

    Raises
    ------
    SourceError
        If it is not there, is no such file, or raises something; ``argument`` is named then.

    Examples
    --------
    >>> run_file(Path("nowhere.py"), "build")
    Traceback (most recent call last):
    ...
    kilter._errors.SourceError: `build` names no file `nowhere.py`. Check the path.
    """
    if not path.is_file():
        raise SourceError(f"`{argument}` names no file `{path}`. Check the path.")
    if path.suffix not in (".py", ".keras"):
        raise SourceError(f"`{argument}` must name a .py or a .keras file; got `{path}`.")
    try:
        if path.suffix == ".keras":
            return keras.saving.load_model(path, compile=False)
        return runpy.run_path(str(path))
    except Exception as error:  # whatever a user's file may do
        raise SourceError(
            f"`{argument}` cannot be opened: `{path}` raises {type(error).__name__}: {error}"
        ) from error
