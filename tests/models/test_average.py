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
def test_it_is_the_mean_of_the_probabilities(folds: int, seeds: int) -> None:
    parts, x = networks(folds, seeds), inputs(folds)
    each = [
        softmax(one.predict(rows, verbose=0), axis=1)
        for rows, fold in zip(x, parts, strict=True)
        for one in fold
    ]
    model = average_networks(parts)
    assert [tuple(i.shape) for i in model.inputs] == [(None, 4)] * folds
    found = model.predict(x, verbose=0)
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_folds_with_unequal_numbers_of_networks_weigh_each_network_alike() -> None:
    (a, b), (c, _) = networks(2, 2)
    x = inputs(2)
    model = average_networks([[a, b], [c]])
    each = [(a, x[0]), (b, x[0]), (c, x[1])]
    expected = np.mean([softmax(m.predict(i, verbose=0), axis=1) for m, i in each], axis=0)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-6)


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    model, x = average_networks(networks(2, 2)), inputs(2)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
