"""What every Keras metric of kilter does before it counts: one shape for all inputs."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kilter._targets import to_labels, to_probabilities


class Scores(keras.metrics.Metric):
    """Base of the metrics on labels and scores; a child says what a batch adds.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Like Keras's own metrics and losses, probabilities are
        expected unless said otherwise.
    name : str
        What the metric is logged as.
    """

    _direction: str  # Keras's callbacks read it: "up" or "down"

    def __init__(self, *, from_logits: bool = False, name: str, dtype: Any = "float32") -> None:
        super().__init__(name=name, dtype=dtype)
        self.from_logits = from_logits
        self.n_classes: int | None = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Parameters
        ----------
        y_true : tensor
            Positions of the classes, of shape (...,) or (..., 1), or one-hot rows.
        y_pred : tensor
            Scores of shape (..., classes); one column, or (rows,), is class 1 of two.
        sample_weight : tensor, optional
            Weight of a row, of the shape of the positions or one that broadcasts to it.
        """
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        probabilities = to_probabilities(y_pred, self.from_logits)
        labels = to_labels(y_true, y_pred)
        weights = _row_weights(sample_weight, labels)
        if self.n_classes is None:
            self.n_classes = int(probabilities.shape[-1])
            self.create(self.n_classes)
        rows = ops.reshape(probabilities, (-1, self.n_classes))
        self.add(ops.reshape(labels, (-1,)), rows, ops.reshape(weights, (-1,)))

    def create(self, n_classes: int) -> None:
        """Make the variables, once the first batch has told how many classes there are."""
        raise NotImplementedError

    def add(self, labels: Any, probabilities: Any, weights: Any) -> None:
        """Add rows: labels (rows,), probabilities (rows, classes), weights (rows,)."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the metric again."""
        return {"name": self.name, "dtype": self.dtype, "from_logits": self.from_logits}


def _row_weights(sample_weight: Any, labels: Any) -> Any:
    if sample_weight is None:
        return ops.ones(ops.shape(labels), dtype="float32")
    weights = ops.cast(sample_weight, "float32")
    if len(weights.shape) == len(labels.shape) + 1:
        weights = ops.squeeze(weights, axis=-1)
    missing = len(labels.shape) - len(weights.shape)
    weights = ops.reshape(weights, (*ops.shape(weights), *(1,) * missing))
    return ops.broadcast_to(weights, ops.shape(labels))
