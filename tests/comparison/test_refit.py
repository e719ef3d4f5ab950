"""The model that is handed over: epochs by the folds, networks on all rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from kilter._types import Dataset
from kilter.comparison.executors.base import Trained
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of
from kilter.comparison.refit import best_epochs, refit, without_folds
from kilter.comparison.remedy import REMEDIES
from kilter.data import load


def trained(*epochs: int) -> list[Trained]:
    (lane, *_) = lanes_of(Plan.make([]))
    none = np.empty((0, 2))
    return [Trained(lane, 0.5, epoch, none, none, [], 0.0) for epoch in epochs]


def test_epochs_are_counted_from_one_and_averaged() -> None:
    assert best_epochs(trained(0)) == 1
    assert best_epochs(trained(4, 9)) == 8  # of 5 and 10


def test_networks_learn_from_all_rows_for_as_long_as_is_asked(quick, small: Callable) -> None:
    parts = small(remedies="smote,focal")
    seen: list[bool] = []
    remedy = REMEDIES["smote"]
    encoder, network = refit(quick, parts.plan, parts.dataset, remedy, 7, lambda: seen.append(True))
    assert len(seen) == len(quick.refitted) == parts.plan.seeds
    for task, one in quick.refitted:
        assert (task.plan.epochs, task.plan.patience, len(task.folds)) == (7, 7, 1)
        assert len(task.folds[0].x) == len(parts.dataset)
        assert len(task.folds[0].neighbors) == len(parts.dataset)  # smote's
        assert one.lane.training == remedy.training
    assert network.input_shape == (None, encoder.width)
    quick.refitted.clear()
    refit(quick, parts.plan, parts.dataset, REMEDIES["focal"], 7)
    assert not len(quick.refitted[0][0].folds[0].neighbors)  # which nobody needs


def few(dataset: Dataset, rows: int) -> Dataset:
    """Keep so many rows of the last class."""
    last = np.flatnonzero(dataset.labels == 1)
    kept = np.sort(np.concatenate([np.flatnonzero(dataset.labels == 0), last[:rows]]))
    features = dataset.features.take(kept)
    return replace(dataset, features=features, labels=dataset.labels[kept])


def test_too_few_rows_to_part_are_all_learned_from(quick, table_of: Callable) -> None:
    dataset = few(load(table_of(2, "text"), "target"), 4)
    plan = Plan((REMEDIES["none"],), epochs=9, seeds=2, hidden=(4,), members=2)
    with pytest.warns(UserWarning, match="fewer than 6 different rows"):
        model = without_folds(quick, plan, dataset, REMEDIES["none"])
    assert [task.plan.epochs for task, _ in quick.refitted] == [4, 4]
    raw = model.network.predict(model.encoder.transform(dataset.features), verbose=0)
    np.testing.assert_allclose(model._probabilities(dataset.features), raw, atol=1e-5)
    np.testing.assert_allclose(raw, softmax(np.log(raw), axis=1), atol=1e-5)
    np.testing.assert_array_equal(model.decision.apply(raw), raw.argmax(axis=1))
