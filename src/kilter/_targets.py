"""What losses and metrics accept: targets and outputs in the shapes that Keras users have.

The last axis of an output is the classes. One column is the probability or the logit of
class 1 of two; it becomes two columns, so that everything behind has one case.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import ops
from keras.src.backend import get_keras_mask  # there is no public way on JAX

from kilter._errors import ArgumentError
from kilter._ops import one_hot, where

TINY = 1e-37  # about the smallest normal float32: its logarithm is finite
ROUNDING = 1e-2  # half precision leaves 0 to 1 by less than this


def has_one_column(outputs: Any) -> bool:
    """Say whether an output holds class 1 of two classes only: shape (rows,) or (..., 1)."""
    return len(outputs.shape) == 1 or outputs.shape[-1] == 1


def to_logits(y_pred: Any, from_logits: bool) -> Any:
    """Return logits of shape (..., classes), at least in single precision.

    Logarithms of probabilities serve as logits: a softmax gives the probabilities back. What
    is no probability becomes ``nan``: logits taken for probabilities must not train in silence.
    """
    y_pred = _columns(y_pred)
    if y_pred.shape[-1] > 1:
        return y_pred if from_logits else _log(y_pred)
    if from_logits:
        return ops.concatenate([ops.zeros_like(y_pred), y_pred], axis=-1)
    return ops.concatenate([_log(1 - y_pred), _log(y_pred)], axis=-1)


def to_probabilities(y_pred: Any, from_logits: bool) -> Any:
    """Return probabilities of shape (..., classes), at least in single precision."""
    y_pred = _columns(y_pred)
    if y_pred.shape[-1] > 1:
        return ops.softmax(y_pred, axis=-1) if from_logits else y_pred
    if from_logits:
        return ops.concatenate([ops.sigmoid(-y_pred), ops.sigmoid(y_pred)], axis=-1)
    return ops.concatenate([1 - y_pred, y_pred], axis=-1)


def to_truth(y_true: Any, y_pred: Any) -> Any:
    """Return positions, int of shape (...,), or where rows carry more, shares (..., classes).

    ``y_true`` is positions of shape (...,) or (..., 1), or one-hot or soft rows (..., classes);
    with an output of one column it is the share of class 1.
    """
    rank = max(2, len(y_pred.shape))
    if has_one_column(y_pred):
        share = ops.cast(_drop_last(y_true, rank, "one column"), "float32")
        return ops.stack([1 - share, share], axis=-1)
    if len(y_true.shape) == rank and y_true.shape[-1] != 1:
        _check_columns(y_true.shape[-1], y_pred.shape[-1])
        return ops.cast(y_true, "float32")
    return ops.cast(_drop_last(y_true, rank, f"{y_pred.shape[-1]} columns"), "int32")


def to_shares(truth: Any, n_classes: int, dtype: Any = "float32") -> Any:
    """Return what `to_truth` gives as shares of shape (..., classes)."""
    return one_hot(truth, n_classes, dtype) if is_positions(truth) else truth


def is_known(truth: Any, n_classes: int) -> Any:
    """Say of which rows the truth is a class, or shares; bool of shape (...,)."""
    if is_positions(truth):
        return (truth >= 0) & (truth < n_classes)
    return ops.all(is_share(truth), axis=-1)


def known_rows(truth: Any, n_classes: int) -> tuple[Any, Any]:
    """Return the truth with class 0 in place of what is no class, and which rows have one.

    Backends differ on such a position: an error, a number, or nothing.
    """
    known = is_known(truth, n_classes)
    return (where(known, truth, 0) if is_positions(truth) else truth), known


def is_share(values: Any) -> Any:
    """Say which values lie in [0, 1], give or take rounding."""
    return (values >= -ROUNDING) & (values <= 1 + ROUNDING)


def or_nan(values: Any, sound: Any) -> Any:
    """Return values, and ``nan`` where they are not sound: wrong numbers look right."""
    return where(sound, values, float("nan"))


def row_weights(sample_weight: Any, rows: Any) -> Any:
    """Return a weight for each of the rows: the weight of a text is that of its tokens.

    Parameters
    ----------
    sample_weight : tensor, optional
        Of the shape of ``rows``, with or without a last axis of 1, or of its first axes.
    rows : tensor
        Something of the shape of the positions.
    """
    if sample_weight is None:
        return ops.ones(ops.shape(rows), dtype="float32")
    weights, rank = ops.cast(sample_weight, "float32"), len(rows.shape)
    if len(weights.shape) == rank + 1 and weights.shape[-1] in (1, None):
        weights = ops.squeeze(weights, axis=-1)
    missing = rank - len(weights.shape)
    if missing < 0:
        raise ArgumentError(
            "`sample_weight` must have one weight a label or fewer; got the shape "
            f"{tuple(weights.shape)} for labels of {rank} axes. Weigh rows rather than columns."
        )
    weights = ops.reshape(weights, (*ops.shape(weights), *(1,) * missing))
    return ops.broadcast_to(weights, ops.shape(rows))


def mask_out(weights: Any, y_pred: Any) -> Any:
    """Return weights, and 0 for the steps that Keras masks, such as the padding of short texts."""
    mask = get_keras_mask(y_pred)
    if mask is None or len(mask.shape) != len(weights.shape):
        return weights
    return where(ops.cast(mask, "bool"), weights, 0.0)


def at_least_single(values: Any) -> Any:
    """Return floats in single precision or more: half precision is raised."""
    values = ops.convert_to_tensor(values)
    return values if _dtype(values) in ("float32", "float64") else ops.cast(values, "float32")


def is_positions(truth: Any) -> bool:
    """Say whether what `to_truth` gave is positions rather than shares."""
    return "int" in _dtype(truth)


def _dtype(tensor: Any) -> str:
    return str(keras.backend.standardize_dtype(tensor.dtype))


def _columns(y_pred: Any) -> Any:
    y_pred = at_least_single(y_pred)
    return y_pred[:, None] if len(y_pred.shape) == 1 else y_pred


def _log(probabilities: Any) -> Any:
    return ops.log(ops.maximum(or_nan(probabilities, is_share(probabilities)), TINY))


def _drop_last(y_true: Any, rank: int, columns: str) -> Any:
    if len(y_true.shape) == rank and y_true.shape[-1] in (1, None):
        return ops.squeeze(y_true, axis=-1)
    if len(y_true.shape) == rank - 1:
        return y_true
    raise ArgumentError(
        f"`y_true` must have one label a row of `y_pred`, which has {columns}; got the shape "
        f"{tuple(y_true.shape)}. Pass positions of the classes, or one-hot rows where "
        "`y_pred` has a column a class."
    )


def _check_columns(given: int | None, wanted: int | None) -> None:
    if given is None:  # a column of positions or one a class: a guess would be silent
        raise ArgumentError(
            "`y_true` must have a known number of columns; got an unknown one. Set it in the "
            "pipeline: `tf.ensure_shape(y, (None, 1))` for positions of the classes."
        )
    if wanted is not None and given != wanted:
        raise ArgumentError(
            f"`y_true` must have the positions of the classes or {wanted} columns, as `y_pred` "
            f"has; got {given} columns."
        )
