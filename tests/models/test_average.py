"""Many networks as one: the mean of their softmax, in numpy."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.special import softmax

from kilter.models import average_networks, mlp, tabm

pytestmark = pytest.mark.backend


def networks() -> list[keras.Model]:
    shape = {"hidden": (6,), "numbers": 2, "members": 3}
    return [mlp(4, 3, hidden=(6,), seed=0), mlp(4, 3, seed=1), tabm(4, 3, **shape, seed=2)]


def rows() -> np.ndarray:
    return 3 * np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 3])
def test_it_is_the_mean_of_their_probabilities(n: int) -> None:
    parts = networks()[:n]
    model = average_networks(parts)
    assert (model.input_shape, model.output_shape) == ((None, 4), (None, 3))
    p = model.predict(rows(), verbose=0)
    each = [softmax(one.predict(rows(), verbose=0), axis=1) for one in parts]
    np.testing.assert_allclose(p, np.mean(each, axis=0), rtol=1e-4, atol=1e-6)


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    model = average_networks(networks())
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(
        again.predict(rows(), verbose=0), model.predict(rows(), verbose=0)
    )
