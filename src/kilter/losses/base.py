"""What the losses with one value a row share: inputs of one shape, class weights, checks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.backend import get_keras_mask

from kilter._errors import ArgumentError
from kilter._ops import constant, lookup, where
from kilter._targets import (
    is_positions,
    known_rows,
    or_nan,
    row_weights,
    to_logits,
    to_truth,
)
from kilter.weights import as_class_weights


def as_labels(labels: Any, logits: Any) -> Any:
    """Return labels as a tensor: positions, or shares in the precision of the logits.

    The shape tells one from the other, never the type: a broadcast would be silent.
    """
    labels, rank = ops.convert_to_tensor(labels), len(logits.shape)
    n_classes = logits.shape[-1]
    if n_classes == 1:
        raise ArgumentError(
            "`logits` must have a column a class; got one column. For two classes and one "
            "column z pass `ops.concatenate([ops.zeros_like(z), z], axis=-1)`, or take the class."
        )
    if len(labels.shape) == rank - 1:
        return ops.cast(labels, "int32")
    if len(labels.shape) == rank and labels.shape[-1] == 1:
        return ops.cast(ops.squeeze(labels, axis=-1), "int32")
    if len(labels.shape) == rank and labels.shape[-1] in (n_classes, None):
        return ops.cast(labels, logits.dtype)
    raise ArgumentError(
        f"`labels` must be positions of the classes or have {n_classes} columns, as `logits` of "
        f"shape {tuple(logits.shape)}; got the shape {tuple(labels.shape)}."
    )


def of_row(table: Any, labels: Any, logits: Any) -> Any:
    """Return what a table of shape (), (classes,) or (classes, classes) says of each row."""
    table = ops.cast(table, logits.dtype)
    if len(table.shape) < 2:
        return table
    return lookup(table, labels) if is_positions(labels) else ops.matmul(labels, table)


class RowLoss(keras.losses.Loss):
    """Base of the losses with one value a row: a child gives `rows`.

    It brings targets and outputs into one shape, holds the class weights, and leaves masks,
    sample weights and the reduction to Keras.

    Parameters
    ----------
    class_weights : ClassWeights, dict, or sequence of shape (classes,), optional
        Weight of a row by its true class; 1 if not given.
    from_logits : bool
        Whether predictions are logits. As in Keras, probabilities are expected otherwise.

    Notes
    -----
    What has no meaning makes the loss ``nan`` rather than a number that looks right: logits
    taken for probabilities, and labels that are no class. A row whose sample weight is 0 may
    hold any label.
    """

    def __init__(
        self,
        *,
        class_weights: Any = None,
        from_logits: bool = False,
        reduction: str = "sum_over_batch_size",
        name: str,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(reduction=reduction, name=name, dtype=check_dtype(dtype))
        self.class_weights = None if class_weights is None else as_class_weights(class_weights)
        self.from_logits = from_logits
        self._variable: keras.Variable | None = None

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the reduced loss; a sample weight of a text is that of all its tokens."""
        if sample_weight is None and self._is_plain_mean(y_pred):
            outputs = ops.convert_to_tensor(y_pred, dtype=self.dtype)
            return self.call(ops.convert_to_tensor(y_true, dtype=self.dtype), outputs).mean()
        if sample_weight is None:
            return super().__call__(y_true, y_pred)
        outputs = ops.convert_to_tensor(y_pred)
        weights = row_weights(sample_weight, outputs if len(outputs.shape) < 2 else outputs[..., 0])
        return super().__call__(_where_weighed(y_true, weights), y_pred, weights)

    def _is_plain_mean(self, y_pred: Any) -> bool:
        """Say whether a mean is all that Keras's reduction does: eager, that takes 100 µs more."""
        return (
            keras.backend.backend() == "torch"
            and self.reduction in ("sum_over_batch_size", "mean")
            and get_keras_mask(y_pred) is None
            and len(y_pred) > 0
        )

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of every row."""
        truth, logits, known = self.read(y_true, y_pred)
        return or_nan(self.rows(truth, logits), known)

    def read(self, y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
        """Return positions or shares, logits, and of which rows the truth is a class."""
        logits = to_logits(y_pred, self.from_logits)
        self.check_classes("class_weights", self.class_weights, logits)
        truth, known = known_rows(to_truth(y_true, y_pred), logits.shape[-1])
        return truth, logits, known

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row from positions or shares, and logits."""
        raise NotImplementedError

    @property
    def weights(self) -> Any:
        """The class weights as a tensor, or None; `reweight` changes them in training."""
        if self._variable is not None:
            return ops.convert_to_tensor(self._variable)
        return None if self.class_weights is None else constant(self.class_weights)

    def reweight(self, class_weights: np.ndarray) -> keras.Variable:
        """Change the class weights, and return the variable that now holds them.

        A step compiled after the first call reads the variable, so that later calls take effect
        at once. On JAX the variable must be in the step's state, or it is a constant as well.
        """
        if self._variable is None or tuple(self._variable.shape) != class_weights.shape:
            self._variable = keras.Variable(class_weights, trainable=False, dtype="float32")
        self._variable.assign(class_weights)
        self.class_weights = class_weights
        return self._variable

    def check_classes(self, name: str, value: np.ndarray | None, logits: Any) -> None:
        """Raise where numbers by class are not as many as the classes."""
        n_classes = logits.shape[-1]
        if name == "class_weights" and value is not None and value.ndim != 1:
            raise ArgumentError(
                f"`class_weights` must have the shape (classes,); got {value.shape}. For many "
                "labels a row take `Asymmetric`."
            )
        if value is not None and n_classes not in (None, value.shape[0]):
            raise ArgumentError(
                f"`{name}` must have one value a class, {n_classes} as `y_pred` has; got "
                f"{value.shape[0]}. Take it from the labels that the network is trained on."
            )

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        weights = None if self.class_weights is None else self.class_weights.tolist()
        return {
            **super().get_config(),
            "dtype": self.dtype,
            "class_weights": weights,
            "from_logits": self.from_logits,
        }


def check_dtype(dtype: Any) -> Any:
    """Return the precision of a loss; raise for half: it would round positions of classes."""
    if keras.DTypePolicy(dtype or "float32").compute_dtype in ("float32", "float64"):
        return dtype or "float32"
    raise ArgumentError(
        f"`dtype` must be float32 or float64; got {dtype}: in half precision label 3999 is 4000. "
        "Leave it out: predictions in half precision are raised by the loss."
    )


def _where_weighed(y_true: Any, weights: Any) -> Any:
    """Return positions, and 0 where the weight is 0: such a row may hold any mark."""
    y_true, rank = ops.convert_to_tensor(y_true), len(weights.shape)
    if len(y_true.shape) == rank + 1 and y_true.shape[-1] == 1:
        weights = weights[..., None]
    if len(y_true.shape) != len(weights.shape):
        return y_true
    return where(weights == 0, ops.zeros_like(y_true), y_true)
