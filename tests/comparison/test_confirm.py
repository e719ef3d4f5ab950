"""Which remedies for the last layer are trained end to end, and by which rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from kilter._types import Split, Test
from kilter.comparison.confirm import to_confirm
from kilter.comparison.executors.base import Trained
from kilter.comparison.plan import METRICS
from kilter.comparison.remedy import REMEDIES, Remedy
from kilter.comparison.training import Draw, Loss

HEADS = ("crt", "head-class-weights", "head-focal", "tau-norm", "marc")


@pytest.fixture
def parts(small: Callable) -> SimpleNamespace:
    return small(3, remedies=list(HEADS), network="mlp", confirm=9)


def names(parts: SimpleNamespace, trained: Sequence[Trained] | None = None, **changes) -> list[str]:
    plan = replace(parts.plan, **changes)
    trained = parts.trained if trained is None else trained
    return [one.name for one in to_confirm(plan, parts.splits, trained, parts.positive)]


def better(parts: SimpleNamespace, *remedies: str) -> list[Trained]:
    """Return trainings of which these predict validation rows well, the first ones best."""

    def changed(one: Trained) -> Trained:
        labels = parts.splits[one.lane.fold].validation.labels
        random = np.random.default_rng(one.lane.fold).normal(size=(len(labels), 3))
        for place, name in enumerate(remedies):
            if one.lane.training in REMEDIES[name].trainings:
                logits = 3.0 * np.eye(3)[labels] + random * (1 + 2 * place)
                return replace(one, validation=logits.astype(np.float32))
        return replace(one, validation=random.astype(np.float32))

    return [changed(one) for one in parts.trained]


@pytest.mark.parametrize("metric", METRICS)
def test_the_best_on_validation_rows_come_first(parts: SimpleNamespace, metric: str) -> None:
    good = better(parts, "marc", "head-focal", "crt")  # the first has no such form
    assert names(parts, good, metric=metric) == ["focal", "oversample", "class-weights"]
    good = better(parts, "crt", "head-class-weights", "head-focal")
    assert names(parts, good, metric=metric, confirm=2) == ["oversample", "class-weights"]


def test_losses_are_compared_after_calibration(parts: SimpleNamespace) -> None:
    """As they are in the leaderboard: balanced heads predict the rare class far too often."""
    good = better(parts, "crt")
    shifted = [
        replace(one, validation=one.validation + np.float32([0, 4, 8]))
        if one.lane.training in REMEDIES["crt"].trainings
        else one
        for one in good
    ]
    for metric in ("log_loss", "brier"):
        assert names(parts, shifted, metric=metric, confirm=1) == ["oversample"]


def permuted(split: Split) -> Split:
    rows = split.test.rows
    order = np.random.default_rng(0).permutation(len(rows))
    features = split.test.features.take(order[::-1])
    return replace(split, test=Test(rows, features, split.test.labels[order]))


def test_no_test_row_has_a_say(parts: SimpleNamespace) -> None:
    trained = better(parts, "head-focal", "crt")
    expected = names(parts, trained)
    random = np.random.default_rng(0)
    noise = [replace(one, test=random.normal(size=one.test.shape)) for one in trained]
    none = [replace(one, test=np.full_like(one.test, np.nan)) for one in trained]
    other = SimpleNamespace(**{**vars(parts), "splits": tuple(map(permuted, parts.splits))})
    assert [other.splits[0].test.labels.tolist()] != [parts.splits[0].test.labels.tolist()]
    assert names(parts, noise) == names(parts, none) == names(other, trained) == expected


def test_a_form_that_is_there_anyway_is_not_added(small: Callable) -> None:
    parts = small(3, remedies="crt,head-focal,oversample", network="mlp", confirm=9)
    assert names(parts) == ["focal"]


def test_there_may_be_none(parts: SimpleNamespace, small: Callable) -> None:
    assert names(parts, confirm=0) == []
    assert names(small(3, remedies="tau-norm,lws,marc", network="mlp", confirm=2)) == []
    assert names(small(3, remedies="focal", network="mlp", confirm=2)) == []


def test_what_mixes_neighbors_stays_with_the_last_layer(small: Callable) -> None:
    """Rows' own neighbours were not searched, and between two images lies none."""
    assert names(small(3, remedies="head-smote", network="mlp", confirm=2)) == []


def test_a_head_of_ones_own_stands_for_kilters_remedy(small: Callable) -> None:
    mine = [
        Remedy("mine", Draw(power=0), head="anew"),
        Remedy("late", Draw(power=0), head="anew", after="focal"),
        Remedy("odd", Draw(power=0.3), head="anew"),
        Remedy("plain", head="anew"),  # whose form is the baseline
        Remedy("two", members=("crt", "none")),
        Remedy("weighed", loss=Loss(weights="balanced"), head="scale"),
    ]
    parts = small(3, remedies=mine, network="mlp", confirm=9)
    assert names(parts) == ["oversample"]
