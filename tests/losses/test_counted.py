"""What the losses share that are told the training rows of each class."""

from __future__ import annotations

import numpy as np
import pytest

from kilter._errors import ArgumentError
from kilter.losses import LDAM
from kilter.losses.counted import log_prior


def test_the_log_prior_by_hand() -> None:
    np.testing.assert_allclose(log_prior([900, 90, 10]), np.log([0.9, 0.09, 0.01]))


def test_counts_are_checked_before_the_weights() -> None:
    loss = LDAM([9, 1], class_weights=[1, 2], from_logits=True)
    with pytest.raises(ArgumentError, match="`counts` must have one value a class, 3"):
        loss(np.array([0, 1]), np.zeros((2, 3), np.float32))
