"""What is near a row, by looking at every distance."""

from __future__ import annotations

import numpy as np


def foreign_shares(x: np.ndarray, y: np.ndarray, rows: np.ndarray, m: int) -> np.ndarray:
    """Return the share of other classes among the m nearest others, the first of equals."""
    shares = []
    for row in rows:
        distances = ((x.astype(float) - x[row].astype(float)) ** 2).sum(axis=1)
        distances[row] = np.inf
        near = np.argsort(distances, kind="stable")[:m]
        shares.append(np.mean(y[near] != y[row]))
    return np.array(shares)
