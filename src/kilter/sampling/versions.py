"""Which version of a row a training step sees: as it is, or changed."""

from __future__ import annotations

from typing import Any


def pick_versions(xp: Any, tickets: Any, chances: Any, number: int) -> Any:
    """Pick a version of each row that was drawn: 0 as it is, 1 up to ``number`` changed.

    Parameters
    ----------
    xp : module
        ``numpy`` or ``jax.numpy``.
    tickets : int array of shape (rows,)
        What was drawn for each; see `kilter.sampling.draw_rows`.
    chances : float array of shape (rows,)
        That it is changed.
    number : int
        Changed versions that there are of each row.

    Examples
    --------
    >>> import numpy as np
    >>> pick_versions(np, np.array([5, 9]), np.array([0.0, 1.0]), 4).tolist()
    [0, 2]
    """
    words = tickets.astype(xp.uint32) * xp.uint32(2654435761)  # Knuth's multiplicative hash
    drawn = (words >> xp.uint32(8)).astype(xp.float32) * xp.float32(2**-24)
    return xp.where(drawn < chances, 1 + tickets % number, 0)
