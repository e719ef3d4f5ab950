"""Expected cost: a loss that is the price of the network's mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

from kilter._errors import ArgumentError
from kilter._export import register
from kilter._targets import at_least_single
from kilter.losses.base import RowLoss, as_labels, of_row


def expected_cost(labels: Any, logits: Any, *, costs: Any, weights: Any = None) -> Any:
    """Compute the expected cost of every row, ``w_y sum_k p_k C[y, k]``.

    It is what a prediction costs on average that is drawn from the softmax. Use it in a
    training loop of your own; `ExpectedCost` is the same for ``model.compile``, and says more.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or one-hot or soft rows, whose costs are mixed by the
        shares.
    logits : float tensor of shape (..., classes)
        What the network says, before any softmax.
    costs : float tensor of shape (classes, classes)
        ``costs[true][predicted]``, in any unit.
    weights : float tensor of shape (classes,), optional
        Weight of a row by its true class.

    Returns
    -------
    float tensor of shape (...,)
        In the unit of the costs.

    References
    ----------
    Elkan: The foundations of cost-sensitive learning, IJCAI 2001.

    Examples
    --------
    >>> import numpy as np
    >>> z = np.log([[0.75, 0.25], [0.75, 0.25]])
    >>> losses = expected_cost(np.array([0, 1]), z, costs=np.array([[0.0, 1.0], [9.0, 0.0]]))
    >>> [round(float(loss), 4) for loss in losses]
    [0.25, 6.75]
    """
    logits = at_least_single(logits)
    labels = as_labels(labels, logits)
    if weights is not None:
        costs = ops.cast(costs, logits.dtype) * ops.cast(weights, logits.dtype)[:, None]
    return ops.sum(of_row(costs, labels, logits) * ops.softmax(logits, axis=-1), axis=-1)


@register
class ExpectedCost(RowLoss):
    """Expected cost of the predictions, from a matrix of costs.

    Use it where mistakes have prices that differ by what is taken for what: a missed fraud
    and a needless call, a tumour taken for another. `kilter.cost_matrix` makes the matrix
    from class weights.

    Parameters
    ----------
    costs : sequence of shape (classes, classes)
        ``costs[true][predicted]``, in any unit; the loss is in that unit.
    name : str
        What the loss is logged as.
    **options
        ``class_weights``, ``from_logits``, ``reduction`` and ``dtype`` as in `CrossEntropy`.
        The weights multiply the rows of the matrix.

    Raises
    ------
    ArgumentError
        If the matrix is not square and finite, or a right decision costs more than a wrong
        one for the same true class.

    Notes
    -----
    The loss is bounded, so its gradient fades where the network is sure, wrongly too: begin
    with some epochs of `CrossEntropy`. Its best outputs are decisions, all or nothing, and no
    probabilities: take the class of the highest output. Where probabilities are wanted, train
    with `CrossEntropy`, calibrate, and decide with `kilter.decide.Costs`: new prices then need
    no new training.

    References
    ----------
    See `expected_cost`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = ExpectedCost([[0, 1], [9, 0]])
    >>> float(loss(np.array([0, 1]), np.array([0.5, 0.5], "float32")))  # (.5 + 4.5) / 2
    2.5
    """

    def __init__(self, costs: Any, *, name: str = "expected_cost", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.costs = _check_costs(np.asarray(costs, np.float64))

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row."""
        self.check_classes("costs", self.costs, logits)
        return expected_cost(truth, logits, costs=self.costs, weights=self.weights)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "costs": self.costs.tolist()}


def _check_costs(costs: np.ndarray) -> np.ndarray:
    if costs.ndim != 2 or len(costs) != costs.shape[1] or not np.isfinite(costs).all():
        raise ArgumentError(
            "`costs` must be finite numbers of shape (classes, classes), true classes in rows; "
            f"got the shape {costs.shape}. `kilter.cost_matrix` makes them from weights."
        )
    dear = np.flatnonzero(np.diag(costs) > costs.min(axis=1))
    if len(dear):
        raise ArgumentError(
            f"`costs` must not make a right decision dearer than a wrong one; row {dear[0]} is "
            f"{costs[dear[0]].tolist()}. Rows are true classes, columns predicted ones."
        )
    return costs
