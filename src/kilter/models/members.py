"""An ensemble in one network: members share most weights, and each has a few of its own."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from kilter._export import register
from kilter._numbers import whole
from kilter.models.initial import GlorotUniform, RandomSign

MOST_COLUMNS = 64


@register
class MemberDense(keras.layers.Layer):
    """A dense layer of many members that share its kernel.

    Each member has factors of its own for the inputs and for the outputs, and a bias:
    ``s_k * ((r_k * x) @ W) + b_k``. So k members cost hardly more weights than one.

    Parameters
    ----------
    units : int
        Outputs of each member.
    members : int
        How many.
    apart : bool
        Whether members begin apart, with random signs as input factors, as the first layer of
        a network should; other factors begin at 1.
    activation : str or callable, optional
        As in `keras.layers.Dense`.
    seed : int, optional
        Makes the initial weights repeatable.

    References
    ----------
    Wen, Tran and Ba (2020), BatchEnsemble; Gorishniy, Kotelnikov and Babenko (2025), TabM.

    Examples
    --------
    >>> import numpy as np
    >>> layer = MemberDense(3, members=4)
    >>> layer(np.zeros((5, 2), "float32")).shape == (5, 4, 3)
    True
    """

    def __init__(
        self,
        units: int,
        members: int,
        apart: bool = False,
        activation: Any = None,
        seed: int | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        self.units = whole("units", units, 1)
        self.members = whole("members", members, 1)
        self.apart = apart
        self.activation = keras.activations.get(activation)
        self.seed = seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the kernel (inputs, units) and what is each member's own."""
        inputs, k = input_shape[-1], self.members
        seed = self.seed
        signs = RandomSign(None if seed is None else seed + 1) if self.apart else "ones"
        self.kernel = self.add_weight((inputs, self.units), GlorotUniform(seed), name="kernel")
        self.input_factors = self.add_weight((k, inputs), signs, name="input_factors")
        self.output_factors = self.add_weight((k, self.units), "ones", name="output_factors")
        self.bias = self.add_weight((k, self.units), "zeros", name="bias")

    def call(self, x: Any) -> Any:
        """Return (rows, members, units) from (rows, inputs) or (rows, members, inputs)."""
        x = x if len(x.shape) == 3 else x[:, None]
        # Flat, so that backends see one product of matrices.
        rows = ops.reshape(x * self.input_factors, (-1, self.kernel.shape[0]))
        product = ops.reshape(ops.matmul(rows, self.kernel), (-1, self.members, self.units))
        return self.activation(product * self.output_factors + self.bias)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[Any, ...]:
        """Return the shape of the result."""
        return input_shape[0], self.members, self.units

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the layer again."""
        own = {name: getattr(self, name) for name in ("units", "members", "apart", "seed")}
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), **own, "activation": activation}


@register
class MemberHeads(keras.layers.Layer):
    """A dense layer for each member alone, to end a network of `MemberDense` layers with.

    Parameters
    ----------
    units : int
        Outputs of each member.
    seed : int, optional
        Makes the initial weights repeatable.

    Examples
    --------
    >>> import numpy as np
    >>> MemberHeads(3)(np.zeros((5, 4, 2), "float32")).shape == (5, 4, 3)
    True
    """

    def __init__(self, units: int, seed: int | None = None, **settings: Any) -> None:
        super().__init__(**settings)
        self.units = whole("units", units, 1)
        self.seed = seed

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make kernels (members, inputs, units) and biases."""
        _, members, inputs = input_shape
        shape = (members, inputs, self.units)
        self.kernel = self.add_weight(shape, GlorotUniform(self.seed), name="kernel")
        self.bias = self.add_weight((members, self.units), "zeros", name="bias")

    def call(self, x: Any) -> Any:
        """Return (rows, members, units) from (rows, members, inputs)."""
        members, inputs, units = self.kernel.shape
        if members * units > MOST_COLUMNS:
            return ops.einsum("rmi,miu->rmu", x, self.kernel) + self.bias
        # One product with all kernels on the diagonal: a CPU is slow at many of few columns.
        apart = ops.eye(members, dtype=self.kernel.dtype)[:, None, :, None]
        diagonal = ops.reshape(self.kernel[:, :, None] * apart, (members * inputs, -1))
        product = ops.matmul(ops.reshape(x, (-1, members * inputs)), diagonal)
        return ops.reshape(product, (-1, members, units)) + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[Any, ...]:
        """Return the shape of the result."""
        return *input_shape[:-1], self.units

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the layer again."""
        return {**super().get_config(), "units": self.units, "seed": self.seed}


@register
class Members(keras.Model):
    """A classifier of many members that learn each for itself and predict together.

    Use it around a network that ends in logits of each member. ``fit`` takes the mean of the
    members' own losses, of any loss with a value a row; so each becomes good alone, and they
    stay different. ``predict`` and the metrics see the logarithm of their mean probabilities,
    which is as good as logits.

    Parameters
    ----------
    network : keras.Model
        From (rows, columns) to logits (rows, members, classes).

    Examples
    --------
    >>> import keras, numpy as np
    >>> rows = keras.Input((2,))
    >>> hidden = MemberDense(4, members=3, apart=True, activation="relu")(rows)
    >>> model = Members(keras.Model(rows, MemberDense(2, members=3)(hidden)))
    >>> model.predict(np.zeros((5, 2), "float32"), verbose=0).shape
    (5, 2)
    """

    def __init__(self, network: keras.Model, **settings: Any) -> None:
        super().__init__(**settings)
        self.network = network
        self.built = True  # as the network is

    @property
    def inputs(self) -> list[keras.KerasTensor]:
        """What it takes."""
        given: list[keras.KerasTensor] = self.network.inputs
        return given

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of the rows."""
        shape: tuple[int | None, ...] = self.network.input_shape
        return shape

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of what it predicts."""
        return self.compute_output_shape(self.input_shape)

    def call(self, x: Any, training: bool | None = None) -> Any:
        """Return logits of each member in training, of all together otherwise."""
        logits = self.network(x, training=training)
        return logits if training else average_members(logits)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[Any, ...]:
        """Return the shape of what it predicts."""
        return input_shape[0], self.network.output_shape[-1]

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss; each member counts as a row."""
        y, y_pred, sample_weight = each_member(y, y_pred, sample_weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the metrics of what it predicts."""
        together = average_members(y_pred) if len(y_pred.shape) == 3 else y_pred
        return super().compute_metrics(x, y, together, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the model again."""
        network = keras.saving.serialize_keras_object(self.network)
        return {**super().get_config(), "network": network}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Members:
        """Make the model again."""
        network = keras.saving.deserialize_keras_object(config.pop("network"), custom_objects)
        return cls(network, **config)


def average_members(logits: Any) -> Any:
    """Return the logarithm of the members' mean probabilities, (rows, classes).

    Examples
    --------
    >>> import numpy as np
    >>> together = average_members(np.log(np.array([[[0.2, 0.8], [0.6, 0.4]]], "float32")))
    >>> np.exp(np.asarray(together, "float64")).round(2).tolist()
    [[0.4, 0.6]]
    """
    logs = ops.log_softmax(logits, axis=-1)
    return ops.logsumexp(logs, axis=1) - math.log(logits.shape[1])


def each_member(labels: Any, logits: Any, weights: Any = None) -> tuple[Any, Any, Any]:
    """Make a row of each member, which counts as one with the label and weight of its row.

    Logits of (rows, classes), without members, and all that belongs to them pass unchanged.
    """
    if len(logits.shape) < 3:
        return labels, logits, weights
    members = logits.shape[1]
    rows = ops.reshape(logits, (-1, logits.shape[-1]))
    labels = ops.repeat(labels, members, axis=0)
    return labels, rows, None if weights is None else ops.repeat(weights, members, axis=0)
