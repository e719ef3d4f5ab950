"""Look for what spoils a comparison, and say what so few rows can show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kilter._types import Column, Dataset, Features, Images, Texts
from kilter.data.columns import MISSING, NUMERIC
from kilter.data.leaks import leak_suspects
from kilter.data.load import load
from kilter.data.schema import number_names
from kilter.data.split import most_folds
from kilter.data.units import twins
from kilter.data.warn import audit_warnings
from kilter.data.words import words_of

_IDENTIFIER_SHARE = 0.5
_OTHER_SHARE = 1.5  # times that of the rows to learn from
_DEVIATIONS = 3  # of the count that is expected: fewer are chance


def inspect(
    data: Any,
    target: str | None = None,
    *,
    text: str | None = None,
    embed: str | None = None,
    drop: Sequence[str] = (),
    group: str | None = None,
    time: str | None = None,
    size: Any = None,
    broken: str = "refuse",
) -> dict[str, Any]:
    """Audit what is there before anything is trained: imbalance, traps, what can be claimed.

    Use it first. It is `load` and then `audit`; the arguments are those of `load`, the
    result that of `audit`.

    Examples
    --------
    >>> import kilter, pyarrow
    >>> table = pyarrow.table({"age": list(range(200)), "fraud": [0] * 190 + [1] * 10})
    >>> kilter.inspect(table, "fraud")["imbalance_ratio"]
    19.0
    """
    options: dict[str, Any] = {"text": text, "embed": embed, "size": size, "broken": broken}
    return audit(load(data, target, drop=drop, group=group, time=time, **options))


def audit(dataset: Dataset) -> dict[str, Any]:
    """Report the imbalance, the traps in the columns, and what can be claimed.

    Use it before a comparison; ``kilter inspect`` prints it, through `audit_lines`.

    Returns
    -------
    dict
        What JSON can hold: ``name``, ``rows``, ``columns`` (how many of each kind),
        ``classes`` (rarest first, of the rows to learn from), ``imbalance_ratio`` (largest :
        smallest class), ``duplicates`` (``rows`` that have an exact twin, and ``conflicting``
        ones whose twin has another label), ``missing`` (rows a column), ``constant``, ``empty``,
        ``identifiers`` and, among these, ``free_text`` (names), ``leaks`` (ROC-AUC of single
        columns that tell the rarest class from the rest at .995 or more), ``claim``,
        and ``warnings``: sentences that say what to do.
        Of images ``image`` has height, width and channels, and of texts ``text`` how many
        ``words`` they have on the median, the longest (``most``), and how many ``different`` ones
        there are. Where rows are held out for tests,
        ``held_out`` has how many ``rows``, how many of the others have a twin among them
        (``twins``), and the ``classes`` whose share of them is another.
        ``claim.ap_half_width`` is half the 95% interval of an average precision of one half.

    Examples
    --------
    >>> import pyarrow
    >>> from kilter.data import load
    >>> rows = {"age": list(range(200)), "fraud": [0] * 190 + [1] * 10}
    >>> report = audit(load(pyarrow.table(rows), "fraud"))
    >>> report["imbalance_ratio"], report["claim"]["max_folds"], report["leaks"]
    (19.0, 5, {'age': 1.0})
    """
    classes = _classes(dataset)
    of_table = isinstance(dataset.features, Features)
    report = {
        "name": dataset.name,
        "rows": len(dataset),
        "columns": _kinds(dataset),
        "classes": classes,
        "imbalance_ratio": classes[-1]["rows"] / classes[0]["rows"],
        "duplicates": _duplicates(dataset),
        "missing": _missing(dataset),
        **{reason: _ignored(dataset, reason) for reason in ("constant", "empty", "broken")},
        "free_text": _free_text(dataset) if of_table else [],
        "identifiers": _identifiers(dataset) if of_table else [],
        "leaks": leak_suspects(dataset, rarest_class(dataset.learned_labels)) if of_table else {},
        "held_out": _held_out(dataset),
        "image": _image(dataset),
        "text": _text(dataset),
        "claim": _claim(dataset, classes[0]),
    }
    return {**report, "warnings": audit_warnings(report)}


def _ignored(dataset: Dataset, reason: str) -> list[str]:
    return [name for name, why in dataset.schema.ignored if why == reason]


def _image(dataset: Dataset) -> dict[str, int] | None:
    if not isinstance(dataset.features, Images):
        return None
    return dict(zip(("height", "width", "channels"), dataset.schema.columns[0].shape, strict=True))


def _text(dataset: Dataset) -> dict[str, int] | None:
    if not isinstance(dataset.features, Texts):
        return None
    words = [words_of(text) for text in dataset.features.texts]
    lengths = list(map(len, words))
    different = {word for each in words for word in each}
    return {
        "words": int(np.median(lengths)),
        "most": max(lengths),
        "different": len(different),
    }


def _held_out(dataset: Dataset) -> dict[str, Any] | None:
    tested = dataset.held_out
    if tested is None:
        return None
    codes = twins(dataset.features)
    learned, held = (_counts(dataset.take(rows)) for rows in (~tested, tested))
    return {
        "rows": int(tested.sum()),
        "twins": int(np.isin(codes[~tested], codes[tested]).sum()),
        "classes": [dataset.schema.classes[place] for place in _apart(learned, held)],
    }


def _apart(learned: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return the classes whose shares are further apart than few rows are by chance."""
    ratio = (held / held.sum()) / (learned / learned.sum())
    share = held.sum() / (held.sum() + learned.sum())
    deviation = np.sqrt((held + learned) * share * (1 - share))
    by_chance = np.abs(held - (held + learned) * share) <= _DEVIATIONS * deviation
    return np.flatnonzero(((ratio < 1 / _OTHER_SHARE) | (ratio > _OTHER_SHARE)) & ~by_chance)


def _counts(dataset: Dataset) -> np.ndarray:
    return np.bincount(dataset.labels, minlength=len(dataset.schema.classes))


def rarest_class(labels: np.ndarray) -> int:
    """Return the class with the fewest rows, the later one where two tie.

    Examples
    --------
    >>> rarest_class(np.array([0, 0, 1, 2]))
    2
    """
    counts = np.bincount(labels)
    return int(len(counts) - 1 - counts[::-1].argmin())


def _classes(dataset: Dataset) -> list[dict[str, Any]]:
    counts = np.bincount(dataset.learned_labels, minlength=len(dataset.schema.classes))
    return [
        {
            "label": dataset.schema.classes[position],
            "rows": int(counts[position]),
            "share": float(counts[position] / counts.sum()),
        }
        for position in np.argsort(counts, kind="stable")
    ]


def _kinds(dataset: Dataset) -> dict[str, int]:
    kinds = [column.kind for column in dataset.schema.columns]
    return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


def _duplicates(dataset: Dataset) -> dict[str, int]:
    codes = twins(dataset.features)
    twin = np.bincount(codes) > 1
    pairs = np.unique(np.column_stack([codes, dataset.labels]), axis=0)
    conflicting = np.bincount(pairs[:, 0]) > 1
    return {"rows": int(twin[codes].sum()), "conflicting": int(conflicting[codes].sum())}


def _missing(dataset: Dataset) -> dict[str, int]:
    counts = {name: int(missing.sum()) for name, missing in _missing_flags(dataset)}
    return {name: count for name, count in counts.items() if count}


def _missing_flags(dataset: Dataset) -> list[tuple[str, np.ndarray]]:
    features = dataset.features
    if isinstance(features, Texts):
        empty = [not text.strip() for text in features.texts]
        return [(dataset.schema.columns[0].name, np.array(empty))]
    if not isinstance(features, Features):
        return []
    position = {name: place for place, name in enumerate(number_names(dataset.schema))}
    numbers = [
        (column.name, np.isnan(dataset.features.numbers[:, position[_first_number(column)]]))
        for column in dataset.schema.columns
        if column.kind in NUMERIC
    ]
    codes = zip(_category_columns(dataset), dataset.features.codes.T, strict=True)
    return numbers + [(column.name, values == MISSING) for column, values in codes]


def _first_number(column: Column) -> str:
    first = {"date": ".days", "embedding": ".0"}
    return column.name + first.get(column.kind, "")


def _category_columns(dataset: Dataset) -> list[Column]:
    return [column for column in dataset.schema.columns if column.kind not in NUMERIC]


def _identifiers(dataset: Dataset) -> list[str]:
    """Return text that is new in most rows, and whole numbers that are new in every row."""
    plain = {column.name for column in dataset.schema.columns if column.kind == "number"}
    numbers = zip(number_names(dataset.schema), dataset.features.numbers.T, strict=True)
    return _free_text(dataset) + [
        name for name, values in numbers if name in plain and _all_new(values)
    ]


def _free_text(dataset: Dataset) -> list[str]:
    """Return the columns of text that is new in most rows."""
    return [
        column.name
        for column in _category_columns(dataset)
        if len(column.vocabulary) > _IDENTIFIER_SHARE * len(dataset)
    ]


def _all_new(values: np.ndarray) -> bool:
    whole = bool((values % 1 == 0).all())
    return whole and len(np.unique(values)) == len(values)


def _claim(dataset: Dataset, rarest: dict[str, Any]) -> dict[str, Any]:
    tested = dataset if dataset.held_out is None else dataset.take(dataset.held_out)
    rows = int((tested.labels == rarest_class(dataset.learned_labels)).sum())
    return {
        "class": rarest["label"],
        "rows": rows,
        "ap_half_width": _half_width(rows),
        "max_folds": most_folds(dataset),
    }


def _half_width(positives: int) -> float:
    """Return half the logit interval of an average precision of .5 with so many positives."""
    if not positives:
        return 0.5
    tau = 1 / math.sqrt(positives * 0.5 * 0.5)
    return 1 / (1 + math.exp(-1.96 * tau)) - 0.5
