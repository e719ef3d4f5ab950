"""Several Keras models as one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kilter._errors import ArgumentError, did_you_mean
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
        With the inputs of the models and an output of their shape, in probabilities.

    Raises
    ------
    ArgumentError
        If there are no models, ``how`` is unknown, or rows are needed and missing.

    Examples
    --------
    >>> import keras, numpy as np
    >>> from kilter.ensemble import join
    >>> x, y = np.zeros((20, 3)), np.arange(20) % 2
    >>> models = [keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, "sigmoid")])] * 2
    >>> model = join(models, "weighted-average", x, y)
    >>> model.predict(x, verbose=0).shape
    (20, 1)
    """
    models = list(models)
    _check(models, how, x, y)
    if x is None:
        joint = PLAIN[how](members=len(models), classes=max(2, models[0].output_shape[-1]))
    else:
        joint = JOINTS[how].fit([_validate(model, x, y, from_logits) for model in models])
    return join_networks(models, joint, from_logits)


def join_networks(
    networks: Sequence[keras.Model], joint: Joint, from_logits: bool = False
) -> keras.Model:
    """Join models by a joint that is known already; see `join`.

    Models of the same name are told apart by a number, as a Keras model asks for.
    """
    inputs = _inputs(networks[0])
    _name_apart(networks)
    return keras.Model(inputs, Join(joint, from_logits)([one(inputs) for one in networks]))


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


def _name_apart(networks: Sequence[keras.Model]) -> None:
    distinct = {id(network): network for network in networks}.values()
    names = Counter(network.name for network in distinct)
    for number, network in enumerate(distinct):
        if names[network.name] > 1:
            network.name = f"{network.name}_{number}"


def _validate(model: keras.Model, x: Any, y: Any, from_logits: bool) -> ValidationScores:
    outputs = ops.convert_to_tensor(model.predict(x, batch_size=BATCH, verbose=0))
    probabilities = ops.convert_to_numpy(to_probabilities(outputs, from_logits))
    return ValidationScores(_positions(y), probabilities)


def _positions(y: Any) -> np.ndarray:
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] > 1:
        return labels.argmax(axis=1)
    flat = labels.reshape(-1)
    whole = flat.astype(np.int64) if flat.dtype.kind == "f" else flat
    return whole if np.array_equal(whole, flat) else flat


def _check(models: Sequence[Any], how: str, x: Any, y: Any) -> None:
    if not models:
        raise ArgumentError("`models` must be one model at least; got none. Train some first.")
    for model in models:
        _inputs(model)
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
