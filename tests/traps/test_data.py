"""The traps of data pipelines, and that kilter's answers do not fall into them."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers, ops

from kilter.augment import CMO, CutMix, Mixup, PerClass, Remix
from kilter.augment.base import Mixing
from kilter.losses import CrossEntropy
from kilter.sampling import BalancedBatches

pytestmark = pytest.mark.backend

Y = np.array([0] * 90 + [1] * 10)


def test_a01_rotation_shift_shear_zoom_and_flip_in_one_line() -> None:
    images = np.random.default_rng(0).random((16, 6, 6, 1)).astype(np.float32)
    y = np.array([0] * 12 + [1] * 4)
    for layer in (
        layers.RandomRotation(0.2, fill_mode="reflect", seed=1),
        layers.RandomTranslation(0.2, 0.2, fill_mode="nearest", seed=1),
        layers.RandomShear(0.2, 0.2, fill_mode="wrap", seed=1),
        layers.RandomZoom(0.3, fill_mode="constant", seed=1),
        layers.RandomFlip("vertical", seed=1),
    ):
        batches = BalancedBatches(images, y, 16, augment=PerClass(layer, counts=[12, 4]))
        x, labels = batches[0]
        known = (x[:, None] == images[None]).all(axis=(2, 3, 4)).any(axis=1)
        assert known[labels == 0].all(), layer.name  # the largest class is as it was
        assert not known[labels == 1].all(), layer.name
        assert np.isfinite(x).all()


def test_b19_repetitions_of_rare_rows_are_new_versions() -> None:
    x = np.ones((100, 1), np.float32)
    per_class = PerClass(layers.Rescaling(-1.0), counts=[90, 10])
    batches = BalancedBatches(x, Y, 50, augment=per_class)
    epochs = [(x[:, 0] > 0, y) for _ in range(20) for x, y in batches]
    as_it_is, y = map(np.concatenate, zip(*epochs, strict=True))
    assert as_it_is[y == 0].all()
    # a balanced epoch shows 50 rows of each class: itself, a row is seen as often in both
    per_row = as_it_is[y == 1].sum() / 10, as_it_is[y == 0].sum() / 90
    assert per_row[0] == pytest.approx(per_row[1], rel=0.3)


@pytest.mark.parametrize(
    "mixing", [Mixup(n_classes=3), Remix([4, 2, 2]), CutMix(n_classes=3), CMO([4, 2, 2])]
)
def test_b19_mixtures_take_integer_labels(mixing: Mixing) -> None:
    y = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    x, labels = mixing(np.random.default_rng(0).random((8, 6, 6, 1)), y)
    assert x.shape == (8, 6, 6, 1)
    assert labels.shape == (8, 3)
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-6)
    loss = CrossEntropy(from_logits=True)(labels, np.zeros((8, 3), "float32"))
    assert float(loss) == pytest.approx(np.log(3), rel=1e-5)


def test_b19_mixtures_go_into_fit() -> None:
    tf = pytest.importorskip("tensorflow")
    x = np.random.default_rng(0).random((100, 2)).astype(np.float32)
    model = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    model.compile("sgd", CrossEntropy(from_logits=True))
    data = tf.data.Dataset.from_tensor_slices((x, Y)).batch(25).map(Mixup(n_classes=2))
    batches = BalancedBatches(x, Y, 25, augment=Remix([90, 10]))
    for source in (data, batches):
        assert np.isfinite(model.fit(source, shuffle=False, verbose=0).history["loss"]).all()


class Last(keras.metrics.Metric):
    """The mean of the last batch: of the outputs, or of the labels."""

    def __init__(self, of: str) -> None:
        super().__init__(name=of)
        self.of = of
        self.value = self.add_variable((), "zeros", name="value")

    def update_state(self, y_true: object, y_pred: object, sample_weight: object = None) -> None:
        self.value.assign(
            ops.mean(ops.cast({"rows": y_pred, "labels": y_true}[self.of], "float32"))
        )

    def result(self) -> object:
        return self.value * 1


class Watch(keras.callbacks.Callback):
    """Notes what each batch held, as the model saw it, and may act at the end of an epoch."""

    def __init__(self, act: Callable[[], None]) -> None:
        super().__init__()
        self.act = act
        self.rows: list[list[float]] = []
        self.labels: list[list[float]] = []

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.rows.append([])
        self.labels.append([])

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.rows[-1].append(float(logs["rows"]))
        self.labels[-1].append(float(logs["labels"]))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.act()


@pytest.fixture(scope="module")
def watched() -> list[Watch]:
    """Fit twice on the same draws; the draw changes from natural to balanced on the way."""
    x = np.random.default_rng(0).random((100, 1)).astype(np.float32)
    echo = layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((1,)), echo])
    model.compile(keras.optimizers.SGD(0.0), "mse", metrics=[Last("rows"), Last("labels")])
    watches = []
    for _ in range(2):  # Keras builds its metrics in a hidden epoch of the first fit only
        batches = BalancedBatches(x, Y, 25, draw="natural")
        watch = Watch(lambda batches=batches: setattr(batches, "draw", "balanced"))
        model.fit(batches, epochs=3, shuffle=False, verbose=0, callbacks=[watch])
        watches.append(watch)
    return watches


def test_b20_a_seed_gives_the_same_batches_whatever_keras_peeks_at(watched: list[Watch]) -> None:
    np.testing.assert_allclose(watched[0].rows, watched[1].rows, rtol=1e-6)
    x = np.random.default_rng(0).random((100, 1)).astype(np.float32)
    batches = BalancedBatches(x, Y, 25, draw="natural")
    by_hand = [float(batch[0].mean()) for batch in batches]
    np.testing.assert_allclose(watched[0].rows[0], by_hand, rtol=1e-5)
    batches.draw = "balanced"
    by_hand = [float(batch[0].mean()) for batch in batches]
    np.testing.assert_allclose(watched[0].rows[1], by_hand, rtol=1e-5)


def test_b20_epochs_differ(watched: list[Watch]) -> None:
    first, second, third = map(np.sort, watched[0].rows)
    assert len(set(first) & set(second)) == 0
    assert len(set(second) & set(third)) == 0


def test_b20_a_new_draw_holds_from_the_next_epoch_on(watched: list[Watch]) -> None:
    shares = [np.mean(epoch) for epoch in watched[0].labels]
    np.testing.assert_allclose(shares, [0.1, 0.5, 0.5], rtol=1e-6)
