"""From a plan and a dataset to folds, networks and lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import Event
from typing import Any

import keras

from kilter._errors import ArgumentError
from kilter._types import Dataset, Split
from kilter.augment.image import find_layers
from kilter.augment.words import find_words
from kilter.comparison.executors.base import EncodedFold, Lane, Task
from kilter.comparison.folds import encode
from kilter.comparison.plan import NETWORKS, OWN, Plan
from kilter.comparison.remedy import Remedy
from kilter.comparison.training import Training, with_needs
from kilter.data import rarest_class, split
from kilter.data.encode import SCALES
from kilter.models import (
    convnet,
    load_pretrained,
    mlp,
    own_network,
    tabm,
    textnet,
    warn_if_lost,
)
from kilter.models.stages import part

Shape = tuple[int, ...]
Build = Callable[[Shape, int, int], keras.Model]

ROWS = {"table": "a table", "image": "images", "text": "texts"}


def prepare(plan: Plan, dataset: Dataset) -> tuple[tuple[Split, ...], Task]:
    """Split and encode a dataset; return the folds and what an executor needs to train."""
    _require_network(plan, dataset.schema.kind)  # before neighbours are searched
    splits = split(dataset, plan.folds, plan.seed)
    task = make_task(plan, dataset, encode(splits, dataset.schema, plan).folds)
    if plan.network == OWN:
        warn_if_lost(task.network(0, 0))
    return splits, task


def make_task(plan: Plan, dataset: Dataset, folds: tuple[EncodedFold, ...]) -> Task:
    """Return what an executor needs to train on these folds."""
    _require_network(plan, dataset.schema.kind)
    build = _builder(plan, folds[0])
    n_classes, positive = len(dataset.schema.classes), rarest_class(dataset.learned_labels)
    of_images = plan.augment is not None and dataset.schema.kind == "image"
    layers = find_layers(plan.augment) if of_images else ()
    task = Task(plan, folds, n_classes, positive, build, Event(), layers=layers)
    _require_last_layer(task)
    return task


def _require_network(plan: Plan, kind: str) -> None:
    """Raise unless the plan's network and draws are for rows of this kind."""
    if plan.network not in (*NETWORKS[kind], OWN):
        raise ArgumentError(
            f"`network` must be {' or '.join(NETWORKS[kind])} for {ROWS[kind]}; got "
            f"`{plan.network}`. Leave it out, or give a network of your own as `build`."
        )
    of_kind = {
        "table": _require_for_table,
        "image": _require_for_images,
        "text": _require_for_texts,
    }
    of_kind[kind](plan)
    for name in ("synonyms", "length"):
        if kind != "text" and getattr(plan, name) is not None:
            raise ArgumentError(
                f"`{name}` is for texts, and these are rows of {ROWS[kind]}; got "
                f"{getattr(plan, name)!r}. Leave it out, or name the column of texts as `text`."
            )


def _require_for_table(plan: Plan) -> None:
    if plan.augment is not None:
        raise ArgumentError(
            "`augment` is for images and texts, and these are rows of a table; got "
            f"{plan.augment!r:.80}. Leave it out: `smote` makes new rows of a table."
        )
    for remedy in plan.remedies:
        if any(one.draw.cut for one in _all_of(remedy)):
            raise ArgumentError(
                f"`remedies` has `{remedy.name}`, which cuts a part out of an image, and these are "
                "rows of a table. Use `mixup` or `remix`."
            )


def _require_for_images(plan: Plan) -> None:
    for remedy in plan.remedies:
        if any(one.draw.synthetic and one.head is None for one in _all_of(remedy)):
            raise ArgumentError(
                f"`remedies` has `{remedy.name}`, which makes rows between neighbours. Between the "
                "pixels of two images lies no image: it would be a double exposure. Leave it out; "
                "`head-smote` makes them between the features that a network has learned."
            )


def _require_for_texts(plan: Plan) -> None:
    if plan.pretrained is not None:
        raise ArgumentError(
            "`pretrained` is for tables and images: each fold of texts has a vocabulary of its "
            "own, so that its words have other numbers than the file's. Take sentence embeddings "
            "(`embed`)."
        )
    if plan.augment is not None:
        find_words(plan.augment)
    elif plan.synonyms is not None:
        raise ArgumentError(
            "`synonyms` are for texts that are changed in training, and `augment` is not given. "
            "Take `augment` light (`--augment light`), or leave it out."
        )
    for remedy in plan.remedies:
        whole = [one.draw for one in _all_of(remedy) if one.head is None]
        if any(draw.synthetic or draw.blends for draw in whole):
            raise ArgumentError(
                f"`remedies` has `{remedy.name}`, which mixes two rows. Between the numbers of two "
                "words stands any other word: it would be no text. Leave it out; `augment` changes "
                "texts as texts, and `head-smote` mixes the features that a network has learned."
            )


def _require_last_layer(task: Task) -> None:
    """Raise unless the network has one to learn anew, if a remedy wants that."""
    plan = task.plan
    wanting = [one.name for one in plan.remedies if any(each.head for each in _all_of(one))]
    if not wanting:
        return
    if plan.network == "tabm":
        raise ArgumentError(
            f"`remedies` has {_named(wanting)} for the last layer of a network, and `network` "
            "tabm has one for each of its members. Take `network` mlp (`--network mlp`), or leave "
            "them out."
        )
    try:
        part(task.network(0, 0))
    except ArgumentError as error:
        raise ArgumentError(f"{error} Here those are {_named(wanting)}.") from None


def _all_of(remedy: Remedy) -> tuple[Training, ...]:
    return with_needs(remedy.trainings)


def _named(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _builder(plan: Plan, fold: EncodedFold) -> Build:
    """Return what builds the plan's network, for rows as any of the folds has them."""
    if plan.network == OWN:
        return _own_builder(plan, fold.vocabulary)
    build = _default_builder(plan, fold)
    return build if plan.pretrained is None else partial(_with_weights, build, plan.pretrained)


def _with_weights(build: Build, path: str, *of_network: Any) -> keras.Model:
    model = build(*of_network)
    load_pretrained(model, path)
    return model


def _default_builder(plan: Plan, fold: EncodedFold) -> Build:
    numbers, vocabulary = int(fold.blendable.sum()) // SCALES, fold.vocabulary
    parts: dict[str, Any] = {"dropout": plan.dropout}

    def build_convnet(shape: Shape, n_classes: int, seed: int) -> keras.Model:
        return convnet(shape, n_classes, **parts, seed=seed)

    def build_mlp(shape: Shape, n_classes: int, seed: int) -> keras.Model:
        return mlp(shape[0], n_classes, hidden=plan.hidden, **parts, seed=seed)

    def build_tabm(shape: Shape, n_classes: int, seed: int) -> keras.Model:
        embedded: dict[str, Any] = {"numbers": numbers, "scales": SCALES, "members": plan.members}
        return tabm(shape[0], n_classes, **embedded, hidden=plan.hidden, **parts, seed=seed)

    def build_textnet(shape: Shape, n_classes: int, seed: int) -> keras.Model:
        return textnet(shape[0], vocabulary, n_classes, **parts, seed=seed)

    builders = {"mlp": build_mlp, "tabm": build_tabm}
    builders |= {"convnet": build_convnet, "textnet": build_textnet}
    return builders[plan.network]


def _own_builder(plan: Plan, vocabulary: int) -> Build:
    if plan.build is None:
        raise ArgumentError(
            "`build` must be given: the plan is for a network of your own, which does not go to "
            "JSON. Use `dataclasses.replace(plan, build=...)`."
        )
    settings: dict[str, Any] = {"vocabulary": vocabulary, "pretrained": plan.pretrained}
    return partial(own_network, plan.build, **settings)


def lanes_of(plan: Plan) -> list[Lane]:
    """Return every training of the plan, and what those need, each once."""
    return [
        Lane(training, fold, seed)
        for fold in range(plan.folds)
        for seed in range(plan.seeds)
        for training in plan.trainings
    ]
