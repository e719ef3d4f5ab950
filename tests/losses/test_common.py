"""What holds for every loss with one value a row, whichever it is."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import expit, softmax

import kilter.losses
from differentiate import gradients
from kilter._errors import ArgumentError
from kilter.losses.base import RowLoss
from kilter.losses.cost import ExpectedCost
from kilter.losses.density import GHMC
from kilter.losses.focal import ClassBalancedFocal, Focal
from kilter.losses.general import CrossEntropy
from kilter.losses.margins import LDAM
from kilter.losses.multilabel import Asymmetric
from kilter.losses.prior import BalancedSoftmax, LogitAdjusted
from kilter.losses.scaling import VS
from kilter.losses.seesaw import Seesaw
from kilter.losses.smoothing import LabelAwareSmoothing

pytestmark = pytest.mark.backend

ROWS = 12  # everywhere: JAX compiles every operation for every shape
COUNTS = np.array([900.0, 90.0, 10.0])
WEIGHTS = np.array([0.5, 1.0, 4.0])
SEVERAL_LABELS = {Asymmetric}  # their targets are one column a label
MAKERS: dict[type[RowLoss], Callable[[int], dict[str, Any]]] = {
    BalancedSoftmax: lambda n: {"counts": COUNTS[:n]},
    ClassBalancedFocal: lambda n: {"counts": COUNTS[:n], "beta": 0.99, "gamma": 0.5},
    CrossEntropy: lambda n: {"margins": np.log(COUNTS[:n]), "gamma": 0.5},
    ExpectedCost: lambda n: {"costs": np.array([[0, 1, 2], [3, 0, 1], [9, 8, 1]])[:n, :n]},
    Focal: lambda n: {"gamma": 0.5},
    GHMC: lambda n: {"bins": 4},
    LDAM: lambda n: {"counts": COUNTS[:n], "max_margin": 0.4, "scale": 3.0},
    LabelAwareSmoothing: lambda n: {"counts": COUNTS[:n], "head": 0.2, "tail": 0.1},
    LogitAdjusted: lambda n: {"counts": COUNTS[:n], "tau": 0.5},
    Seesaw: lambda n: {"counts": COUNTS[:n], "mitigation": 0.6, "compensation": 1.5},
    VS: lambda n: {"counts": COUNTS[:n], "gamma": 0.2, "tau": 0.5},
}
FADING = {ExpectedCost}  # bounded: no gradient is left where the network is sure


def discovered() -> list[type[RowLoss]]:
    """Return every loss of the package that gives rows of its own."""
    for module in pkgutil.iter_modules(kilter.losses.__path__):
        importlib.import_module(f"kilter.losses.{module.name}")

    def below(cls: type[RowLoss]) -> set[type[RowLoss]]:
        return {cls}.union(*(below(child) for child in cls.__subclasses__()))

    ours = {cls for cls in below(RowLoss) if cls.__module__.startswith("kilter.")}
    return sorted(
        (cls for cls in ours - SEVERAL_LABELS if "__init__" in vars(cls) and is_final(cls)),
        key=lambda cls: cls.__name__,
    )


def is_final(cls: type[RowLoss]) -> bool:
    return cls.rows is not RowLoss.rows or cls.call is not RowLoss.call


every_loss = pytest.mark.parametrize("cls", discovered(), ids=lambda cls: cls.__name__)


def make(cls: type[RowLoss], n_classes: int = 3, **options: Any) -> RowLoss:
    return cls(**{"from_logits": True, "reduction": None, **MAKERS[cls](n_classes), **options})


def rows(loss: RowLoss, y: Any, outputs: Any, **options: Any) -> np.ndarray:
    return np.asarray(ops.convert_to_numpy(loss(np.asarray(y), np.asarray(outputs), **options)))


@functools.cache
def batch(n_classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.resize(np.arange(n_classes), ROWS)
    return y, (2 * rng.normal(size=(ROWS, n_classes))).astype(np.float32)


def test_the_table_has_every_loss() -> None:
    missing = set(discovered()) - set(MAKERS)
    assert not missing, "give it arguments in MAKERS"


@every_loss
def test_labels_of_every_shape_mean_the_same(cls: type[RowLoss]) -> None:
    y, z = batch()
    loss = make(cls)
    expected = rows(loss, y, z)
    assert expected.shape == (ROWS,)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(rows(loss, y[:, None], z), expected)
    np.testing.assert_allclose(rows(loss, np.eye(3)[y], z), expected, rtol=1e-5, atol=1e-6)


@every_loss
def test_probabilities_and_logits_give_the_same(cls: type[RowLoss]) -> None:
    y, z = batch()
    if cls is VS:
        with pytest.raises(ArgumentError, match="`from_logits` must be True"):
            make(cls, from_logits=False)
        return
    found = rows(make(cls, from_logits=False), y, softmax(z, axis=1))
    np.testing.assert_allclose(found, rows(make(cls), y, z), rtol=1e-4, atol=1e-5)


@every_loss
def test_one_column_is_class_1_of_two(cls: type[RowLoss]) -> None:
    y, z = batch(2)
    z = z[:, 1:]
    loss = make(cls, 2)
    found = rows(loss, y, z)
    np.testing.assert_allclose(rows(loss, y[:, None], z[:, 0]), found, rtol=1e-6)
    if cls is VS:  # has a form of its own for one column
        return
    two = np.concatenate([np.zeros_like(z), z], axis=1)
    np.testing.assert_allclose(rows(loss, y, two), found, rtol=1e-5, atol=1e-6)
    found = rows(make(cls, 2, from_logits=False), y, expit(z))
    np.testing.assert_allclose(rows(loss, y, two), found, rtol=1e-4, atol=1e-5)


@every_loss
def test_pixels_are_rows(cls: type[RowLoss]) -> None:
    y, z = batch()
    found = rows(make(cls), y.reshape(2, 3, 2), z.reshape(2, 3, 2, 3))
    np.testing.assert_allclose(found, rows(make(cls), y, z).reshape(2, 3, 2), rtol=1e-5)


@every_loss
def test_class_weights_multiply_rows_and_can_be_changed(cls: type[RowLoss]) -> None:
    y, z = batch()
    plain = rows(make(cls, class_weights=[1, 1, 1]), y, z)
    loss = make(cls, class_weights=WEIGHTS)
    np.testing.assert_allclose(rows(loss, y, z), WEIGHTS[y] * plain, rtol=1e-5, atol=1e-6)
    loss.reweight(np.array([2.0, 1.0, 3.0]))
    expected = np.array([2.0, 1.0, 3.0])[y] * plain
    np.testing.assert_allclose(rows(loss, y, z), expected, rtol=1e-5, atol=1e-6)


@every_loss
def test_sample_weights_multiply_rows(cls: type[RowLoss]) -> None:
    y, z = batch()
    weights = np.linspace(0, 2, ROWS).astype(np.float32)
    found = rows(make(cls, reduction="sum_over_batch_size"), y, z, sample_weight=weights)
    assert found == pytest.approx((weights * rows(make(cls), y, z)).mean(), rel=1e-5)


@every_loss
def test_soft_labels_between_two_classes(cls: type[RowLoss]) -> None:
    y, z = batch()
    soft = 0.7 * np.eye(3)[y] + 0.3 * np.eye(3)[(y + 1) % 3]
    assert np.isfinite(rows(make(cls), soft, z)).all()


@every_loss
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_sure_and_wrong_pulls_the_right_way(cls: type[RowLoss], dtype: str) -> None:
    sure = np.where(np.eye(3)[np.arange(ROWS) % 3] > 0, 100, -100).astype(np.float32)
    y = np.resize([0, 0, 0, 1, 1, 1, 2, 2, 2], ROWS)
    own = np.eye(3)[y] > 0
    right = y == sure.argmax(axis=1)
    loss = make(cls, reduction="sum")

    def total(z: Any) -> Any:
        return ops.cast(loss(y, ops.cast(z, dtype)), "float32")

    found = gradients(total, sure)
    assert np.isfinite(found).all()
    assert np.isfinite(float(total(ops.convert_to_tensor(sure))))
    pull = found[own & ~right[:, None]]
    assert (pull <= 0 if cls in FADING else pull < -0.01).all()


@every_loss
def test_a_single_logit_keeps_its_gradient(cls: type[RowLoss]) -> None:
    z = np.resize(np.array([[-100], [100], [-20], [20]], np.float32), (ROWS, 1))
    y = np.resize([1, 0, 1, 0, 1, 1, 0, 0], ROWS)
    loss = make(cls, 2, reduction="sum")
    found = gradients(lambda logits: loss(y, logits), z)[:, 0]
    assert np.isfinite(found).all()
    wrong = (z[:, 0] > 0) != (y == 1)
    towards_truth = -found[wrong] * np.where(y == 1, 1, -1)[wrong]
    assert (towards_truth >= 0 if cls in FADING else towards_truth > 0.01).all()


@every_loss
def test_the_config_says_everything(cls: type[RowLoss]) -> None:
    loss = make(cls, name="rare", reduction="sum", class_weights=WEIGHTS)
    config = keras.saving.serialize_keras_object(loss)
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is cls
    assert again.get_config() == loss.get_config()
    assert again.get_config()["from_logits"]
    assert again.name == "rare"
    named = inspect.signature(cls).parameters.values()
    asked = {p.name for p in named if p.kind is not inspect.Parameter.VAR_KEYWORD}
    assert asked <= set(loss.get_config())
    np.testing.assert_array_equal(rows(again, *batch()), rows(loss, *batch()))


@every_loss
def test_labels_that_are_no_class_are_not_a_number(cls: type[RowLoss]) -> None:
    y, z = batch()
    wrong = np.where(np.arange(ROWS) % 4 == 0, -1, y)
    np.testing.assert_array_equal(np.isnan(rows(make(cls), wrong, z)), wrong < 0)
    two = rows(make(cls, 2), y % 2 + 1, z[:, :1])
    np.testing.assert_array_equal(np.isnan(two), y % 2 == 1)


@every_loss
def test_a_row_of_weight_0_may_hold_any_label(cls: type[RowLoss]) -> None:
    y, z = batch()
    weights = (np.arange(ROWS) % 4 > 0).astype(np.float32)
    void = np.where(weights > 0, y, 255)
    found = rows(make(cls, reduction="sum"), void, z, sample_weight=weights)
    expected = rows(make(cls, reduction="sum"), y, z, sample_weight=weights)
    assert found == pytest.approx(expected, rel=1e-5)


@every_loss
def test_half_precision_would_round_labels(cls: type[RowLoss]) -> None:
    with pytest.raises(ArgumentError, match="`dtype` must be float32 or float64; got bfloat16"):
        make(cls, dtype="bfloat16")


@every_loss
def test_numbers_of_other_classes_are_refused(cls: type[RowLoss]) -> None:
    numbers = MAKERS[cls](3)
    named = next((name for name in ("counts", "costs", "margins") if name in numbers), None)
    loss = make(cls) if named else make(cls, class_weights=WEIGHTS)
    with pytest.raises(ArgumentError, match=f"`{named or 'class_weights'}` must have one value"):
        rows(loss, *batch(2))


COUNTED = [cls for cls in discovered() if "counts" in inspect.signature(cls).parameters]


@pytest.mark.parametrize("cls", COUNTED, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("counts", [[5], [3, 0], [3, np.nan], [[1, 2]]])
def test_counts_are_checked(cls: type[RowLoss], counts: Any) -> None:
    with pytest.raises(ArgumentError, match="`counts` must be the training rows"):
        cls(counts, from_logits=True)


def test_losses_train_and_come_back_in_one_model(tmp_path: Path) -> None:
    y, z = batch()
    inputs = keras.Input((3,))
    losses = {cls.__name__: make(cls, reduction="sum") for cls in (ExpectedCost, GHMC, Seesaw, VS)}
    outputs = {name: keras.layers.Dense(3, name=name)(inputs) for name in losses}
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.SGD(0.01), loss=losses)
    targets = dict.fromkeys(losses, y)
    history = model.fit(z, targets, epochs=4, batch_size=ROWS, verbose=0).history["loss"]
    assert history[-1] < history[0]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    predicted = again.predict(z, batch_size=ROWS, verbose=0)
    found = again.evaluate(z, targets, batch_size=ROWS, verbose=0, return_dict=True)
    for name, loss in losses.items():
        expected = rows(loss, y, predicted[name])
        assert found[f"{name}_loss"] == pytest.approx(expected, rel=1e-4)
