"""Batches: shares of the classes, fairness to rows, epochs, what goes along, and Keras's fit."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from kilter._errors import ArgumentError
from kilter.augment import CutMix, Mixup, PerClass
from kilter.sampling import BalancedBatches, BalancedIndices, Progressive

Y = np.array([0] * 80 + [1] * 20)
X = np.arange(100)  # a row is its own number


def rows_of(batches: BalancedBatches) -> np.ndarray:
    """Return the rows of one pass, int of shape (batches, batch_size)."""
    return np.stack([batch[0] for batch in batches])


@pytest.mark.parametrize(
    ("draw", "expected"),  # of 120 draws
    [
        ("natural", [96, 24]),
        ("square-root", [80, 40]),  # sqrt(80) to sqrt(20) is 2 to 1
        ("balanced", [60, 60]),
        (1, [96, 24]),
        (0.5, [80, 40]),
        (-1, [24, 96]),
    ],
)
def test_classes_are_drawn_by_a_power_of_their_counts(
    draw: str | float, expected: list[int]
) -> None:
    batches = BalancedBatches(X, Y, batch_size=30, draw=draw)
    assert np.bincount(Y[rows_of(batches)].ravel()).tolist() == expected


def test_every_batch_has_the_same_size() -> None:
    batches = BalancedBatches(X, Y, batch_size=30)
    assert len(batches) == 4
    assert rows_of(batches).shape == (4, 30)
    assert rows_of(BalancedBatches(X, Y, batch_size=300)).shape == (1, 300)


def test_rows_of_a_class_are_seen_equally_often() -> None:
    batches = BalancedBatches(X, Y, batch_size=30)
    seen = sum(np.bincount(rows_of(batches).ravel(), minlength=100) for _ in range(4))
    # 4 epochs of 60 draws a class: 240 over 80 rows, 240 over 20
    assert seen.tolist() == [3] * 80 + [12] * 20


@given(
    y=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    batch_size=st.integers(1, 20),
    power=st.floats(-1, 2),
)
def test_no_row_is_seen_twice_more_than_another_of_its_class(
    y: list[int], batch_size: int, power: float
) -> None:
    batches = BalancedBatches(np.arange(len(y)), y, batch_size, draw=power)
    seen = np.bincount(rows_of(batches).ravel(), minlength=len(y))
    for label in set(y):
        of_class = seen[np.array(y) == label]
        assert of_class.sum() >= 1
        assert np.ptp(of_class) <= 1


def test_epochs_differ_and_come_back_with_the_seed() -> None:
    batches, again = (BalancedBatches(X, Y, batch_size=30, seed=3) for _ in range(2))
    first, second = rows_of(batches), rows_of(batches)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(rows_of(again), first)
    np.testing.assert_array_equal(rows_of(again), second)
    assert not np.array_equal(rows_of(BalancedBatches(X, Y, batch_size=30, seed=4)), first)


def test_an_epoch_ends_only_when_every_batch_was_asked_for() -> None:
    batches = BalancedBatches(X, Y, batch_size=30)
    first = [batches[index][0] for index in (3, 0, 3, 1)]
    batches.on_epoch_end()  # batch 2 is missing: Keras only peeked
    np.testing.assert_array_equal(batches[3][0], first[0])
    np.testing.assert_array_equal(first[2], first[0])
    _ = batches[2]
    batches.on_epoch_end()
    assert not np.array_equal(batches[3][0], first[0])


def test_with_processes_every_end_of_an_epoch_counts() -> None:
    batches = BalancedBatches(X, Y, batch_size=30, workers=2, use_multiprocessing=True)
    first = batches[0][0]
    batches.on_epoch_end()
    assert not np.array_equal(batches[0][0], first)


def test_the_draw_can_change_between_epochs() -> None:
    batches = BalancedBatches(X, Y, batch_size=25, draw="natural")
    assert batches.draw == "natural"
    assert np.bincount(Y[rows_of(batches)].ravel()).tolist() == [80, 20]
    batches.draw = "balanced"
    assert batches.draw == "balanced"
    assert np.bincount(Y[rows_of(batches)].ravel()).tolist() == [50, 50]


@pytest.mark.parametrize(
    "y",
    [
        Y.astype("float32"),
        Y.astype("uint8")[:, None],
        Y.astype(bool),
        np.eye(2)[Y],
        np.eye(2, dtype="int8")[Y],
        np.array([[0.9, 0.1], [0.2, 0.8]])[Y],
        Y * 3 + 1,  # positions without rows between those with some
        Y.tolist(),
    ],
)
def test_labels_of_any_kind_draw_the_same_rows(y: Any) -> None:
    batches = BalancedBatches(X, y, batch_size=30)
    rows, labels = batches[0]
    np.testing.assert_array_equal(rows, BalancedBatches(X, Y, batch_size=30)[0][0])
    np.testing.assert_array_equal(labels, np.asarray(y)[rows])
    assert labels.dtype == np.asarray(y).dtype


@pytest.mark.parametrize("make", [list, tuple, lambda parts: dict(zip("ab", parts, strict=True))])
def test_structures_and_weights_go_along(make: Any) -> None:
    x = make([X, np.stack([X, -X], axis=1)])
    batches = BalancedBatches(x, Y, batch_size=30, sample_weight=X / 2)
    inputs, labels, weights = batches[1]
    first, second = inputs.values() if isinstance(inputs, dict) else inputs
    np.testing.assert_array_equal(second, np.stack([first, -first], axis=1))
    np.testing.assert_array_equal(labels, Y[first])
    np.testing.assert_array_equal(weights, first / 2)


def test_augmentations_are_called_in_order() -> None:
    def add(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x + 1, -y

    def double(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return 2 * x, y

    plain = BalancedBatches(X, Y, batch_size=30)[0]
    x, y = BalancedBatches(X, Y, batch_size=30, augment=[add, double])[0]
    np.testing.assert_array_equal(x, 2 * (plain[0] + 1))
    np.testing.assert_array_equal(y, -plain[1])
    x, _, weight = BalancedBatches(X, Y, 30, augment=double, sample_weight=X)[0]
    np.testing.assert_array_equal(x, 2 * weight)


def test_there_is_no_batch_beyond_the_last() -> None:
    batches = BalancedBatches(X, Y, batch_size=30)
    np.testing.assert_array_equal(batches[-1][0], batches[3][0])
    with pytest.raises(IndexError):
        batches[4]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draw": "balance"}, "`draw` must be one of natural, .* Did you mean `balanced`"),
        ({"draw": float("nan")}, "`draw` must be"),
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1; got 0"),
        ({"x": X[:-1]}, "`x` must have one entry for each row of `y`, .* 100 .* shape \\(99,\\)"),
        ({"x": {"a": X, "b": X[:7]}}, "`x` must have one entry .* shape \\(7,\\)"),
        ({"sample_weight": X[:9]}, "`sample_weight` must have one entry .* shape \\(9,\\)"),
        ({"sample_weight": ["a"] * 100}, "`sample_weight` must be numbers"),
        ({"x": [], "y": []}, "at least one"),
        ({"x": []}, "`x` must have one entry .* got nothing"),
        ({"y": Y / 2}, "`y` must be positions"),
        ({"y": np.where(Y, "yes", "no")}, "np.unique"),
        ({"y": np.full((100, 2), 0.7)}, "`y` must have one class a row"),
        ({"mix": "smot"}, "`mix` must be \"smote\" or None; got 'smot'. Did you mean `smote`"),
        ({"mix": "smote"}, "`x` must be floats, .* got int64"),
        ({"mix": "smote", "k_neighbors": 0}, "`k_neighbors` must be at least 1"),
        ({"y": np.ones((100, 2, 2))}, "`y` must have one label a row"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        BalancedBatches(**{"x": X, "y": Y, **arguments})


@pytest.mark.parametrize(
    "make",
    [
        lambda x: scipy.sparse.csc_matrix(x),
        lambda x: scipy.sparse.coo_array(x),
        lambda x: pd.DataFrame(x, columns=["a", "b"]),
        lambda x: pl.DataFrame(x, schema=["a", "b"]),
        np.asfortranarray,
    ],
)
def test_inputs_of_every_kind_make_the_same_batches(make: Any) -> None:
    x = np.stack([X, -X], axis=1).astype("float32")
    plain = BalancedBatches(x, Y, batch_size=30, mix="smote")
    for made, expected in zip(BalancedBatches(make(x), Y, 30, mix="smote"), plain, strict=True):
        np.testing.assert_array_equal(made[0], expected[0])
        assert made[0].dtype == np.float32
        assert made[0].flags.c_contiguous


def test_files_and_images_go_as_they_are(tmp_path: Path) -> None:
    images = np.arange(100 * 12, dtype="uint8").reshape(100, 2, 2, 3)
    np.save(tmp_path / "images.npy", images)
    mapped = np.load(tmp_path / "images.npy", mmap_mode="r")
    rows, (x, y) = BalancedIndices(Y, 30).batch(0, 2), BalancedBatches(mapped, Y, 30)[2]
    np.testing.assert_array_equal(x, images[rows])
    np.testing.assert_array_equal(y, Y[rows])


def test_several_labels_a_row_are_handed_on() -> None:
    y = np.zeros((100, 3), "float32")
    y[:70, 0], y[60:80, 1], y[75:85, 2] = 1, 1, 1
    for rows, labels in BalancedBatches(X, y, batch_size=40):
        np.testing.assert_array_equal(labels, y[rows])
        assert set(np.bincount(y[rows][:, 2].astype(int)).tolist()) == {10, 30}  # four classes


def test_shares_and_quotas_are_passed_on() -> None:
    batches = BalancedBatches(X, Y, 10, draw={1: 0.3, 0: 0.7}, per_batch=True, steps=3)
    assert [int(labels.sum()) for _, labels in batches] == [3, 3, 3]
    progressive = BalancedBatches(X, Y, 50, draw=Progressive(epochs=3))
    found = [sum(int(labels.sum()) for _, labels in progressive) for _ in range(3)]
    assert found == [20, 35, 50]
    assert progressive.indices.quotas(1).tolist() == [65, 35]


FLOATS = np.random.default_rng(0).normal(size=(100, 2)).astype("float32")


def test_smote_shows_each_row_once_and_mixtures_beside() -> None:
    x, y = (
        np.concatenate(parts)
        for parts in zip(*BalancedBatches(FLOATS, Y, 30, mix="smote"), strict=True)
    )
    rare = {tuple(row) for row in FLOATS[80:].tolist()}
    as_they_are = [tuple(row) for row in x[y == 1].tolist() if tuple(row) in rare]
    assert sorted(as_they_are) == sorted(rare)
    common = {tuple(row) for row in FLOATS[:80].tolist()}
    assert all(tuple(row) in common for row in x[y == 0].tolist())  # drawn 60 times only
    assert len(np.unique(x[y == 1], axis=0)) == 60


def test_mixtures_take_the_room_of_neighbours_and_one_number_a_draw() -> None:
    x = np.random.default_rng(0).standard_normal((100_000, 64)).astype(np.float32)
    y = np.zeros(len(x), int)
    y[:2000] = 1

    def kept(mix: str | None) -> int:
        tracemalloc.start()
        batches = BalancedBatches(x, y, batch_size=256, mix=mix)
        for index in range(20):
            batches[index]
        now = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return now

    kept("smote")  # loads what is loaded late
    neighbors, draws = 2000 * 5 * 4, len(x) * 4
    assert kept("smote") - kept(None) < 1.1 * (neighbors + draws) < x.nbytes / 50


def test_a_mixture_lies_between_a_row_and_a_near_one() -> None:
    line = np.sort(FLOATS[:, :1], axis=0)  # neighbours in a row: mixtures stay between them
    batches = BalancedBatches(line, Y, 30, mix="smote", k_neighbors=1, sample_weight=10 * line)
    indices = BalancedIndices(Y, 30)
    for index, (x, _, weight) in enumerate(batches):
        own = line[indices.batch(0, index)]
        gap = np.abs(line[80:] - own.T)  # to the rows of the rare class
        reach = np.where(gap > 0, gap, np.inf).min(axis=0)
        rare = Y[indices.batch(0, index)] == 1
        assert (np.abs(x - own)[rare, 0] <= reach[rare] + 1e-6).all()
        np.testing.assert_allclose(weight, 10 * x, rtol=1e-5)  # mixed in the same share


def test_mixtures_of_soft_labels_and_of_pixels() -> None:
    shares = np.stack([1 - FLOATS[:, 0] % 0.4, FLOATS[:, 0] % 0.4], axis=1)
    shares = np.where(Y[:, None] > 0, shares[:, ::-1], shares).astype("float32")
    x, y = BalancedBatches(shares, shares, 30, mix="smote")[0]
    np.testing.assert_allclose(x, y, atol=1e-6)  # mixed alike
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
    pixels = np.where(FLOATS > 0, 250, 5).astype("uint8").reshape(100, 1, 2, 1)
    x, y = BalancedBatches(pixels, np.eye(2, dtype="int8")[Y], 30, mix="smote", k_neighbors=19)[0]
    assert x.dtype == np.uint8
    assert x.min() >= 5
    assert x.max() <= 250
    assert ((x > 5) & (x < 250)).any()
    assert y.dtype == np.int8
    assert set(y.sum(axis=1).tolist()) == {1}


def test_smote_follows_the_draw() -> None:
    batches = BalancedBatches(FLOATS, Y, 25, draw="natural", mix="smote")
    known = {tuple(row) for row in FLOATS.tolist()}
    assert all(tuple(row) in known for x, _ in batches for row in x.tolist())
    batches.draw = "balanced"
    assert sum(tuple(row) not in known for x, _ in batches for row in x.tolist()) == 30


def test_weights_of_whole_numbers_are_mixed_in_fractions() -> None:
    weights = np.where(np.arange(100) % 2, 1, 4)
    batch = BalancedBatches(FLOATS, Y, 30, mix="smote", sample_weight=weights)[0]
    assert batch[2].dtype == np.float32
    assert ((batch[2] > 1.1) & (batch[2] < 3.9) & (batch[2] != 2.5)).any()


def layers() -> keras.Sequential:
    noise, flip = keras.layers.GaussianNoise(0.1, seed=3), keras.layers.RandomFlip(seed=4)
    return keras.Sequential([noise, flip])


@pytest.mark.backend
@pytest.mark.parametrize(
    "make",
    [
        lambda: Mixup(n_classes=2),
        lambda: CutMix(n_classes=2),
        lambda: [Mixup(n_classes=2, seed=1), CutMix()],
        lambda: [PerClass(layers(), probabilities=[0.5, 1]), Mixup(n_classes=2)],
    ],
    ids=["mixup", "cutmix", "both", "layers"],
)
def test_augmentations_hang_on_the_epoch_and_the_batch_only(make: Any) -> None:
    x = np.random.default_rng(0).normal(size=(100, 4, 4, 1)).astype("float32")
    one, other = (BalancedBatches(x, Y, 30, augment=make(), sample_weight=X) for _ in range(2))
    forth = [one[index] for index in range(4)]
    back = [other[index] for index in (3, 3, 2, 1, 0)][:0:-1]
    for first, second in zip(forth, back, strict=True):
        for part, again in zip(first, second, strict=True):
            np.testing.assert_array_equal(part, again)
        assert [part.shape for part in first] == [(30, 4, 4, 1), (30, 2), (30,)]
    one.on_epoch_end()
    assert (one[0][0] != forth[0][0]).any()


@pytest.mark.backend
def test_a_mixture_of_several_inputs_has_one_partner_and_share() -> None:
    x = {"a": FLOATS, "b": np.stack([FLOATS, 2 * FLOATS], axis=1)}
    for inputs, labels in BalancedBatches(x, np.eye(2)[Y], 30, augment=Mixup()):
        np.testing.assert_allclose(inputs["b"][:, 0], inputs["a"], rtol=1e-5)
        np.testing.assert_allclose(inputs["b"][:, 1], 2 * inputs["a"], rtol=1e-5)
        assert labels.shape == (30, 2)


@pytest.mark.backend
def test_each_class_is_augmented_with_its_probability() -> None:
    images = np.random.default_rng(0).normal(size=(100, 4, 4, 1)).astype("float32")
    flip = PerClass(keras.layers.RandomFlip("horizontal", seed=0), probabilities=[0, 1])
    indices = BalancedIndices(Y, 30)
    for index, (x, y) in enumerate(BalancedBatches(images, Y, 30, augment=flip)):
        own = images[indices.batch(0, index)]
        same = (x == own).all(axis=(1, 2, 3))
        assert same[y == 0].all()
        assert (same | (x == own[:, :, ::-1]).all(axis=(1, 2, 3))).all()


def watching() -> keras.Model:
    """Compile a model whose loss never changes it and whose metric is the mean input."""

    def seen(y_true: Any, y_pred: Any) -> Any:
        return y_pred

    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Sequential([keras.Input((1,)), layer])
    model.compile(keras.optimizers.SGD(0.0), loss="mse", metrics=[seen])
    return model


def means(batches: Any, model: keras.Model | None = None, **options: Any) -> list[float]:
    """Return the mean row of each epoch of a training."""
    model = watching() if model is None else model
    return model.fit(batches, verbose=0, **options).history["seen"]


def expected_means(epochs: Any, parts: int = 1, **options: Any) -> list[float]:
    indices = BalancedIndices(Y, 30, **options)
    found = [np.stack([indices.batch(e, i) for i in range(len(indices))]) for e in epochs]
    return [float(part.mean()) for rows in found for part in np.split(rows, parts)]


def by_number(**options: Any) -> BalancedBatches:
    return BalancedBatches(X[:, None].astype("float32"), Y, 30, **options)


@pytest.mark.backend
def test_fit_sees_every_epoch_of_the_seed_on_every_backend() -> None:
    found = means(by_number(seed=2), epochs=4)
    np.testing.assert_allclose(found, expected_means(range(4), seed=2), rtol=1e-5)
    assert len(set(found)) == 4


@pytest.mark.backend
def test_trainings_go_on_or_begin_where_they_are_told() -> None:
    batches, model = by_number(), watching()
    found = means(batches, model, epochs=2) + means(batches, model, epochs=4, initial_epoch=2)
    np.testing.assert_allclose(found, expected_means(range(4)), rtol=1e-5)
    batches.set_epoch(9)
    assert batches.epoch == 9
    np.testing.assert_allclose(means(batches, model), expected_means([9]), rtol=1e-5)


@pytest.mark.backend
def test_epochs_of_fewer_steps_draw_anew_too() -> None:
    found = means(by_number(steps=3), epochs=5)
    np.testing.assert_allclose(found, expected_means(range(5), steps=3), rtol=1e-5)
    found = means(by_number(), epochs=4, steps_per_epoch=2, shuffle=False)
    np.testing.assert_allclose(found, expected_means(range(2), parts=2), rtol=1e-5)


@pytest.mark.backend
def test_validation_does_not_disturb_and_evaluate_and_predict_work() -> None:
    batches, model = by_number(), watching()
    found = means(batches, model, epochs=3, validation_data=by_number(seed=1))
    np.testing.assert_allclose(found, expected_means(range(3)), rtol=1e-5)
    assert model.predict(batches, verbose=0).shape == (120, 1)
    assert np.isfinite(model.evaluate(batches, verbose=0)).all()


@pytest.mark.backend
def test_batches_made_by_threads_are_balanced() -> None:
    batches = BalancedBatches(FLOATS, Y, 30, mix="smote", workers=2)

    def share(y_true: Any, y_pred: Any) -> Any:
        return y_true

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", loss="binary_crossentropy", metrics=[share])
    history = model.fit(batches, epochs=3, verbose=0).history
    np.testing.assert_allclose(history["share"], [0.5] * 3, rtol=1e-6)
    assert batches.epoch >= 3


@pytest.mark.backend
@pytest.mark.parametrize("labels", [Y, np.eye(2)[Y]], ids=["positions", "one-hot"])
def test_fit_takes_dicts_and_weights(labels: np.ndarray) -> None:
    inputs = {name: keras.Input((width,), name=name) for name, width in (("a", 2), ("b", 1))}
    joined = keras.layers.Concatenate()(list(inputs.values()))
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax")(joined))
    kind = "categorical" if labels.ndim == 2 else "sparse_categorical"
    model.compile("sgd", loss=f"{kind}_crossentropy")
    x = {"a": pd.DataFrame(FLOATS, columns=["u", "v"]), "b": scipy.sparse.csr_matrix(FLOATS[:, :1])}
    batches = BalancedBatches(x, labels, 30, sample_weight=np.ones(100))
    assert np.isfinite(model.fit(batches, verbose=0).history["loss"]).all()
