"""From a plan to networks and lanes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import keras
import pytest

from kilter._errors import ArgumentError
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of, prepare
from kilter.comparison.remedy import REMEDIES, Remedy
from kilter.comparison.training import Draw
from kilter.data import load
from kilter.models import Members


def test_every_training_is_there_once() -> None:
    plan = Plan.make(["none", "logit-adjust", "balanced-softmax"], folds=3, seeds=2)
    lanes = lanes_of(plan)  # none and the baseline are one, and so are the other two
    assert len(lanes) == len(set(lanes)) == 2 * 3 * 2


@pytest.mark.parametrize(("network", "kind"), [("tabm", Members), ("mlp", keras.Sequential)])
def test_the_network_is_the_plans(table_of: Callable, network: str, kind: type) -> None:
    plan = Plan.make([], folds=2, seeds=1, network=network, members=3, hidden=(5,), dropout=0.3)
    splits, task = prepare(plan, load(table_of(3), "target"))
    assert len(splits) == len(task.folds) == 2
    model = task.network(0, 0)
    assert isinstance(model, kind)
    assert model.input_shape == (None, *task.shape)
    assert (task.n_classes, task.positive) == (3, 2)
    if network == "tabm":
        _, embedding, dense, dropout, _ = model.network.layers
        assert (embedding.numbers, embedding.scales) == (2, 2)  # two numbers, on two scales each
        assert (dense.units, dense.members, dropout.rate) == (5, 3, 0.3)


def perceptron(width: int, n_classes: int) -> keras.Model:
    end = keras.layers.Dense(n_classes, "softmax")
    return keras.Sequential([keras.Input((width,)), keras.layers.Dense(5), end])


def test_a_network_of_ones_own_takes_the_place(table_of: Callable) -> None:
    plan = Plan.make([], folds=2, seeds=1, build=perceptron)
    _, task = prepare(plan, load(table_of(3), "target"))
    model = task.network(0, 0)
    (inner,) = (layer for layer in model.layers if isinstance(layer, keras.Sequential))
    assert [layer.units for layer in inner.layers] == [5, 3]
    again = Plan.from_json(plan.to_json())
    assert (again.network, again.build) == ("own", None)
    assert replace(again, build=perceptron) == plan
    with pytest.raises(ArgumentError, match="`build` must be given: the plan is for a network"):
        prepare(again, load(table_of(3), "target"))


def test_paced_draws_need_the_parts_before_them() -> None:
    late = Remedy("late", members=REMEDIES["self-paced"].members[2:])
    lanes = lanes_of(Plan.make([late], folds=2, seeds=1))
    assert {lane.training.draw.part for lane in lanes if lane.training.draw.shrink} == {0, 1, 2, 3}
    with pytest.raises(ArgumentError, match="a `paced` draw needs `shrink` and a part above 0"):
        Draw(power=0, shrink=True, paced=True)
