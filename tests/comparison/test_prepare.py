"""From a plan to networks and lanes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of, prepare
from kilter.comparison.remedy import REMEDIES, Remedy
from kilter.comparison.training import Draw
from kilter.data import TextEncoder, load
from kilter.models import Members, mlp
from made_images import draw, make_images
from made_texts import make_texts


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


# -- texts -------------------------------------------------------------------------------

WORDS = [f"{'ab'[row // 20]} note{chr(97 + row % 10)} x" for row in range(40)]
NOTES = make_texts(np.repeat([0, 1], 20), WORDS)


def test_texts_are_trained_as_word_numbers() -> None:
    plan = Plan.make("none", kind="text", folds=2, length=3, dropout=0.25)
    splits, task = prepare(plan, NOTES)
    assert (task.shape, task.dtype, task.layers) == ((3,), np.int32, ())
    encoders = [TextEncoder.fit(split.train, NOTES.schema, length=3) for split in splits]
    most = max(encoder.vocabulary for encoder in encoders)
    for split, fold, encoder in zip(splits, task.folds, encoders, strict=True):
        np.testing.assert_array_equal(fold.test_x, encoder.transform(split.test.features))
        assert fold.vocabulary == most
        assert not fold.versions.size
    model = task.network(0, 0)
    assert model.layers[1].input_dim == most
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.25, 0.25]


def bag(shape: tuple[int, int], n_classes: int) -> keras.Model:
    length, vocabulary = shape
    layers = keras.layers
    words = [layers.Embedding(vocabulary, 4), layers.GlobalAveragePooling1D()]
    return keras.Sequential([keras.Input((length,)), *words, layers.Dense(n_classes, "softmax")])


def test_a_network_of_ones_own_is_told_length_and_vocabulary() -> None:
    _, task = prepare(Plan.make("none", kind="text", folds=2, length=3, build=bag), NOTES)
    model = task.network(0, 0)
    assert model.inputs[0].dtype == "int32"
    (inner,) = (layer for layer in model.layers if isinstance(layer, keras.Sequential))
    assert inner.layers[0].input_dim == task.folds[0].vocabulary
    with pytest.raises(ArgumentError, match=r"called with texts of 3 word numbers below \d+ and 2"):
        prepare(Plan.make("none", kind="text", folds=2, length=3, build=broken), NOTES)


def broken(shape: tuple[int, int], n_classes: int) -> keras.Model:
    raise ValueError("no")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"network": "mlp"}, "`network` must be textnet for texts; got `mlp`"),
        (
            {"remedies": "smote"},
            r"`remedies` has `smote`, which mixes two rows.*`head-smote` mixes",
        ),
        ({"remedies": "mixup"}, "`remedies` has `mixup`, which mixes two rows"),
        ({"remedies": "cmo"}, "`remedies` has `cmo`, which mixes two rows"),
        ({"synonyms": "wordnet"}, "`synonyms` are for texts that are changed in training"),
        ({"pretrained": "a.weights.h5"}, "`pretrained` is for tables and images: each fold of"),
        ({"augment": keras.layers.RandomFlip()}, r"`augment` must be a word .* `RandomWords`"),
    ],
)
def test_what_is_not_for_texts(settings: dict, message: str) -> None:
    with pytest.raises((ArgumentError, ArgumentTypeError), match=message):
        prepare(Plan.make(**{"remedies": "none", "kind": "text", "folds": 2, **settings}), NOTES)


@pytest.mark.parametrize(("name", "value"), [("synonyms", "wordnet"), ("length", 9)])
def test_what_is_for_texts_alone(table_of: Callable, name: str, value: object) -> None:
    plan = Plan.make("none", folds=2, **{name: value})
    with pytest.raises(ArgumentError, match=f"`{name}` is for texts, and these are rows of a tab"):
        prepare(plan, load(table_of(), "target"))


def test_features_of_texts_may_be_mixed() -> None:
    plan = Plan.make("head-smote", kind="text", folds=2, length=3)
    _, task = prepare(plan, NOTES)
    assert not task.folds[0].neighbors.size


# -- weights from a file -----------------------------------------------------------------


@pytest.mark.parametrize("network", ["mlp", "own"])
def test_every_network_begins_with_weights_from_a_file(
    table_of: Callable, tmp_path: Path, network: str
) -> None:
    settings = {"network": "mlp", "hidden": (5,)} if network == "mlp" else {"build": perceptron}
    dataset = load(table_of(3), "target")
    _, task = prepare(Plan.make([], folds=2, **settings), dataset)
    source = perceptron if network == "own" else partial(mlp, hidden=(5,))
    other = source(task.shape[0], 7)
    other.save_weights(tmp_path / "old.weights.h5")
    path = tmp_path / "old.weights.h5"
    _, task = prepare(Plan.make([], folds=2, **settings, pretrained=path), dataset)
    for seed in (0, 1):
        kernel, bias, last, _ = task.network(0, seed).get_weights()
        np.testing.assert_array_equal(kernel, other.get_weights()[0])
        np.testing.assert_array_equal(bias, other.get_weights()[1])
        assert last.shape == (5, 3)  # of another shape than in the file: its own
