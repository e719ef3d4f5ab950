"""A Keras metric that shows every class, in the logs and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras import ops

from kilter._errors import ArgumentError
from kilter._export import register
from kilter.metrics.counts import Counts, Outcomes


@register
class PerClassReport(Counts):
    """Precision, recall and F1 of every class, logged one by one.

    Use it to see which class a mean hides, for a handful of classes: each has three entries in
    the logs, ``precision_<class>``, ``recall_<class>`` and ``f1_<class>``, with ``val_`` before
    them for validation data. Keras has none. A class that is never predicted scores 0.

    Call ``evaluate`` with ``return_dict=True``, which says what is what. To stop early on one
    class, pass ``EarlyStopping`` a ``mode="max"``, or watch ``Recall(average=position)``.

    Parameters
    ----------
    names : sequence of str, optional
        Names of the classes in the order of their positions; the positions if not given.
    threshold, from_logits, dtype
        As in `Counts`.
    name : str, optional
        If given it stands before the entries, as in ``<name>_recall_<class>``, so that the
        reports on two outputs of a model are told apart.

    Raises
    ------
    ArgumentError
        As `Counts`, and if ``names`` are not all different or not one a class.

    Examples
    --------
    >>> report = PerClassReport(names=["good", "fraud"])
    >>> result = report([0, 0, 0, 1], [0.1, 0.2, 0.9, 0.8])
    >>> float(result["precision_fraud"])
    0.5
    >>> print(report.table())
    class  precision  recall     f1  support
    good       1.000   0.667  0.800        3
    fraud      0.500   1.000  0.667        1
    """

    _default_name = "per_class_report"

    def __init__(self, names: Sequence[str] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.names = None if names is None else [str(name) for name in names]
        if self.names is not None and len(set(self.names)) < len(self.names):
            raise ArgumentError(
                f"`names` must all be different, as they tell the entries apart; got {self.names}."
            )

    def create(self, n_classes: int) -> None:
        """Make the confusion matrix."""
        if self.names is not None and len(self.names) != n_classes:
            raise ArgumentError(
                f"`names` must have one name a class, {n_classes}; got {len(self.names)}. "
                "Pass them in the order of the positions."
            )
        super().create(n_classes)

    def result(self) -> dict[str, Any]:
        """Return the entries by name; none before the first batch."""
        start = "" if self.name == self._default_name else f"{self.name}_"
        if self.n_classes is None:
            return {}
        return {
            f"{start}{column}_{name}": ops.cast(value, self.dtype)
            for column, values in _columns(self.outcomes()).items()
            for name, value in zip(self._labels(), ops.unstack(values, axis=0), strict=True)
        }

    def table(self) -> str:
        """Return the report as a text table, with the rows of each class or their weight.

        After ``fit`` or ``evaluate`` it is about the rows seen last, those of validation.
        """
        if self.n_classes is None:
            return "no rows yet"
        rows = ops.convert_to_numpy(self.counts).sum(axis=1)
        decimals = 2 if (rows % 1).any() else 0
        columns = [ops.convert_to_numpy(values) for values in _columns(self.outcomes()).values()]
        width = max(map(len, ["class", *self._labels()]))
        lines = [f"{'class':<{width}}  precision  recall     f1  support"]
        for name, *numbers, support in zip(self._labels(), *columns, rows, strict=True):
            precision, recall, f1 = numbers
            line = f"{name:<{width}}  {precision:>9.3f}  {recall:>6.3f}  {f1:>5.3f}"
            lines.append(f"{line}  {support:>7.{decimals}f}")
        return "\n".join(lines)

    def _labels(self) -> list[str]:
        return self.names or [str(position) for position in range(self.n_classes or 0)]

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the metric again."""
        return {**super().get_config(), "names": self.names}


def _columns(outcomes: Outcomes) -> dict[str, Any]:
    """Return what is said of every class, each of shape (classes,)."""
    tp, fn, fp, _ = outcomes
    return {
        "precision": ops.divide_no_nan(tp, tp + fp),
        "recall": outcomes.recall,
        "f1": ops.divide_no_nan(2 * tp, 2 * tp + fn + fp),
    }
