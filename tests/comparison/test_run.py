"""The driver: each training once, every row judged once, the chosen networks handed over."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import softmax

from kilter._errors import ArgumentError
from kilter._types import ValidationScores
from kilter.comparison.executors.sequential import Sequential
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import REMEDIES
from kilter.data import rarest_class
from kilter.decide import Calibrator, Costs

driver = importlib.import_module("kilter.comparison.run")


@pytest.mark.parametrize(
    ("names", "trainings"),
    [
        (None, 9),
        ("none", 1),
        ("blend,vote", 3),
        ("under-bagging,self-paced", 8),
        ("logit-adjust,balanced-softmax", 2),
        ("smote,focal", 3),
    ],
)
def test_every_training_is_there_once(names: str | None, trainings: int) -> None:
    lanes = driver.lanes_of(Plan.make(names, folds=3, seeds=2))
    assert len(lanes) == len(set(lanes)) == 3 * 2 * trainings
    assert set(Counter((lane.fold, lane.seed) for lane in lanes).values()) == {trainings}


@pytest.mark.parametrize("name", ["auto", "sequential"])
def test_executors_by_name(name: str) -> None:
    expected = "Lanes" if name == "auto" and keras.backend.backend() == "jax" else "Sequential"
    assert type(driver.find_executor(name)).__name__ == expected


@pytest.mark.backend
def test_auto_fits_the_backend() -> None:
    on_jax = keras.backend.backend() == "jax"
    assert isinstance(driver.find_executor("auto"), Sequential) is not on_jax


def test_an_unknown_executor_names_the_nearest() -> None:
    with pytest.raises(ArgumentError, match=r"`executor` must be .*Did you mean `lanes`\?"):
        driver.find_executor("lane")


@pytest.mark.parametrize("memory", [0, -1, float("inf"), float("nan"), "4"])
@pytest.mark.parametrize("name", ["auto", "sequential"])
def test_memory_is_a_number_above_zero(name: str, memory: Any) -> None:
    with pytest.raises(ArgumentError, match=r"`memory` must be above 0; got .* It counts GiB\."):
        driver.find_executor(name, memory)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="lanes need JAX")
def test_memory_and_devices_go_to_the_lanes() -> None:
    lanes = driver.find_executor("lanes", 1.5, 3)
    assert (lanes.memory, lanes.devices) == (1.5, 3)


def test_memory_and_devices_are_for_lanes() -> None:
    for given in ((4.0, None), (None, 2)):
        with pytest.raises(ArgumentError, match="is for lanes, and `executor` sequential has none"):
            driver.find_executor("sequential", *given)


@pytest.mark.parametrize("devices", [0, -1, 1.5, True, "2"])
def test_devices_are_counted(devices: Any) -> None:
    with pytest.raises(ArgumentError, match=r"`devices` must be a whole number of at least 1; got"):
        driver.find_executor("auto", None, devices)


def test_every_row_is_predicted_once_a_remedy(judged: SimpleNamespace) -> None:
    predictions = judged.result.predictions.to_pandas()
    classes = np.array(judged.dataset.schema.classes)
    assert predictions.columns.tolist() == [
        *("row", "fold", "remedy", "target", "predicted"),
        *(f"p_{name}" for name in classes),
    ]
    for _, rows in predictions.groupby("remedy", observed=True):
        assert sorted(rows["row"]) == list(range(300))
        assert (rows["target"] == classes[judged.dataset.labels[rows["row"]]]).all()
        for number, split in enumerate(judged.splits):
            assert rows.loc[rows["fold"] == number, "row"].tolist() == split.test.rows.tolist()
    p = predictions[[f"p_{name}" for name in classes]].to_numpy()
    np.testing.assert_allclose(p.sum(axis=1), 1, atol=1e-5)


def test_probabilities_lie_beside_their_rows(judged: SimpleNamespace) -> None:
    predictions = judged.result.predictions.to_pandas()
    rows = predictions[(predictions["remedy"] == "focal") & (predictions["fold"] == 1)]
    seeds = [
        softmax(one.test.astype(float), axis=1)
        for one in judged.trained
        if one.lane.fold == 1 and one.lane.training == REMEDIES["focal"].trainings[0]
    ]
    p = rows[[f"p_{name}" for name in judged.dataset.schema.classes]].to_numpy()
    np.testing.assert_allclose(p, np.mean(seeds, axis=0), rtol=1e-5)


def validation_scores(judged: SimpleNamespace, fold: int) -> ValidationScores:
    training = REMEDIES[judged.result.best].trainings[0]
    seeds = [
        softmax(one.validation.astype(np.float64), axis=1)
        for one in judged.trained
        if (one.lane.training, one.lane.fold) == (training, fold)
    ]
    return ValidationScores(judged.splits[fold].validation.labels, np.mean(seeds, axis=0))


def test_the_model_averages_networks_on_all_rows(judged: SimpleNamespace) -> None:
    model, features = judged.result.model, judged.dataset.features
    x, each = model.encoder.transform(features), []
    for task, one in judged.refitted:
        assert one.lane.training == REMEDIES[judged.result.best].trainings[0]
        np.testing.assert_array_equal(np.sort(task.folds[0].x, axis=0), np.sort(x, axis=0))
        network = task.network(0, one.lane.seed)
        network.set_weights(one.weights)
        each.append(softmax(network.predict(x, verbose=0), axis=1))
    assert sorted(one.lane.seed for _, one in judged.refitted) == [0, 1]
    p = softmax(model.calibrator.scale * np.log(np.mean(each, axis=0)) + model.calibrator.bias, 1)
    np.testing.assert_allclose(model._probabilities(features), p, rtol=1e-3, atol=1e-5)
    assert model.about["verdict"] == judged.result.verdict


def test_it_is_calibrated_on_the_validation_rows_of_all_folds(judged: SimpleNamespace) -> None:
    scores = [validation_scores(judged, fold) for fold in range(3)]
    pooled = ValidationScores(
        np.concatenate([one.labels for one in scores]),
        np.concatenate([one.probabilities for one in scores]),
    )
    assert judged.result.model.calibrator == Calibrator.fit(pooled)


def test_an_observer_that_raises_ends_the_trainings(
    quick, small: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, ended = small(), []
    train = type(quick).train

    def watched(self: Any, *given: Any) -> Any:
        try:
            yield from train(self, *given)
        finally:
            ended.append(len(self.trained))

    monkeypatch.setattr(type(quick), "train", watched)

    def observe(progress: Any) -> None:
        if progress.done == 3:
            raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more") as kept:
        driver.run(parts.plan, parts.dataset, observe=observe)
    assert ended == [3]  # though the traceback is still there
    assert kept.traceback


def test_progress_tells_how_far_and_who_leads(quick, small: Callable) -> None:
    parts = small(remedies="smote,focal,none")
    seen: list[driver.Progress] = []
    driver.run(parts.plan, parts.dataset, observe=seen.append)
    assert [now.done for now in seen] == list(range(21))  # two of them on all rows
    assert {now.total for now in seen} == {20}
    assert (seen[0].leader, seen[0].score) == ("", 0)
    scores: dict[str, list[float]] = {}
    names = {
        REMEDIES["smote"].trainings[0]: "smote",
        REMEDIES["focal"].trainings[0]: "focal",
        REMEDIES["none"].trainings[0]: "none+threshold",  # the first of the plan by this training
    }
    for one in parts.trained:
        scores.setdefault(names[one.lane.training], []).append(one.score)
    means = {name: np.mean(values) for name, values in scores.items()}
    assert seen[-1].leader == max(means, key=lambda name: means[name])
    assert seen[-1].score == pytest.approx(max(means.values()))


def test_the_order_of_the_trainings_does_not_matter(
    quick, small: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = small(3, remedies="focal", seeds=3)
    one = driver.run(parts.plan, parts.dataset)
    train = quick.train
    monkeypatch.setattr(quick, "train", lambda task, lanes: train(task, lanes[::-1]))
    other = driver.run(parts.plan, parts.dataset)
    assert one.predictions.equals(other.predictions)
    assert one.summary["leaderboard"] == other.summary["leaderboard"]
    x = parts.dataset.features
    np.testing.assert_array_equal(one.model._probabilities(x), other.model._probabilities(x))


def test_costs_are_handed_over(quick, small: Callable) -> None:
    parts = small(remedies="focal", costs=((0.0, 1.0), (20.0, 0.0)))
    result = driver.run(parts.plan, parts.dataset)
    assert result.model.decision == Costs(((0.0, 1.0), (20.0, 0.0)))
    assert result.summary["chosen"]["threshold"] is None
    assert result.summary["chosen"]["offsets"] is None


@pytest.mark.parametrize(
    ("labels", "rarest"),
    [([0, 0, 1], 1), ([0, 1, 1], 0), ([0, 1], 1), ([0, 0, 1, 1, 2, 2], 2), ([0, 1, 2, 2], 1)],
)
def test_the_rarest_class_and_of_two_the_later(labels: list[int], rarest: int) -> None:
    assert rarest_class(np.array(labels)) == rarest
