"""Many networks as one: the mean of their softmax, in numpy."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.special import softmax

from kilter.models import average_networks, mlp

pytestmark = pytest.mark.backend


def networks(folds: int, seeds: int, n_classes: int = 3) -> list[list[keras.Model]]:
    return [
        [mlp(4, n_classes, hidden=(6,), seed=100 * fold + 10 * seed) for seed in range(seeds)]
        for fold in range(folds)
    ]


def inputs(folds: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [3 * rng.normal(size=(9, 4)).astype(np.float32) for _ in range(folds)]


@pytest.mark.parametrize(("folds", "seeds"), [(1, 1), (1, 3), (3, 1), (2, 2)])
def test_it_is_the_mean_of_each_folds_probabilities(folds: int, seeds: int) -> None:
    parts, x = networks(folds, seeds), inputs(folds)
    model = average_networks(parts)
    assert [tuple(i.shape) for i in model.inputs] == [(None, 4)] * folds
    found = model.predict(x, verbose=0)
    for p, rows, fold in zip(found if folds > 1 else [found], x, parts, strict=True):
        each = [softmax(one.predict(rows, verbose=0), axis=1) for one in fold]
        np.testing.assert_allclose(p, np.mean(each, axis=0), rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    model, x = average_networks(networks(2, 2)), inputs(2)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
