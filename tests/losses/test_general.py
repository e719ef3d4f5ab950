"""The general cross-entropy against scikit-learn, Keras and the papers' formulas in float64."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import logsumexp, softmax
from sklearn.metrics import log_loss

from differentiate import gradients
from kilter._errors import ArgumentError
from kilter.losses import CrossEntropy, cross_entropy

pytestmark = pytest.mark.backend

COUNTS = np.array([900.0, 90.0, 10.0])
PRIOR = COUNTS / COUNTS.sum()
WEIGHTS = [0.5, 1.0, 4.0]
ROWS = 20  # everywhere: JAX compiles every operation for every shape
on_logits = functools.partial(CrossEntropy, from_logits=True)
PLAIN = {"weights": np.ones(3), "margins": np.zeros((3, 3)), "scale": np.ones(3), "gamma": 0.0}


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(0, 3, ROWS), (3 * rng.normal(size=(ROWS, 3))).astype(np.float32)


def value(loss: keras.losses.Loss, y: Any, z: Any, **options: Any) -> Any:
    return ops.convert_to_numpy(loss(np.asarray(y), np.asarray(z), **options))


def each(y: np.ndarray, z: np.ndarray, **numbers: Any) -> np.ndarray:
    """Return the pure function's value of every row."""
    arrays = {key: ops.convert_to_tensor(v, z.dtype) for key, v in {**PLAIN, **numbers}.items()}
    labels = ops.convert_to_tensor(y, "int32" if y.ndim == 1 else "float32")
    logits = ops.convert_to_tensor(z)
    return ops.convert_to_numpy(cross_entropy(labels, logits, **arrays))


def reference(
    y: np.ndarray, z: np.ndarray, weights: Any, margins: Any, scale: Any, gamma: float
) -> np.ndarray:
    """Compute w_y (1 - p_y)^gamma CE(s z + M_y) in float64, 1 - p_y as a sum of the others."""
    adjusted = np.asarray(scale) * z.astype(np.float64) + np.asarray(margins)[y]
    log_p = adjusted - logsumexp(adjusted, axis=1, keepdims=True)
    rows = np.arange(len(y))
    others = np.where(np.eye(z.shape[1])[y] > 0, -np.inf, log_p)
    focus = np.exp(gamma * logsumexp(others, axis=1))
    return -np.asarray(weights)[y] * focus * log_p[rows, y]


def gradient(y: np.ndarray, z: np.ndarray, **numbers: Any) -> np.ndarray:
    """Differentiate the sum of the losses by the logits, on whatever backend this is."""
    arrays = {key: ops.convert_to_tensor(v, z.dtype) for key, v in {**PLAIN, **numbers}.items()}
    labels = ops.convert_to_tensor(y, "int32" if y.ndim == 1 else "float32")
    return gradients(lambda logits: ops.sum(cross_entropy(labels, logits, **arrays)), z)


def test_plain_is_scikit_learns_log_loss(batch: tuple) -> None:
    y, z = batch
    expected = log_loss(y, softmax(z.astype(np.float64), axis=1), labels=[0, 1, 2])
    assert value(on_logits(), y, z) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None])
def test_plain_is_keras_own_with_every_reduction(batch: tuple, reduction: str | None) -> None:
    y, z = batch
    keras_loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=reduction)
    ours = on_logits(reduction=reduction)
    np.testing.assert_allclose(value(ours, y, z), value(keras_loss, y, z), rtol=2e-5, atol=1e-6)
    sample_weight = np.linspace(0, 2, len(y)).astype(np.float32)
    np.testing.assert_allclose(
        value(ours, y, z, sample_weight=sample_weight),
        value(keras_loss, y, z, sample_weight=sample_weight),
        rtol=2e-5,
        atol=1e-6,
    )


def test_weights_are_those_of_the_true_class(batch: tuple) -> None:
    y, z = batch
    p = softmax(z.astype(np.float64), axis=1)
    row_weights = np.array(WEIGHTS)[y]
    total = log_loss(y, p, labels=[0, 1, 2], sample_weight=row_weights, normalize=False)
    assert value(on_logits(WEIGHTS), y, z) == pytest.approx(total / len(y), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_focal_is_the_papers(batch: tuple, gamma: float) -> None:
    y, z = batch
    p = softmax(z.astype(np.float64), axis=1)[np.arange(len(y)), y]
    expected = -((1 - p) ** gamma) * np.log(p)  # Lin et al. 2017, equation 4
    np.testing.assert_allclose(each(y, z, gamma=gamma), expected, rtol=1e-4, atol=1e-7)


def test_focal_by_hand() -> None:
    # p = 3/4: (1/4)^2 ln(4/3)
    z = np.log([[1 / 8, 3 / 4, 1 / 8]] * ROWS).astype(np.float32)
    found = value(on_logits(gamma=2), [1] * ROWS, z)
    assert found == pytest.approx(np.log(4 / 3) / 16, rel=1e-5)


def test_logit_adjustment_is_the_papers(batch: tuple) -> None:
    y, z = batch
    tau = 1.5
    # Menon et al. 2021, equation 10: log(1 + sum (pi_y' / pi_y)^tau exp(f_y' - f_y))
    ratio = (PRIOR[None, :] / PRIOR[y][:, None]) ** tau
    terms = ratio * np.exp(z.astype(np.float64) - z[np.arange(len(y)), y][:, None])
    expected = np.log(terms.sum(axis=1))  # the term of y itself is the 1
    loss = on_logits(margins=tau * np.log(PRIOR), reduction=None)
    np.testing.assert_allclose(value(loss, y, z), expected, rtol=1e-4, atol=1e-5)


def test_balanced_softmax_is_logit_adjustment_by_another_name(batch: tuple) -> None:
    y, z = batch
    # Ren et al. 2020, equation 4
    weighted = COUNTS * np.exp(z.astype(np.float64))
    expected = -np.log(weighted[np.arange(len(y)), y] / weighted.sum(axis=1))
    for margins in (np.log(COUNTS), np.log(PRIOR)):
        loss = on_logits(margins=margins, reduction=None)
        np.testing.assert_allclose(value(loss, y, z), expected, rtol=1e-4, atol=1e-5)


def test_vector_scaling_is_the_papers(batch: tuple) -> None:
    y, z = batch
    delta, iota = (COUNTS / COUNTS.max()) ** 0.3, 1.25 * np.log(PRIOR)
    omega = COUNTS.sum() / (3 * COUNTS)
    # Kini et al. 2021, equation 4
    z64, rows = z.astype(np.float64), np.arange(len(y))
    own = delta[y] * z64[rows, y] + iota[y]
    expected = omega[y] * np.log(np.exp(delta * z64 + iota - own[:, None]).sum(axis=1))
    loss = on_logits(omega, iota, delta, reduction=None)
    np.testing.assert_allclose(value(loss, y, z), expected, rtol=2e-4, atol=1e-4)


def test_ldam_is_the_papers(batch: tuple) -> None:
    y, z = batch
    s, margin = 3.0, 0.5 * (COUNTS / COUNTS.min()) ** -0.25
    # Cao et al. 2019: only the true class's logit is lowered, by C / n_y^(1/4)
    lowered = z.astype(np.float64) - np.eye(3)[y] * margin
    expected = logsumexp(s * lowered, axis=1) - s * lowered[np.arange(len(y)), y]
    loss = on_logits(margins=-s * np.diag(margin), scale=[s] * 3, reduction=None)
    np.testing.assert_allclose(value(loss, y, z), expected, rtol=2e-4, atol=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("size", [1.0, 100.0])
def test_everything_at_once_is_the_formula_in_float64(gamma: float, size: float) -> None:
    rng = np.random.default_rng(1)
    y, z = rng.integers(0, 3, ROWS), (size * rng.uniform(-1, 1, (ROWS, 3))).astype(np.float32)
    numbers = {
        "weights": np.array(WEIGHTS),
        "margins": rng.normal(size=(3, 3)),
        "scale": np.array([0.5, 1.0, 1.5]),
        "gamma": gamma,
    }
    expected = reference(y, z, **numbers)
    np.testing.assert_allclose(each(y, z, **numbers), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_gradients_are_those_of_the_formula(gamma: float) -> None:
    rng = np.random.default_rng(2)
    y, z = rng.integers(0, 3, ROWS), rng.normal(size=(ROWS, 3)).astype(np.float32)
    numbers = {**PLAIN, "weights": np.array(WEIGHTS), "gamma": gamma}
    step = 1e-5
    expected = np.stack(
        [
            (reference(y, z + step * unit, **numbers) - reference(y, z - step * unit, **numbers))
            / (2 * step)
            for unit in np.eye(3)
        ],
        axis=1,
    )
    np.testing.assert_allclose(gradient(y, z, **numbers), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_extreme_logits_pull_the_right_way(gamma: float) -> None:
    z = np.tile(np.array([-100, 100, -100], np.float32), (ROWS, 1))  # sure of class 1
    y = np.arange(ROWS) % 2  # so wrong, right, wrong, ...
    wrong, right = y == 0, y == 1
    losses, found = each(y, z, gamma=gamma), gradient(y, z, gamma=gamma)
    np.testing.assert_allclose(losses[wrong], 200, rtol=1e-4)
    np.testing.assert_allclose(losses[right], 0, atol=1e-6)
    assert np.isfinite(found).all()
    # p = e^-200 for the true class: the gradient is that of plain cross-entropy
    np.testing.assert_allclose(found[wrong], [[-1, 1, 0]] * (ROWS // 2), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[right], 0, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_half_precision_stays_finite(gamma: float) -> None:
    z = np.resize(np.array([[100, -100, 0], [-100, 100, 0], [1, 2, 3]], np.float16), (ROWS, 3))
    y = np.resize([1, 1, 0], ROWS)
    found = each(y, z, gamma=gamma)
    assert found.dtype == np.float32  # raised: the sums lose nothing
    expected = reference(y, z, **{**PLAIN, "gamma": gamma})
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    assert np.isfinite(gradient(y, z, gamma=gamma)).all()


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "float32", "bool"])
def test_labels_of_any_type_and_as_a_column(dtype: str) -> None:
    y = np.resize([0, 1, 1], ROWS)
    z = np.resize(np.array([[2, 0, 1], [0, 2, 1], [2, 0, 1]], np.float32), (ROWS, 3))
    expected = log_loss(y, softmax(z.astype(float), axis=1), labels=[0, 1, 2])
    loss = on_logits()
    assert value(loss, y.astype(dtype), z) == pytest.approx(expected, rel=1e-5)
    assert value(loss, y.astype(dtype)[:, None], z) == pytest.approx(expected, rel=1e-5)


ARGUMENTS: list[Callable[[], CrossEntropy]] = [
    on_logits,
    lambda: on_logits(WEIGHTS, gamma=2, name="rare", reduction="sum"),
    lambda: on_logits(margins=np.log(PRIOR), scale=np.array([1.0, 0.5, 0.25])),
    lambda: on_logits(margins=np.diag([1.0, 2.0, 3.0]), reduction=None),
]


@pytest.mark.parametrize("make", ARGUMENTS)
def test_a_loss_comes_back_from_its_config(
    make: Callable[[], CrossEntropy], batch: tuple[np.ndarray, np.ndarray]
) -> None:
    loss = make()
    config = keras.saving.serialize_keras_object(loss)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is CrossEntropy
    assert (again.name, again.reduction, again.gamma) == (loss.name, loss.reduction, loss.gamma)
    np.testing.assert_array_equal(value(again, *batch), value(loss, *batch))


def test_a_saved_model_keeps_its_loss(tmp_path: Path, batch: tuple) -> None:
    y, x = batch
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile("sgd", loss=on_logits(WEIGHTS, np.log(PRIOR), gamma=1.5))
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.loss.get_config() == model.loss.get_config()
    expected = reference(
        y,
        model.predict(x, verbose=0),
        np.array(WEIGHTS),
        np.tile(np.log(PRIOR), (3, 1)),
        np.ones(3),
        1.5,
    ).mean()
    assert again.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("gamma", [-0.1, float("nan")])
def test_gamma_is_checked(gamma: float) -> None:
    with pytest.raises(ArgumentError, match="`gamma` must be a finite number of at least 0"):
        on_logits(gamma=gamma)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("size", [1.0, 100.0])
def test_one_hot_rows_are_the_integers(gamma: float, size: float) -> None:
    rng = np.random.default_rng(3)
    y, z = rng.integers(0, 3, ROWS), (size * rng.uniform(-1, 1, (ROWS, 3))).astype(np.float32)
    numbers = {"weights": np.array(WEIGHTS), "margins": rng.normal(size=(3, 3)), "gamma": gamma}
    hot = np.eye(3, dtype=np.float32)[y]
    found, expected = each(hot, z, **numbers), reference(y, z, **{**PLAIN, **numbers})
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        gradient(hot, z, **numbers), gradient(y, z, **numbers), rtol=1e-3, atol=1e-5
    )


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_a_soft_row_is_the_mean_over_its_classes(batch: tuple, gamma: float) -> None:
    _, z = batch
    shares = np.random.default_rng(4).dirichlet(np.ones(3), ROWS).astype(np.float32)
    numbers = {**PLAIN, "weights": np.array(WEIGHTS), "gamma": gamma}
    parts = [reference(np.full(ROWS, k), z, **numbers) for k in range(3)]
    expected = np.sum(shares * np.stack(parts, axis=1), axis=1)
    np.testing.assert_allclose(each(shares, z, **numbers), expected, rtol=1e-4, atol=1e-5)


def test_gradients_of_soft_rows_stay_finite_where_the_network_is_sure() -> None:
    z = np.tile(np.array([-100, 100, -100], np.float32), (ROWS, 1))
    shares = np.tile(np.array([0.5, 0.5, 0], np.float32), (ROWS, 1))
    for gamma in (0.0, 0.5, 2.0):
        found = gradient(shares, z, gamma=gamma)
        np.testing.assert_allclose(found, [[-0.5, 0.5, 0]] * ROWS, atol=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_one_column_is_two(batch: tuple, gamma: float) -> None:
    y, z = batch[0] % 2, batch[1][:, :1]
    two = np.concatenate([np.zeros_like(z), z], axis=1)
    expected = reference(y, two, np.array([1, 9]), np.zeros((2, 2)), np.ones(2), gamma)
    p = 1 / (1 + np.exp(-z.astype(np.float64)))
    for targets in (y, y[:, None], y.astype("float32")):
        for outputs in (z, z[:, 0]):
            loss = on_logits([1, 9], gamma=gamma, reduction=None)
            np.testing.assert_allclose(value(loss, targets, outputs), expected, rtol=1e-4)
        loss = CrossEntropy([1, 9], gamma=gamma, reduction=None)
        np.testing.assert_allclose(
            value(loss, targets, p.astype("float32")), expected, rtol=1e-3, atol=1e-6
        )


def test_probabilities_are_logits_up_to_a_constant(batch: tuple) -> None:
    y, z = batch
    p = softmax(z, axis=1)
    margins = np.log(PRIOR)
    found = value(CrossEntropy(WEIGHTS, margins, gamma=1.5, reduction=None), y, p)
    expected = value(on_logits(WEIGHTS, margins, gamma=1.5, reduction=None), y, z)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_keras_agrees_on_probabilities_and_one_hot_rows(batch: tuple) -> None:
    y, z = batch
    p, hot = softmax(z, axis=1), np.eye(3)[y]
    expected = value(keras.losses.CategoricalCrossentropy(label_smoothing=0.1), hot, p)
    assert value(CrossEntropy(), hot * 0.9 + 0.1 / 3, p) == pytest.approx(expected, rel=1e-4)


def test_pixels_have_a_loss_each() -> None:
    rng = np.random.default_rng(5)
    y, z = rng.integers(0, 3, (2, 4, 5)), rng.normal(size=(2, 4, 5, 3)).astype(np.float32)
    loss = on_logits(WEIGHTS, reduction=None)
    flat = reference(y.ravel(), z.reshape(-1, 3), np.array(WEIGHTS), np.zeros((3, 3)), 1, 0)
    expected = flat.reshape(y.shape)
    np.testing.assert_allclose(value(loss, y, z), expected, rtol=1e-4)
    np.testing.assert_allclose(value(loss, y[..., None], z), expected, rtol=1e-4)
    np.testing.assert_allclose(value(loss, np.eye(3)[y], z), expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "y", "z", "message"),
    [
        (CrossEntropy(), np.eye(2), np.zeros((2, 1)), "`y_true` must have one label .* one col"),
        (CrossEntropy(), np.eye(2), np.zeros((2, 3)), "`y_true` must have .* 3 columns"),
        (CrossEntropy(), np.zeros((2, 2, 2)), np.zeros((2, 2)), "`y_true` must have one label"),
        (CrossEntropy([1, 2]), np.arange(3), np.zeros((3, 3)), "`class_weights` .* 3 .* got 2"),
        (CrossEntropy([1, 2, 3]), np.arange(2), np.zeros((2, 1)), "`class_weights` .* 2 .* got 3"),
        (on_logits(scale=[2]), np.arange(2), np.zeros((2, 2)), "`scale` .* 2 .* got 1"),
    ],
)
def test_what_would_broadcast_to_nonsense_is_refused(
    loss: CrossEntropy, y: np.ndarray, z: np.ndarray, message: str
) -> None:
    with pytest.raises(ArgumentError, match=message):
        loss(y, z.astype(np.float32))


def test_a_scale_by_class_needs_logits() -> None:
    with pytest.raises(ArgumentError, match="`scale` needs `from_logits=True`"):
        CrossEntropy(scale=[1, 2])


@pytest.mark.parametrize(("name", "value"), [("scale", 2.0), ("margins", np.zeros((2, 5)))])
def test_tables_are_checked(name: str, value: object) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}` must have the shape"):
        on_logits(**{name: value})
