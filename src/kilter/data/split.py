"""Cut a dataset into frozen folds, so that nothing of a test row is seen in training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kilter._errors import ArgumentError, ArgumentTypeError, DataError, TooFewRowsError
from kilter._numbers import is_whole
from kilter._types import Dataset, Split, Test, Train, Validation
from kilter.data.deal import class_counts, deal
from kilter.data.units import units

_MOST_FOLDS = 50
_INNER_PARTS = 5  # a fifth of what is not tested is for validation
_FEWEST_UNITS = 6  # with two folds: three to test, one to validate, two to learn from
_FEWEST_LEARNED = 3  # of these, where others are tested


class _Rows(NamedTuple):
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(dataset: Dataset, folds: int = 5, seed: int = 0) -> tuple[Split, ...]:
    """Cut a dataset into folds of a training, a validation and a test part.

    Use it before anything is fitted. Classes keep their shares in every part; rows whose
    features are exactly equal, and rows of one group, are always in the same part. The test
    parts hold every row once; a fifth of the other rows is for validation.

    With ``dataset.held_out`` its rows are cut into as many test parts, and no other row is tested;
    what has a twin among them is not learned from.

    With ``dataset.times`` the rows are cut into ``folds + 2`` blocks in order of time, and
    fold ``i`` trains on the first ``i + 1`` of them, validates on the next and tests on the
    one after it. Equal times stay together, and an earlier row that is tied to a later one
    (a twin, or of its group) is taken out of the earlier part.

    Parameters
    ----------
    dataset
        What `load` returned.
    folds
        How many, from 2 to 50.
    seed
        The same seed gives the same folds.

    Returns
    -------
    tuple of Split
        One a fold; ``rows`` in each part are sorted positions in the dataset.

    Raises
    ------
    ArgumentError
        ``folds`` or ``seed`` is out of range.
    TooFewRowsError
        A class is too rare for that many folds: it needs two distinct rows (or groups) a
        fold, and six at least.

    Examples
    --------
    >>> import pyarrow
    >>> from kilter.data import load
    >>> rows = {"age": list(range(100)), "fraud": [0] * 80 + [1] * 20}
    >>> first, *_ = split(load(pyarrow.table(rows), "fraud"))
    >>> len(first.train), len(first.validation), len(first.test)
    (64, 16, 20)
    >>> int(first.test.labels.sum())
    4
    """
    _check_arguments(folds, seed)
    ids = units(dataset)
    _refuse_rare(dataset, ids, folds)
    _refuse_unlearnable(dataset, ids)
    if dataset.held_out is not None:
        cuts = _held_out(dataset.held_out, dataset.labels, ids, folds, seed)
    elif dataset.times is not None:
        cuts = _in_time(dataset.times, ids, folds)
    else:
        cuts = _at_random(dataset.labels, ids, folds, seed)
    for fold, cut in enumerate(cuts):
        _refuse_lacking(dataset, ids, fold, cut)
    return tuple(_parts(dataset, cut) for cut in cuts)


def _check_arguments(folds: int, seed: int) -> None:
    for name, value in (("folds", folds), ("seed", seed)):
        if not is_whole(value):
            raise ArgumentTypeError(f"`{name}` must be a whole number; got `{value!r}`.")
    if folds == 1:
        raise ArgumentError("`folds` must be 2 or more: one fold leaves nothing to test on.")
    if not 2 <= folds <= _MOST_FOLDS:
        raise ArgumentError(f"`folds` must be from 2 to {_MOST_FOLDS}; got {folds}. Try 5.")
    if seed < 0:
        raise ArgumentError(f"`seed` must be 0 or more; got {seed}.")


def _parts(dataset: Dataset, cut: _Rows) -> Split:
    return Split(
        Train.of(dataset, cut.train),
        Validation.of(dataset, cut.validation),
        Test.of(dataset, cut.test),
    )


def _at_random(labels: np.ndarray, ids: np.ndarray, folds: int, seed: int) -> list[_Rows]:
    fold_of = deal(labels, ids, folds, np.random.default_rng(seed))
    cuts = []
    for fold in range(folds):
        rest = np.flatnonzero(fold_of != fold)
        inner = _inner(labels[rest], ids[rest], [seed, fold])
        cuts.append(_Rows(rest[~inner], rest[inner], np.flatnonzero(fold_of == fold)))
    return cuts


def _held_out(
    tested: np.ndarray, labels: np.ndarray, ids: np.ndarray, folds: int, seed: int
) -> list[_Rows]:
    """Cut the rows that are for tests into parts, and a validation part a fold out of the rest."""
    tests, rest = np.flatnonzero(tested), np.flatnonzero(~_tied(ids, tested))
    fold_of = deal(labels[tests], ids[tests], folds, np.random.default_rng(seed))
    cuts = []
    for fold in range(folds):
        inner = _inner(labels[rest], ids[rest], [seed, fold])
        cuts.append(_Rows(rest[~inner], rest[inner], tests[fold_of == fold]))
    return cuts


def _inner(labels: np.ndarray, ids: np.ndarray, key: list[int]) -> np.ndarray:
    """Return which rows validate: a fifth, or the smallest larger part with every class.

    With very many rare classes no fifth may hold a row of each.
    """
    classes = len(np.unique(labels))
    for parts in range(_INNER_PARTS, 1, -1):
        part_of = deal(labels, ids, parts, np.random.default_rng(key))
        inner = part_of == _fairest(labels, part_of)
        if len(np.unique(labels[inner])) == classes:
            break
    return inner


def _fairest(labels: np.ndarray, part_of: np.ndarray) -> int:
    """Return the part that lacks the fewest classes and is nearest to its share of each."""
    counts = class_counts(part_of, labels).toarray()
    totals = counts.sum(axis=0)
    counts, totals = counts[:, totals > 0], totals[totals > 0]
    lacking = (counts == 0).sum(axis=1)
    unfair = np.abs(counts / totals - 1 / len(counts)).sum(axis=1)
    return int(np.lexsort((unfair, lacking))[0])


def _in_time(times: np.ndarray, ids: np.ndarray, folds: int) -> list[_Rows]:
    block = np.searchsorted(_cut_times(times, folds + 2), times, side="right")
    cuts = []
    for fold in range(folds):
        test = block == fold + 2
        validation = (block == fold + 1) & ~_tied(ids, test)
        train = (block <= fold) & ~_tied(ids, test | validation)
        cuts.append(_Rows(*map(np.flatnonzero, (train, validation, test))))
    return cuts


def _tied(ids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return which rows are of a unit that has one of these rows."""
    held = np.zeros(ids.max() + 1, bool)
    held[ids[rows]] = True
    return held[ids]


def _cut_times(times: np.ndarray, blocks: int) -> np.ndarray:
    """Return the times at which all blocks but the first begin, as equal in rows as can be."""
    moments, starts = np.unique(np.sort(times), return_index=True)
    wanted = len(times) * np.arange(1, blocks) / blocks
    after = np.clip(np.searchsorted(starts, wanted), 1, len(starts) - 1)
    before = np.maximum(after - 1, 0)
    nearest = np.where(wanted - starts[before] < starts[after] - wanted, before, after)
    if nearest[0] == 0 or (np.diff(nearest) <= 0).any():
        raise DataError(
            f"`time` has {len(moments):,} different values, and too many rows share one to cut "
            f"{blocks} blocks out of them. Ask for fewer `folds`, or split without `time`."
        )
    return moments[nearest]


def most_folds(dataset: Dataset) -> int:
    """Return the largest number of folds that the rarest class allows; 0 where there is none."""
    return _most_folds(dataset, units(dataset))


def _most_folds(dataset: Dataset, ids: np.ndarray) -> int:
    fewest, (a_fold, at_least) = int(_to_test(dataset, ids).min()), _units_needed(dataset)
    if _to_learn(dataset, ids).min() < _FEWEST_LEARNED:
        return 0
    return min(fewest // a_fold, _MOST_FOLDS) if fewest >= at_least else 0


def _units_needed(dataset: Dataset) -> tuple[int, int]:
    """Return how many units of a class a fold needs, and how many are needed at least.

    Where rows are held out, those of a fold are tested only, and there are two folds or more.
    """
    return (2, _FEWEST_UNITS) if dataset.held_out is None else (1, 2)


def _to_test(dataset: Dataset, ids: np.ndarray) -> np.ndarray:
    """Return the number of distinct units of each class that are tested."""
    tested = dataset.held_out
    return _distinct(dataset, ids, np.arange(len(ids)) if tested is None else tested)


def _to_learn(dataset: Dataset, ids: np.ndarray) -> np.ndarray:
    """Return the number of distinct units of each class that are learned from in some fold."""
    tested = dataset.held_out
    return _distinct(dataset, ids, np.arange(len(ids)) if tested is None else ~_tied(ids, tested))


def _distinct(dataset: Dataset, ids: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the number of distinct units of each class among these rows."""
    classes = len(dataset.schema.classes)
    pairs = np.unique(ids[rows] * classes + dataset.labels[rows])
    return np.bincount(pairs % classes, minlength=classes)


def _refuse_rare(dataset: Dataset, ids: np.ndarray, folds: int) -> None:
    distinct, (a_fold, at_least) = _to_test(dataset, ids), _units_needed(dataset)
    rarest, needed = int(distinct.argmin()), max(a_fold * folds, at_least)
    if distinct[rarest] >= needed:
        return
    others = int((distinct < needed).sum()) - 1
    most = _most_folds(dataset, ids)
    where = "" if dataset.held_out is None else " to test on"
    raise TooFewRowsError(
        f"class `{dataset.schema.classes[rarest]}` has {_count(dataset, distinct[rarest])}{where}"
        f"{f' (and {others} more classes are too rare)' if others else ''}, and {folds} folds "
        f"need at least {needed} of every class. "
        f"{f'Ask for `folds={most}` or fewer, merge' if most else 'Merge'} or drop that class, "
        "or collect more rows of it."
    )


def _refuse_unlearnable(dataset: Dataset, ids: np.ndarray) -> None:
    distinct = _to_learn(dataset, ids)
    rarest = int(distinct.argmin())
    if distinct[rarest] < _FEWEST_LEARNED:
        raise TooFewRowsError(
            f"class `{dataset.schema.classes[rarest]}` has {_count(dataset, distinct[rarest])} to "
            f"learn from without a twin to test on, and needs at least {_FEWEST_LEARNED}. Merge or "
            "drop that class, or collect more rows of it."
        )


def _count(dataset: Dataset, distinct: int) -> str:
    return f"{distinct} distinct {'rows' if dataset.groups is None else 'groups'}"


def _refuse_lacking(dataset: Dataset, ids: np.ndarray, fold: int, cut: _Rows) -> None:
    classes = dataset.schema.classes
    for part, rows in cut._asdict().items():
        needed = 2 if part == "train" else 1
        counts = np.bincount(dataset.labels[rows], minlength=len(classes))
        lacking = int(counts.argmin())
        if counts[lacking] < needed:
            total = int((dataset.labels == lacking).sum())
            distinct = _distinct(dataset, ids, np.arange(len(ids)))[lacking]
            advice = "" if dataset.times is None else " split without `time`,"
            raise TooFewRowsError(
                f"class `{classes[lacking]}` has {counts[lacking]} rows in the {part} part of "
                f"fold {fold + 1}, which needs {needed}; of its {total:,} rows, "
                f"{_count(dataset, distinct)} can be told apart. Ask for fewer `folds`,{advice} "
                "merge or drop that class, or collect more rows of it."
            )
