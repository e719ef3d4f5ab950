"""The traps of Keras's `class_weight`, and that weights in kilter's losses have none of them."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from scipy.special import log_softmax

from kilter._errors import KilterError
from kilter.losses import CrossEntropy
from kilter.weights import class_weights

pytestmark = pytest.mark.backend

WEIGHTS = {0: 1, 1: 2.5, 2: 6.0}
BY_CLASS = np.array([1.0, 2.5, 6.0])
Y = np.resize([0, 0, 1, 0, 2, 1], 8)
Z = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
KERAS_LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def entropy(y: Any = Y, z: Any = Z) -> np.ndarray:
    """Compute the cross-entropy of every row in float64, of the shape of the labels."""
    return -np.take_along_axis(log_softmax(z.astype(float), axis=-1), y[..., None], -1)[..., 0]


WEIGHTED = float(np.mean(BY_CLASS[Y] * entropy()))
PLAIN = float(np.mean(entropy()))


def value(loss: keras.losses.Loss, y: Any = Y, z: Any = Z) -> float:
    return float(ops.convert_to_numpy(loss(y, z)))


@functools.cache
def identity(ours: bool) -> keras.Model:
    """Compile a model that hands on its inputs as logits and does not learn."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, use_bias=False)])
    model.set_weights([np.eye(3)])
    loss = CrossEntropy(WEIGHTS, from_logits=True) if ours else KERAS_LOSS
    model.compile(keras.optimizers.SGD(0.0), loss=loss)
    return model


def trained(model: keras.Model, *data: Any, **options: Any) -> float:
    """Return the loss of one epoch of training."""
    options = {"batch_size": 4} | options if len(data) == 2 else {"shuffle": False} | options
    return model.fit(*data, verbose=0, **options).history["loss"][0]


@pytest.mark.parametrize(
    "weights",
    [WEIGHTS, [1, 2.5, 6], BY_CLASS, class_weights(counts=[40, 16, 20 / 3])],
    ids=["dict", "list", "array", "class_weights"],
)
def test_b01_a_dict_a_list_and_an_array_are_weights(weights: Any) -> None:
    by_class = np.array([weights[k] for k in range(3)])
    expected = np.mean(by_class[Y] * entropy())
    assert value(CrossEntropy(weights, from_logits=True)) == pytest.approx(expected, rel=1e-5)


UNKNOWN = [{"0": 1.0, "1": 2.5}, {0: 1.0, 7: 2.5}, {1: 2.5}, {"ham": 1.0, "spam": 2.5}]


@pytest.mark.parametrize("weights", UNKNOWN, ids=str)
def test_b01_a_dict_of_unknown_classes_is_an_error(weights: Any) -> None:
    unknown = {key: weight for key, weight in weights.items() if key != 1}
    assert trained(identity(False), Z, Y, class_weight=unknown) == pytest.approx(PLAIN, rel=1e-5)
    with pytest.raises(KilterError, match="`class_weights` must have the keys 0 to"):
        CrossEntropy(weights)


def test_b01_balanced_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(KilterError, match=r"`kilter.class_weights\(y, 'balanced'\)`"):
        CrossEntropy("balanced")


class Rows(keras.utils.PyDataset):
    """Two batches, with sample weights where they are asked for."""

    def __init__(self, *parts: np.ndarray) -> None:
        super().__init__()
        self.parts = parts

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[np.ndarray, ...]:
        return tuple(part[index::2] for part in self.parts)


def generator() -> Iterator[tuple[np.ndarray, ...]]:
    while True:
        yield from Rows(Z, Y)


def dataloader() -> Any:
    from torch.utils.data import DataLoader, TensorDataset, default_convert

    return DataLoader(TensorDataset(*default_convert([Z, Y])), batch_size=4)


def tf_data() -> Any:
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((Z, Y)).batch(4)


def grain_data() -> Any:
    import grain

    rows = grain.MapDataset.source(list(zip(Z, Y, strict=True)))
    return rows.to_iter_dataset().batch(4)


SOURCES = {"torch": dataloader, "tensorflow": tf_data, "grain": grain_data}
INSTALLED = [make for name, make in SOURCES.items() if importlib.util.find_spec(name)]


@pytest.mark.parametrize("make", [lambda: Rows(Z, Y), generator, *INSTALLED])
def test_b02_weights_act_with_every_source_of_data(make: Callable[[], Any]) -> None:
    found = trained(identity(True), make(), steps_per_epoch=2)
    assert found == pytest.approx(WEIGHTED, rel=1e-5)


def test_b02_sample_weights_go_with_class_weights() -> None:
    sample_weight = np.linspace(0, 2, 8).astype(np.float32)
    expected = np.mean(BY_CLASS[Y] * sample_weight * entropy())
    data = Rows(Z, Y, sample_weight)
    assert trained(identity(True), data) == pytest.approx(expected, rel=1e-5)
    broken = identity.__wrapped__(False)  # an error in `fit` leaves a model unusable on JAX
    with pytest.raises(ValueError, match="cannot specify `class_weight` and `sample_weight`"):
        trained(broken, data, class_weight=WEIGHTS)


def test_b02_every_output_has_weights_of_its_own() -> None:
    inputs = keras.Input((3,))
    names = {"kind": [1.0, 2.5, 6.0], "shade": [3.0, 1.0, 1.0]}
    outputs = {name: keras.layers.Identity(name=name)(inputs) for name in names}
    model = keras.Model(inputs, outputs)
    losses = {name: CrossEntropy(weights, from_logits=True) for name, weights in names.items()}
    model.compile("sgd", loss=losses)
    y = {"kind": Y, "shade": 2 - Y}
    found = model.evaluate(Z, y, return_dict=True, verbose=0)
    for name, weights in names.items():
        expected = np.mean(np.array(weights)[y[name]] * entropy(y[name]))
        assert found[f"{name}_loss"] == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="`class_weight` is only supported for"):
        model.fit(Z, y, class_weight=WEIGHTS, verbose=0)


@pytest.mark.parametrize("column", [False, True])
def test_b02_every_pixel_has_the_weight_of_its_class(column: bool) -> None:
    z = np.random.default_rng(1).normal(size=(8, 2, 2, 3)).astype(np.float32)
    y = np.resize([0, 1, 1, 2, 0], (8, 2, 2))
    model = keras.Sequential([keras.Input((2, 2, 3)), keras.layers.Identity()])
    model.compile("sgd", loss=CrossEntropy(WEIGHTS, from_logits=True))
    found = model.evaluate(z, y[..., None] if column else y, verbose=0)
    assert found == pytest.approx(np.mean(BY_CLASS[y] * entropy(y, z)), rel=1e-5)


def test_b03_soft_rows_are_weighed_by_their_shares() -> None:
    shares = np.tile([0.4, 0.3, 0.3], (8, 1))
    terms = -shares * log_softmax(Z.astype(float), axis=1)
    assert value(CrossEntropy(WEIGHTS, from_logits=True), shares) == pytest.approx(
        np.mean(terms @ BY_CLASS), rel=1e-5
    )
    model = identity.__wrapped__(False)
    model.compile("sgd", loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    theirs = model.train_on_batch(Z, shares, class_weight={0: 7.0, 1: 1.0, 2: 1.0})
    assert np.asarray(theirs) == pytest.approx(7 * np.mean(terms.sum(axis=1)), rel=1e-5)


def test_b04_the_validation_loss_is_weighted() -> None:
    stop = keras.callbacks.EarlyStopping(monitor="val_loss")
    found = identity(True).fit(Z, Y, validation_data=(Z, Y), callbacks=[stop], verbose=0).history
    assert found["loss"] == pytest.approx([WEIGHTED], rel=1e-5)
    assert found["val_loss"] == pytest.approx([WEIGHTED], rel=1e-5)
    assert stop.best == pytest.approx(WEIGHTED, rel=1e-5)
    theirs = identity(False).fit(Z, Y, validation_data=(Z, Y), class_weight=WEIGHTS, verbose=0)
    assert theirs.history["loss"] == pytest.approx([WEIGHTED], rel=1e-5)
    assert theirs.history["val_loss"] == pytest.approx([PLAIN], rel=1e-5)


def bytecodes(call: Callable[[], Any]) -> int:
    """Count the steps that Python takes in a call: a loop a row takes some for every row."""
    steps = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return steps


@pytest.mark.parametrize("dtype", ["int64", "float32", "bool"])
def test_b05_a_million_labels_take_no_loop_in_python(dtype: str) -> None:
    few, many = (np.resize(np.array([0, 0, 1, 0], dtype), rows) for rows in (8, 1_000_000))
    assert class_weights(many) == pytest.approx({0: 2 / 3, 1: 2.0})
    assert bytecodes(lambda: class_weights(many)) == bytecodes(lambda: class_weights(few))


def test_b05_a_million_rows_are_weighed_at_once() -> None:
    z = np.resize(Z, (1_000_000, 3))
    y = np.resize(Y, 1_000_000)
    loss = CrossEntropy(WEIGHTS, from_logits=True)
    assert value(loss, y, z) == pytest.approx(WEIGHTED, rel=1e-4)


@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8"])
def test_b06_two_and_a_half_is_not_cut_to_two(dtype: str) -> None:
    assert trained(identity(True), Z, Y.astype(dtype)) == pytest.approx(WEIGHTED, rel=1e-5)


def test_b06_two_and_a_half_is_not_cut_to_two_by_tf_data() -> None:
    pytest.importorskip("tensorflow")
    assert trained(identity(True), tf_data()) == pytest.approx(WEIGHTED, rel=1e-5)
