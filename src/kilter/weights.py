"""Class weights from labels or counts, for Keras, for losses, and as a matrix of costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from kilter._errors import ArgumentError, ArgumentTypeError, did_you_mean

SUM_TOLERANCE = 1e-3  # how far from 1 a row of shares may sum: half precision, rounding


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
    keys, found = _tally(y, multi_label) if counts is None else _given(counts)
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
    return _tally(y, multi_label)[1]


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


def _tally(y: Any, multi_label: bool | None) -> tuple[Sequence[int], np.ndarray]:
    """Return the key and the count of every class."""
    labels = _plain(_to_array(y))
    if multi_label:
        return _tally_columns(labels)
    if labels.ndim > 1 and labels.shape[-1] > 1 and labels.dtype.kind in "iuf":
        positions = multi_label is False and _is_binary(labels)
        shares = None if positions else _shares(labels)
        if shares is not None:
            return range(len(shares)), shares
        if multi_label is None and _has_two_readings(labels):
            raise ArgumentError(
                f"`y` of shape {labels.shape} holds 0 and 1 only, which can be columns or a "
                "position a pixel. Pass `multi_label=True` for many labels a row, "
                "`multi_label=False` for positions, or one-hot pixels as floats."
            )
    if labels.dtype.kind in "iuf":
        return _tally_numbers(labels)
    counts = _unique(labels)[1]
    return range(len(counts)), counts


def _plain(labels: np.ndarray) -> np.ndarray:
    """Return labels as numbers where they are, after a look for what cannot be a label."""
    if not labels.size:
        raise ArgumentError("`y` must have at least one label; got none.")
    if labels.dtype.kind == "b":
        return labels.view(np.uint8)
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ArgumentError("`y` must have a label in every row; got NaN or infinity. Drop them.")
    if labels.dtype.kind == "O" and any(map(_is_missing, labels.flat)):
        raise ArgumentError("`y` must have a label in every row; some are missing. Drop them.")
    whole = labels.dtype.kind == "O" and all(isinstance(one, int) for one in labels.flat)
    return labels.astype(np.int64) if whole else labels


def _to_array(y: Any) -> np.ndarray:
    """Return labels as an array; numpy makes text of a list of text and something else."""
    labels = np.asarray(y)
    return np.asarray(y, object) if labels.dtype.kind in "US" and labels is not y else labels


def _is_missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except TypeError:  # pandas' NA is neither equal nor unequal
        return True


def _has_two_readings(labels: np.ndarray) -> bool:
    one_hot = labels.ndim > 2 and bool((labels.sum(axis=-1) == 1).all())
    return (labels.ndim == 2 or one_hot) and _is_binary(labels)


def _is_binary(labels: np.ndarray) -> bool:
    return labels.min() >= 0 and labels.max() <= 1 and bool(np.all(labels == np.round(labels)))


def _tally_columns(labels: np.ndarray) -> tuple[Sequence[int], np.ndarray]:
    if labels.ndim != 2 or labels.dtype.kind not in "iuf" or not _is_binary(labels):
        raise ArgumentError(
            f"`y` must be 0 and 1 of shape (rows, labels) for `multi_label=True`; got "
            f"{labels.dtype} of shape {labels.shape}."
        )
    present = labels.sum(axis=0, dtype=np.int64)
    return range(labels.shape[1]), np.stack([len(labels) - present, present], axis=1)


def _shares(labels: np.ndarray) -> np.ndarray | None:
    """Return the column sums of one-hot or soft rows, or None for other matrices.

    A mask of whole numbers may have a single 1 in every line: for pixels only floats count.
    """
    if labels.min() < 0 or labels.max() > 1 or (labels.ndim > 2 and labels.dtype.kind != "f"):
        return None
    if np.any(np.abs(labels.sum(axis=-1) - 1) > SUM_TOLERANCE):
        return None
    flat = labels.reshape(-1, labels.shape[-1])
    return flat.sum(axis=0, dtype=np.float64 if labels.dtype.kind == "f" else np.int64)


def _tally_numbers(labels: np.ndarray) -> tuple[Sequence[int], np.ndarray]:
    whole = labels.dtype.kind != "f" or bool(np.all(labels == np.round(labels)))
    if not whole:
        counts = _unique(labels)[1]
        return range(len(counts)), counts
    flat = labels.ravel()
    low, high = int(flat.min()), int(flat.max())
    if low < 0 or labels.dtype.kind == "f":  # room for differences
        flat = flat.astype(np.int64)
    if high - low > max(1024, 2 * flat.size):  # a bin for every number between would not fit
        classes, counts = _unique(flat)
        return classes.tolist(), counts
    found = np.bincount(flat - low if low else flat)
    present = np.flatnonzero(found)
    return (present + low).tolist(), found[present]


def _unique(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    try:
        return np.unique(labels, return_counts=True)
    except TypeError as error:
        raise ArgumentTypeError(
            f"`y` must hold labels that sort, all of one type; got {error}. "
            "Turn them into text: `[str(label) for label in y]`."
        ) from error
