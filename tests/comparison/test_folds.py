"""Encoded folds: sorted by class, of one width, and fitted on training rows alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from kilter._types import Features, Part
from kilter.augment import RandomWords
from kilter.comparison.folds import VERSIONS, encode
from kilter.comparison.plan import Plan
from kilter.data import TableEncoder, load, split
from kilter.sampling import class_clusters, class_neighbors
from made_texts import as_texts, make_texts

SMOTE, PLAIN = (Plan.make(name, folds=3, neighbors=4) for name in ("smote", "focal"))


@pytest.fixture
def dataset(table_of):
    return load(table_of(3), "target")


@pytest.fixture
def splits(dataset):
    return split(dataset, 3)


def test_training_rows_are_sorted_by_class(dataset, splits) -> None:
    for part, fold in zip(splits, encode(splits, dataset.schema, PLAIN).folds, strict=True):
        order = np.argsort(part.train.labels, kind="stable")
        np.testing.assert_array_equal(fold.labels, part.train.labels[order])
        encoder = TableEncoder.fit(part.train, dataset.schema)
        width = encoder.width
        expected = encoder.transform(part.train.features)[order]
        np.testing.assert_array_equal(fold.x[:, :width], expected)
        assert fold.x.dtype == np.float32


def test_validation_and_test_rows_keep_their_order(dataset, splits) -> None:
    encoded = encode(splits, dataset.schema, PLAIN)
    for part, fold, encoder in zip(splits, encoded.folds, encoded.encoders, strict=True):
        width = encoder.width
        validation = encoder.transform(part.validation.features)
        np.testing.assert_array_equal(fold.validation_x[:, :width], validation)
        np.testing.assert_array_equal(fold.validation_labels, part.validation.labels)
        np.testing.assert_array_equal(fold.test_x[:, :width], encoder.transform(part.test.features))


def garble(part: Part) -> Part:
    """Return the part with features that have nothing to do with its own."""
    numbers = np.full_like(part.features.numbers, 1e6)
    return replace(part, features=Features(numbers, np.full_like(part.features.codes, -2)))


def test_rows_to_validate_and_test_on_do_not_leak_into_training(dataset, splits) -> None:
    dirty = tuple(
        replace(one, validation=garble(one.validation), test=garble(one.test)) for one in splits
    )
    clean, other = (encode(some, dataset.schema, SMOTE).folds for some in (splits, dirty))
    for fold, again in zip(clean, other, strict=True):
        np.testing.assert_array_equal(fold.x, again.x)
        np.testing.assert_array_equal(fold.neighbors, again.neighbors)
        assert (fold.test_x != again.test_x).any()


@pytest.fixture
def stepped():
    """Rows of the rare class have one value of the first number."""
    values = np.arange(600) % 20
    columns = {"x": values, "noise": np.random.default_rng(0).normal(size=600)}
    return load(pa.table({**columns, "target": (values == 7).astype(int)}), "target")


def test_bins_come_of_training_labels_alone(stepped) -> None:
    splits = split(stepped, 3)
    dirty = tuple(
        replace(one, test=replace(one.test, labels=1 - one.test.labels)) for one in splits
    )
    clean, other = (encode(some, stepped.schema, PLAIN) for some in (splits, dirty))
    for encoder, again in zip(clean.encoders, other.encoders, strict=True):
        assert list(map(len, encoder.edges)) == list(map(len, again.edges)) == [2, 0]
        np.testing.assert_array_equal(encoder.edges[0], again.edges[0])


def test_a_network_of_ones_own_gets_a_width_that_hangs_on_no_labels(stepped) -> None:
    own = replace(PLAIN, build=lambda width, n_classes: None)
    splits = split(stepped, 3)
    assert [fold.x.shape[1] for fold in encode(splits, stepped.schema, own).folds] == [4, 4, 4]
    assert [fold.x.shape[1] for fold in encode(splits, stepped.schema, PLAIN).folds] == [7, 7, 7]


def test_neighbours_are_there_when_a_remedy_mixes(dataset, splits) -> None:
    for fold in encode(splits, dataset.schema, SMOTE).folds:
        largest = fold.labels == np.bincount(fold.labels).argmax()
        near = class_neighbors(fold.x, fold.labels, 4)
        np.testing.assert_array_equal(fold.neighbors[~largest], near[~largest])
        # SMOTE adds nothing to the largest class: its neighbours are not searched
        np.testing.assert_array_equal(fold.neighbors[largest].T, [np.flatnonzero(largest)] * 4)
    assert not any(len(fold.neighbors) for fold in encode(splits, dataset.schema, PLAIN).folds)


def test_neighbors_in_a_cluster_stand_behind_those_in_the_class(table_of: Callable) -> None:
    dataset = load(table_of(3), "target")
    splits = split(dataset, 3, 0)
    plan = Plan.make(["cluster-smote"], folds=3, neighbors=4)
    plain = encode(splits, dataset.schema, SMOTE).folds
    for fold, other in zip(encode(splits, dataset.schema, plan).folds, plain, strict=True):
        near, within = np.hsplit(fold.neighbors, 2)
        np.testing.assert_array_equal(near, other.neighbors)
        short = np.flatnonzero(fold.layout.counts < fold.layout.counts.max())
        clusters = class_clusters(fold.x, fold.labels, short, plan.seed)
        np.testing.assert_array_equal(clusters[within], np.tile(clusters[:, None], 4))


def test_folds_that_encode_to_different_widths_are_padded_with_zeros() -> None:
    # the value of one row only: the folds that train on it have a column more
    rows = 60
    city = np.array(["Rome"] * 30 + ["Oslo"] * 29 + ["Lima"])
    columns = {"x": np.arange(rows) / 7, "city": city, "target": np.arange(rows) % 2}
    dataset = load(pa.table(columns), "target")
    encoded = encode(split(dataset, 3), dataset.schema, PLAIN)
    widths = [encoder.width for encoder in encoded.encoders]
    assert len(set(widths)) == 2
    for fold, width in zip(encoded.folds, widths, strict=True):
        for x in (fold.x, fold.validation_x, fold.test_x):
            assert x.shape[1] == max(widths)
            assert not x[:, width:].any()
        assert fold.blendable.tolist() == [True] * 2 + [False] * (max(widths) - 2)


def test_a_fold_holds_no_labels_of_test_rows(dataset, splits) -> None:
    fold = encode(splits, dataset.schema, SMOTE).folds[0]
    arrays = [value for value in vars(fold).values() if isinstance(value, np.ndarray)]
    test_rows = len(splits[0].test)
    assert [a.ndim for a in arrays if len(a) == test_rows] == [2]  # the features, once


# -- texts -------------------------------------------------------------------------------

NOTES = make_texts(
    np.arange(60) % 3 // 2,
    [f"word{chr(97 + row % 9)} is {'here' * (row % 2)}" for row in range(60)],
)


def test_changed_texts_come_of_the_rows_to_learn_from() -> None:
    plan = Plan.make("none", kind="text", folds=3, augment="light", synonyms=None, seed=4)
    splits = split(NOTES, 3)
    encoded = encode(splits, NOTES.schema, plan)
    for one, fold, encoder in zip(splits, encoded.folds, encoded.encoders, strict=True):
        texts = one.train.features.texts
        changed = RandomWords(random_state=4).fit(texts).copies(texts, VERSIONS)
        assert fold.versions.shape == (len(one.train), VERSIONS, *fold.x.shape[1:])
        for row, at in enumerate(fold.layout.order):
            expected = encoder.transform(as_texts(changed[at]))
            np.testing.assert_array_equal(fold.versions[row][:, : encoder.length], expected)
        some = (fold.versions != fold.x[:, None]).any(axis=2).mean()
        assert 0.2 < some <= 1


def test_words_of_rows_to_test_on_are_unknown() -> None:
    plan = Plan.make("none", kind="text", folds=3)
    splits = split(NOTES, 3)
    odd = as_texts(["never seen here"] * len(splits[0].test))
    dirty = (replace(splits[0], test=replace(splits[0].test, features=odd)), *splits[1:])
    one, other = (encode(each, NOTES.schema, plan) for each in (splits, dirty))
    assert one.encoders[0].words == other.encoders[0].words
    np.testing.assert_array_equal(one.folds[0].x, other.folds[0].x)
    assert other.folds[0].test_x[0, :2].tolist() == [1, 1]
