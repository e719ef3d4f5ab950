"""What the Keras metrics of decisions share: one confusion matrix, counted exactly."""

from __future__ import annotations

from typing import Any, NamedTuple

from keras import ops

from kilter._errors import ArgumentError
from kilter.metrics.base import Scores

MOST_SUMS = 2**17  # that a batch is counted in


class Outcomes(NamedTuple):
    """Shares of all rows, each of shape (classes,): every class against the others."""

    tp: Any
    fn: Any
    fp: Any
    tn: Any

    @property
    def recall(self) -> Any:
        """Share of each class's rows that are found; 0 without rows."""
        return ops.divide_no_nan(self.tp, self.tp + self.fn)


class Counts(Scores):
    """Base of the metrics on decisions; a child computes its score from the outcomes.

    Of two classes, class 1 is predicted where its probability is above ``threshold``, as in
    Keras; of more, the most probable class is. The counts stay exact over any number of rows,
    and no formula subtracts what is nearly equal: single precision agrees with scikit-learn to
    1e-6 at any prevalence. A score whose denominator is 0 is 0, also before the first batch.

    In ``compile``, Keras passes sample weights on to ``weighted_metrics`` only.

    Parameters
    ----------
    threshold : float
        Probability of class 1 above which it is predicted, from 0 to 1, also where predictions
        are logits. More than two classes have none: leave it at 0.5.
    from_logits, name, dtype
        As in `Scores`.

    Raises
    ------
    ArgumentError
        If ``threshold`` is not from 0 to 1, or is not 0.5 with more than two classes.
    """

    _direction = "up"

    def __init__(self, *, threshold: float = 0.5, **options: Any) -> None:
        super().__init__(**options)
        if not 0 <= threshold <= 1:
            raise ArgumentError(
                f"`threshold` must be a probability from 0 to 1, such as 0.5; got {threshold}. "
                "With `from_logits=True` it is one too."
            )
        self.threshold = float(threshold)

    def create(self, n_classes: int) -> None:
        """Make the confusion matrix, and what its sums have lost to rounding."""
        if n_classes > 2 and self.threshold != 0.5:
            raise ArgumentError(
                f"`threshold` must stay 0.5 with {n_classes} classes, of which the most "
                f"probable is predicted; got {self.threshold}. Leave it out."
            )
        shape = (n_classes, n_classes)
        self.counts = self.add_variable(shape, "zeros", dtype="float32", name="counts")
        self.lost = self.add_variable(shape, "zeros", dtype="float32", name="lost")

    def add(self, labels: Any, probabilities: Any, weights: Any) -> None:
        """Add rows to the matrix: rows are true classes, columns predicted ones."""
        if self.n_classes == 2:
            predicted = ops.cast(probabilities[:, 1] > self.threshold, "int32")
        else:
            predicted = ops.cast(ops.argmax(probabilities, axis=-1), "int32")
        batch = _count(labels * self.n_classes + predicted, weights, self.counts.shape)
        # Kahan: single precision alone stops counting at 2**24 rows, 64 images of 512 x 512.
        batch = batch - self.lost
        total = self.counts + batch
        self.lost.assign((total - self.counts) - batch)
        self.counts.assign(total)

    def value(self) -> Any:
        """Compute the score of all rows."""
        return self.score(self.outcomes())

    def outcomes(self) -> Outcomes:
        """Return the shares of every class's outcomes, each without cancellation."""
        counts = ops.convert_to_tensor(self.counts)
        shares = ops.divide_no_nan(counts, ops.sum(counts))
        others = 1 - ops.eye(counts.shape[0], dtype="float32")
        tp = ops.diagonal(shares)
        fn, fp = ops.sum(shares * others, axis=1), ops.sum(shares * others, axis=0)
        # Sums over the other classes, not 1 minus the own: those of a class of .9999 are small.
        not_true = ops.sum(others * (tp + fn), axis=1)
        not_predicted = ops.sum(others * (tp + fp), axis=1)
        # Both differences are the true negatives; that of the smaller numbers rounds less.
        tn = ops.where(not_true < not_predicted, not_true - fp, not_predicted - fn)
        return Outcomes(tp, fn, fp, tn)

    def score(self, outcomes: Outcomes) -> Any:
        """Compute the score from the outcomes of the classes."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the metric again."""
        return {**super().get_config(), "threshold": self.threshold}


def _count(cells: Any, weights: Any, shape: tuple[int, int]) -> Any:
    """Sum the weights of each cell of the matrix.

    Neighbouring rows are summed apart first: one sum over a million weights in single
    precision drifts by a percent.
    """
    size = shape[0] * shape[1]
    lanes = max(1, min(MOST_SUMS, cells.shape[0] or MOST_SUMS) // size)
    lane = ops.arange(ops.shape(cells)[0], dtype="int32") % lanes
    sums = ops.segment_sum(weights, cells * lanes + lane, lanes * size)
    return ops.reshape(ops.sum(ops.reshape(sums, (size, lanes)), axis=-1), shape)
