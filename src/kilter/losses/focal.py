"""Focal losses: a row counts the less, the surer the network is of its class."""

from __future__ import annotations

from typing import Any

from kilter._export import register
from kilter._numbers import not_negative
from kilter.losses.base import RowLoss
from kilter.losses.counted import CountedLoss
from kilter.losses.general import cross_entropy
from kilter.weights import as_counts, scheme_weights


def focal(labels: Any, logits: Any, *, gamma: Any = 2.0, weights: Any = None) -> Any:
    """Compute the focal loss of every row, ``w_y (1 - p_y)^gamma CE(z)``.

    Use it in a training loop of your own; `Focal` is the same for ``model.compile``.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or one-hot or soft rows. In a soft row every class is
        focused by its own p, and the shares add up.
    logits : float tensor of shape (..., classes)
        What the network says, before any softmax.
    gamma : float or float tensor of shape ()
        Focusing; at least 0.
    weights : float tensor of shape (classes,), optional
        Weight of a row by its true class.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Lin, Goyal, Girshick, He, Dollár: Focal loss for dense object detection, ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> losses = focal(np.array([1]), np.log([[0.25, 0.75]]))
    >>> round(float(losses[0]), 4)  # (1/4)^2 log(4/3)
    0.018
    """
    return cross_entropy(labels, logits, weights=weights, gamma=gamma)


def class_balanced_focal(
    labels: Any, logits: Any, *, counts: Any, beta: float = 0.9999, gamma: Any = 2.0
) -> Any:
    """Compute the focal loss of every row, weighted by the effective numbers of rows.

    Use it in a training loop of your own; `ClassBalancedFocal` is the same for
    ``model.compile``, and says more.

    Parameters
    ----------
    labels, logits, gamma
        As in `focal`.
    counts : sequence of shape (classes,)
        Training rows of each class.
    beta : float in [0, 1)
        0 weighs all classes alike; towards 1 the weights become those of 1/n.

    Returns
    -------
    float tensor of shape (...,)

    References
    ----------
    Cui, Jia, Lin, Song, Belongie: Class-balanced loss based on effective number of samples,
    CVPR 2019.

    Examples
    --------
    >>> import numpy as np
    >>> losses = class_balanced_focal(np.array([0, 1]), np.zeros((2, 2)), counts=[9, 1])
    >>> round(float(losses[1] / losses[0]), 2)
    9.0
    """
    weights = scheme_weights(as_counts(counts), "effective", beta)
    return cross_entropy(labels, logits, weights=weights, gamma=gamma)


@register
class Focal(RowLoss):
    """Focal loss for two classes and many: rows that are already right count less.

    Use it where most rows are easy and drown the few hard ones. By itself it knows nothing of
    rare classes: give it ``class_weights``. It pulls the probabilities towards the middle:
    calibrate them.

    Parameters
    ----------
    gamma : float
        Focusing; 0 is cross-entropy, 2 the paper's choice.
    name : str
        What the loss is logged as.
    **options
        ``class_weights``, ``from_logits``, ``reduction`` and ``dtype`` as in `CrossEntropy`.

    Raises
    ------
    ArgumentError
        If ``gamma`` is negative.

    Notes
    -----
    Integer labels, one-hot and soft rows, and one sigmoid column are all taken. Keras has no
    focal loss for integer labels: its categorical one broadcasts labels of shape (rows, 1)
    in silence. Its binary one ignores ``alpha`` unless told, and then the default .25 takes
    weight from the positive class; the categorical one's single ``alpha`` scales everything.
    Here a class has the weight that you give it. Keras's gradients vanish where the network
    is surely wrong, and are NaN for ``gamma`` below 1 where it is surely right; here, from
    logits, they are the formula's everywhere. The loss of a batch is the mean over its rows;
    a sum, as many copies have it, lengthens the step with the batch.

    References
    ----------
    See `focal`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = Focal(class_weights=[1.0, 9.0], from_logits=True)
    >>> round(float(loss(np.array([0, 1]), np.zeros((2, 1), "float32"))), 4)  # 5 log(2) / 4
    0.8664
    """

    def __init__(self, gamma: float = 2.0, *, name: str = "focal", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.gamma = not_negative("gamma", gamma, "The paper uses 2.")

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row."""
        return focal(truth, logits, gamma=self.gamma, weights=self.weights)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "gamma": self.gamma}


@register
class ClassBalancedFocal(CountedLoss):
    """Focal loss with the class weights of the effective number of rows.

    The effective number of n rows is (1 - beta^n) / (1 - beta): more rows of a class bring
    less and less that is new. The weights are its inverse, scaled to sum C. Use it as the
    paper's recipe in one line, where both hard rows and rare classes need weight.

    Parameters
    ----------
    counts : sequence of shape (classes,)
        Training rows of each class, from `kilter.class_counts`.
    beta : float in [0, 1)
        0 weighs all classes alike; towards 1 the weights become those of 1/n.
    gamma : float
        Focusing, at least 0.
    name : str
        What the loss is logged as.
    **options
        ``from_logits``, ``reduction`` and ``dtype`` as in `CrossEntropy`, and ``class_weights``
        in place of those that the counts give.

    Raises
    ------
    ArgumentError
        If a count is not above 0, ``beta`` is outside [0, 1) or ``gamma`` is negative.

    Notes
    -----
    The focal term is that of the softmax over the classes. The paper's experiments have a
    sigmoid a class instead, whose outputs are no probabilities over the classes.

    References
    ----------
    See `class_balanced_focal`.

    Examples
    --------
    >>> loss = ClassBalancedFocal([900, 100])
    >>> loss.class_weights.round(2).tolist()
    [0.21, 1.79]
    """

    def __init__(
        self,
        counts: Any,
        beta: float = 0.9999,
        gamma: float = 2.0,
        *,
        class_weights: Any = None,
        name: str = "class_balanced_focal",
        **options: Any,
    ) -> None:
        if class_weights is None:
            class_weights = scheme_weights(as_counts(counts), "effective", beta)
        super().__init__(counts, class_weights=class_weights, name=name, **options)
        self.beta = float(beta)
        self.gamma = not_negative("gamma", gamma, "The paper uses 2.")

    def rows(self, truth: Any, logits: Any) -> Any:
        """Return the loss of every row."""
        return focal(truth, logits, gamma=self.gamma, weights=self.weights)

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "beta": self.beta, "gamma": self.gamma}
