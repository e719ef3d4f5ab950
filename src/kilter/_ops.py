"""The few operations that losses need at every step, cheap on PyTorch too.

PyTorch trains eagerly, and there Keras's version of each of these takes 4 to 15 times PyTorch's
own: it converts, checks and rearranges on every call. Compiled steps know no such difference.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

if keras.backend.backend() == "torch":
    import torch

    def where(condition: Any, yes: Any, no: Any) -> Any:
        return torch.where(condition, yes, no)

    def lookup(table: Any, positions: Any) -> Any:
        return table[positions]

    def one_hot(positions: Any, n_classes: int, dtype: Any) -> Any:
        classes = torch.arange(n_classes, dtype=positions.dtype, device=positions.device)
        return ops.cast(positions[..., None] == classes, dtype)

    def constant(values: np.ndarray) -> Any:
        return ops.convert_to_tensor(torch.tensor(values, dtype=torch.float32))

else:

    def where(condition: Any, yes: Any, no: Any) -> Any:
        """Choose between two, each a tensor or a number; one of them is a tensor."""
        return ops.where(condition, yes, no)

    def lookup(table: Any, positions: Any) -> Any:
        """Return the rows of a table at integer positions of any shape, all within the table."""
        return ops.take(table, positions, axis=0)

    def one_hot(positions: Any, n_classes: int, dtype: Any) -> Any:
        """Return rows that are 1 at their position; 0 throughout where that is no class."""
        return ops.one_hot(positions, n_classes, dtype=dtype)

    def constant(values: np.ndarray) -> Any:
        """Return numbers as a float32 constant of the step."""
        return ops.convert_to_tensor(np.asarray(values, "float32"))
