"""Lanes on JAX and one `fit` after another on this backend are the same experiment."""

import keras
import numpy as np
import pytest

from kilter.comparison.executors.sequential import Sequential, epoch_rows
from kilter.comparison.prepare import lanes_of
from kilter.comparison.rounds import train_in_rounds

pytestmark = [pytest.mark.backend, pytest.mark.slow]

# Draws are equal to the bit, arithmetic is not: float32 sums in another order differ by
# 1e-7, which Adam's division by a small root can enlarge to a share of one step, 2e-3. Over
# the 40 steps here that stays below 1e-2 in a logit. A score moves only where two rows that
# are closer than that change places: by less than 1 / 10 positives in the worst case of one
# swap, a tenth of that in practice.
LOGITS = 1e-2
SCORES = 1e-2


def test_sequential_agrees_with_lanes_on_every_remedy(reference, in_order):
    task, arrays = reference
    lanes = sorted(lanes_of(task.plan), key=repr)
    assert len(lanes) == 9 * 2
    # Every training on one of the two folds: a perceptron on this one, an ensemble on that one.
    first = task.plan.network == "mlp"
    numbers = [number for number in range(len(lanes)) if (number // 2 + number + first) % 2]
    trained = in_order(Sequential().train(task, [lanes[number] for number in numbers]))
    same_epoch = 0
    for number, one in zip(numbers, trained, strict=True):
        assert one.lane == lanes[number]
        assert one.score == pytest.approx(arrays[f"{number}_score"], abs=SCORES), one.lane
        if one.epoch == arrays[f"{number}_epoch"]:
            same_epoch += 1
            np.testing.assert_allclose(one.validation, arrays[f"{number}_validation"], atol=LOGITS)
            np.testing.assert_allclose(one.test, arrays[f"{number}_test"], atol=LOGITS)
    # Two epochs may tie within rounding; it must stay the exception.
    assert same_epoch >= 0.9 * len(trained)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="lanes are JAX's own")
@pytest.mark.parametrize(
    ("names", "more"),
    [(["drw", "ldam-drw"], 3), (["mixup", "remix", "cluster-smote"], 3), (["self-paced"], 4)],
)
def test_what_has_to_be_named_agrees_too(task_of, in_order, names, more):
    from kilter.comparison.executors.lanes import Lanes

    task = task_of(2, remedies=names)
    lanes = lanes_of(task.plan)
    of_lanes, alone = (
        in_order(train_in_rounds(executor, task, lanes)) for executor in (Lanes(), Sequential())
    )
    assert len(of_lanes) == (1 + more) * 2 * task.plan.seeds  # the baseline among them
    for one, other in zip(of_lanes, alone, strict=True):
        assert one.epoch == other.epoch
        np.testing.assert_allclose(one.validation, other.validation, atol=LOGITS)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="dropout masks are JAX's own")
def test_dropout_masks_are_the_same_too(task_of, in_order):
    from kilter.comparison.executors.lanes import Lanes

    task = task_of(2, dropout=0.3, remedies=["smote", "focal"])
    lanes = in_order(Lanes().train(task, lanes_of(task.plan)))
    alone = in_order(Sequential().train(task, lanes_of(task.plan)))
    for one, other in zip(lanes, alone, strict=True):
        assert one.epoch == other.epoch
        np.testing.assert_allclose(one.validation, other.validation, atol=LOGITS)


def an_image_task(**settings):
    """Two folds of squares that are brighter on the left or on the right."""
    from kilter._types import Column, Dataset, Images, Schema
    from kilter.comparison.plan import Plan
    from kilter.comparison.prepare import prepare

    def build(shape, n_classes):
        scaled = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
        return keras.Sequential([keras.Input(shape), *scaled, keras.layers.Dense(n_classes)])

    rng = np.random.default_rng(0)
    labels = (np.arange(120) % 6 == 0).astype(int)
    pixels = rng.integers(0, 200, (120, 8, 8, 1)).astype(np.uint8)
    for row, label in enumerate(labels):
        pixels[row, :, 4 * label : 4 * label + 4] += 30
    schema = Schema((Column("image", "image", shape=(8, 8, 1)),), "folder", ("left", "right"))
    dataset = Dataset("squares", schema, Images(pixels, np.arange(120).astype(str)), labels)
    usual = {
        "folds": 2,
        "seeds": 1,
        "epochs": 3,
        "patience": 3,
        "learning_rate": 0.05,
        "build": build,
    }
    names = ["mixup", "cutmix", "cmo"]
    return prepare(Plan.make(names, kind="image", **usual, **settings), dataset)[1]


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="what is drawn is JAX's own")
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_augmentation_is_the_same_too(in_order, share):
    from kilter.augment import RandomAffine
    from kilter.comparison.executors.lanes import Lanes

    turned = RandomAffine(rotation=20, flip="horizontal", seed=0)
    task = an_image_task(augment=turned, augment_share=share)
    lanes = in_order(Lanes().train(task, lanes_of(task.plan)))
    alone = in_order(Sequential().train(task, lanes_of(task.plan)))
    plain = in_order(Sequential().train(an_image_task(), lanes_of(task.plan)))
    for one, other, without in zip(lanes, alone, plain, strict=True):
        assert one.epoch == other.epoch
        np.testing.assert_allclose(one.validation, other.validation, atol=LOGITS)
        assert np.abs(one.validation - without.validation).max() > 2 * LOGITS


def a_text_task(**settings):
    """Two folds of texts, a word of which tells their class; learned by a bag of words."""
    from kilter.comparison.plan import Plan
    from kilter.comparison.prepare import prepare
    from made_texts import make_texts

    def build(shape, n_classes):
        length, vocabulary = shape
        layers = keras.layers
        words = [layers.Embedding(vocabulary, 4), layers.GlobalAveragePooling1D()]
        return keras.Sequential([keras.Input((length,)), *words, layers.Dense(n_classes)])

    labels = (np.arange(120) % 6 == 0).astype(int)
    words = ["cold", "warm", "wet", "dry", "bright"]
    texts = [
        f"{'yes' * label}{'no' * (1 - label)} {words[row % 5]} {words[row // 5 % 5]} day here"
        for row, label in enumerate(labels)
    ]
    usual = {"folds": 2, "seeds": 1, "epochs": 3, "patience": 3, "learning_rate": 0.05}
    plan = Plan.make("none,class-weights", kind="text", **usual, build=build, **settings)
    return prepare(plan, make_texts(labels, texts))[1]


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="lanes need JAX")
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_changed_texts_are_the_same_too(in_order, share):
    from kilter.comparison.executors.lanes import Lanes

    task = a_text_task(augment="strong", augment_share=share)
    lanes = in_order(Lanes().train(task, lanes_of(task.plan)))
    alone = in_order(Sequential().train(task, lanes_of(task.plan)))
    plain = in_order(Sequential().train(a_text_task(), lanes_of(task.plan)))
    for one, other, without in zip(lanes, alone, plain, strict=True):
        assert one.epoch == other.epoch
        np.testing.assert_allclose(one.validation, other.validation, atol=LOGITS)
        assert np.abs(one.validation - without.validation).max() > 2 * LOGITS


def test_rarer_texts_are_changed_more():
    task = a_text_task(augment="strong", augment_share=0.2)
    fold = task.folds[0]
    rows = {
        label: {tuple(row) for row in fold.x[fold.labels == label]}
        for label in range(task.n_classes)
    }
    changed = {0: [], 1: []}
    for epoch in range(40):
        x, labels = epoch_rows(task, lanes_of(task.plan)[0], epoch)
        for row, label in zip(x, labels, strict=True):
            changed[int(label)].append(tuple(row) not in rows[int(label)])
    always = a_text_task(augment="strong", augment_share=1.0)
    x, labels = zip(
        *(epoch_rows(always, lanes_of(always.plan)[0], epoch) for epoch in range(40)), strict=True
    )
    seen = [
        np.mean([tuple(row) not in rows[label] for row in np.vstack(x)[np.hstack(labels) == label]])
        for label in (0, 1)
    ]
    # A changed text may be one of the class after all: the share is of those that are not.
    assert np.mean(changed[0]) / seen[0] == pytest.approx(0.2, abs=0.04)
    assert np.mean(changed[1]) / seen[1] == pytest.approx(1 - 0.8 / 5, abs=0.08)
