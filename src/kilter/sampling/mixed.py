"""SMOTE-NC, for tables with columns of numbers and of categories."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import narwhals as nw
import numpy as np
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions

from kilter._containers import is_frame, take, to_frame
from kilter._errors import ArgumentError
from kilter.sampling.base import Origins, Sampler, Trace, rows_of
from kilter.sampling.blend import to_type
from kilter.sampling.smote import SMOTE
from kilter.sampling.synthetic import pick


class Mixed(NamedTuple):
    """A table as numbers (rows, columns) and positions of categories (rows, columns)."""

    numbers: np.ndarray
    codes: np.ndarray


class SMOTENC(SMOTE):
    """SMOTE for tables with columns of categories.

    Use it where a table has columns of both kinds; on numbers only use `SMOTE`. Numbers are
    mixed; a category is the most frequent one among the neighbours of the row, of equally
    frequent ones any. Two rows that differ in a category are as far apart in it as the median
    of the numbers' standard deviations within the class, so standardise numbers first.

    Parameters
    ----------
    categorical_features : "auto" or list
        Columns of categories by position, name or mask. "auto" takes those columns of a
        DataFrame that are no numbers.
    sampling_strategy : float, str, dict or callable
        As in `SMOTE`.
    random_state : int, RandomState or None
        A seed gives the same rows again.
    k_neighbors : int or neighbour estimator
        How many neighbours a partner is drawn from. An estimator counts the row itself.
    small_class : {"warn", "error"}
        As in `SMOTE`.

    Attributes
    ----------
    categorical_features_, continuous_features_ : int arrays
        Which columns are categories, and which numbers.

    Raises
    ------
    ArgumentError
        If all columns, or none, are categories, a row has several labels, or a class is too
        small and that is to be an error.

    References
    ----------
    Chawla, Bowyer, Hall, Kegelmeyer: SMOTE: synthetic minority over-sampling technique, JAIR
    2002, section 6.1.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.array([[0, "a"], [1, "a"], [2, "b"], [3, "a"], [8, "b"], [9, "b"]], dtype=object)
    >>> sampler = SMOTENC(categorical_features=[1], k_neighbors=1, random_state=0)
    >>> x2, y2 = sampler.fit_resample(x, np.array([0, 0, 0, 0, 1, 1]))
    >>> x2[6:, 1]
    array(['b', 'b'], dtype=object)
    """

    _required_parameters = ("categorical_features",)
    _parameter_constraints: ClassVar[dict] = {
        **SMOTE._parameter_constraints,
        "categorical_features": ["array-like", StrOptions({"auto"})],
    }

    def __init__(
        self,
        categorical_features: Any,
        *,
        sampling_strategy: Any = "auto",
        random_state: Any = None,
        k_neighbors: Any = 5,
        small_class: str = "warn",
    ) -> None:
        super().__init__(
            sampling_strategy=sampling_strategy,
            random_state=random_state,
            k_neighbors=k_neighbors,
            small_class=small_class,
        )
        self.categorical_features = categorical_features

    def _read(self, X: Any) -> Mixed:
        # Left to itself numpy turns a list of numbers and words into words.
        table = Sampler._read(self, np.array(X, object) if isinstance(X, list) else X)
        self.categorical_features_ = self._categorical(table)
        every = np.arange(table.shape[1])
        self.continuous_features_ = np.setdiff1d(every, self.categorical_features_)
        if not len(self.categorical_features_) or not len(self.continuous_features_):
            raise ArgumentError(
                "`categorical_features` must be some of the columns, and not all; got "
                f"{len(self.categorical_features_)} of n_features={len(every)}. Use `SMOTE` for "
                "numbers; `RandomOverSampler` repeats rows of any kind."
            )
        numbers = check_array(_columns(table, self.continuous_features_), dtype="numeric")
        words = _columns(table, self.categorical_features_).astype(object)
        encoder = OrdinalEncoder(dtype=np.int32, encoded_missing_value=-1)
        return Mixed(numbers, encoder.fit_transform(words))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags

    def _categorical(self, table: Any) -> np.ndarray:
        """Return the positions of the columns of categories."""
        frame = to_frame(table)
        wanted = self.categorical_features
        if isinstance(wanted, str):
            if not is_frame(table):
                raise ArgumentError(
                    '`categorical_features` "auto" needs a DataFrame, whose columns have types; '
                    f"got {type(table).__name__}. Name the columns by position."
                )
            kinds = frame.schema.values()
            return np.flatnonzero([not kind.is_numeric() for kind in kinds])
        names, width = np.asarray(wanted), table.shape[1]
        if names.dtype == bool and len(names) == width:
            return np.flatnonzero(names)
        if names.dtype.kind in "iu" and ((names >= -width) & (names < width)).all():
            return np.unique(names % width)
        missing = sorted(set(names.tolist()) - set(getattr(frame, "columns", [])))
        if missing:
            raise ArgumentError(
                "`categorical_features` must be columns of `X`; it does not have "
                f"{', '.join(map(str, missing))}."
            )
        return np.sort([frame.columns.index(name) for name in names])

    def _fit_resample(self, X: Mixed, y: np.ndarray, generator: np.random.Generator) -> Origins:
        self._donors: list[np.ndarray] = []
        return super()._fit_resample(X, y, generator)

    def _make(
        self, X: Mixed, y: np.ndarray, code: int, count: int, generator: np.random.Generator
    ) -> Origins:
        rows = rows_of(y, code)
        encoded = _encode(X.numbers[rows], X.codes[rows])
        near = self._neighbors(encoded, np.arange(len(rows)), self.k_neighbors, code)
        which, partners = pick(np.arange(len(rows)), near, count, generator)
        donors = _donors(X.codes[rows], near[which], generator)
        self._donors.append(rows[donors])
        return Origins(rows[which], rows[partners], generator.random(count, np.float32))

    def _build(self, X: Any, trace: Trace) -> Any:
        matrix, origins = trace.matrix, trace.origins
        donors = self.__dict__.pop("_donors")
        made = take(X, origins.rows)
        if not donors:
            return made
        mine = matrix.numbers[origins.rows[origins.kept :]].astype(np.float64)
        theirs = matrix.numbers[origins.partners]
        numbers = mine + origins.shares[:, None] * (theirs - mine)
        columns = dict(zip(self.continuous_features_.tolist(), numbers.T, strict=True))
        sources = dict(zip(self.categorical_features_.tolist(), np.vstack(donors).T, strict=True))
        fill = _fill_frame if is_frame(X) else _fill_array
        return fill(X, made, origins.kept, columns, sources)


def _columns(table: Any, which: np.ndarray) -> np.ndarray:
    frame = to_frame(table)
    if isinstance(frame, nw.DataFrame):
        return frame[:, which.tolist()].to_numpy()
    return table[:, which]


def _encode(numbers: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return rows whose squared distance counts a difference in a category as it should."""
    apart = np.median(numbers.std(axis=0, dtype=np.float64))
    # Two categories that differ are two columns of a one-hot row that do.
    hot = OneHotEncoder(sparse_output=False).fit_transform(codes) * apart / np.sqrt(2)
    return np.hstack([numbers, hot.astype(np.result_type(numbers, np.float32), copy=False)])


def _donors(codes: np.ndarray, near: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return the neighbour that each category comes from, (rows, columns)."""
    found = np.empty((len(near), codes.shape[1]), np.int64)
    for column in range(codes.shape[1]):
        values = codes[near, column]
        votes = (values[:, :, None] == values[:, None, :]).sum(axis=2)
        best = (votes + generator.random(votes.shape)).argmax(axis=1)
        found[:, column] = near[np.arange(len(near)), best]
    return found


def _fill_array(
    X: Any, made: Any, kept: int, columns: dict[int, np.ndarray], sources: dict[int, np.ndarray]
) -> Any:
    """Put what was made into the last rows of an array or a list."""
    table, old = (np.asarray(x, getattr(X, "dtype", object)) for x in (made, X))
    for column, values in columns.items():
        table[kept:, column] = values if table.dtype == object else to_type(values, table.dtype)
    for column, rows in sources.items():
        table[kept:, column] = old[rows, column]
    return table.tolist() if isinstance(X, list) else table


def _fill_frame(
    X: Any, made: Any, kept: int, columns: dict[int, np.ndarray], sources: dict[int, np.ndarray]
) -> Any:
    """Put what was made into the last rows of a DataFrame."""
    old, table = to_frame(X), to_frame(made)
    filled = []
    for place, name in enumerate(old.columns):
        if place in sources:
            rows = np.append(np.arange(kept), sources[place])
            filled.append(nw.maybe_reset_index(old[name][rows]))
            continue
        kind = old.schema[name]
        whole = kind.is_integer() or kind == nw.Boolean
        values = np.rint(columns[place]) if whole else columns[place]
        new = nw.new_series(name, values, backend=old.implementation).cast(kind)
        column = nw.concat([table[name][:kept].to_frame(), new.to_frame()])[name]
        filled.append(nw.maybe_reset_index(column))
    return table.with_columns(*filled).to_native()
