"""Members of one network: each is a network of its own, in numpy."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from kilter.losses import CrossEntropy, Focal
from kilter.models import MemberDense, MemberHeads, Members, average_members, each_member

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)


def randomised(layer: MemberDense) -> MemberDense:
    layer.set_weights([RNG.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def small(members: int = 3, seed: int = 0) -> Members:
    """Return members of a linear network from four columns to two classes."""
    rows = keras.Input((4,))
    logits = MemberDense(2, members, apart=True, seed=seed)(rows)
    return Members(keras.Model(rows, logits))


def member_logits(model: Members, x: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(x, training=True))


@pytest.mark.parametrize("shape", [(6, 4), (6, 3, 4)])
def test_each_member_is_a_dense_layer_of_its_own(shape: tuple[int, ...]) -> None:
    layer = MemberDense(5, members=3, activation="relu")
    layer.build(shape)
    randomised(layer)
    kernel, inputs, outputs, bias = layer.get_weights()
    x = RNG.normal(size=shape).astype(np.float32)
    expected = [
        np.maximum(
            (x if x.ndim == 2 else x[:, k]) @ (inputs[k, :, None] * kernel * outputs[k]) + bias[k],
            0,
        )
        for k in range(3)
    ]
    found = keras.ops.convert_to_numpy(layer(x))
    np.testing.assert_allclose(found, np.stack(expected, 1), rtol=1e-4, atol=1e-5)
    assert layer.compute_output_shape(shape) == found.shape


@pytest.mark.parametrize("units", [2, 30])  # in one product, and in one a member
def test_each_head_is_a_dense_layer_of_its_own(units: int) -> None:
    heads = MemberHeads(units, seed=1)
    heads.build((None, 3, 4))
    kernel, _ = heads.get_weights()
    heads.set_weights([kernel, RNG.normal(size=(3, units))])
    bias = heads.get_weights()[1]
    x = RNG.normal(size=(6, 3, 4)).astype(np.float32)
    expected = np.stack([x[:, k] @ kernel[k] + bias[k] for k in range(3)], 1)
    found = keras.ops.convert_to_numpy(heads(x))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert heads.compute_output_shape((6, 3, 4)) == found.shape
    assert np.abs(kernel).max() <= np.sqrt(6 / (4 + units))


def test_members_begin_apart_or_alike() -> None:
    for apart in (True, False):
        layer = MemberDense(5, members=4, apart=apart, seed=3)
        layer.build((None, 30))
        kernel, inputs, outputs, bias = layer.get_weights()
        assert np.abs(kernel).max() <= np.sqrt(6 / 35)
        assert set(np.unique(inputs)) == ({-1.0, 1.0} if apart else {1.0})
        assert (outputs == 1).all()
        assert not bias.any()


def test_together_they_say_the_mean_of_their_probabilities() -> None:
    model, x = small(), RNG.normal(size=(7, 4)).astype(np.float32)
    each = member_logits(model, x)
    assert each.shape == (7, 3, 2)
    p = softmax(each, axis=-1).mean(axis=1)
    np.testing.assert_allclose(model.predict(x, verbose=0), np.log(p), rtol=1e-4, atol=1e-5)
    assert model.compute_output_shape((7, 4)) == (7, 2)


def test_probabilities_far_from_each_other_stay_finite() -> None:
    logits = np.array([[[500.0, -500.0], [-300.0, 300.0]]], np.float32)
    found = keras.ops.convert_to_numpy(average_members(logits))
    np.testing.assert_allclose(found, np.log([[0.5, 0.5]]), rtol=1e-5)


@pytest.mark.parametrize("weighed", [False, True])
def test_the_loss_is_the_mean_of_the_members_own(weighed: bool) -> None:
    model, x = small(), RNG.normal(size=(16, 4)).astype(np.float32)
    y = RNG.integers(0, 2, 16)
    weights = RNG.random(16) if weighed else np.ones(16)
    model.compile(keras.optimizers.SGD(0.0), loss=CrossEntropy(from_logits=True))
    each = log_softmax(member_logits(model, x).astype(float), axis=-1)
    expected = -(weights[:, None] * each[np.arange(16), :, y]).mean()
    history = model.fit(
        x, y, batch_size=16, verbose=0, sample_weight=weights if weighed else None
    ).history
    assert history["loss"][0] == pytest.approx(expected, rel=1e-4)
    # evaluated, they speak together
    together = -(np.log(np.exp(each).mean(axis=1))[np.arange(16), y]).mean()
    assert model.evaluate(x, y, verbose=0) == pytest.approx(together, rel=1e-4)


def test_metrics_and_other_losses_take_it_for_a_plain_classifier() -> None:
    model, x = small(), RNG.normal(size=(64, 4)).astype(np.float32)
    y = (x[:, 0] > 0).astype(int)
    model.compile(keras.optimizers.Adam(0.1), loss=Focal(from_logits=True), metrics=["accuracy"])
    history = model.fit(x, y, epochs=20, verbose=0, validation_data=(x, y)).history
    assert history["accuracy"][-1] > 0.9
    assert history["val_accuracy"][-1] == pytest.approx(
        (model.predict(x, verbose=0).argmax(axis=1) == y).mean()
    )


def test_plain_logits_pass() -> None:
    labels, logits = np.zeros(2), np.zeros((2, 3))
    assert each_member(labels, logits) == (labels, logits, None)


def test_it_is_saved(tmp_path: Path) -> None:
    model, x = small(), RNG.normal(size=(5, 4)).astype(np.float32)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(again, Members)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert again.input_shape == (None, 4)
