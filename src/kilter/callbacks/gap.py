"""Watch training against validation, class by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from kilter._errors import ArgumentError
from kilter.callbacks._advice import change_of_gap, overfitting_lines, sentence
from kilter.callbacks._curve import Curve
from kilter.callbacks._rows import Rows, predict, read_rows, sample_rows
from kilter.metrics.calibration import EPSILON

QUANTITIES = ("loss", "val_loss", "recall", "val_recall", "gap")


class GapWatcher(keras.callbacks.Callback):
    """Say which class overfits, since which epoch, and what to do about it.

    Use it whenever a class is rare: the few rows that are learned by heart hardly show in the
    loss of all rows. Keras's own ``loss`` and ``val_loss`` are no fair pair either: the first is
    a mean over an epoch in which the weights move, with dropout, penalties and class weights.
    Here the same rows of both parts are predicted at the end of an epoch, as in production,
    and each class has the mean cross-entropy of its rows.

    A class overfits where, three watched epochs in a row, its validation loss is above its
    lowest point by 10% and by more than chance explains, while its training loss is below
    what it was then. Chance is judged by Student's t, at 1%, on the same rows at both epochs and
    on the jitter between epochs, so that three rows do not shout. With fewer than about 30
    validation rows only strong overfitting is told from chance.

    Parameters
    ----------
    training_data : tuple (x, y) or dataset
        The rows that the model learns from, before they are repeated or changed. ``x`` as in
        ``model.predict``, ``y`` positions of the classes, of shape (rows,) or (rows, 1), or
        one-hot rows. A finite dataset of such batches is read once and kept.
    validation_data : tuple (x, y) or dataset
        Alike; all rows are predicted.
    every : int
        Watch every that many epochs.
    class_names : sequence of str, optional
        Names in the order of the classes; positions if not given.
    from_logits : bool
        Whether the model ends in logits rather than probabilities.
    max_rows : int
        Training rows to predict. Rare classes are there whole.
    seed : int
        Makes the choice of training rows repeatable.
    batch_size : int
        Rows predicted at once.
    verbose : int
        1 to print when a class begins to overfit, and the report when training ends.

    Attributes
    ----------
    history : list of dict
        One dict a watched epoch: ``epoch``, from 0, and ``loss``, ``val_loss``, ``recall``,
        ``val_recall`` and ``gap``, arrays of shape (classes,); NaN where a class has no rows.
        Losses are in nats; the gap is validation minus training. ``logs`` gets
        ``gap_<class>``, ``val_loss_<class>`` and ``val_recall_<class>``, which callbacks that
        stand behind this one can use.
    overfitting : list of str
        Names of the classes that overfit at the last watched epoch.

    Raises
    ------
    ArgumentError
        If an argument cannot be used; in ``fit``, if the model has several outputs or ends in
        logits and ``from_logits`` is False.

    Examples
    --------
    >>> x, y = np.zeros((8, 2)), np.array([0, 0, 0, 1, 0, 0, 0, 1])
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")])
    >>> model.compile("sgd", loss="sparse_categorical_crossentropy")
    >>> watcher = GapWatcher((x[:4], y[:4]), (x[4:], y[4:]), class_names=["ham", "spam"])
    >>> history = model.fit(x[:4], y[:4], epochs=2, callbacks=[watcher], verbose=0)
    No sign of overfitting: `ham`, `spam`.
    >>> watcher.history[-1]["gap"].tolist()
    [0.0, 0.0]
    """

    def __init__(
        self,
        training_data: Any,
        validation_data: Any,
        *,
        every: int = 1,
        class_names: Sequence[str] | None = None,
        from_logits: bool = False,
        max_rows: int = 2000,
        seed: int = 0,
        batch_size: int = 1024,
        verbose: int = 1,
    ) -> None:
        super().__init__()
        if not every >= 1:
            raise ArgumentError(f"`every` must be at least 1, a number of epochs; got {every}.")
        self.every = every
        self.from_logits = from_logits
        self.batch_size = batch_size
        self.verbose = verbose
        self._training = sample_rows(read_rows(training_data, "training_data"), max_rows, seed)
        self._validation = read_rows(validation_data, "validation_data")
        self.class_names = _check_names(class_names, self._training, self._validation)
        self._forget()

    @property
    def overfitting(self) -> list[str]:
        """Names of the classes that overfit at the last watched epoch."""
        return [curve.name for curve in self._curves if curve.overfits]

    def report(self) -> str:
        """Return in words which class overfits, since when, by how much, and what to try."""
        if not self.history:
            return "No epoch was watched yet."
        return "\n".join(overfitting_lines(self._curves))

    def compare(self, before: GapWatcher) -> str:
        """Say in words how the gap of each class changed since another training.

        Parameters
        ----------
        before : GapWatcher
            Of that training, on the same rows and classes.

        Returns
        -------
        str
            A line a class: the gap at the last watched epoch, and the lowest validation loss.

        Raises
        ------
        ArgumentError
            If one has watched no epoch, or the classes differ.
        """
        if not (self.history and before.history):
            raise ArgumentError("`before` and this must each have watched an epoch. Run `fit`.")
        if self.class_names != before.class_names:
            raise ArgumentError(
                f"`before` must have the same classes, {self.class_names}; got "
                f"{before.class_names}."
            )
        pairs = zip(self.class_names, _gaps(before), _gaps(self), strict=True)
        return "\n".join(change_of_gap(*pair) for pair in pairs)

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Forget what an earlier ``fit`` showed."""
        self._forget()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Predict both parts, add to the curves, and log; between watched epochs, log again."""
        if epoch % self.every == 0 or not self.history:
            before = self.overfitting
            self._watch(epoch)
            if self.verbose:
                self._print_new(before)
        if logs is not None:
            logs.update(self._logs())

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Print the report."""
        if self.verbose:
            print(self.report())

    def _forget(self) -> None:
        self.history: list[dict[str, Any]] = []
        self._curves = [Curve(name) for name in self.class_names]

    def _watch(self, epoch: int) -> None:
        losses, hits = self._judge(self._training, "training_data")
        val_losses, val_hits = self._judge(self._validation, "validation_data")
        for k, curve in enumerate(self._curves):
            own, val = self._training.labels == k, self._validation.labels == k
            curve.recall, curve.val_recall = _mean(hits[own]), _mean(val_hits[val])
            curve.add(epoch, losses[own], val_losses[val])
        columns = {q: np.array([getattr(c, q) for c in self._curves]) for q in QUANTITIES}
        self.history.append({"epoch": epoch, **columns})

    def _judge(self, rows: Rows, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Return the cross-entropy of each row, and whether its class is the likeliest."""
        found = predict(self.model, rows, self.from_logits, self.batch_size, name)
        own = found[np.arange(len(found)), rows.labels]
        return -np.log(np.clip(own, EPSILON, 1)), found.argmax(axis=1) == rows.labels

    def _logs(self) -> dict[str, float]:
        last = self.history[-1]
        return {
            f"{quantity}_{name}": float(last[quantity][k])
            for quantity in ("gap", "val_loss", "val_recall")
            for k, name in enumerate(self.class_names)
        }

    def _print_new(self, before: list[str]) -> None:
        for curve in self._curves:
            if curve.overfits and curve.name not in before:
                print(f"\n{sentence(curve)}")


def _gaps(watcher: GapWatcher) -> list[tuple[float, float]]:
    """Return the last gap and the lowest validation loss of each class."""
    lowest = np.array([epoch["val_loss"] for epoch in watcher.history]).min(axis=0)
    return list(zip(watcher.history[-1]["gap"], lowest, strict=True))


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _check_names(names: Sequence[str] | None, *parts: Rows) -> list[str]:
    n_classes = 1 + max(int(part.labels.max()) for part in parts)
    if names is None:
        return [str(k) for k in range(n_classes)]
    if len(names) < n_classes or len(set(names)) < len(names):
        raise ArgumentError(
            f"`class_names` must be different names of {n_classes} classes; got {list(names)}."
        )
    return [str(name) for name in names]
