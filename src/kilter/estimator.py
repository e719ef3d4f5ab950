"""The scikit-learn face."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import narwhals as nw
import numpy as np
import pyarrow as pa
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from kilter._errors import ArgumentTypeError
from kilter._numbers import is_whole
from kilter._types import Dataset
from kilter.comparison import Plan, Remedy
from kilter.comparison.remedy import Decide, find_remedies
from kilter.comparison.run import fit, possible_folds, run
from kilter.data import load
from kilter.data.read import without_index

AUTO = "auto"
TUNED_FROM = 3  # times the rows of the smallest class
SEEDS, MOST_SEEDS = 3, 10
SEED_ROWS = 30_000  # that all seeds learn from together


class KilterClassifier(ClassifierMixin, BaseEstimator):
    """A calibrated network for a table with a rare class, as a scikit-learn estimator.

    Use it in a pipeline, a grid search or a cross-validation; `kilter.compare` shows more of
    what it found. Frames may hold text, categories, dates and missing values as they are:
    nothing has to be encoded before.

    Parameters
    ----------
    remedy : str or Remedy
        What is done about the imbalance, by name; ``auto`` runs `kilter.compare` and takes the
        best one if it surely helps, which takes many times as long.
    folds, seeds : int
        Networks are trained on so many folds, with so many seeds each, to find the number of
        epochs, the calibrator and the threshold. The model averages one network a seed that
        learns from all rows. If ``seeds`` is None there are ten where rows are few, as an
        average gains most there, three for 10,000 rows, and one above 15,000. A remedy that
        joins several networks has fewer seeds, so that as many are averaged; ``auto`` has three.
    metric : str
        What the best remedy is best at, and the threshold where it can be: see `kilter.compare`.
    network : {"tabm", "mlp"}
        An ensemble in one network, or a plain perceptron.
    build : function, keras.Model or str, optional
        A network of your own in its place, as `kilter.Plan` takes it.
    members, hidden, dropout
        Of the network. Eight members for four gain a little above some 2,000 rows, and take twice
        as long.
    epochs, patience, batch_size, learning_rate, weight_decay
        Of the training, as `kilter.Plan` has them.
    min_recall : float, optional
        Put the threshold as high as this recall of the rarest class allows.
    executor : {"auto", "lanes", "sequential", "ray"}
        How to train.
    random_state : int, RandomState or None
        The same number gives the same model; None another one each time.

    Attributes
    ----------
    classes_ : array of shape (classes,)
        The labels, sorted.
    model_ : Model
        What ``kilter.load`` would load; ``model_.save(path)`` writes it.
    result_ : Result
        Of the comparison, if ``remedy`` is ``auto``.
    n_features_in_, feature_names_in_
        As scikit-learn has them.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> import kilter
    >>> x, y = make_classification(200, 4, weights=[0.9], random_state=0)
    >>> quick = {"folds": 2, "seeds": 1, "epochs": 2, "network": "mlp"}
    >>> kilter.KilterClassifier(**quick).fit(x, y).predict_proba(x).shape
    (200, 2)
    """

    def __init__(
        self,
        remedy: str | Remedy = "none+threshold",
        *,
        folds: int = 5,
        seeds: int | None = None,
        metric: str = "auprc",
        network: str = "tabm",
        build: Any = None,
        members: int = 4,
        hidden: tuple[int, ...] = (64, 64),
        dropout: float = 0.1,
        epochs: int = 200,
        patience: int = 20,
        batch_size: int | None = None,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-2,
        min_recall: float | None = None,
        executor: str = "auto",
        random_state: Any = 0,
    ) -> None:
        self.remedy = remedy
        self.folds = folds
        self.seeds = seeds
        self.metric = metric
        self.network = network
        self.build = build
        self.members = members
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.min_recall = min_recall
        self.executor = executor
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Train on rows and labels.

        Parameters
        ----------
        X : array or dataframe of shape (rows, columns)
        y : array of shape (rows,)
            At least two classes. Each should have six different rows or more: with fewer, none
            are left to calibrate on, and a warning says so; ``auto`` cannot compare then.
        groups : array of shape (rows,), optional
            Rows of a group stay in the same fold.

        Raises
        ------
        KilterError
            With a sentence that says what is wrong and what to do; a ``ValueError`` too.
        """
        table = self._table(X, reset=True)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        dataset = _dataset(table, y, groups)
        self.classes_ = np.unique(y)
        if self.remedy == AUTO:
            plan = self._plan(find_remedies(None), dataset)
            plan = dataclasses.replace(plan, folds=possible_folds(plan, dataset) or plan.folds)
            self.result_ = run(plan, dataset, executor=self.executor)
            self.model_ = self.result_.model
        else:
            plan = self._plan(find_remedies([self.remedy])[-1:], dataset)
            self.model_ = fit(plan, dataset, executor=self.executor)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return calibrated probabilities, (rows, classes)."""
        check_is_fitted(self)
        return self.model_.predict_proba(self._table(X, reset=False))

    def predict(self, X: Any) -> np.ndarray:
        """Return labels, (rows,).

        Where the largest class has at least three times the rows of the smallest, or
        ``min_recall`` is asked for, a threshold decides that was tuned on validation rows; else
        the most probable class wins.
        """
        probabilities = self.predict_proba(X)
        labels: np.ndarray = self.classes_[self.model_.decision.apply(probabilities)]
        return labels

    def __sklearn_tags__(self) -> Any:
        """Return what scikit-learn may expect."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _plan(self, remedies: Sequence[Remedy], dataset: Dataset) -> Plan:
        if self.min_recall is None and _are_alike(dataset.labels):
            remedies = [dataclasses.replace(one, decide=Decide(tuned=False)) for one in remedies]
        named = {field.name for field in dataclasses.fields(Plan)} & set(self.get_params())
        settings = {name: getattr(self, name) for name in named}
        if self.seeds is None:
            settings["seeds"] = self._seeds(len(dataset), remedies)
        return Plan(tuple(remedies), seed=self._seed(), **settings)

    def _seed(self) -> int:
        """Return the number that `random_state` is, or draws."""
        if is_whole(self.random_state):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(1 << 31))

    def _seeds(self, rows: int, remedies: Sequence[Remedy]) -> int:
        """Return how many seeds average as many networks, whatever the remedy joins."""
        if self.remedy == AUTO:
            return SEEDS
        networks = np.clip(SEED_ROWS // rows, 1, MOST_SEEDS)
        return int(max(1, networks // len(remedies[-1].trainings)))

    def _table(self, X: Any, reset: bool) -> pa.Table:
        """Return the columns as a table; those of an array are named by their place."""
        frame = nw.from_native(X, pass_through=True, eager_only=True)
        if isinstance(frame, nw.DataFrame):
            validate_data(self, X, reset=reset, skip_check_array=True)
            return without_index(frame.to_arrow())
        rows = validate_data(self, X, reset=reset, ensure_all_finite="allow-nan", dtype=None)
        return pa.table(
            {f"x{place}": _column(place, values) for place, values in enumerate(rows.T)}
        )


def _column(place: int, values: np.ndarray) -> Any:
    """Return a column of an array: as numbers if they are, also where others beside are text."""
    if values.dtype.kind not in "OUS":
        return values
    try:
        return values.astype(float)
    except (TypeError, ValueError):
        pass
    try:
        return pa.array(values.tolist(), from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise ArgumentTypeError(
            f"column {place} of `X` must hold values of one type, a string or a number, and mixes "
            "several. Convert it before."
        ) from None


def _are_alike(labels: np.ndarray) -> bool:
    """Say whether classes are about as large as each other: a threshold would fit noise."""
    counts = np.bincount(labels)
    return bool(counts.max() < TUNED_FROM * counts.min())


def _dataset(table: pa.Table, y: np.ndarray, groups: Any) -> Dataset:
    roles = {"y": y} if groups is None else {"y": y, "groups": column_or_1d(groups)}
    names = {role: _unused(role, table.column_names) for role in roles}
    for role, values in roles.items():
        table = table.append_column(names[role], pa.array(values))
    return load(table, names["y"], group=names.get("groups"))


def _unused(name: str, names: list[str]) -> str:
    while name in names:
        name = f"{name}_"
    return name
