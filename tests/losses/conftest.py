"""Rows for the losses of one class a row."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    """Draw positions of three classes and logits of 12 rows.

    As many everywhere: JAX compiles every operation for every shape.
    """
    rng = np.random.default_rng(0)
    return rng.integers(0, 3, 12), (3 * rng.normal(size=(12, 3))).astype(np.float32)
