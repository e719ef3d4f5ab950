"""Weights and draws that change the last epochs only, after the features are learned."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from kilter._errors import ArgumentError
from kilter._numbers import is_whole
from kilter.losses.base import RowLoss
from kilter.weights import as_class_weights

ROUNDING = 1e-9  # .29 * 100 is a little less than 29, which is meant


class DeferredReweighting(keras.callbacks.Callback):
    """Give a loss its class weights late in training: deferred re-weighting, DRW.

    Use it instead of class weights from the first epoch on, which harm the features that a
    network learns; with `kilter.losses.LDAM` it is LDAM-DRW. The weights act in the training
    and in the validation loss, and nothing is compiled again.

    Parameters
    ----------
    class_weights : ClassWeights, dict, or sequence of shape (classes,)
        Weights from ``start`` on. Before, all are 1, whatever the loss was made with.
    start : float or int
        A float in (0, 1) is the share of the epochs to wait, an int their number.
    loss : loss of `kilter.losses`, optional
        Which loss to weigh, where the model is compiled with several.

    Notes
    -----
    The validation loss jumps at ``start``: let early stopping begin there, with
    ``start_from_epoch``, or monitor a metric without weights.

    The loss keeps the weights of the last epoch: in ``evaluate``, in a saved model, in a ``fit``
    without this callback. A ``fit`` with it starts anew. Weights change the predicted
    probabilities: calibrate afterwards.

    Raises
    ------
    ArgumentError
        If ``start`` is no share or number of epochs; in ``fit``, if the model is compiled with
        no loss of kilter, or with several and ``loss`` does not say which, or if the weights
        are not as many as its classes.

    References
    ----------
    Cao et al.: Learning imbalanced datasets with label-distribution-aware margin loss,
    NeurIPS 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from kilter.losses import CrossEntropy
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    >>> model.compile(keras.optimizers.SGD(0.0), loss=CrossEntropy(from_logits=True))
    >>> callback = DeferredReweighting([1.0, 9.0], start=0.5)
    >>> x, y = np.zeros((4, 2)), np.array([0, 0, 1, 1])
    >>> history = model.fit(x, y, epochs=4, callbacks=[callback], verbose=0).history
    >>> [round(value, 2) for value in history["loss"]]
    [0.69, 0.69, 3.47, 3.47]
    """

    def __init__(self, class_weights: Any, start: float = 0.8, loss: RowLoss | None = None) -> None:
        super().__init__()
        self.class_weights = as_class_weights(class_weights)
        self.start = check_start(start)
        self.loss = loss

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Let the compiled steps read the weights from a variable."""
        self._target = _find_loss(self.model, self.loss)
        _carry(self.model, self._target.reweight(np.ones_like(self.class_weights)))

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the weights of the epoch, in training and validation."""
        late = epoch >= first_epoch(self.start, self.params["epochs"])
        self._target.reweight(self.class_weights if late else np.ones_like(self.class_weights))


class DeferredResampling(keras.callbacks.Callback):
    """Draw batches another way late in training: deferred re-sampling, DRS.

    Use it instead of balanced batches from the first epoch on, which harm the features that a
    network learns.

    Parameters
    ----------
    batches : BalancedBatches
        What the model is trained on, made with the draw of the first epochs: "natural".
    draw : {"balanced", "square-root", "natural"} or float
        The draw from ``start`` on, as in `kilter.sampling.BalancedBatches`.
    start : float or int
        A float in (0, 1) is the share of the epochs to wait, an int their number.

    Notes
    -----
    The batches get their own draw back when training ends, and when it starts again. Sampling
    changes the predicted probabilities: calibrate afterwards.

    No batch of the old draw comes after ``start`` unless Keras has fetched it before: up to an
    epoch of them with ``workers`` above 1, and a few where ``steps_per_epoch`` is less than the
    number of batches.

    Raises
    ------
    ArgumentError
        If ``start`` is no share or number of epochs, or ``draw`` cannot be used.

    References
    ----------
    Cao et al.: Learning imbalanced datasets with label-distribution-aware margin loss,
    NeurIPS 2019. Kang et al.: Decoupling representation and classifier for long-tailed
    recognition, ICLR 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from kilter.sampling import BalancedBatches
    >>> x, y = np.zeros((100, 2)), np.array([0] * 90 + [1] * 10)
    >>> batches = BalancedBatches(x, y, batch_size=50, draw="natural")
    >>> callback = DeferredResampling(batches, start=0.5)
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    >>> model.compile("sgd", loss="binary_crossentropy")
    >>> history = model.fit(batches, epochs=2, callbacks=[callback], verbose=0)
    >>> batches.draw
    'natural'
    """

    def __init__(self, batches: Any, draw: str | float = "balanced", start: float = 0.8) -> None:
        super().__init__()
        self.batches = batches
        self.draw = draw
        self.start = check_start(start)
        self._before = batches.draw
        batches.draw = draw  # a name that does not exist fails here, not late in training
        batches.draw = self._before

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Set the draw of the epoch: Keras asks for its first batch after this."""
        late = epoch >= first_epoch(self.start, self.params["epochs"])
        self.batches.draw = self.draw if late else self._before

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Give the batches their own draw back."""
        self.batches.draw = self._before


def check_start(start: float) -> float:
    """Return when to start; raise unless it is a share in (0, 1) or a number of epochs."""
    whole = is_whole(start)
    if isinstance(start, bool) or not (start >= 0 if whole else 0 < start < 1):
        raise ArgumentError(
            "`start` must be a share of the epochs between 0 and 1, as 0.8, or a number of "
            f"epochs, as 160; got {start!r}."
        )
    return int(start) if whole else float(start)


def first_epoch(start: float, epochs: int) -> int:
    """Return the number of epochs before the start.

    Examples
    --------
    >>> first_epoch(0.8, 200), first_epoch(0.8, 3), first_epoch(7, 200)
    (160, 2, 7)
    """
    return int(start * epochs + ROUNDING) if isinstance(start, float) else int(start)


def _find_loss(model: Any, loss: RowLoss | None) -> RowLoss:
    compiled = {id(one): one for one in keras.tree.flatten(model.loss) if isinstance(one, RowLoss)}
    if loss is None and len(compiled) == 1:
        return next(iter(compiled.values()))
    if loss is None and compiled:
        raise ArgumentError(
            f"`loss` must say which of the {len(compiled)} losses of kilter gets the weights. "
            "Pass the very loss that `compile` got."
        )
    if id(loss) not in compiled:
        raise ArgumentError(
            "`model` must be compiled with the loss of kilter that gets the weights, such as "
            f"`kilter.losses.CrossEntropy()`; got {model.loss!r}."
        )
    return compiled[id(loss)]


def _carry(model: Any, variable: keras.Variable) -> None:
    """Make a variable part of the state of the compiled steps, if it is not yet.

    JAX hands a step the variables of layers and of metrics; those of layers would be saved.
    Steps compiled before know the weights as constants: they are made anew.
    """
    if _knows(model, variable):
        return
    model._metrics.append(_Carrier(variable))
    if not _knows(model, variable):
        raise ArgumentError(
            "`metrics` of the model must list what `super().metrics` does, with which kilter "
            f"hands weights to the compiled step; `{type(model).__name__}` leaves them out."
        )
    model.make_train_function(force=True)
    model.make_test_function(force=True)


def _knows(model: Any, variable: keras.Variable) -> bool:
    return any(variable is known for known in model.metrics_variables)


class _Carrier(keras.metrics.Metric):
    """A metric that measures nothing and logs nothing: it holds a variable."""

    def __init__(self, variable: keras.Variable) -> None:
        super().__init__(name="class_weights")
        self._variable = variable

    def reset_state(self) -> None:
        """Keep the variable: Keras resets metrics at every epoch."""

    def update_state(self, *values: Any, **options: Any) -> None:
        """Take nothing in."""

    def result(self) -> dict[str, Any]:
        """Return nothing to log."""
        return {}
