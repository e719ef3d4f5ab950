"""A network in two: what finds features, and the last layer that tells classes apart by them."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from kilter._errors import ArgumentError
from kilter._export import register
from kilter.models.own import Logits

PLAIN = ("linear", "softmax", "log_softmax")
"""Activations behind a last layer that leave its probabilities as they are, seen as logits."""


class Stages(NamedTuple):
    """A network's features (rows, units) as a model of the same rows, and its last dense layer."""

    features: keras.Model
    head: keras.layers.Dense


def part(model: keras.Model) -> Stages:
    """Part a network before its last dense layer; both share its weights.

    Parameters
    ----------
    model : keras.Model
        Made by Keras's functional API or `keras.Sequential`, maybe with such models inside.
        What follows its last dense layer may only scale logits, such as a softmax.

    Raises
    ------
    ArgumentError
        If it does not end so.

    Examples
    --------
    >>> from kilter.models import mlp
    >>> stages = part(mlp(4, 3, hidden=(8,)))
    >>> stages.features.output_shape, stages.head.units
    ((None, 8), 3)
    """
    try:
        tensor, head = _before_head(model)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        head = None
    if head is None or head.units != model.output_shape[-1] or not head.use_bias:
        raise ArgumentError(
            "`build` must give a network that ends in `Dense(n_classes)`, with a bias and no "
            "activation but softmax, made by Keras's functional API or `keras.Sequential`: else "
            "its last layer cannot learn anew. End it so, or name `remedies` without those for "
            "the last layer."
        )
    return Stages(keras.Model(_inputs(model), tensor), head)


def _before_head(model: Any) -> tuple[Any, Any]:
    """Return the tensor that goes into the last dense layer, as one of the model's own graph."""
    tensor = model.outputs[0]
    while True:
        layer, given = _producer(tensor)
        if isinstance(layer, keras.layers.Dense):
            return (given, layer) if _is_plain(layer.activation) else (None, None)
        if isinstance(layer, keras.Model):
            inner, head = _before_head(layer)
            if head is None:
                return None, None
            return keras.Model(_inputs(layer), inner)(given), head
        if not _only_scales(layer):
            return None, None
        tensor = given


def _inputs(model: Any) -> Any:
    return model.inputs[0] if len(model.inputs) == 1 else model.inputs


def _producer(tensor: Any) -> tuple[Any, Any]:
    """Return the layer that a tensor comes from, and what went into it."""
    layer, node, _ = tensor._keras_history
    return layer, layer._inbound_nodes[node].arguments.keras_tensors[0]


def _only_scales(layer: Any) -> bool:
    if isinstance(layer, keras.layers.Activation):
        return _is_plain(layer.activation)
    return isinstance(layer, keras.layers.Softmax | keras.layers.Identity | Logits)


def _is_plain(activation: Any) -> bool:
    return getattr(activation, "__name__", "") in PLAIN


@register
class ClassScales(keras.layers.Layer):
    """A factor for each class and block of columns, summed over blocks, as logits.

    Parameters
    ----------
    n_classes : int
        Columns of a block.
    blocks : int
        One: logits are scaled (learnable weight scaling). Two: the second adds to them, by
        columns that say how far (margin calibration).

    References
    ----------
    Kang et al. (2020), Decoupling representation and classifier for long-tailed recognition;
    Wang et al. (2021), Margin calibration for long-tailed visual recognition.

    Examples
    --------
    >>> import numpy as np
    >>> ClassScales(2, blocks=2)(np.array([[3.0, 4.0, 1.0, 1.0]])).tolist()
    [[3.0, 4.0]]
    """

    def __init__(self, n_classes: int, blocks: int = 1, **settings: Any) -> None:
        super().__init__(**settings)
        self.n_classes = n_classes
        self.blocks = blocks

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the factors: logits stay as they are at first."""
        first = np.eye(self.blocks, 1, dtype="float32") * np.ones(self.n_classes, "float32")
        self.factors = self.add_weight(
            shape=(self.blocks, self.n_classes),
            initializer=lambda shape, dtype: ops.convert_to_tensor(first, dtype),
            name="factors",
        )

    def call(self, columns: Any) -> Any:
        """Return logits (rows, classes)."""
        blocks = ops.reshape(columns, (-1, self.blocks, self.n_classes))
        return ops.sum(blocks * self.factors, axis=1)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the result."""
        return shape[0], self.n_classes

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the layer again."""
        return {**super().get_config(), "n_classes": self.n_classes, "blocks": self.blocks}
