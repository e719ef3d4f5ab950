"""Losses on the overlap of what is predicted and what is true: soft F1, Tversky, Dice."""

from __future__ import annotations

from typing import Any

from keras import ops

from kilter._errors import ArgumentError, did_you_mean
from kilter._export import register
from kilter._numbers import above_zero
from kilter._ops import where
from kilter.losses.batch import BatchLoss, as_class_shares, as_rows, class_mean

AVERAGES = ("macro", "micro")


def tversky(
    labels: Any,
    probabilities: Any,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    average: str = "macro",
    weights: Any = None,
    class_weights: Any = None,
) -> Any:
    """Compute the Tversky loss of a batch: 1 - TP / (TP + alpha FP + beta FN).

    The counts are sums of probabilities: a positive of probability .8 is .8 of a true
    positive and .2 of a false negative. Use it in a training loop of your own; `Tversky` is
    the same for ``model.compile``.

    Parameters
    ----------
    labels : int tensor of shape (...,) or float tensor of shape (..., classes)
        Positions of the true classes, or shares: one-hot or soft rows, or many labels a row.
    probabilities : float tensor of shape (..., classes)
        Probabilities; half precision is raised to single.
    alpha, beta : float
        What a false positive and a false negative cost, above 0.
    average : {"macro", "micro"}
        Whether the loss is the mean over the classes, or that of their summed counts.
    weights : float tensor of shape (...,), optional
        Weight of a row in every sum; 1 if not given.
    class_weights : float tensor of shape (classes,), optional
        Weight of a class in the mean (macro) or in the sums (micro). If not given, 1; of two
        classes only class 1 counts.

    Returns
    -------
    float tensor of shape ()
        Only classes with rows in the batch count, as the others have no gradient; without
        any the loss is 0.

    References
    ----------
    Salehi, Erdogmus, Gholipour: Tversky loss function for image segmentation using 3D fully
    convolutional deep networks, MLMI 2017.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.5, 0.5], [0.0, 1.0]], "float32")  # TP 1, FP .5, FN 0
    >>> round(float(tversky(np.array([0, 1]), p, alpha=0.2, beta=0.8)), 4)
    0.0909
    """
    shares, probabilities, weights = as_rows(labels, probabilities, weights)
    of_class = as_class_shares(class_weights, probabilities)
    true = ops.sum(weights * shares * probabilities, axis=0)
    extra = ops.sum(weights * (1 - shares) * probabilities, axis=0)
    missed = ops.sum(weights * shares * (1 - probabilities), axis=0)
    if average == "micro":
        true, extra, missed = (ops.sum(of_class * counts) for counts in (true, extra, missed))
        of_class = ops.ones_like(true)
    present = true + missed > 0
    total = where(present, true + alpha * extra + beta * missed, 1.0)
    return class_mean(1 - true / total, of_class * ops.cast(present, total.dtype))


def soft_f1(
    labels: Any,
    probabilities: Any,
    *,
    average: str = "macro",
    weights: Any = None,
    class_weights: Any = None,
) -> Any:
    """Compute the soft F1 loss of a batch: 1 - 2 TP / (2 TP + FP + FN).

    Use it in a training loop of your own; `SoftF1` is the same for ``model.compile``.

    Parameters
    ----------
    labels, probabilities, average, weights, class_weights
        As in `tversky`, of which this is alpha = beta = 1/2.

    Returns
    -------
    float tensor of shape ()

    References
    ----------
    Milletari, Navab, Ahmadi: V-Net, 3DV 2016, without the squares.

    Examples
    --------
    >>> import numpy as np
    >>> p = np.array([[0.5, 0.5], [0.0, 1.0]], "float32")  # TP 1, FP .5, FN 0
    >>> round(float(soft_f1(np.array([0, 1]), p)), 4)
    0.2
    """
    return tversky(
        labels,
        probabilities,
        alpha=0.5,
        beta=0.5,
        average=average,
        weights=weights,
        class_weights=class_weights,
    )


def dice(labels: Any, probabilities: Any, **options: Any) -> Any:
    """Compute the Dice loss of a batch: 1 - 2 (overlap) / (predicted + true).

    Use it under the name that segmentation knows: it is `soft_f1`, for which predicted is
    TP + FP and true is TP + FN.

    Parameters
    ----------
    labels, probabilities, average, weights, class_weights
        As in `soft_f1`.

    Returns
    -------
    float tensor of shape ()

    Examples
    --------
    >>> import numpy as np
    >>> mask, p = np.array([[[0, 1]]]), np.array([[[[1.0, 0.0], [0.5, 0.5]]]], "float32")
    >>> round(float(dice(mask, p)), 4)  # overlap .5, predicted .5, true 1
    0.3333
    """
    return soft_f1(labels, probabilities, **options)


@register
class Tversky(BatchLoss):
    """Tversky loss: soft F1 with prices for false alarms and for misses.

    Use it where a missed row of a rare class is worse than a false alarm (``beta`` above
    ``alpha``), or the other way round. Batches must hold rows of the rare classes: draw them
    with `kilter.sampling.BalancedBatches`, or take large ones. Sample weights and masks act
    inside the sums. Trained so, probabilities are pushed to 0 and 1: calibrate afterwards.

    Parameters
    ----------
    alpha, beta : float
        What a false positive and a false negative cost, above 0; the paper found .3 and .7
        best. Keras 3.15's own Tversky has the two the wrong way round.
    average : {"macro", "micro"}
        Whether the loss is the mean over the classes, or that of their summed counts, in
        which frequent classes outweigh the rare.
    class_weights : ClassWeights, dict, or sequence of shape (classes,), optional
        Weight of a class in the mean (macro) or in the sums (micro): 0 leaves the background
        out. If not given, 1; of two classes only class 1 counts.
    from_logits : bool
        Whether predictions are logits rather than probabilities.
    name, dtype
        As in every Keras loss.

    Notes
    -----
    Targets are integers of shape (...,) or (..., 1), or one-hot or soft rows (..., classes);
    predictions have the shape (..., classes), or (..., 1) for class 1 of two. Pixels of a
    batch are summed as rows are. Many labels a row work as they are for sigmoid probabilities
    of three labels or more; two need ``class_weights=[1, 1]``.

    Classes without rows in the batch do not count; without any the loss is 0. The loss is
    bounded, so a network that is surely wrong (logits beyond about 15) hardly moves: its
    gradient vanishes, but never points the wrong way. Start from a cross-entropy, or add one,
    if training does not begin.

    Raises
    ------
    ArgumentError
        If ``alpha`` or ``beta`` is not above 0, or ``average`` is unknown.

    References
    ----------
    See `tversky`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = Tversky(alpha=0.2, beta=0.8)
    >>> round(float(loss(np.array([0, 1]), np.array([0.5, 1.0], "float32"))), 4)
    0.0909
    """

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        average: str = "macro",
        *,
        name: str = "tversky",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.alpha = above_zero("alpha", alpha, "The paper uses .3.")
        self.beta = above_zero("beta", beta, "The paper uses .7.")
        self.average = _check_average(average)

    def batch(self, truth: Any, probabilities: Any, weights: Any) -> Any:
        """Return the loss of the batch."""
        return tversky(
            truth,
            probabilities,
            alpha=self.alpha,
            beta=self.beta,
            average=self.average,
            weights=weights,
            class_weights=self.class_weights,
        )

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        own = {"alpha": self.alpha, "beta": self.beta, "average": self.average}
        return {**super().get_config(), **own}


@register
class SoftF1(BatchLoss):
    """Soft F1 loss: 1 - F1 on sums of probabilities.

    Use it where F1 is what counts. Batches must hold rows of the rare classes, as for
    `Tversky`, whose notes hold here too; that one prices false alarms and misses.

    Parameters
    ----------
    average, class_weights, from_logits, name, dtype
        As in `Tversky`.

    Raises
    ------
    ArgumentError
        If ``average`` is unknown.

    References
    ----------
    See `soft_f1`.

    Examples
    --------
    >>> import numpy as np
    >>> loss = SoftF1()
    >>> round(float(loss(np.array([0, 1]), np.array([0.5, 1.0], "float32"))), 4)
    0.2
    """

    def __init__(
        self,
        average: str = "macro",
        *,
        name: str = "soft_f1",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.average = _check_average(average)

    def batch(self, truth: Any, probabilities: Any, weights: Any) -> Any:
        """Return the loss of the batch."""
        return soft_f1(
            truth,
            probabilities,
            average=self.average,
            weights=weights,
            class_weights=self.class_weights,
        )

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the loss again."""
        return {**super().get_config(), "average": self.average}


@register
class Dice(SoftF1):
    """Dice loss: `SoftF1` under the name that segmentation knows.

    Use it for masks of shape (rows, height, width). ``average="micro"`` is Keras's own Dice
    over the whole batch, in which the background outweighs small structures;
    ``class_weights=[0, 1, ...]`` leaves the background out.

    Parameters
    ----------
    average, class_weights, from_logits, name, dtype
        As in `Tversky`.

    References
    ----------
    See `dice`.

    Examples
    --------
    >>> import numpy as np
    >>> mask, p = np.array([[[0, 1]]]), np.array([[[[1.0, 0.0], [0.5, 0.5]]]], "float32")
    >>> round(float(Dice()(mask, p)), 4)
    0.3333
    """

    def __init__(
        self,
        average: str = "macro",
        *,
        name: str = "dice",
        **options: Any,
    ) -> None:
        super().__init__(average, name=name, **options)


def _check_average(average: str) -> str:
    if average not in AVERAGES:
        raise ArgumentError(
            f"`average` must be one of {', '.join(AVERAGES)}; got `{average}`."
            + did_you_mean(str(average), AVERAGES)
        )
    return average
