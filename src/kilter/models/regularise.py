"""Dropout and penalties for a model that is there already."""

from __future__ import annotations

from typing import Any

import keras

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter._numbers import not_negative
from kilter.models.members import MemberDense, MemberHeads, Members

PENALISED = (
    *("kernel_regularizer", "depthwise_regularizer", "pointwise_regularizer"),
    *("recurrent_regularizer", "embeddings_regularizer"),
)
SPATIAL = {
    "Conv1D": keras.layers.SpatialDropout1D,
    "Conv2D": keras.layers.SpatialDropout2D,
    "Conv3D": keras.layers.SpatialDropout3D,
}


def regularise(
    model: keras.Model,
    *,
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    seed: int | None = None,
) -> keras.Model:
    """Add dropout and penalties to a model without writing it again.

    Use it where a model learns its rare class by heart: `kilter.callbacks.GapWatcher` says
    so, and its ``compare`` says by how much it got better.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, built; with its weights. It is not changed. Models within
        it are treated alike.
    dropout : float
        Share of hidden units that are left out in a training step, before each layer with
        weights but the first; whole channels before convolutions. Inputs and outputs are
        spared, and places where a dropout layer stands already.
    l1, l2 : float
        Penalties on the kernels, of all layers that have none yet.
    seed : int, optional
        Makes dropout repeatable.

    Returns
    -------
    keras.Model
        A new functional model with copies of the weights; compiled as the old one, with a new
        optimizer, if that was.

    Raises
    ------
    ArgumentError
        If a number is out of range, the model cannot be taken apart, or no layer of it can
        take what was asked for.

    References
    ----------
    Srivastava et al. (2014), Dropout; Tompson et al. (2015) for whole channels.

    Examples
    --------
    >>> import keras
    >>> dense = keras.layers.Dense
    >>> model = keras.Sequential([keras.Input((3,)), dense(8, "relu"), dense(2)])
    >>> stronger = regularise(model, dropout=0.5, l2=1e-3)
    >>> [type(layer).__name__ for layer in stronger.layers]
    ['InputLayer', 'Dense', 'Dropout', 'Dense']
    >>> stronger.layers[1].kernel_regularizer.l2
    0.001
    """
    rate = not_negative("dropout", dropout)
    if rate >= 1:
        raise ArgumentError(f"`dropout` must be below 1; got {dropout}. 0.2 to 0.5 is usual.")
    penalty = not_negative("l1", l1), not_negative("l2", l2)
    copy = _Copy(rate, *penalty, seed)
    members = isinstance(model, Members)
    changed = copy.of(model.network if members else model)
    if any((rate, *penalty)) and not copy.added:
        raise ArgumentError(
            "`model` has no place for dropout and no layer for a penalty. Dropout stands "
            "between two layers with weights where there is none yet; penalties go to Keras's "
            "own layers that have none."
        )
    changed = Members(changed) if members else changed
    if model.compiled:
        changed.compile_from_config(model.get_compile_config())
    return changed


class _Copy:
    """Copies a model layer by layer; ``hidden`` are tensors that some weights have shaped."""

    def __init__(self, rate: float, l1: float, l2: float, seed: int | None) -> None:
        self.rate, self.l1, self.l2, self.seed = rate, l1, l2, seed
        self.copies: dict[int, keras.Layer] = {}
        self.hidden: dict[int, Any] = {}
        self.added = 0

    def of(self, model: keras.Model) -> keras.Model:
        """Return a copy of a model with its weights."""
        _check_model(model)
        graph = model
        if isinstance(model, keras.Sequential):  # as a graph, to put layers between its own
            graph = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
        copy = keras.models.clone_model(graph, clone_function=self.layer, call_function=self.call)
        for layer in model.layers:
            if id(layer) in self.copies and not _is_graph(layer):
                self.copies[id(layer)].set_weights(layer.get_weights())
        return copy

    def layer(self, layer: keras.Layer) -> keras.Layer:
        """Copy a layer, the same for every place where it is used, with its penalty."""
        if id(layer) not in self.copies:
            self.copies[id(layer)] = self._penalised(layer)
        return self.copies[id(layer)]

    def _penalised(self, layer: keras.Layer) -> keras.Layer:
        if _is_graph(layer):  # a model within the model
            return self.of(layer)
        config = layer.get_config()
        free = [name for name in PENALISED if name in config and config[name] is None]
        if free and (self.l1 or self.l2):
            penalty = keras.regularizers.L1L2(self.l1, self.l2)
            config |= dict.fromkeys(free, keras.saving.serialize_keras_object(penalty))
            self.added += 1
        return type(layer).from_config(config)

    def call(self, layer: keras.Layer, *given: Any, **settings: Any) -> Any:
        """Call a layer on tensors, with dropout before it where that belongs."""
        inputs = keras.tree.flatten((given, settings))
        hidden = any(id(one) in self.hidden for one in inputs)
        if self.rate and hidden and _has_weights(layer) and len(inputs) == 1:
            given = (self._dropped(layer, inputs[0]),)
            settings = {}
        outputs = layer(*given, **settings)
        if hidden or _has_weights(layer):
            self.hidden |= {id(one): one for one in keras.tree.flatten(outputs)}
        return outputs

    def _dropped(self, layer: keras.Layer, tensor: Any) -> Any:
        if "Dropout" in type(tensor._keras_history.operation).__name__:
            return tensor
        self.added += 1
        kind = SPATIAL.get(type(layer).__name__, keras.layers.Dropout)
        seed = None if self.seed is None else self.seed + self.added
        return kind(self.rate, seed=seed)(tensor)


def _has_weights(layer: keras.Layer) -> bool:
    """Say whether a layer multiplies by weights; a normalisation only scales."""
    if _is_graph(layer):
        return any(map(_has_weights, layer.layers))
    if isinstance(layer, MemberDense | MemberHeads):
        return True
    return any(name in layer.get_config() for name in PENALISED)


def _is_graph(layer: Any) -> bool:
    return isinstance(layer, keras.Sequential) or hasattr(layer, "operations")


def _check_model(model: Any) -> None:
    if not isinstance(model, keras.Model):
        raise ArgumentTypeError(f"`model` must be a Keras model; got {type(model).__name__}.")
    if isinstance(model, keras.Sequential) and not model.built:
        raise ArgumentError(
            "`model` must be built. Put a `keras.Input` first, or call it on a batch."
        )
    if not _is_graph(model):
        raise ArgumentError(
            "`model` must be Sequential or functional; got one with a `call` of its own, which "
            "cannot be taken apart. Pass the part of it that is functional."
        )
