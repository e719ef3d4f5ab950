"""CutMix and CMO: boxes, areas, and where the pasted rows come from."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from kilter._errors import ArgumentError
from kilter.augment import CMO, CutMix
from kilter.augment.cut import keep_outside

pytestmark = pytest.mark.backend

ROWS = 8
MAKERS: list[Callable[[], CutMix]] = [
    lambda: CutMix(n_classes=2, seed=3),
    lambda: CMO([90, 10], alpha=2.0, seed=3),
]
Y = np.arange(ROWS) % 2


def images() -> np.ndarray:
    """Return images whose pixels all hold the number of their row."""
    return np.tile(np.arange(ROWS, dtype=np.uint8)[:, None, None, None], (1, 6, 9, 2))


@pytest.mark.parametrize(
    ("lam", "centre", "box"),  # of an image of 8 by 12 pixels
    [
        (0.0, (4, 6), (0, 8, 0, 12)),  # all of it
        (0.75, (4, 6), (2, 6, 3, 9)),  # half of each side
        (0.75, (0, 11), (0, 2, 8, 12)),  # cut off at the upper right corner
        (1.0, (4, 6), (4, 4, 6, 6)),  # nothing
        (0.9, (4, 6), (3, 5, 5, 7)),  # sides 2.5 and 3.8: whole pixels
    ],
)
def test_boxes_by_hand(lam: float, centre: tuple[int, int], box: tuple[int, ...]) -> None:
    expected = np.ones((8, 12))
    expected[box[0] : box[1], box[2] : box[3]] = 0
    found = keep_outside(np.array([lam]), np.array([centre]), 8, 12)
    np.testing.assert_array_equal(found[0], expected)


@pytest.mark.parametrize("make", MAKERS)
def test_labels_are_the_area_of_what_was_pasted(make: Callable[[], CutMix]) -> None:
    x, y = make()(images(), Y)
    assert (x.dtype, y.dtype) == (np.float32, np.float32)
    pasted = 0
    for row in range(ROWS):
        found, pixels = np.unique(x[row, :, :, 0], return_counts=True)
        shares = np.zeros(2)
        for partner, area in zip(found.astype(int), pixels, strict=True):
            shares[Y[partner]] += area / 54
        np.testing.assert_allclose(y[row], shares, atol=1e-6)
        assert len(found) <= 2  # its own pixels, and one partner's
        assert x[row].shape == (6, 9, 2)
        np.testing.assert_array_equal(x[row, :, :, 0], x[row, :, :, 1])
        inside = np.argwhere(x[row, :, :, 0] != row)
        pasted += len(inside)
        if len(inside):  # a full box
            assert len(inside) == np.prod(np.ptp(inside, axis=0) + 1)
    assert pasted


def test_pasted_rows_come_by_inverse_frequency() -> None:
    labels = np.eye(2)[np.repeat([0, 1], [900, 100])]
    cmo = CMO([900, 100])
    partners = cmo.draw([(1000, 4, 4, 1)], labels, None).partners
    # 900 rows of weight 1/900, 100 of weight 1/100: half and half
    assert (partners >= 900).mean() == pytest.approx(0.5, abs=0.05)
    partners = CutMix().draw([(1000, 4, 4, 1)], labels, None).partners
    assert (partners >= 900).sum() == 100


def test_a_source_of_its_own_is_pasted_from() -> None:
    source = images()[:3] + 100, np.array([1, 1, 1])
    x, y = CMO([90, 10], alpha=1.0, seed=1)(images(), np.zeros(ROWS, int), source=source)
    np.testing.assert_allclose((x >= 100).mean(axis=(1, 2, 3)), y[:, 1], atol=1e-6)
    assert set(np.unique(x[x >= 100])) == {100, 101, 102}


def test_a_source_of_its_own_is_drawn_from_evenly() -> None:
    sources = np.eye(2)[np.repeat([0, 1], [500, 500])]
    partners = CMO([900, 100]).draw([(1000, 4, 4, 1)], np.eye(2)[[0] * 1000], sources).partners
    assert (partners >= 500).mean() == pytest.approx(0.5, abs=0.05)
    assert partners.max() > 900


@pytest.mark.parametrize("make", MAKERS)
def test_tensors_and_graphs_give_what_arrays_give(make: Callable[[], CutMix]) -> None:
    tf = pytest.importorskip("tensorflow")
    expected = make()(images(), Y)
    tensors = make()(ops.convert_to_tensor(images()), ops.convert_to_tensor(Y))
    data = tf.data.Dataset.from_tensors((images(), Y)).map(make())
    assert [tuple(spec.shape) for spec in data.element_spec] == [(ROWS, 6, 9, 2), (ROWS, 2)]
    for found in (map(ops.convert_to_numpy, tensors), next(iter(data.as_numpy_iterator()))):
        for part, value in zip(expected, found, strict=True):
            np.testing.assert_array_equal(part, value)


def test_a_source_in_a_graph() -> None:
    tf = pytest.importorskip("tensorflow")
    batch = images(), np.zeros(ROWS, int)
    pair = tf.data.Dataset.from_tensors((batch, (images() + 100, np.ones(ROWS, int))))
    cmo = CMO([90, 10], seed=1)
    x, y = next(iter(pair.map(lambda one, other: cmo(*one, source=other)).as_numpy_iterator()))
    np.testing.assert_allclose((x >= 100).mean(axis=(1, 2, 3)), y[:, 1], atol=1e-6)
    assert y[:, 1].any()


@pytest.mark.parametrize("make", MAKERS)
def test_it_comes_back_from_its_config(make: Callable[[], CutMix]) -> None:
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(make())))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(make())
    assert again.get_config() == make().get_config()
    np.testing.assert_array_equal(again(images(), Y)[0], make()(images(), Y)[0])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros((8, 3)), "`x` must be images of shape .* got \\(8, 3\\)"),
        ({"a": images(), "b": np.zeros((8, 3))}, "`x` must be images"),
    ],
)
def test_only_images_can_be_cut(x: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        CutMix(n_classes=2)(x, Y)


def test_alpha_is_checked() -> None:
    with pytest.raises(ArgumentError, match="`alpha` must be above 0; got -1"):
        CMO([9, 1], alpha=-1)
