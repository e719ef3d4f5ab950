"""Tables and labels as people have them: in, as arrays; out, as they came."""

from __future__ import annotations

from typing import Any

import narwhals as nw
import numpy as np
from narwhals.exceptions import DuplicateError
from scipy import sparse

from kilter._errors import ArgumentError, ArgumentTypeError

NO_NUMBERS = (nw.Categorical, nw.Enum, nw.String, nw.Date, nw.Datetime, nw.Duration, nw.Time)


def to_frame(values: Any) -> Any:
    """Return a DataFrame or Series of any library as one of narwhals, and the rest as it is.

    Raises
    ------
    ArgumentTypeError
        If it is a lazy table.
    ArgumentError
        If columns have the same name.
    """
    try:
        frame = nw.from_native(values, allow_series=True, pass_through=True)
    except DuplicateError as error:
        names = " ".join(str(error).split())
        raise ArgumentError(
            f"a table must have columns of different names: {names}. Rename or drop one of them."
        ) from None
    if isinstance(frame, nw.LazyFrame):
        raise ArgumentTypeError(
            f"a table must be in memory; got a lazy one, `{type(values).__name__}`. Pass "
            "`table.collect()`."
        )
    return frame


def is_frame(values: Any) -> bool:
    """Return whether these are a DataFrame of any library."""
    return isinstance(to_frame(values), nw.DataFrame)


def category_columns(values: Any) -> list[str]:
    """Return the names of a DataFrame's columns that hold categories, words or times."""
    frame = to_frame(values)
    if not isinstance(frame, nw.DataFrame):
        return []
    kinds = frame.schema.items()
    return [str(name) for name, kind in kinds if isinstance(kind, NO_NUMBERS)]


def take(values: Any, rows: np.ndarray) -> Any:
    """Return these rows of an array, list, sparse matrix, DataFrame or Series, in its own kind.

    An index of pandas starts anew, as rows may come more than once.

    Examples
    --------
    >>> import numpy as np
    >>> take(["a", "b"], np.array([1, 1, 0]))
    ['b', 'b', 'a']
    """
    if isinstance(values, np.ndarray):
        # `take` is faster than an index, but copies all of an array in another order first.
        return values.take(rows, axis=0) if values.flags.c_contiguous else values[rows]
    if isinstance(values, list):
        return [values[row] for row in rows]
    if sparse.issparse(values):
        return values.tocsr()[rows].asformat(values.format)
    frame = to_frame(values)
    if isinstance(frame, nw.DataFrame | nw.Series):
        return nw.maybe_reset_index(frame[rows]).to_native()
    return np.asarray(values)[rows]


def to_array(values: Any) -> Any:
    """Return an array, or a sparse matrix as it is."""
    frame = to_frame(values)
    if isinstance(frame, nw.DataFrame | nw.Series):
        return frame.to_numpy()
    return values if sparse.issparse(values) else np.asarray(values)


def restore(values: Any, like: Any) -> Any:
    """Return a matrix of rows as the kind of table, or of the shape, that it came from.

    Columns of integers and truths, whose numbers may have become fractions, are rounded.
    """
    frame = to_frame(like)
    if isinstance(like, np.ndarray):
        return values.reshape(-1, *like.shape[1:])
    if sparse.issparse(like):
        return type(like)(values)
    if not isinstance(frame, nw.DataFrame):
        return values.tolist() if isinstance(like, list) else values
    whole = [kind.is_integer() or kind == nw.Boolean for kind in frame.schema.values()]
    if any(whole) and not sparse.issparse(values) and values.dtype.kind == "f":
        values = np.where(whole, np.rint(values), values)
    if frame.implementation.is_pandas():
        # Types that only pandas has, such as sparse columns, come back from its own names.
        kind = type(like)
        make = kind.sparse.from_spmatrix if sparse.issparse(values) else kind
        return make(values, columns=like.columns).astype(like.dtypes)
    made = nw.from_numpy(values, schema=frame.columns, backend=frame.implementation)
    kinds = frame.schema.items()
    return made.select(*(nw.col(name).cast(kind) for name, kind in kinds)).to_native()
