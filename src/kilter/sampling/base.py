"""What all samplers share: any table and labels in, the same kinds out."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, NamedTuple, Self

import numpy as np
from imblearn.base import BaseSampler
from imblearn.utils import check_sampling_strategy
from scipy import sparse
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, validate_data

from kilter._containers import is_frame, take, to_array, to_frame
from kilter._errors import ArgumentError

FORMATS = ("csr", "csc")


class Origins(NamedTuple):
    """Where the rows of a resampled table come from.

    ``rows`` (rows,) says which row each one was, or is made of. The last ``len(partners)`` of
    them were moved towards a partner by a share of the way.
    """

    rows: np.ndarray
    partners: np.ndarray = np.empty(0, np.int32)
    shares: np.ndarray = np.empty(0, np.float32)

    @property
    def kept(self) -> int:
        """How many rows, the first, are as they were."""
        return len(self.rows) - len(self.partners)

    def blend(self, values: np.ndarray) -> np.ndarray:
        """Return a number for each row, from numbers of shape (old rows,)."""
        found = values[self.rows]
        if not len(self.partners):
            return found
        made = found[self.kept :].astype(np.result_type(found, np.float32))
        # A row that moved away from its partner takes nothing of it.
        made += np.maximum(self.shares, 0) * (values[self.partners] - made)
        return np.append(found[: self.kept], made)

    def select(self, chosen: np.ndarray) -> Origins:
        """Return the origins of some of these rows, int and sorted."""
        made = chosen[chosen >= self.kept] - self.kept
        return Origins(self.rows[chosen], self.partners[made], self.shares[made])


class Trace(NamedTuple):
    """What resampling a table came to, before it is made.

    What was read of the rows, the class of each as a position, where the new rows come from,
    and the randomness that is left.
    """

    matrix: Any
    codes: np.ndarray
    origins: Origins
    generator: np.random.Generator


class Sampler(BaseSampler):
    """Base of the samplers; as it stands, of those that choose rows and change none.

    A sampler says in ``_fit_resample`` where its rows come from. It sees classes as positions
    in ``classes_``, in the keys of ``sampling_strategy_`` too while it runs.
    """

    classes_: np.ndarray
    sampling_strategy_: dict[Any, int]

    def fit_resample(self, X: Any, y: Any, sample_weight: Any = None) -> tuple[Any, ...]:
        """Resample rows and their labels.

        Parameters
        ----------
        X : array, list, sparse matrix or DataFrame of shape (rows, ...)
            Rows. Images and other rows of more than one dimension are arrays.
        y : array, list, Series or DataFrame of shape (rows,), (rows, 1) or (rows, classes)
            Labels of any kind, or one-hot rows.
        sample_weight : array of shape (rows,), optional
            Weights that go along: a made row takes of its two rows' weights what it takes of
            their features.

        Returns
        -------
        X, y
            In the kinds that they came in; and ``sample_weight`` as a third if it was given.
        """
        self._validate_params()
        check_inputs(X, y, sample_weight)
        trace = self._trace(X, y, new_generator(getattr(self, "random_state", None)))
        labels = take(y, trace.origins.rows)  # before there is the table, which takes most room
        return with_weights((self._build(X, trace), labels), trace.origins, sample_weight)

    def _trace(self, X: Any, y: Any, generator: np.random.Generator) -> Trace:
        matrix, codes = self._prepare(X, y)
        strategy = self.sampling_strategy_
        positions = dict(zip(self.classes_.tolist(), range(len(self.classes_)), strict=True))
        self.sampling_strategy_ = {positions[_plain(k)]: n for k, n in strategy.items()}
        try:
            origins = self._fit_resample(matrix, codes, generator)
        finally:
            self.sampling_strategy_ = strategy
        return Trace(matrix, codes, origins, generator)

    def fit(self, X: Any, y: Any) -> Self:
        """Check rows and labels, and learn how many rows of which class would be resampled."""
        self._validate_params()
        self._prepare(X, y)
        return self

    def _prepare(self, X: Any, y: Any) -> tuple[Any, np.ndarray]:
        if y is None:
            raise ArgumentError(
                "`y` must be the labels: resampling requires y to be passed, but the target y is "
                "None."
            )
        labels = read_labels(y)
        check_consistent_length(X, labels)
        matrix = self._read(X)
        strategy = check_sampling_strategy(self.sampling_strategy, labels, self._sampling_type)
        self.sampling_strategy_ = strategy
        # With counts it sorts, which for these is several times as fast as to look each one up.
        sorts = labels.dtype == np.int64
        self.classes_ = np.unique(labels, return_counts=True)[0] if sorts else np.unique(labels)
        codes = np.searchsorted(self.classes_, labels)  # several times faster than an inverse
        return matrix, codes.astype(np.min_scalar_type(-len(self.classes_)))

    def _read(self, X: Any) -> Any:
        """Return the rows as the sampler needs them."""
        if not is_frame(X):
            X = check_array(
                X, accept_sparse=FORMATS, dtype=None, ensure_all_finite=False, allow_nd=True
            )
        validate_data(self, X, reset=True, skip_check_array=True)
        return X

    @abstractmethod
    def _fit_resample(self, X: Any, y: np.ndarray, generator: np.random.Generator) -> Origins:
        """Say where the rows of the resampled table come from."""

    def _build(self, X: Any, trace: Trace) -> Any:
        """Return the resampled table, of the kind of ``X``."""
        return take(X, trace.origins.rows)

    def _label(self, code: int) -> Any:
        """Return the label of a class, as errors name it."""
        return self.classes_.tolist()[code]


def new_generator(random_state: Any) -> np.random.Generator:
    """Return randomness from scikit-learn's ``random_state``, for all classes together."""
    return np.random.default_rng(check_random_state(random_state).randint(1 << 31, size=4))


def with_weights(resampled: tuple[Any, Any], origins: Origins, weights: Any) -> tuple[Any, ...]:
    """Return rows and labels, and weights where there were some."""
    if weights is None:
        return resampled
    return (*resampled, origins.blend(np.asarray(weights)))


def _plain(label: Any) -> Any:
    return label.item() if isinstance(label, np.generic) else label


def read_labels(y: Any) -> np.ndarray:
    """Return one label a row, shape (rows,).

    Raises
    ------
    ArgumentError
        If rows have several labels or none, or labels are no classes.

    Examples
    --------
    >>> import numpy as np
    >>> read_labels(np.array([[0, 1], [1, 0]]))
    array([1, 0])
    """
    labels = to_array(y)
    if sparse.issparse(labels):
        labels = labels.toarray()
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels.ravel()
    if labels.ndim == 1:
        _check_classes(labels)
        return labels
    kind = type_of_target(labels)
    if kind == "multilabel-indicator" and (labels.sum(axis=1) == 1).all():
        return labels.argmax(axis=1)
    raise ArgumentError(
        "`y` must have one label a row, or one-hot rows; Multilabel and multioutput targets are "
        f"not supported by this sampler; got {kind}. Wrap it, `LabelPowerset(sampler)`, or use "
        "`MLSMOTE`."
    )


def check_inputs(X: Any, y: Any, sample_weight: Any) -> None:
    """Raise unless these are a table in memory, and as many labels and weights as rows."""
    to_frame(X)
    if sample_weight is not None and np.ndim(sample_weight) != 1:
        raise ArgumentError(
            "`sample_weight` must have one number a row, shape (rows,); got the shape "
            f"{np.shape(sample_weight)}."
        )
    check_consistent_length(X, y, sample_weight)


def _check_classes(labels: np.ndarray) -> None:
    if labels.dtype.kind in "biu":
        return  # these are classes by their type: `type_of_target` would read all of them for it
    kind = "missing labels" if _has_missing(labels) else type_of_target(labels)
    if kind not in ("binary", "multiclass"):
        raise ArgumentError(
            f"`y` must be labels of classes; Unknown label type: {kind}. Cut a number into "
            "classes first; encode or drop missing labels."
        )


def _has_missing(labels: np.ndarray) -> bool:
    if labels.dtype.kind == "O":
        # A missing value is None, or is not equal to itself, or, in pandas, neither.
        return any(label is None or (label == label) is not True for label in labels)
    return labels.dtype.kind == "f" and bool(np.isnan(labels).any())


def takes_any_rows(tags: Any) -> Any:
    """Say in an estimator's tags that it chooses rows and does not look into them."""
    tags.input_tags.allow_nan = True
    tags.input_tags.string = True
    return chooses_rows(tags)


def chooses_rows(tags: Any) -> Any:
    """Say in an estimator's tags that it has ``sample_indices_``."""
    tags.sampler_tags.sample_indices = True
    return tags


def rows_of(codes: np.ndarray, code: int) -> np.ndarray:
    """Return the positions of the rows of a class."""
    return np.flatnonzero(codes == code)
