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
from kilter.comparison.rounds import train_in_rounds
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


def test_a_last_layer_is_put_on_a_network_of_all_rows(quick, small: Callable) -> None:
    parts = small(remedies="crt", network="mlp", seeds=2)
    remedy = REMEDIES["crt"]
    (training,) = remedy.trainings
    epochs = {training.after: 7, training: 3}
    encoder, network = refit(quick, parts.plan, parts.dataset, remedy, epochs)
    (whole, *_), (heads, *_) = quick.refitted[0], quick.refitted[-1]
    assert [len(task.folds) for task in (whole, heads)] == [1, 2]  # features of each seed
    assert heads.epochs(quick.refitted[-1][1].lane.training) == 3
    assert whole.epochs(training.after) == 7
    assert {len(fold.x) for fold in heads.folds} == {len(parts.dataset)}
    x, each = encoder.transform(parts.dataset.features), []
    for (_, first), (task, head) in zip(quick.refitted[:2], quick.refitted[2:], strict=True):
        hidden = np.maximum(x @ first.weights[0] + first.weights[1], 0)
        seen = (hidden - hidden.mean(axis=0)) / hidden.std(axis=0)
        each.append(softmax(seen @ head.weights[0] + head.weights[1], axis=1))
        assert len(task.folds[head.lane.fold].validation_x) == 1
    found = network.predict(x, verbose=0)
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore:a class has fewer than 6")
def test_without_folds_weights_are_divided_by_their_norm(quick, small: Callable) -> None:
    """There are no rows to choose a power on; the paper's plain one is 1: norms are alike."""
    parts = small(remedies="tau-norm", network="mlp", seeds=1)
    model = without_folds(quick, parts.plan, few(parts.dataset, 4), REMEDIES["tau-norm"])
    kernel, bias = model.network.get_weights()[-2:]
    one, *others = np.linalg.norm(kernel, axis=0)
    np.testing.assert_allclose(others, one, rtol=1e-4)
    assert one > 0.1
    np.testing.assert_allclose(bias, 0, atol=1e-4)


def test_a_power_is_no_epoch(quick, small: Callable) -> None:
    parts = small(remedies="tau-norm", network="mlp", folds=2, seeds=1)
    (norm,) = REMEDIES["tau-norm"].trainings
    lanes = [one for one in lanes_of(parts.plan) if one.training in (norm, norm.after)]
    first = [one for one in parts.trained if one.lane.training == norm.after]
    its_own = [*first, *train_in_rounds(quick, parts.task, lanes[1::2], first)]
    final = hand_over(quick, parts.plan, parts.dataset, REMEDIES["tau-norm"], parts.splits, its_own)
    assert final.epochs == best_epochs(first)
