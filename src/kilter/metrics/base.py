"""What every Keras metric of kilter does before it counts: one shape for all inputs."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kilter._errors import ArgumentError
from kilter._targets import (
    ROUNDING,
    is_positions,
    is_share,
    known_rows,
    mask_out,
    row_weights,
    to_probabilities,
    to_truth,
)


class Scores(keras.metrics.Metric):
    """Base of the metrics on labels and scores; a child says what a batch adds.

    A row without a meaning makes the result ``nan`` rather than a number that looks right: its
    label is none of the classes, or several, or its scores are no probabilities (logits, while
    ``from_logits`` is false). Rows of weight 0 and steps that Keras masks count for nothing,
    whatever they hold. On JAX, Keras passes masks on in ``evaluate`` and validation only.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits. Like Keras's own metrics and losses, probabilities are
        expected unless said otherwise.
    name : str, optional
        What the metric is logged as; the same for every instance unless given, so that
        ``EarlyStopping`` finds it in every run.
    dtype : str
        Precision of the result.
    """

    _direction: str  # Keras's callbacks read it: "up" or "down"
    _default_name: str
    _empty = 0.0  # the result before the first batch

    def __init__(
        self, *, from_logits: bool = False, name: str | None = None, dtype: Any = "float32"
    ) -> None:
        super().__init__(name=name or self._default_name, dtype=dtype)
        self.from_logits = from_logits
        self.n_classes: int | None = None

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch.

        Parameters
        ----------
        y_true : tensor
            Positions of the classes, of shape (...,) or (..., 1), or one-hot or soft rows
            (..., classes), which count as their largest.
        y_pred : tensor
            Scores of shape (..., classes); one column, or (rows,), is class 1 of two.
        sample_weight : tensor, optional
            Weight of a row, of the shape of the positions or one that broadcasts to it.

        Raises
        ------
        ArgumentError
            If the shapes do not belong together, or the number of classes changes.
        """
        y_true, scores = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        probabilities = to_probabilities(scores, self.from_logits)
        n_classes = int(probabilities.shape[-1])
        self._know(n_classes)
        labels, known = _labels(to_truth(y_true, scores), n_classes)
        weights = mask_out(row_weights(sample_weight, labels), y_pred)
        sound = ops.logical_and(known, ops.all(is_share(probabilities), axis=-1))
        weights = ops.where(ops.logical_or(sound, weights == 0), weights, float("nan"))
        rows = ops.reshape(probabilities, (-1, n_classes))
        self.add(ops.reshape(labels, (-1,)), rows, ops.reshape(weights, (-1,)))

    def _know(self, n_classes: int) -> None:
        """Make the variables with the first batch; the others must have as many classes."""
        if self.n_classes is None:
            self.create(n_classes)
            self.n_classes = n_classes
        if self.n_classes != n_classes:
            raise ArgumentError(
                f"`y_pred` must have {self.n_classes} classes, as in the batches before; got "
                f"{n_classes}. Take a new metric for another model."
            )

    def create(self, n_classes: int) -> None:
        """Make the variables, once the first batch has told how many classes there are."""
        raise NotImplementedError

    def add(self, labels: Any, probabilities: Any, weights: Any) -> None:
        """Add rows: labels (rows,), probabilities (rows, classes), weights (rows,)."""
        raise NotImplementedError

    def result(self) -> Any:
        """Return what all rows since the last reset come to."""
        if self.n_classes is None:
            return ops.full((), self._empty, dtype=self.dtype)
        return ops.cast(self.value(), self.dtype)

    def value(self) -> Any:
        """Compute the result from the variables, a number."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the metric again."""
        return {"name": self.name, "dtype": self.dtype, "from_logits": self.from_logits}


def _labels(truth: Any, n_classes: int) -> tuple[Any, Any]:
    """Return positions of classes, and whether the truth says one."""
    truth, known = known_rows(truth, n_classes)
    if is_positions(truth):
        return truth, known
    whole = ops.abs(ops.sum(truth, axis=-1) - 1) <= ROUNDING
    return ops.cast(ops.argmax(truth, axis=-1), "int32"), ops.logical_and(whole, known)
