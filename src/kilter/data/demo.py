"""A table for the demo, from a data set that ships with scikit-learn."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

TARGET = "is_eight"
KEPT = 60


def digits() -> pa.Table:
    """Return handwritten digits as a table that asks which are eights.

    1,683 rows of 64 pixels from scikit-learn's ``load_digits``, in which all but 60 of the
    eights were left out, so that they are 3.6% of the rows.

    Examples
    --------
    >>> table = digits()
    >>> table.num_rows, table["is_eight"].to_pylist().count("yes")
    (1683, 60)
    """
    from sklearn.datasets import load_digits

    pixels, digit = load_digits(return_X_y=True)
    eights = np.flatnonzero(digit == 8)
    rows = np.setdiff1d(np.arange(len(digit)), eights[KEPT:])
    columns = {f"pixel_{i // 8}_{i % 8}": pixels[rows, i] for i in range(pixels.shape[1])}
    return pa.table({**columns, TARGET: np.where(digit[rows] == 8, "yes", "no")})
