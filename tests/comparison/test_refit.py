"""The model that is handed over: epochs by the folds, networks on all rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import softmax

from kilter._types import Dataset
from kilter.comparison.executors.base import Trained
from kilter.comparison.judge import join_members, pooled_validation
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of
from kilter.comparison.refit import best_epochs, hand_over, refit, without_folds
from kilter.comparison.remedy import REMEDIES
from kilter.data import load
from kilter.models import average_networks


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
    epochs = dict.fromkeys(remedy.trainings, 7)
    encoder, network = refit(
        quick, parts.plan, parts.dataset, remedy, epochs, observe=lambda: seen.append(True)
    )
    assert len(seen) == len(quick.refitted) == parts.plan.seeds
    for task, one in quick.refitted:
        assert (task.epochs(one.lane.training), len(task.folds)) == (7, 1)
        assert len(task.folds[0].x) == len(parts.dataset)
        assert len(task.folds[0].neighbors) == len(parts.dataset)  # smote's
        assert one.lane.training == remedy.trainings[0]
    assert network.input_shape == (None, encoder.width)
    quick.refitted.clear()
    focal = REMEDIES["focal"]
    refit(quick, parts.plan, parts.dataset, focal, dict.fromkeys(focal.trainings, 7))
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
    assert [task.epochs(one.lane.training) for task, one in quick.refitted] == [4, 4]
    raw = model.network.predict(model.encoder.transform(dataset.features), verbose=0)
    np.testing.assert_allclose(model._probabilities(dataset.features), raw, atol=1e-5)
    np.testing.assert_allclose(raw, softmax(np.log(raw), axis=1), atol=1e-5)
    np.testing.assert_array_equal(model.decision.apply(raw), raw.argmax(axis=1))


def test_what_goes_on_from_another_has_its_epochs_and_its_own(quick, small: Callable) -> None:
    parts = small(remedies="drw")
    remedy = parts.plan.remedies[1]
    (late,) = remedy.trainings
    mine = [replace(one, epoch=8) if one.lane.training == late else one for one in parts.trained]
    final = hand_over(quick, parts.plan, parts.dataset, remedy, parts.splits, mine)
    first = best_epochs([one for one in mine if one.lane.training == late.after])
    asked = {one.lane.training: task.epochs(one.lane.training) for task, one in quick.refitted}
    assert asked == {late.after: first, late: 9}
    assert final.epochs == first + 9
    its_own = [one for _, one in quick.refitted if one.lane.training == late]
    task, _ = quick.refitted[-1]
    assert task.begins.keys() == {(late.after, 0, seed) for seed in range(parts.plan.seeds)}
    networks = [quick.refitted[0][0].network(0, 0) for _ in its_own]
    for network, one in zip(networks, its_own, strict=True):
        network.set_weights(one.weights)
    x = final.model.encoder.transform(parts.dataset.features)
    expected = average_networks(networks).predict(x, verbose=0)
    np.testing.assert_allclose(final.model.network.predict(x, verbose=0), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["under-bagging", "blend", "vote", "stack"])
def test_the_networks_of_all_members_are_joined(quick, small: Callable, name: str) -> None:
    parts = small(remedies=name)
    remedy = parts.plan.remedies[1]
    mine = [one for one in parts.trained if one.lane.training in remedy.trainings]
    final = hand_over(quick, parts.plan, parts.dataset, remedy, parts.splits, mine)
    x = final.model.encoder.transform(parts.dataset.features)
    each, pooled = [], []
    for training in remedy.trainings:
        networks = []
        for task, one in quick.refitted:
            if one.lane.training == training:
                networks.append(task.network(0, one.lane.seed))
                networks[-1].set_weights(one.weights)
        assert len(networks) == parts.plan.seeds
        each.append(average_networks(networks).predict(x, verbose=0))
        own = [one for one in mine if one.lane.training == training]
        pooled.append(pooled_validation(parts.splits, own))
        expected = best_epochs(own)
        assert {t.epochs(training) for t, o in quick.refitted if o.lane.training == training} == {
            expected
        }
    joint, _ = join_members(remedy, pooled)
    found = final.model.network.predict(x, verbose=0)
    close = np.isclose(found, joint.apply(each), atol=1e-4).all(axis=1)
    assert close.mean() > 0.98  # a vote at a threshold hangs on rounding


def test_members_are_averaged_where_rows_are_too_few_to_part(quick, table_of: Callable) -> None:
    dataset = few(load(table_of(2, "text"), "target"), 4)
    plan = Plan((REMEDIES["stack"],), epochs=9, seeds=1, hidden=(4,), members=2)
    with pytest.warns(UserWarning, match="fewer than 6 different rows"):
        model = without_folds(quick, plan, dataset, REMEDIES["stack"])
    assert len(quick.refitted) == len(REMEDIES["stack"].trainings)
    x = model.encoder.transform(dataset.features)
    assert np.isfinite(model.network.predict(x, verbose=0)).all()
