"""Early stopping on a ranking that only few rows decide."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from sklearn.metrics import roc_auc_score

from kilter._errors import ArgumentError, did_you_mean
from kilter.callbacks._rows import Rows, predict, read_rows
from kilter.metrics import average_precision, log_loss
from kilter.metrics._inputs import check_class

PRIOR = 5
"""Earlier epochs count like this many rows of the class; see benchmarks/early_stopping.py."""
FEW = 10


def _roc_auc(labels: np.ndarray, probabilities: np.ndarray, positive: int) -> float:
    classes = [positive] if probabilities.shape[1] == 2 else np.unique(labels)
    areas = [roc_auc_score(labels == k, probabilities[:, k]) for k in classes]
    return float(np.mean(areas))


def _log_loss(labels: np.ndarray, probabilities: np.ndarray, positive: int) -> float:
    return log_loss(labels, probabilities)


METRICS: dict[str, tuple[Callable[[np.ndarray, np.ndarray, int], float], str]] = {
    "average_precision": (average_precision, "max"),
    "log_loss": (_log_loss, "min"),
    "roc_auc": (_roc_auc, "max"),
}


class RunningMean:
    """Mean of the epochs so far, in which earlier ones fade: their weight is geometric.

    The weight that an epoch keeps is ``5 / (5 + positives)``: with 3 rows of a class the
    mean looks far back, with 1,000 it is the last value.

    Parameters
    ----------
    positives : int
        Rows of the rarest class.

    Examples
    --------
    >>> mean = RunningMean(positives=5)
    >>> mean.add(0.3), mean.add(0.6)
    (0.3, 0.5)
    """

    def __init__(self, positives: int) -> None:
        self.keep = PRIOR / (PRIOR + positives)
        self._total = self._weight = 0.0

    def add(self, value: float) -> float:
        """Return the mean with one more epoch."""
        self._total = self.keep * self._total + value
        self._weight = self.keep * self._weight + 1
        return self._total / self._weight


class RankingEarlyStopping(keras.callbacks.EarlyStopping):
    """Stop training when the validation rows are no longer ranked better.

    Use it in place of Keras's ``EarlyStopping`` where a class is rare. The metric is exact and
    computed on all validation rows at once, by one ``predict`` an epoch. With few rows of a
    class it jumps from epoch to epoch, and its maximum is luck, so a running mean over the
    epochs decides; the fewer rows, the further back it looks. On four tables with 3 validation
    rows of the class, the average precision of the chosen epoch was 14% below the best
    epoch's, and with Keras's maximum 21%; with 100 rows it makes no difference.

    Logged is the plain value, as ``val_<metric>``, with or without ``validation_data`` in
    ``fit``; callbacks that stand behind this one can use it.

    Parameters
    ----------
    validation_data : tuple (x, y) or dataset
        ``x`` as in ``model.predict``, ``y`` positions of the classes, of shape (rows,) or
        (rows, 1), or one-hot rows. A finite dataset of such batches is read once and kept.
    metric : {"average_precision", "roc_auc", "log_loss"}
        With more than two classes, rankings are means of one class against the rest. The log
        loss is for where probabilities matter more than the ranking. It is no better guide to
        the ranking, even with few rows: networks that rank well may be overconfident.
    patience : int
        Epochs without improvement before training stops.
    positive : int, optional
        Position of the class that is ranked, of two; the rarer one in ``y`` if not given.
    from_logits : bool
        Whether the model ends in logits rather than probabilities.
    restore_best_weights : bool
        Whether the model gets the weights of ``best_epoch`` back when training ends, stopped
        or not.
    start_from_epoch : int
        Epochs before this one are not chosen; where weights are deferred, their start.
    batch_size : int
        Rows predicted at once.
    verbose : int
        1 to say when training stops.

    Attributes
    ----------
    best_epoch : int
        The chosen epoch, from 0.
    stopped_epoch : int
        The epoch that stopped training, from 0; 0 if none did.
    best : float
        The running mean at ``best_epoch``.

    Warns
    -----
    UserWarning
        If a class has fewer than ten validation rows: the chosen epoch is then partly luck.

    Raises
    ------
    ArgumentError
        If ``metric`` is unknown or ``validation_data`` has one class only; in ``fit``, if the
        model has several outputs or ends in logits and ``from_logits`` is False.

    References
    ----------
    Prechelt: Early stopping, but when? Neural Networks: Tricks of the Trade, 1998.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(200, 2)), np.arange(200) % 10 == 0
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    >>> model.compile("sgd", loss="binary_crossentropy")
    >>> stopper = RankingEarlyStopping((x[:100], y[:100]))
    >>> history = model.fit(x[100:], y[100:], epochs=2, callbacks=[stopper], verbose=0).history
    >>> sorted(history)
    ['loss', 'val_average_precision']
    """

    def __init__(
        self,
        validation_data: Any,
        metric: str = "average_precision",
        *,
        patience: int = 10,
        positive: int | None = None,
        from_logits: bool = False,
        restore_best_weights: bool = True,
        start_from_epoch: int = 0,
        batch_size: int = 1024,
        verbose: int = 0,
    ) -> None:
        if metric not in METRICS:
            raise ArgumentError(
                f"`metric` must be one of {', '.join(METRICS)}; got `{metric}`."
                + did_you_mean(str(metric), METRICS)
            )
        super().__init__(
            f"val_{metric}",
            mode=METRICS[metric][1],
            patience=patience,
            restore_best_weights=restore_best_weights,
            start_from_epoch=start_from_epoch,
            verbose=verbose,
        )
        self.metric = metric
        self.from_logits = from_logits
        self.batch_size = batch_size
        self._rows = read_rows(validation_data, "validation_data")
        self.positive = _choose_class(self._rows, positive)
        self._positives = _count_rarest(self._rows)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget what an earlier ``fit`` found."""
        super().on_train_begin(logs)
        self._mean = RunningMean(self._positives)

    def get_monitor_value(self, logs: dict[str, Any] | None) -> float:
        """Log the metric and return the running mean, which Keras's logic then compares."""
        value = self._measure()
        if logs is not None:
            logs[self.monitor] = value
        if np.isnan(value):  # a network that diverged: worse than any other
            return -np.inf if self.mode == "max" else np.inf
        return self._mean.add(value)

    def _measure(self) -> float:
        found = predict(
            self.model, self._rows, self.from_logits, self.batch_size, "validation_data"
        )
        if np.isnan(found).any():
            return float("nan")
        return METRICS[self.metric][0](self._rows.labels, found, self.positive)


def _choose_class(rows: Rows, positive: int | None) -> int:
    """Return the class to rank of two; of more classes, it is not asked for."""
    classes, counts = np.unique(rows.labels, return_counts=True)
    if len(classes) < 2:
        raise ArgumentError(
            "`validation_data` must have rows of at least two classes; got class "
            f"{classes[0]} only. Split with strata: `kilter.data.split`."
        )
    rarest = int(classes[::-1][np.argmin(counts[::-1])])  # class 1 where both are as frequent
    return rarest if positive is None else check_class(positive, int(classes[-1]) + 1)


def _count_rarest(rows: Rows) -> int:
    """Return the rows of the rarest class; warn if they are few."""
    counts = np.bincount(rows.labels)
    rarest = int(np.argmin(np.where(counts, counts, len(rows.labels))))
    if counts[rarest] < FEW:
        warnings.warn(
            f"`validation_data` has {counts[rarest]} rows of class {rarest}: the epoch that it "
            "chooses is partly luck. Hold out more rows of it, or use `kilter.compare`, which "
            "judges on several folds.",
            stacklevel=3,
        )
    return int(counts[rarest])
