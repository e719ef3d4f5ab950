"""Several Keras models as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kilter._errors import ArgumentError, ArgumentTypeError, did_you_mean
from kilter._export import register
from kilter._targets import has_one_column, to_probabilities
from kilter._types import ValidationScores
from kilter.ensemble.base import Joint
from kilter.ensemble.joints import JOINTS, PLAIN

BATCH = 1024


@register
class Join(keras.layers.Layer):
    """A `Joint` as a layer: from a list of outputs to one of the same shape.

    Parameters
    ----------
    joint : Joint
        What was found on validation rows.
    from_logits : bool
        Whether the outputs are logits; what comes out is probabilities.

    Examples
    --------
    >>> import numpy as np
    >>> from kilter.ensemble import Average
    >>> layer = Join(Average.plain(members=2, classes=2))
    >>> layer([np.array([[0.2, 0.8]]), np.array([[0.6, 0.4]])]).shape == (1, 2)
    True
    """

    def __init__(self, joint: Joint, from_logits: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.joint = joint
        self.from_logits = from_logits

    def call(self, members: Sequence[Any]) -> Any:
        """Return probabilities (rows, classes), or those of class 1 alone (rows, 1)."""
        given = ops.stack([to_probabilities(one, self.from_logits) for one in members])
        numbers = {
            name: ops.convert_to_tensor(number, given.dtype)
            for name, number in self.joint.numbers().items()
        }
        joined = self.joint.combine(ops, given, **numbers)
        return joined[:, 1:] if has_one_column(members[0]) else joined

    def compute_output_shape(self, shapes: Sequence[tuple[int | None, ...]]) -> Any:
        """Return the shape of the result."""
        return shapes[0]

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the layer again."""
        kind = next(name for name, joint in JOINTS.items() if joint is type(self.joint))
        own = {"joint": {"kind": kind, **self.joint.to_json()}, "from_logits": self.from_logits}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Join:
        """Make the layer again."""
        plain = dict(config.pop("joint"))
        return cls(JOINTS[plain.pop("kind")].from_json(plain), **config)


def join(
    models: Sequence[keras.Model],
    how: str = "average",
    x: Any = None,
    y: Any = None,
    *,
    from_logits: bool = False,
) -> keras.Model:
    """Join trained models into one, which predicts and is saved like any other.

    Use it for models of the same rows and classes that were trained on differently balanced
    data, with other seeds or other losses. What the joint needs to know, calibration, weights
    or thresholds, it finds on validation rows, which none of the models may have learned from.

    Parameters
    ----------
    models : sequence of keras.Model
        Sequential or functional, with one output: probabilities (rows, classes), or (rows, 1)
        of class 1 of two.
    how : {"average", "weighted-average", "vote", "stack"}
        `Average`, `WeightedAverage`, `Vote` or `Stack`.
    x, y : arrays, optional
        Validation rows and their labels: positions of the classes or one-hot. Without them,
        probabilities are averaged as they are, and each model votes for its most probable
        class; the other two need them.
    from_logits : bool
        Whether the models give logits.

    Returns
    -------
    keras.Model
        With the inputs of the models and an output of their shape, in probabilities. Import
        `kilter.ensemble` before it is loaded again, so that Keras knows its layer.

    Raises
    ------
    ArgumentError
        If there are no models, ``how`` is unknown, or rows are needed and missing.

    Examples
    --------
    >>> import keras, numpy as np
    >>> from kilter.ensemble import join
    >>> x, y = np.zeros((20, 3)), np.arange(20) % 2
    >>> def build():
    ...     return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])
    >>> model = join([build(), build()], "weighted-average", x, y)
    >>> model.predict(x, verbose=0).shape
    (20, 1)
    """
    _check(models, how, x, y)
    models = list(models)
    if x is None:
        joint = PLAIN[how](members=len(models), classes=max(2, models[0].output_shape[-1]))
    else:
        joint = JOINTS[how].fit([_validate(model, x, y, from_logits) for model in models])
    return join_networks(models, joint, from_logits)


def join_networks(
    networks: Sequence[keras.Model], joint: Joint, from_logits: bool = False
) -> keras.Model:
    """Join models by a joint that is known already; see `join`."""
    members = [_wrapped(network, number) for number, network in enumerate(networks)]
    inputs = _inputs(networks[0])
    return keras.Model(inputs, Join(joint, from_logits)([one(inputs) for one in members]))


def _wrapped(network: keras.Model, number: int) -> keras.Model:
    """Put a model into one of another name, as those of a Keras model must differ."""
    inputs = _inputs(network)
    return keras.Model(inputs, network(inputs), name=f"member_{number}")


def _inputs(model: Any) -> Any:
    """Return new inputs like those of a model."""
    try:
        given = model.input if hasattr(model, "input") else keras.KerasTensor(model.input_shape)
        return keras.tree.map_structure(
            lambda one: keras.Input(one.shape[1:], dtype=one.dtype, name=one.name), given
        )
    except (AttributeError, ValueError, TypeError) as error:
        raise ArgumentError(
            "`models` must be Sequential or functional Keras models that are built; got a "
            f"{type(model).__name__}. Wrap it: `keras.Model(inputs, model(inputs))`."
        ) from error


def _shapes(model: keras.Model) -> list[tuple[int | None, ...]]:
    """Return the shapes of a model's inputs, then of its output."""
    inputs = keras.tree.flatten(_inputs(model))
    return [*(tuple(one.shape) for one in inputs), tuple(model.output_shape)]


def _validate(model: keras.Model, x: Any, y: Any, from_logits: bool) -> ValidationScores:
    outputs = ops.convert_to_tensor(model.predict(x, batch_size=BATCH, verbose=0))
    probabilities = ops.convert_to_numpy(to_probabilities(outputs, from_logits))
    if probabilities.min() < 0 or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-2):
        raise ArgumentError(
            f"`models` has `{model.name}`, which does not give probabilities. If it gives logits, "
            "pass `from_logits=True`."
        )
    return ValidationScores(_positions(y), probabilities)


def _positions(y: Any) -> np.ndarray:
    labels = np.asarray(y)
    if labels.dtype.kind not in "iubf":
        raise ArgumentTypeError(
            f"`y` must be positions of the classes or one-hot rows; got {labels.dtype}. Take them "
            "from `np.unique(y, return_inverse=True)`."
        )
    if labels.ndim == 2 and labels.shape[1] > 1:
        return labels.argmax(axis=1)
    flat = labels.reshape(-1)
    whole = flat.astype(np.int64) if flat.dtype.kind == "f" else flat
    return whole if np.array_equal(whole, flat) else flat


def _check(models: Any, how: str, x: Any, y: Any) -> None:
    if isinstance(models, keras.Model) or not models:
        raise ArgumentError("`models` must be a sequence of one model at least. Train some first.")
    if len({id(model) for model in models}) < len(models):
        raise ArgumentError(
            "`models` must be different ones; the same model is there twice, and could not be "
            "opened again. Name each once, or `keras.models.clone_model` it."
        )
    shapes = [_shapes(model) for model in models]
    if any(shape != shapes[0] for shape in shapes):
        other = next(shape for shape in shapes if shape != shapes[0])
        raise ArgumentError(
            "`models` must take the same inputs and give the same outputs; got the shapes "
            f"{shapes[0]} and {other}. Join those of the same rows and classes."
        )
    if how not in JOINTS:
        raise ArgumentError(
            f"`how` must be one of {', '.join(JOINTS)}; got `{how}`."
            + did_you_mean(str(how), JOINTS)
        )
    if (x is None) != (y is None):
        raise ArgumentError("`x` and `y` belong together: give both or none of them.")
    if x is None and how not in PLAIN:
        raise ArgumentError(
            f"`x` and `y` must be validation rows where `how` is {how}; got none. Give rows "
            "that no model has learned from."
        )
