"""From frozen splits to what the network sees, every fitted part from training rows only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from kilter._types import Dataset, Schema, Split, Test, Texts, Train, Validation
from kilter.augment.words import find_words
from kilter.comparison.executors.base import EncodedFold
from kilter.comparison.plan import OWN, Plan
from kilter.comparison.training import CLUSTER
from kilter.data import Encoder, fit_encoder
from kilter.sampling import Layout, class_clusters, class_neighbors

VERSIONS = 8
"""Changed versions of each text to learn from, of which each epoch sees one."""


@dataclass(frozen=True)
class EncodedSplits:
    """The folds of a plan, encoded, with the encoder of each."""

    encoders: tuple[Encoder, ...]
    folds: tuple[EncodedFold, ...]


def encode(splits: tuple[Split, ...], schema: Schema, plan: Plan) -> EncodedSplits:
    """Encode every fold by an encoder of its own, all to the same shape."""
    options = _options(schema, plan)
    encoders = tuple(fit_encoder(split.train, schema, **options) for split in splits)
    shape = tuple(np.max([encoder.shape for encoder in encoders], axis=0).tolist())
    vocabulary = max(encoder.vocabulary for encoder in encoders)
    folds = (
        _encode_fold(split, encoder, shape, vocabulary, len(schema.classes), plan)
        for split, encoder in zip(splits, encoders, strict=True)
    )
    return EncodedSplits(encoders, tuple(folds))


def _options(schema: Schema, plan: Plan) -> dict[str, Any]:
    """Return what the plan says of the encoder of this kind of rows."""
    if schema.kind == "text":
        return {"length": plan.length}
    return {"bins": plan.network != OWN} if schema.kind == "table" else {}


def _versions(train: Train, encoder: Encoder, shape: tuple[int, ...], plan: Plan) -> np.ndarray:
    """Return changed versions of the texts to learn from, encoded, if the plan wants them."""
    if plan.augment is None or not isinstance(train.features, Texts):
        return np.empty((0, 0), np.int32)
    texts = train.features.texts
    changed = find_words(plan.augment, plan.synonyms, plan.seed).fit(texts).copies(texts, VERSIONS)
    encoded = pad(encoder.transform(Texts(changed.ravel())), shape)
    return encoded.reshape(*changed.shape, *shape)


def neighbors(x: np.ndarray, labels: np.ndarray, layout: Layout, plan: Plan) -> np.ndarray:
    """Find what rows are mixed with, as far as a training of the plan does."""
    draws = [one.draw for one in plan.trainings if one.draw.synthetic and one.head is None]
    if not draws:
        return np.empty((0, 0), np.int32)
    short = _short_of_largest(layout)
    near = class_neighbors(x, labels, plan.neighbors, short)
    if not any(draw.partner == CLUSTER for draw in draws):
        return near
    clusters = class_clusters(x, labels, short, plan.seed)
    within = class_neighbors(x, clusters, plan.neighbors, np.unique(clusters[clusters >= 0]))
    return np.concatenate([near, within], axis=1)


def encode_all(dataset: Dataset, plan: Plan) -> tuple[Encoder, EncodedFold]:
    """Encode all rows to learn from as a training part; one row stands for each other part."""
    learned = np.ones(len(dataset), bool) if dataset.held_out is None else ~dataset.held_out
    every, first = np.flatnonzero(learned), np.arange(1)
    parts = Train.of(dataset, every), Validation.of(dataset, first), Test.of(dataset, first)
    encoded = encode((Split(*parts),), dataset.schema, plan)
    return encoded.encoders[0], encoded.folds[0]


def _encode_fold(
    split: Split,
    encoder: Encoder,
    shape: tuple[int, ...],
    vocabulary: int,
    n_classes: int,
    plan: Plan,
) -> EncodedFold:
    train, validation, test = (
        pad(encoder.transform(part.features), shape)
        for part in (split.train, split.validation, split.test)
    )
    layout = Layout.of(split.train.labels, n_classes)
    x, labels = train[layout.order], split.train.labels[layout.order]
    near = neighbors(x, labels, layout, plan)
    blendable = pad(encoder.blendable[None], shape)[0]
    versions = _versions(split.train, encoder, shape, plan)
    if len(versions):
        versions = versions[layout.order]
    return EncodedFold(
        x,
        labels,
        layout,
        near,
        blendable,
        validation,
        split.validation.labels,
        test,
        versions,
        vocabulary,
    )


def _short_of_largest(layout: Layout) -> np.ndarray:
    """Return the classes that SMOTE fills up; searching the largest would be for nothing."""
    return np.flatnonzero((layout.counts > 0) & (layout.counts < layout.counts.max()))


def pad(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Add zeros behind: folds may encode to rows of different shapes, networks may not."""
    lacking = [(0, wanted - there) for wanted, there in zip(shape, x.shape[1:], strict=True)]
    return np.pad(x, [(0, 0), *lacking]) if x.shape[1:] != shape else x
