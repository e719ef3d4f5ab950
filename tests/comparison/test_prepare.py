"""From a plan to networks and lanes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import keras
import numpy as np
import pytest

from kilter._errors import ArgumentError
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of, prepare
from kilter.comparison.remedy import REMEDIES, Remedy
from kilter.comparison.training import Draw
from kilter.data import load
from kilter.models import Members
from made_images import draw, make_images


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


# -- images, and last layers -------------------------------------------------------------

PICTURES = make_images(np.repeat([0, 1], 20), draw(40, 8, 8, 1))


def flat(shape: tuple[int, ...], n_classes: int) -> keras.Model:
    layers = keras.layers
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(n_classes)])


def test_images_are_trained_as_they_are() -> None:
    plan = Plan.make(kind="image", folds=2, build=flat)
    splits, task = prepare(plan, PICTURES)
    assert (task.shape, task.dtype, task.n_classes) == ((8, 8, 1), np.uint8, 2)
    for part, fold in zip(splits, task.folds, strict=True):
        np.testing.assert_array_equal(fold.test_x, part.test.features.pixels)
        np.testing.assert_array_equal(fold.x, part.train.features.pixels[fold.layout.order])
        assert not fold.neighbors.size
        assert not fold.blendable.any()
    assert task.network(0, 0).input_shape == (None, 8, 8, 1)


def test_the_usual_network_of_images_is_a_convnet() -> None:
    plan = Plan.make("none", kind="image", folds=2, dropout=0.3)
    _, task = prepare(plan, PICTURES)
    model = task.network(0, 0)
    kinds = [type(layer) for layer in model.layers]
    assert kinds.count(keras.layers.Conv2D) == 3
    (dropout,) = (layer for layer in model.layers if isinstance(layer, keras.layers.Dropout))
    assert dropout.rate == 0.3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"network": "tabm"},
            r"`network` must be convnet for images; got `tabm`\. Leave it",
        ),
        ({"network": "mlp"}, "`network` must be convnet for images; got `mlp`"),
        ({"remedies": "focal,smote"}, r"`remedies` has `smote`, .* no image.* `head-smote` makes"),
        ({"remedies": "cluster-smote"}, "`remedies` has `cluster-smote`, which makes rows"),
        ({"remedies": Remedy("mine", members=("smote", "none"))}, "`remedies` has `mine`, which"),
        ({"remedies": Remedy("late", after="smote")}, "`remedies` has `late`, which makes rows"),
    ],
)
def test_what_is_not_for_images(settings: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        prepare(Plan.make(**{"kind": "image", "folds": 2, **settings}), PICTURES)


def test_mixtures_of_images_and_of_their_features_are(table_of: Callable) -> None:
    plan = Plan.make("mixup,head-smote", kind="image", folds=2, build=flat)
    _, task = prepare(plan, PICTURES)
    assert task.blends
    assert not task.folds[0].neighbors.size
    _, task = prepare(Plan.make("head-smote", network="mlp", folds=2), load(table_of(), "target"))
    assert not task.folds[0].neighbors.size  # those of features are searched later


def test_a_convnet_is_not_for_a_table(table_of: Callable) -> None:
    with pytest.raises(ArgumentError, match="`network` must be tabm or mlp for a table; got `c"):
        prepare(Plan.make("none", network="convnet", folds=2), load(table_of(), "target"))


@pytest.mark.parametrize("remedy", ["crt", Remedy("mine", members=("tau-norm", "none"))])
def test_tabm_has_no_single_last_layer(table_of: Callable, remedy: str | Remedy) -> None:
    name = getattr(remedy, "name", remedy)
    with pytest.raises(ArgumentError) as info:
        prepare(Plan.make([remedy], folds=2), load(table_of(), "target"))
    assert str(info.value) == (
        f"`remedies` has `{name}` for the last layer of a network, and `network` tabm has one for "
        "each of its members. Take `network` mlp (`--network mlp`), or leave them out."
    )


def one_column(shape: tuple[int, ...], n_classes: int) -> keras.Model:
    layers = keras.layers
    return keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(1, "sigmoid")])


def test_a_network_without_a_last_layer_is_found_before_work() -> None:
    prepare(Plan.make("focal", kind="image", folds=2, build=one_column), PICTURES)
    with pytest.raises(ArgumentError) as info:
        prepare(Plan.make("focal,crt,lws", kind="image", folds=2, build=one_column), PICTURES)
    message = str(info.value)
    assert message.startswith("`build` must give a network that ends in `Dense(n_classes)`, with")
    assert message.endswith("for the last layer. Here those are `crt`, `lws`.")
