"""The score of a metric that gets its rows in batches."""

from __future__ import annotations

from typing import Any

import keras


def score(metric: keras.metrics.Metric, y: Any, p: Any, weights: Any = None, *, step: int) -> float:
    """Add the rows in batches and return the result; every size of a batch compiles anew."""
    for start in range(0, len(y), step):
        rows = slice(start, start + step)
        metric.update_state(y[rows], p[rows], None if weights is None else weights[rows])
    return float(metric.result())
