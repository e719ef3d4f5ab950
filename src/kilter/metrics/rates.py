"""Keras metrics of one class against the others, or averaged over the classes."""

from __future__ import annotations

from typing import Any

from keras import ops

from kilter._errors import ArgumentError
from kilter._export import register
from kilter._numbers import above_zero, is_whole
from kilter.metrics._inputs import check_class
from kilter.metrics.counts import Counts, Outcomes

AVERAGES = ("auto", "macro", "micro", "weighted")


class Averaged(Counts):
    """Base of the scores that every class has: a child says what is divided by what.

    Parameters
    ----------
    average : {"auto", "macro", "micro", "weighted"} or int
        ``"auto"`` is class 1 of two classes, as Keras and scikit-learn have it, and the macro
        mean of more. An int is the position of the class that alone counts. ``"macro"`` is the
        mean over the classes that are in labels or predictions, ``"weighted"`` the mean by
        their rows in the labels, ``"micro"`` divides the sums over the classes.
    threshold, from_logits, name, dtype
        As in `Counts`.

    Raises
    ------
    ArgumentError
        As `Counts`, and if ``average`` is none of these or no class.
    """

    def __init__(self, *, average: str | int = "auto", **options: Any) -> None:
        super().__init__(**options)
        whole = is_whole(average)
        if average not in AVERAGES and not whole:
            raise ArgumentError(
                "`average` must be auto, macro, micro, weighted or the position of a class; got "
                f"{average!r}. For every class at once take `PerClassReport`."
            )
        self.average = int(average) if whole else average

    def create(self, n_classes: int) -> None:
        """Make the confusion matrix."""
        if not isinstance(self.average, str):
            check_class(self.average, n_classes, "average")
        super().create(n_classes)

    def score(self, outcomes: Outcomes) -> Any:
        """Return the average of the classes' ratios."""
        above, below = self.ratio(outcomes)
        support = outcomes.tp + outcomes.fn
        seen = ops.cast(support + outcomes.fp != 0, "float32")
        if self.average == "micro":
            return ops.divide_no_nan(ops.sum(seen * above), ops.sum(seen * below))
        each = ops.divide_no_nan(above, below)
        one = 1 if self.average == "auto" and self.n_classes == 2 else self.average
        if not isinstance(one, str):
            return each[one]
        weights = support if self.average == "weighted" else seen
        return ops.divide_no_nan(ops.sum(weights * each), ops.sum(weights))

    def ratio(self, outcomes: Outcomes) -> tuple[Any, Any]:
        """Return dividend and divisor of every class."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the metric again."""
        return {**super().get_config(), "average": self.average}


@register
class Precision(Averaged):
    """Share of the rows predicted as a class that are of it.

    Use it where a false alarm costs. Keras's own fails on integer labels with a softmax, takes
    logits for probabilities, and adds the columns of all classes up. Defaults to the name
    ``precision``; the arguments are those of `Averaged`.

    Examples
    --------
    >>> metric = Precision()
    >>> float(metric([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8]))
    0.5
    """

    _default_name = "precision"

    def ratio(self, outcomes: Outcomes) -> tuple[Any, Any]:
        """Return the rows rightly predicted and all predicted."""
        return outcomes.tp, outcomes.tp + outcomes.fp


@register
class Recall(Averaged):
    """Share of a class's rows that are predicted as it: sensitivity.

    Use it where a miss costs. Keras's own fails on integer labels with a softmax, takes logits
    for probabilities, and adds the columns of all classes up. Defaults to the name ``recall``;
    the arguments are those of `Averaged`.

    Examples
    --------
    >>> metric = Recall()
    >>> float(metric([0, 0, 1, 1], [0.1, 0.2, 0.3, 0.8]))
    0.5
    """

    _default_name = "recall"

    def ratio(self, outcomes: Outcomes) -> tuple[Any, Any]:
        """Return the rows found and all there are."""
        return outcomes.tp, outcomes.tp + outcomes.fn


@register
class Specificity(Averaged):
    """Share of the rows of other classes that are not predicted as a class.

    Use it next to `Recall` where papers report both, as in medicine; with a rare class it is
    near 1 for nearly every model. Keras has none. Defaults to the name ``specificity``; the
    arguments are those of `Averaged`.

    Examples
    --------
    >>> metric = Specificity()
    >>> float(metric([0, 0, 0, 0, 1], [0.1, 0.2, 0.3, 0.9, 0.8]))
    0.75
    """

    _default_name = "specificity"

    def ratio(self, outcomes: Outcomes) -> tuple[Any, Any]:
        """Return the rows rightly left out and all that are of other classes."""
        return outcomes.tn, outcomes.tn + outcomes.fp


@register
class FBeta(Averaged):
    """Harmonic mean of precision and recall; ``beta`` times as much weight on recall.

    Use it where both misses and false alarms matter: F1, or F2 where misses matter more.
    Keras's F1Score fails on labels of shape (rows,), is silently wrong on integers (rows, 1)
    against a softmax, and takes the only sigmoid column for a prediction of 1 in every row.

    Parameters
    ----------
    beta : float
        Above 0; recall counts ``beta`` times as much as precision.
    average, threshold, from_logits, name, dtype
        As in `Averaged`. Defaults to the name ``f1`` with a ``beta`` of 1, else ``f_beta``.

    Raises
    ------
    ArgumentError
        As `Averaged`, and if ``beta`` is not above 0.

    References
    ----------
    van Rijsbergen: Information Retrieval, 1979.

    Examples
    --------
    >>> metric = FBeta()
    >>> round(float(metric([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8])), 3)
    0.667
    """

    def __init__(self, beta: float = 1.0, *, name: str | None = None, **options: Any) -> None:
        super().__init__(name=name or ("f1" if beta == 1 else "f_beta"), **options)
        self.beta = above_zero("beta", beta, "F1 has a beta of 1.")

    def ratio(self, outcomes: Outcomes) -> tuple[Any, Any]:
        """Return hits, and hits with misses and false alarms, each as ``beta`` weighs them."""
        hits = (1 + self.beta**2) * outcomes.tp
        return hits, hits + self.beta**2 * outcomes.fn + outcomes.fp

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the metric again."""
        return {**super().get_config(), "beta": self.beta}
