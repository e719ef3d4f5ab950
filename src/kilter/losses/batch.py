"""Base of the losses with one number a batch, and what their formulas share."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kilter._errors import ArgumentError
from kilter._targets import (
    TINY,
    at_least_single,
    is_share,
    known_rows,
    mask_out,
    or_nan,
    row_weights,
    to_probabilities,
    to_shares,
    to_truth,
)
from kilter.losses.base import as_labels, check_dtype
from kilter.weights import as_class_weights


class BatchLoss(keras.losses.Loss):
    """Base of the losses with one number a batch: a child gives `batch`.

    Keras multiplies such a number by the mean of the sample weights. Here sample weights and
    masks act inside the sums instead: a row of weight 2 counts as the same row twice, and a
    masked one not at all. There is nothing left to reduce, so there is no ``reduction``.

    Parameters
    ----------
    class_weights : ClassWeights, dict, or sequence of shape (classes,), optional
        Weight of a class among the classes. If not given, 1; of two classes only class 1.
    from_logits : bool
        Whether predictions are logits. As in Keras, probabilities are expected otherwise, and
        what lies outside 0 to 1 makes the loss ``nan``, as a label does that is no class.
    """

    def __init__(
        self,
        *,
        class_weights: Any = None,
        from_logits: bool = False,
        name: str,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(name=name, dtype=check_dtype(dtype))
        self.class_weights = None if class_weights is None else as_class_weights(class_weights)
        self.from_logits = from_logits

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss of the batch, a scalar.

        Parameters
        ----------
        y_true : tensor
            Positions of the classes, of shape (...,) or (..., 1), or shares (..., classes).
        y_pred : tensor
            Predictions of shape (..., classes); one column, or (rows,), is class 1 of two.
        sample_weight : tensor, optional
            Weight of a row, of the shape of the positions or one that broadcasts to it.
        """
        y_true = ops.convert_to_tensor(y_true, dtype=self.dtype)
        outputs = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        probabilities = to_probabilities(outputs, self.from_logits)
        probabilities = or_nan(probabilities, is_share(probabilities))
        truth, known = known_rows(to_truth(y_true, outputs), probabilities.shape[-1])
        weights = mask_out(row_weights(sample_weight, probabilities[..., 0]), y_pred)
        weights = or_nan(weights, ops.logical_or(known, weights == 0))
        return _per_replica(self.batch(truth, probabilities, weights))

    def batch(self, truth: Any, probabilities: Any, weights: Any) -> Any:
        """Return the loss from positions or shares, probabilities and weights of the rows."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {
            "class_weights": None if self.class_weights is None else self.class_weights.tolist(),
            "from_logits": self.from_logits,
            "name": self.name,
            "dtype": self.dtype,
        }


def as_rows(labels: Any, scores: Any, weights: Any = None) -> tuple[Any, Any, Any]:
    """Return shares (rows, classes), scores (rows, classes) and weights (rows, 1)."""
    scores = at_least_single(scores)
    n_classes = scores.shape[-1]
    shares = to_shares(as_labels(labels, scores), n_classes, scores.dtype)
    shares, scores = (ops.reshape(array, (-1, n_classes)) for array in (shares, scores))
    if weights is None:
        return shares, scores, ops.ones_like(scores[:, :1])
    return shares, scores, ops.reshape(ops.cast(weights, scores.dtype), (-1, 1))


def as_class_shares(class_weights: Any, scores: Any) -> Any:
    """Return the weight of each class, of shape (classes,): of two, only class 1 by default."""
    n_classes = scores.shape[-1]
    if class_weights is None:
        class_weights = [0.0, 1.0] if n_classes == 2 else [1.0] * n_classes
    class_weights = ops.cast(ops.convert_to_tensor(class_weights), scores.dtype)
    if tuple(class_weights.shape) != (n_classes,):
        raise ArgumentError(
            f"`class_weights` must have one value a class, {n_classes} as the predictions have; "
            f"got the shape {tuple(class_weights.shape)}."
        )
    return class_weights


def class_mean(values: Any, class_weights: Any) -> Any:
    """Return the weighted mean over the classes, and 0 where all weights are 0."""
    return ops.sum(class_weights * values) / ops.maximum(ops.sum(class_weights), TINY)


def _per_replica(loss: Any) -> Any:
    """Divide by the replicas of a TensorFlow strategy: it sums their gradients, as Keras knows."""
    if keras.backend.backend() != "tensorflow":
        return loss
    import tensorflow as tf

    return loss / tf.distribute.get_strategy().num_replicas_in_sync
