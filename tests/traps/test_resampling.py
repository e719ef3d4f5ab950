"""Resampling with augmentation, after the split, and a split with strata."""

from __future__ import annotations

import keras
import numpy as np
import pandas as pd
import pytest

from kilter.augment import PerClass
from kilter.data import load, split
from kilter.sampling import BalancedBatches

pytestmark = pytest.mark.backend

Y = np.array([0] * 90 + [1] * 10)
X = np.arange(100, dtype=np.float32)[:, None]


def test_a05_oversampling_at_random_is_one_line() -> None:
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


def test_b18_every_class_is_dealt_evenly() -> None:
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"a": rng.normal(size=100), "y": Y})
    for seed in range(3):
        folds = split(load(table, "y"), seed=seed)
        assert [int((Y[fold.test.rows] == 1).sum()) for fold in folds] == [2] * 5
        assert all((Y[fold.validation.rows] == 1).any() for fold in folds)
