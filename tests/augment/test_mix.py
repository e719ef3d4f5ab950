"""Mixup and Remix: the papers' formulas on drawn numbers, in any pipeline."""

from __future__ import annotations

import json
from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import ops

from kilter._errors import ArgumentError
from kilter.augment import Mixup, Remix
from kilter.augment.base import Mixing
from kilter.augment.mix import remix_shares

pytestmark = pytest.mark.backend

COUNTS = [90, 20, 5]
ROWS = 12
MAKERS: list[Callable[[], Mixing]] = [
    lambda: Mixup(alpha=1.0, n_classes=3, seed=5),
    lambda: Remix(COUNTS, alpha=0.8, kappa=2, tau=0.7, seed=5),
]


@pytest.fixture
def batch() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(ROWS, 2, 3)).astype(np.float32)
    return x, np.arange(ROWS) % 3


def test_mixup_is_the_papers(batch: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = batch
    one_hot = np.eye(3)[y]
    # the same seed draws the same numbers
    partners, lam, _ = MAKERS[0]().draw([x.shape], one_hot, None)
    assert sorted(partners) == list(range(ROWS))
    mixed, labels = MAKERS[0]()(x, y)
    assert (mixed.dtype, labels.dtype) == (np.float32, np.float32)
    for row, (partner, share) in enumerate(zip(partners, lam, strict=True)):
        expected = share * x[row].astype(float) + (1 - share) * x[partner]
        np.testing.assert_allclose(mixed[row], expected, rtol=1e-5, atol=1e-6)
        expected = share * one_hot[row] + (1 - share) * one_hot[partner]
        np.testing.assert_allclose(labels[row], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_are_beta_distributed(alpha: float) -> None:
    shares = Mixup(alpha).draw([], np.zeros((20_000, 2)), None).shares
    assert shares.mean() == pytest.approx(0.5, abs=0.02)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.05)


@pytest.mark.parametrize(
    ("lam", "own", "other", "expected"),
    [
        (0.4, 90, 30, 0.0),  # three times as frequent, and less than half of it: to the partner
        (0.5, 90, 30, 0.5),  # not less than half
        (0.4, 89, 30, 0.4),  # not three times
        (0.6, 30, 90, 1.0),  # the mirror image
        (0.5, 30, 90, 0.5),
        (0.6, 30, 89, 0.6),
        (0.4, 30, 90, 0.4),
        (0.6, 90, 30, 0.6),
        (0.1, 50, 50, 0.1),
    ],
)
def test_remix_labels_by_hand(lam: float, own: int, other: int, expected: float) -> None:
    found = remix_shares(np.array([lam]), np.array([own]), np.array([other]), 3, 0.5)
    np.testing.assert_allclose(found, [expected])


def test_remix_mixes_rows_as_mixup_and_labels_as_the_paper(
    batch: tuple[np.ndarray, np.ndarray],
) -> None:
    x, y = batch
    partners, lam, _ = Mixup(alpha=0.8, seed=5).draw([x.shape], np.eye(3)[y], None)
    mixed, labels = MAKERS[1]()(x, y)
    np.testing.assert_allclose(mixed, Mixup(0.8, 3, seed=5)(x, y)[0])
    for row in range(ROWS):  # Chou et al. 2020, equation 5
        own, other = y[row], y[partners[row]]
        ratio, share = COUNTS[own] / COUNTS[other], lam[row]
        if ratio >= 2 and share < 0.7:
            share = 0
        elif ratio <= 1 / 2 and 1 - share < 0.7:
            share = 1
        expected = share * np.eye(3)[own] + (1 - share) * np.eye(3)[other]
        np.testing.assert_allclose(labels[row], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", MAKERS)
def test_a_seed_gives_the_same_batches_and_new_ones_each_time(
    make: Callable[[], Mixing], batch: tuple[np.ndarray, np.ndarray]
) -> None:
    one, other = make(), make()
    first, second = one(*batch)[0], one(*batch)[0]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(other(*batch)[0], first)
    np.testing.assert_array_equal(other(*batch)[0], second)


@pytest.mark.parametrize("make", MAKERS)
def test_labels_of_every_kind_mean_the_same(
    make: Callable[[], Mixing], batch: tuple[np.ndarray, np.ndarray]
) -> None:
    x, y = batch
    expected = make()(x, y)[1]
    for labels in (y.astype("float32"), y[:, None], np.eye(3)[y], y.tolist()):
        np.testing.assert_array_equal(make()(x, labels)[1], expected)


@pytest.mark.parametrize("make", MAKERS)
def test_tensors_and_graphs_give_what_arrays_give(
    make: Callable[[], Mixing], batch: tuple[np.ndarray, np.ndarray]
) -> None:
    tf = pytest.importorskip("tensorflow")
    expected = make()(*batch)
    tensors = make()(*map(ops.convert_to_tensor, batch))
    assert all(map(ops.is_tensor, tensors))
    data = tf.data.Dataset.from_tensors(batch).map(make())
    assert [tuple(spec.shape) for spec in data.element_spec] == [(ROWS, 2, 3), (ROWS, 3)]
    for found in (map(ops.convert_to_numpy, tensors), next(iter(data.as_numpy_iterator()))):
        for part, value in zip(expected, found, strict=True):
            np.testing.assert_array_equal(part, value)


def test_all_parts_of_a_row_are_mixed_alike() -> None:
    x = np.arange(8.0)[:, None]
    mixed, _ = Mixup(1.0, n_classes=2)({"a": x, "b": np.tile(3 * x, 2)}, np.zeros(8))
    np.testing.assert_allclose(mixed["b"], np.tile(3 * mixed["a"], 2), rtol=1e-6)


@pytest.mark.parametrize("make", MAKERS)
def test_a_mixture_comes_back_from_its_config(
    make: Callable[[], Mixing], batch: tuple[np.ndarray, np.ndarray]
) -> None:
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(make())))
    again = keras.saving.deserialize_keras_object(config)
    assert type(again) is type(make())
    assert again.get_config() == make().get_config()
    np.testing.assert_array_equal(again(*batch)[1], make()(*batch)[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Mixup(alpha=0), "`alpha` must be above 0; got 0"),
        (lambda: Remix(COUNTS, alpha=float("nan")), "`alpha` must be above 0"),
        (lambda: Remix(COUNTS, kappa=0.5), "`kappa` must be at least 1"),
        (lambda: Remix(COUNTS, tau=1.5), "`tau` in \\[0, 1\\]"),
        (lambda: Remix([3, 0]), "`counts` must be"),
        (lambda: Mixup()(np.zeros((2, 1)), np.array([0, 1])), "`n_classes` must be given"),
        (lambda: Remix(COUNTS)(np.zeros((2, 1)), np.ones((2, 3))), "one class a row"),
    ],
)
def test_what_cannot_be_mixed_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        make()
