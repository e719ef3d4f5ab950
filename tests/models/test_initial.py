"""Initial weights: Glorot's bounds, and the same numbers on every backend."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.stats import kstest

from kilter.models.initial import GlorotUniform, HeUniform, RandomSign, Uniform

pytestmark = pytest.mark.backend


def test_weights_are_uniform_between_glorots_limits() -> None:
    limit = np.sqrt(6 / (40 + 50))
    weights = GlorotUniform(seed=1)((40, 50))
    assert weights.dtype == np.float32
    assert kstest(weights.ravel(), "uniform", (-limit, 2 * limit)).pvalue > 0.01
    assert np.abs(np.corrcoef(weights)[np.triu_indices(40, 1)]).max() < 0.6


def test_they_are_those_of_keras_on_jax() -> None:
    # keras.initializers.GlorotUniform(7)((2, 3)) with the JAX backend
    expected = [[-0.37089363, -0.48691595, 0.21249104], [0.49589774, -0.92901456, -0.2324364]]
    np.testing.assert_allclose(GlorotUniform(7)((2, 3)), expected, rtol=1e-6)
    if keras.backend.backend() == "jax":
        own = keras.initializers.GlorotUniform(7)((30, 5))
        np.testing.assert_allclose(GlorotUniform(7)((30, 5)), own, rtol=1e-5, atol=1e-7)


def test_seeds_differ_and_none_is_new_every_time() -> None:
    one, other, new, newer = (GlorotUniform(seed)((4, 4)) for seed in (0, 1, None, None))
    assert (one != other).any()
    assert (new != newer).any()


def test_a_seed_below_zero_counts_from_above() -> None:
    np.testing.assert_array_equal(GlorotUniform(-1)((3, 2)), GlorotUniform(2**32 - 1)((3, 2)))


def test_a_layer_takes_the_weights_and_is_saved_with_them(tmp_path: Path) -> None:
    initializer = GlorotUniform(3)
    dense = keras.layers.Dense(2, kernel_initializer=initializer)
    model = keras.Sequential([keras.Input((4,)), dense])
    np.testing.assert_array_equal(model.get_weights()[0], initializer((4, 2)))
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.layers[0].kernel_initializer.seed == 3
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_layers_on_a_leading_axis_have_the_limit_of_one() -> None:
    weights = GlorotUniform(1)((30, 6, 4))
    limit = np.sqrt(6 / (6 + 4))
    assert kstest(weights.ravel(), "uniform", (-limit, 2 * limit)).pvalue > 0.01


def test_uniform_weights_and_signs() -> None:
    weights = Uniform(-2.0, 3.0, seed=1)((2000,))
    assert kstest(weights, "uniform", (-2, 5)).pvalue > 0.01
    signs = RandomSign(1)((2000,))
    assert set(signs) == {-1.0, 1.0}
    assert abs(signs.mean()) < 0.1


@pytest.mark.parametrize("initializer", [Uniform(-2.0, 3.0, seed=4), RandomSign(4), HeUniform(4)])
def test_they_are_made_again(initializer: keras.Initializer) -> None:
    plain = keras.saving.serialize_keras_object(initializer)
    again = keras.saving.deserialize_keras_object(plain)
    np.testing.assert_array_equal(again((3, 2)), initializer((3, 2)))


def test_convolutions_have_hes_limit_of_their_inputs() -> None:
    weights = HeUniform(seed=1)((3, 3, 20, 30))
    limit = np.sqrt(6 / (3 * 3 * 20))
    assert weights.dtype == np.float32
    assert kstest(weights.ravel(), "uniform", (-limit, 2 * limit)).pvalue > 0.01
    np.testing.assert_array_equal(weights, HeUniform(seed=1)((3, 3, 20, 30)))
    assert (weights != HeUniform(seed=2)((3, 3, 20, 30))).any()
    assert (HeUniform()((2, 2, 1, 4)) != HeUniform()((2, 2, 1, 4))).any()


def test_hes_weights_are_those_of_keras_on_jax() -> None:
    # keras.initializers.HeUniform(7)((1, 1, 2, 3)) with the JAX backend
    expected = [[-0.58643425, -0.76988167, 0.3359778], [0.7840831, -1.4689009, -0.3675142]]
    np.testing.assert_allclose(HeUniform(7)((1, 1, 2, 3))[0, 0], expected, rtol=1e-6)
