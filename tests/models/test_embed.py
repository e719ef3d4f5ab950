"""Embeddings of numbers against numpy's interpolation."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.stats import norm

from kilter._errors import ArgumentError
from kilter.models import NumberEmbedding

pytestmark = pytest.mark.backend


def made(units: int = 3, bins: int = 5, scales: int = 1) -> NumberEmbedding:
    """Return an embedding of two numbers whose pieces have learned something."""
    layer = NumberEmbedding(2, units, bins, scales, seed=1)
    layer.build((None, 6))
    rng = np.random.default_rng(0)
    layer.pieces.assign(rng.normal(size=(2, bins, units)))
    return layer


def bend(x: np.ndarray, edges: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Return a function that rises by these heights between the edges, and on beyond them."""
    inside = np.interp(x, edges, np.concatenate([[0], np.cumsum(heights)]))
    slopes = heights / np.diff(edges)
    below, above = np.minimum(x - edges[0], 0), np.maximum(x - edges[-1], 0)
    return inside + below * slopes[0] + above * slopes[-1]


@pytest.mark.parametrize("scales", [1, 2])
@pytest.mark.parametrize("bins", [2, 3, 5, 8])
def test_it_is_linear_plus_piecewise_linear(bins: int, scales: int) -> None:
    layer, units = made(bins=bins, scales=scales), 3
    x = np.random.default_rng(1).normal(size=(40, 6)).astype(np.float32) * 3
    knots = norm.ppf(np.arange(1, bins) / bins)
    width = knots[1] - knots[0] if bins > 2 else 1
    edges = np.concatenate([[knots[0] - width], knots, [knots[-1] + width]])
    slope, offset, pieces = (
        keras.ops.convert_to_numpy(one) for one in (layer.slope, layer.offset, layer.pieces)
    )
    expected = [
        sum(slope[s, n, u] * x[:, 2 * s + n] for s in range(scales))
        + offset[n, u]
        + bend(x[:, n], edges, pieces[n, :, u])
        for n in range(2)
        for u in range(units)
    ]
    found = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(found[:, :6], np.stack(expected, 1), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(found[:, 6:], x[:, 2 * scales :])
    assert layer.compute_output_shape((40, 6)) == found.shape


def test_it_begins_linear_and_repeats_by_seed() -> None:
    one, two, other = (NumberEmbedding(2, 50, scales=2, seed=seed) for seed in (1, 1, 2))
    for layer in (one, two, other):
        layer.build((None, 4))
    for first, second in zip(one.get_weights(), two.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    slope, offset, pieces = one.get_weights()
    assert not pieces.any()
    assert slope.var() == pytest.approx(1 / 2, abs=0.1)
    assert np.abs(offset).max() < 1
    assert (slope != other.get_weights()[0]).any()


def test_it_is_saved(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6,)), made(scales=2)])
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    x = np.ones((2, 6), np.float32)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("wrong", [{"numbers": 0}, {"units": 1.5}, {"bins": 1}, {"scales": True}])
def test_what_is_no_count(wrong: dict) -> None:
    (name,) = wrong
    with pytest.raises(ArgumentError, match=f"`{name}` must be a whole number of at least"):
        NumberEmbedding(**{"numbers": 2, **wrong})
