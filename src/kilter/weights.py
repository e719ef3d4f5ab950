"""Class weights from labels or counts, for Keras, for losses, and as a matrix of costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from kilter._errors import ArgumentError, ArgumentTypeError, did_you_mean
from kilter.tally import tally


class ClassWeights(dict[int, Any]):
    """Weights by class, as Keras's ``class_weight`` takes them.

    The keys are the labels where those are whole numbers, and positions in the sorted order
    of the classes otherwise. For many labels a row each value is a pair: the weight of a row
    that lacks the label, and of one that has it; Keras cannot take such a dict, a loss can.

    ``array`` is the same in class order, float64 of shape (classes,) or (labels, 2), for
    losses.
    """

    @property
    def array(self) -> np.ndarray:
        """The weights in class order, float64 of shape (classes,) or (labels, 2)."""
        return np.array([self[key] for key in sorted(self)])


def class_weights(
    y: Any = None,
    scheme: str = "balanced",
    *,
    counts: Sequence[float] | np.ndarray | Mapping[Any, float] | None = None,
    beta: float = 0.9999,
    multi_label: bool | None = None,
) -> ClassWeights:
    """Compute one weight a class from labels or counts.

    Use it where a loss should count rare rows more. Weights change the predicted
    probabilities: calibrate afterwards. Inside a loss of `kilter.losses` they act with any
    data pipeline and in the validation loss; as Keras's ``class_weight`` they do not.

    Parameters
    ----------
    y : array
        Labels of any type that sorts, of shape (rows,); a position for every pixel or token,
        of any shape; one-hot or soft rows, of shape (rows, classes); or, with several labels
        a row, 0 and 1 of shape (rows, labels).
    scheme : {"balanced", "inverse", "square-root", "effective"}
        ``balanced`` is n / (C n_k): all classes weigh the same in sum, and a row 1 on
        average. ``inverse`` is 1 / n_k, ``square-root`` 1 / sqrt(n_k) and ``effective``
        (1 - beta) / (1 - beta^n_k), each scaled to sum C.
    counts : sequence or mapping of class to count, optional
        Rows of each class, instead of ``y``.
    beta : float in [0, 1)
        Only for ``effective``.
    multi_label : bool, optional
        Whether the columns of a matrix of 0 and 1 are labels of their own (True), or its
        entries are positions, one a pixel or token (False). Needed only where both are
        possible.

    Returns
    -------
    ClassWeights
        A dict ``{0: w_0, 1: w_1, ...}`` with an ``array``.

    Raises
    ------
    ArgumentError
        If the scheme is unknown, a class has no rows, ``beta`` is outside [0, 1), or ``y`` is
        empty, has missing labels or can be read in two ways.
    ArgumentTypeError
        If the labels do not sort.

    References
    ----------
    Cui, Jia, Lin, Song, Belongie: Class-balanced loss based on effective number of samples,
    CVPR 2019.

    Examples
    --------
    >>> from kilter import class_weights
    >>> class_weights(["ham", "ham", "ham", "spam"])
    {0: 0.6666666666666666, 1: 2.0}
    >>> class_weights(counts=[9, 1], scheme="square-root").array.round(2).tolist()
    [0.5, 1.5]
    """
    if (y is None) == (counts is None):
        raise ArgumentError("`y` or `counts` must be given, and not both: labels or their counts.")
    keys, found = tally(y, multi_label) if counts is None else _given(counts)
    return ClassWeights(zip(keys, scheme_weights(found, scheme, beta).tolist(), strict=True))


def class_counts(y: Any, *, multi_label: bool | None = None) -> np.ndarray:
    """Count the rows of each class, in the sorted order of the classes.

    Use it for the losses that ask for ``counts``: LDAM, logit adjustment, balanced softmax.

    Parameters
    ----------
    y, multi_label
        As in `class_weights`.

    Returns
    -------
    array of shape (classes,) or, for many labels a row, (labels, 2): without and with it.

    Examples
    --------
    >>> from kilter import class_counts
    >>> class_counts(["ham", "ham", "ham", "spam"])
    array([3, 1])
    """
    return tally(y, multi_label)[1]


def cost_matrix(weights: Mapping[int, float] | Sequence[float] | np.ndarray) -> np.ndarray:
    """Turn class weights into costs: what it costs to take a row of class y for class k.

    Use it to give weights to what asks for costs: `kilter.losses.ExpectedCost`,
    `kilter.decide.Costs`.

    Parameters
    ----------
    weights : ClassWeights, dict or sequence of shape (classes,)
        Weight of each class.

    Returns
    -------
    array of shape (classes, classes)
        Rows are true classes, columns predicted ones: w_y, and 0 on the diagonal.

    References
    ----------
    Elkan: The foundations of cost-sensitive learning, IJCAI 2001.

    Examples
    --------
    >>> from kilter import cost_matrix
    >>> cost_matrix([1.0, 9.0]).tolist()
    [[0.0, 1.0], [9.0, 0.0]]
    """
    array = as_class_weights(weights, "weights")
    if array.ndim != 1:
        raise ArgumentError(
            f"`weights` must have the shape (classes,); got {array.shape}. Many labels a row "
            "have a matrix of costs each: pass the two weights of one label."
        )
    return array[:, None] * (1 - np.eye(len(array)))


def as_class_weights(value: Any, name: str = "class_weights") -> np.ndarray:
    """Return weights in class order, float64, from what `class_weights` gives, a dict or list.

    Examples
    --------
    >>> as_class_weights({1: 9.0, 0: 1.0}).tolist()
    [1.0, 9.0]
    """
    if isinstance(value, str):
        raise ArgumentTypeError(
            f"`{name}` must be one number a class; got `{value}`. Compute them from the labels: "
            f"`kilter.class_weights(y, '{value}')`."
        )
    if isinstance(value, Mapping):
        _check_keys(name, value)
        value = [value[position] for position in range(len(value))]
    array = np.asarray(value, np.float64)
    if not (array.ndim in (1, 2) and array.size and np.all(np.isfinite(array) & (array >= 0))):
        raise ArgumentError(
            f"`{name}` must be one finite number of at least 0 a class; got {value!r}."
        )
    return array


def as_counts(counts: Any) -> np.ndarray:
    """Return training counts by class, float64 of shape (classes,).

    Examples
    --------
    >>> as_counts([900, 100]).tolist()
    [900.0, 100.0]
    """
    keys, found = _given(counts)
    _check_keys("counts", keys)
    array = np.asarray(found, np.float64)
    if array.ndim != 1 or len(array) < 2 or not np.all(np.isfinite(array) & (array > 0)):
        raise ArgumentError(
            f"`counts` must be the training rows of each class, all above 0; got {counts!r}. "
            "Take them from `kilter.class_counts(y)`."
        )
    return array


def scheme_weights(counts: np.ndarray, scheme: str, beta: float = 0.9999) -> np.ndarray:
    """Return the weights of a scheme from counts of shape (classes,) or (labels, 2).

    Examples
    --------
    >>> scheme_weights(np.array([3, 1]), "inverse").tolist()
    [0.5, 1.5]
    """
    if scheme not in SCHEMES:
        raise ArgumentError(
            f"`scheme` must be one of {', '.join(SCHEMES)}; got `{scheme}`."
            + did_you_mean(str(scheme), SCHEMES)
        )
    if not 0 <= beta < 1:
        raise ArgumentError(f"`beta` must be in [0, 1); got {beta}. The paper uses .9999.")
    _check_counts(counts)
    n_classes = counts.shape[-1]
    weights = SCHEMES[scheme](counts.astype(np.float64), beta)
    if scheme == "balanced":
        return weights * counts.sum(axis=-1, keepdims=True) / n_classes
    return weights * n_classes / weights.sum(axis=-1, keepdims=True)


SCHEMES: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "balanced": lambda n, _: 1 / n,
    "inverse": lambda n, _: 1 / n,
    "square-root": lambda n, _: 1 / np.sqrt(n),
    "effective": lambda n, beta: (1 - beta) / (1 - beta**n),
}


def _check_counts(counts: np.ndarray) -> None:
    if not np.all(np.isfinite(counts) & (counts > 0)):
        raise ArgumentError(
            f"`counts` must be above 0 for every class; got {counts.tolist()}. A class without "
            "rows has no weight: leave it out, or find rows of it."
        )


def _given(counts: Any) -> tuple[Sequence[int], np.ndarray]:
    if not hasattr(counts, "items"):
        array = np.atleast_1d(np.asarray(counts))
        return range(len(array)), array
    counts = dict(counts.items())  # a Counter, or what pandas' value_counts gives: by name
    names = sorted(counts)
    whole = all(isinstance(name, int | np.integer) for name in names)
    keys = [int(name) for name in names] if whole else range(len(names))
    return keys, np.array([counts[name] for name in names])


def _check_keys(name: str, keys: Collection[Any]) -> None:
    """Raise unless keys are positions; Keras ignores what it does not know in silence."""
    if set(keys) != set(range(len(keys))):
        raise ArgumentError(
            f"`{name}` must have the keys 0 to {len(keys) - 1}, the positions of the classes that "
            f"the network is trained on; got {', '.join(map(repr, list(keys)[:5]))}. Encode the "
            "labels: `np.unique(y, return_inverse=True)[1]`."
        )
