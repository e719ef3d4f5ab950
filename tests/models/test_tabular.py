"""The default network: its arithmetic, its seeds, its shape."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kilter.models import mlp, tabm

pytestmark = pytest.mark.backend


def test_it_is_dense_and_relu_and_ends_in_logits() -> None:
    model = mlp(3, 2, hidden=(5, 4), dropout=0.5)
    w1, b1, w2, b2, w3, b3 = model.get_weights()
    assert [w.shape for w in (w1, b1, w2, b2, w3, b3)] == [(3, 5), (5,), (5, 4), (4,), (4, 2), (2,)]
    x = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    hidden = np.maximum(np.maximum(x @ w1 + b1, 0) @ w2 + b2, 0)
    np.testing.assert_allclose(model.predict(x, verbose=0), hidden @ w3 + b3, rtol=1e-4, atol=1e-5)


def test_weights_start_as_glorot_says() -> None:
    kernel, bias, *_ = mlp(30, 2, hidden=(50,), seed=0).get_weights()
    limit = np.sqrt(6 / (30 + 50))
    assert np.abs(kernel).max() <= limit
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.05)
    assert not bias.any()


def test_a_seed_repeats_weights_and_layers_differ() -> None:
    one, two, other = (mlp(4, 4, hidden=(4,), seed=seed).get_weights() for seed in (5, 5, 6))
    for first, second in zip(one, two, strict=True):
        np.testing.assert_array_equal(first, second)
    assert (one[0] != other[0]).any()
    assert (one[0] != one[2]).any()


def test_a_seed_repeats_dropout() -> None:
    x = np.ones((2, 8), np.float32)

    def dropped(seed: int) -> np.ndarray:
        model = mlp(8, 64, hidden=(64,), dropout=0.5, seed=seed)
        return keras.ops.convert_to_numpy(model(x, training=True))

    first, second, other = dropped(1), dropped(1), dropped(2)
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()
    assert (first[0] != first[1]).any()  # a mask a row, not one for all


def test_the_global_seed_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()
    keras.utils.set_random_seed(0)
    expected = keras.random.uniform((3,))
    keras.utils.set_random_seed(0)
    mlp(4, 2, seed=3)
    np.testing.assert_array_equal(
        keras.ops.convert_to_numpy(keras.random.uniform((3,))),
        keras.ops.convert_to_numpy(expected),
    )
    np.random.set_state(("MT19937", before, 624))


@pytest.mark.parametrize(("dropout", "expected"), [(0.0, 0), (0.2, 2)])
def test_dropout_may_be_left_out(dropout: float, expected: int) -> None:
    layers = mlp(3, 2, hidden=(5, 4), dropout=dropout).layers
    rates = [layer.rate for layer in layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [dropout] * expected


def test_without_hidden_layers_it_is_logistic_regression() -> None:
    model = mlp(3, 4, hidden=())
    assert model.count_params() == 3 * 4 + 4
    assert model.output_shape == (None, 4)


def test_members_learn_from_embedded_numbers() -> None:
    model = tabm(6, 3, numbers=4, members=5, hidden=(7, 8), embedding=2, bins=3, dropout=0.2)
    names = [type(layer).__name__ for layer in model.network.layers]
    assert names == [
        *("InputLayer", "NumberEmbedding"),
        *("MemberDense", "Dropout", "MemberDense", "Dropout", "MemberHeads"),
    ]
    embedded = 4 * 2 + 2
    count = 4 * 2 * (2 + 3)  # slope and offset, and three pieces
    count += embedded * 7 + 5 * (embedded + 2 * 7) + 7 * 8 + 5 * (7 + 2 * 8) + 5 * (8 * 3 + 3)
    assert model.count_params() == count
    assert model.predict(np.zeros((2, 6), np.float32), verbose=0).shape == (2, 3)


def test_without_numbers_nothing_is_embedded() -> None:
    model = tabm(6, 2, hidden=(4,), dropout=0)
    names = [type(layer).__name__ for layer in model.network.layers]
    assert names == ["InputLayer", "MemberDense", "MemberHeads"]


def test_a_seed_repeats_the_ensemble() -> None:
    one, two, other = (tabm(4, 2, numbers=2, seed=seed).get_weights() for seed in (5, 5, 6))
    for first, second, third in zip(one, two, other, strict=True):
        np.testing.assert_array_equal(first, second)
        assert (first != third).any() or len(np.unique(first)) == 1
