"""Resampling with augmentation, after the split, and a split with strata."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

from kilter.augment import PerClass
from kilter.data import load, split
from kilter.sampling import (
    SMOTE,
    BalancedBatches,
    BalancedIndices,
    KMeansSMOTE,
    RandomOverSampler,
    RandomUnderSampler,
)

pytestmark = pytest.mark.backend

Y = np.array([0] * 90 + [1] * 10)
X = np.arange(100, dtype=np.float32)[:, None]


def test_a03_smote_is_one_line_before_the_network_and_in_the_batch() -> None:
    x2, y2 = SMOTE(random_state=0).fit_resample(X, Y)
    assert np.bincount(y2).tolist() == [90, 90]
    np.testing.assert_array_equal(x2[:100], X)
    assert ((x2[100:] >= 90) & (x2[100:] <= 99)).all()  # between rows of the rare class
    x, y = (
        np.concatenate(some) for some in zip(*BalancedBatches(X, Y, 20, mix="smote"), strict=True)
    )
    rare = x[y == 1, 0]
    assert ((rare >= 90) & (rare <= 99)).all()
    assert (rare % 1 == 0).sum() == 10  # each row once as it is, the others between two
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", loss="binary_crossentropy")
    model.fit(x2, y2, verbose=0)


def test_a04_undersampling_at_random_is_one_line() -> None:
    x2, y2 = RandomUnderSampler(random_state=0).fit_resample(X, Y)
    assert np.bincount(y2).tolist() == [10, 10]
    assert len(np.unique(x2)) == 20  # rows of the table, none of them twice
    np.testing.assert_array_equal(Y[x2[:, 0].astype(int)], y2)


def test_a05_oversampling_at_random_is_one_line() -> None:
    x2, y2 = RandomOverSampler(random_state=0).fit_resample(X, Y)
    assert np.bincount(y2).tolist() == [90, 90]
    np.testing.assert_array_equal(Y[x2[:, 0].astype(int)], y2)
    batches = BalancedBatches(X, Y, batch_size=20, draw="balanced")
    rows = np.concatenate([x[:, 0] for x, _ in batches]).astype(int)
    assert np.bincount(Y[rows]).tolist() == [50, 50]
    # repeated, not thrown away: each rare row five times in an epoch
    assert np.bincount(rows, minlength=100)[90:].tolist() == [5] * 10


def test_a06_augmentation_and_resampling_go_together() -> None:
    noise = PerClass(keras.layers.GaussianNoise(0.1, seed=0), probabilities=[0, 1])
    batches = BalancedBatches(X, Y, batch_size=20, augment=noise)
    x, y = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    as_it_was = x[:, 0] == np.round(x[:, 0])
    np.testing.assert_array_equal(as_it_was, y == 0)
    assert len(np.unique(x[y == 1])) == 50  # every repetition is a version of its own


def test_a07_what_is_resampled_is_the_training_part() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.normal(size=100), "b": rng.normal(size=100), "y": Y})
    for fold in split(load(table, "y")):
        train, rest = fold.train.rows, [*fold.validation.rows, *fold.test.rows]
        batches = BalancedBatches(X[train], Y[train], batch_size=20)
        drawn = np.concatenate([x[:, 0] for x, _ in batches]).astype(int)
        assert not set(drawn) & set(rest)
        assert (Y[rest] == 1).mean() == pytest.approx(0.1, abs=0.03)  # as it is, not balanced


def test_a12_clusters_of_a_rare_class_are_oversampled_on_their_own() -> None:
    rng = np.random.default_rng(0)
    places = np.repeat([[0, 0], [9, 9], [9, -9]], [300, 20, 20], axis=0)
    x, y = places + rng.normal(size=(340, 2)), np.repeat([0, 1], [300, 40])
    x2, y2 = KMeansSMOTE(kmeans_estimator=3, random_state=0).fit_resample(x, y)
    assert np.bincount(y2).tolist() == [300, 300]
    assert (abs(x2[340:, 1]) > 5).all()  # none between the two places
    assert (SMOTE(k_neighbors=39, random_state=0).fit_resample(x, y)[0][340:, 1] < 5).any()


def test_b18_every_class_is_dealt_evenly() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"a": rng.normal(size=100), "y": Y})
    for seed in range(3):
        folds = split(load(table, "y"), seed=seed)
        assert [int((Y[fold.test.rows] == 1).sum()) for fold in folds] == [2] * 5
        assert all((Y[fold.validation.rows] == 1).any() for fold in folds)


class Recorder(BalancedBatches):
    """Batches that write down how often Keras ends an epoch, and which rows it asks for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ends, self.asked = 0, []

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        batch = super().__getitem__(index)
        self.asked.append(batch[0][:, 0])
        return batch

    def on_epoch_end(self) -> None:
        self.ends += 1
        super().on_epoch_end()


def test_b20_an_epoch_is_over_when_its_batches_were_seen() -> None:
    def seen(y_true: Any, y_pred: Any) -> Any:
        return y_pred

    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.SGD(0.0), loss="mse", metrics=[seen])
    batches, indices = Recorder(X, Y, batch_size=20), BalancedIndices(Y, batch_size=20)
    means = model.fit(batches, epochs=3, verbose=0).history["seen"]
    # more ends than epochs, and more batches than were trained on: neither can be counted
    assert batches.ends > 3
    assert len(batches.asked) > 3 * len(batches)
    expected = np.array(indices.over(3)).reshape(3, -1).mean(axis=1)
    np.testing.assert_allclose(means, expected, rtol=1e-5)


def test_b21_every_batch_is_balanced_and_every_epoch_another() -> None:
    pytest.importorskip("tensorflow", reason="imblearn.keras imports TensorFlow")
    from imblearn.keras import BalancedBatchGenerator

    def passes(batches: Any) -> list[np.ndarray]:
        found = []
        for _ in range(2):
            found.append(np.stack([batches[index][0][:, 0] for index in range(len(batches))]))
            batches.on_epoch_end()
        return found

    y = np.repeat([0, 1], [900, 100])
    x = np.arange(1000, dtype=np.float32)[:, None]
    theirs = passes(BalancedBatchGenerator(x, y, batch_size=32, random_state=0))
    ours = passes(BalancedBatches(x, y, batch_size=32))
    spread = [np.ptp((epochs[0] >= 900).mean(axis=1)) for epochs in (theirs, ours)]
    assert spread[0] > 0.1
    assert spread[1] == 0
    np.testing.assert_array_equal(theirs[0], theirs[1])
    assert not np.array_equal(ours[0], ours[1])
    assert len(np.unique(theirs)) < 200  # what was left out is never seen, nor the last batch
    assert len(np.unique(ours)) == 1000
