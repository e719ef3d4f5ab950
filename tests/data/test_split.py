from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from sklearn.model_selection import StratifiedKFold

from kilter._errors import ArgumentError, ArgumentTypeError, DataError, TooFewRowsError
from kilter._types import Test, Train, Validation
from kilter.data import load, split
from kilter.data.split import most_folds
from kilter.data.units import units
from made_data import make_dataset
from made_images import draw, make_images


def random_labels(rng: np.random.Generator, rows: int, classes: int) -> np.ndarray:
    """Return skewed labels, at least 25 of each class."""
    shares = 0.4 ** np.arange(classes)
    labels = rng.choice(classes, rows, p=shares / shares.sum())
    return np.concatenate([np.repeat(np.arange(classes), 25), labels])


def parts_of(cut):
    return [cut.train.rows, cut.validation.rows, cut.test.rows]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), folds=st.integers(2, 10), classes=st.integers(2, 4))
def test_parts_are_disjoint_stratified_and_tested_once(seed, folds, classes):
    labels = random_labels(np.random.default_rng(seed), 300, classes)
    cuts = split(make_dataset(labels), folds, seed)
    tested = np.concatenate([cut.test.rows for cut in cuts])
    np.testing.assert_array_equal(np.sort(tested), np.arange(len(labels)))
    totals = np.bincount(labels)
    for cut in cuts:
        assert len(np.unique(np.concatenate(parts_of(cut)))) == len(labels)
        counts = np.bincount(cut.test.labels, minlength=classes)
        assert (np.abs(counts - totals / folds) < 1).all()
        rest = totals - counts
        inner = np.bincount(cut.validation.labels, minlength=classes)
        assert (np.abs(inner - rest / 5) < 1).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), copies=st.integers(1, 4), grouped=st.booleans())
def test_no_unit_is_in_two_parts(seed, copies, grouped):
    rng = np.random.default_rng(seed)
    labels = random_labels(rng, 300, 2)
    numbers = rng.integers(0, 3 * len(labels) // copies, (len(labels), 1)).astype(float)
    groups = rng.integers(0, 1000, len(labels)) if grouped else None
    data = make_dataset(labels, numbers, groups=groups)
    try:
        cuts = split(data, 3, seed)
    except TooFewRowsError:  # ties chained too many rows into one unit
        reject()
    for key in [numbers[:, 0]] + ([groups] if grouped else []):
        for cut in cuts:
            held = [set(key[rows]) for rows in parts_of(cut)]
            assert not held[0] & held[1]
            assert not held[0] & held[2]
            assert not held[1] & held[2]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), folds=st.integers(2, 5), moments=st.integers(60, 1000))
def test_time_goes_forward(seed, folds, moments):
    rng = np.random.default_rng(seed)
    labels = (rng.random(800) < 0.3).astype(int)
    times = rng.integers(0, moments, 800).astype(float)
    for cut in split(make_dataset(labels, times=times), folds):
        train, validation, test = (times[rows] for rows in parts_of(cut))
        assert train.max() < validation.min()
        assert validation.max() < test.min()
        assert abs(len(test) - 800 / (folds + 2)) < 60


def test_time_blocks_by_hand():
    labels = np.tile([0, 1], 20)
    times = np.arange(40.0)[::-1]
    first, second = split(make_dataset(labels, times=times), 2)
    assert (times[first.train.rows].max(), times[first.validation.rows].max()) == (9, 19)
    assert (times[first.test.rows].min(), times[first.test.rows].max()) == (20, 29)
    assert len(second.train) == 20
    assert times[second.test.rows].min() == 30


def test_earlier_rows_that_are_tied_to_later_ones_are_purged():
    labels = np.tile([0, 1], 20)
    groups = np.arange(40)
    groups[[0, 11, 25]] = 0
    first, second = split(make_dataset(labels, times=np.arange(40.0), groups=groups), 2)
    assert first.train.rows.tolist() == list(range(1, 10))
    assert first.validation.rows.tolist() == [row for row in range(10, 20) if row != 11]
    assert 25 in first.test.rows
    assert 25 in second.validation.rows
    assert not {0, 11} & set(second.train.rows)


def test_too_few_moments():
    data = make_dataset(np.tile([0, 1], 50), times=np.tile([1.0, 2.0, 3.0, 4.0], 25))
    with pytest.raises(DataError, match="`time` has 4 different values"):
        split(data, 5)


def test_same_seed_same_folds_other_seed_others():
    data = make_dataset(random_labels(np.random.default_rng(0), 300, 3))
    once, again, other = split(data, seed=7), split(data, seed=7), split(data, seed=8)
    for mine, same in zip(once, again, strict=True):
        for a, b in zip(parts_of(mine), parts_of(same), strict=True):
            np.testing.assert_array_equal(a, b)
    assert any(
        (a.test.rows.tolist() != b.test.rows.tolist()) for a, b in zip(once, other, strict=True)
    )


def test_parts_are_three_types_with_sorted_rows():
    data = make_dataset(random_labels(np.random.default_rng(0), 300, 2))
    cut = split(data)[0]
    assert (type(cut.train), type(cut.validation), type(cut.test)) == (Train, Validation, Test)
    for part in (cut.train, cut.validation, cut.test):
        assert (np.diff(part.rows) > 0).all()
        np.testing.assert_array_equal(part.labels, data.labels[part.rows])
        np.testing.assert_array_equal(part.features.numbers, data.features.numbers[part.rows])


def test_as_even_as_scikit_learn(table_path):
    data = load(table_path("yeast4"), "target")
    ours = [np.bincount(cut.test.labels) for cut in split(data)]
    theirs = [
        np.bincount(data.labels[test])
        for _, test in StratifiedKFold(5, shuffle=True, random_state=0).split(
            data.features.numbers, data.labels
        )
    ]
    assert np.ptp(ours, axis=0).max() <= np.ptp(theirs, axis=0).max() + 3


@pytest.mark.parametrize("name", ["mammography", "abalone9-18", "page-blocks", "car", "adult"])
def test_real_tables(table_path, name):
    data = load(table_path(name), "target")
    ids = units(data)
    largest = np.bincount(ids).max()
    for cut in split(data):
        held = [set(ids[rows]) for rows in parts_of(cut)]
        assert sum(map(len, held)) == len(set(ids))
        fifth = (len(data) - len(cut.test)) / 5
        assert abs(len(cut.validation) - fifth) <= max(largest, 0.02 * fifth)
        counts = np.bincount(cut.test.labels) - np.bincount(data.labels) / 5
        assert (np.abs(counts) <= largest + 1).all()


@pytest.mark.parametrize(
    ("folds", "message"),
    [(1, "nothing to test on"), (0, "from 2 to 50"), (51, "from 2 to 50"), (-3, "from 2 to 50")],
)
def test_folds_out_of_range(folds, message):
    with pytest.raises(ArgumentError, match=message):
        split(make_dataset(np.tile([0, 1], 50)), folds)


@pytest.mark.parametrize("arguments", [{"folds": 2.5}, {"folds": True}, {"seed": "a"}])
def test_arguments_of_another_type(arguments):
    with pytest.raises(ArgumentTypeError, match="must be a whole number"):
        split(make_dataset(np.tile([0, 1], 50)), **arguments)


def test_seed_must_not_be_negative():
    with pytest.raises(ArgumentError, match="`seed` must be 0 or more"):
        split(make_dataset(np.tile([0, 1], 50)), seed=-1)


@pytest.mark.parametrize("folds", [2, 3, 5, 8])
def test_as_many_rows_as_are_asked_for_are_enough(folds):
    needed = max(2 * folds, 6)
    for rows, fits in ((needed, True), (needed - 1, False)):
        data = make_dataset(np.repeat([0, 1], [200, rows]))
        if fits:
            split(data, folds)
        else:
            with pytest.raises(TooFewRowsError, match=f"need at least {needed}"):
                split(data, folds)


def test_too_few_says_how_many_folds_would_do():
    data = make_dataset(np.repeat([0, 1, 2], [200, 9, 7]))
    with pytest.raises(
        TooFewRowsError, match=r"`class2` has 7 distinct rows \(and 1 more.*`folds=3`"
    ):
        split(data)
    split(data, folds=3)
    with pytest.raises(TooFewRowsError, match="Merge or drop that class"):
        split(make_dataset(np.repeat([0, 1], [200, 5])), folds=2)


def test_copies_do_not_count_as_rows():
    numbers = np.concatenate([np.arange(100.0), np.zeros(50) - 1])[:, None]
    with pytest.raises(TooFewRowsError, match="has 1 distinct rows"):
        split(make_dataset(np.repeat([0, 1], [100, 50]), numbers))


def test_groups_count_once():
    groups = np.concatenate([np.arange(100), np.full(25, 200), np.full(25, 201)])
    with pytest.raises(TooFewRowsError, match="has 2 distinct groups"):
        split(make_dataset(np.repeat([0, 1], [100, 50]), groups=groups))


def test_a_class_that_is_not_in_every_block_of_time():
    labels = np.tile([0, 1], 100)
    labels[90:] = 0
    with pytest.raises(TooFewRowsError, match=r"`class1` has 0 rows in the test part of fold 3"):
        split(make_dataset(labels, times=np.arange(200.0)))


def hold_out(labels, held, numbers=None, groups=None):
    return replace(make_dataset(labels, numbers, groups=groups), held_out=np.asarray(held, bool))


class TestHeldOut:
    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6), folds=st.integers(2, 8), classes=st.integers(2, 4))
    def test_each_is_tested_once_and_never_learned_from(self, seed, folds, classes):
        rng = np.random.default_rng(seed)
        labels = random_labels(rng, 300, classes)
        held = rng.random(len(labels)) < 0.4
        held[rng.permutation(len(labels))[:4]] = False
        try:
            cuts = split(hold_out(labels, held), folds, seed)
        except TooFewRowsError:
            assert min(np.bincount(labels[held], minlength=classes)) < folds
            reject()
        tested = np.concatenate([cut.test.rows for cut in cuts])
        np.testing.assert_array_equal(np.sort(tested), np.flatnonzero(held))
        totals = np.bincount(labels[held])
        for cut in cuts:
            learned = np.concatenate([cut.train.rows, cut.validation.rows])
            np.testing.assert_array_equal(np.sort(learned), np.flatnonzero(~held))
            counts = np.bincount(cut.test.labels, minlength=classes)
            assert (np.abs(counts - totals / folds) < 1).all()
            inner = np.bincount(cut.validation.labels, minlength=classes)
            assert (np.abs(inner - np.bincount(labels[~held]) / 5) < 1).all()

    @settings(max_examples=25, deadline=None)
    @given(seed=st.integers(0, 10**6), copies=st.integers(1, 4), grouped=st.booleans())
    def test_what_is_tied_to_them_is_not_learned_from(self, seed, copies, grouped):
        rng = np.random.default_rng(seed)
        labels = random_labels(rng, 300, 2)
        numbers = rng.integers(0, 3 * len(labels) // copies, (len(labels), 1)).astype(float)
        groups = rng.integers(0, 1000, len(labels)) if grouped else None
        held = rng.random(len(labels)) < 0.3
        data = hold_out(labels, held, numbers, groups)
        try:
            cuts = split(data, 3, seed)
        except TooFewRowsError:
            reject()
        ids = units(data)
        spared = ~np.isin(ids, ids[held])
        for cut in cuts:
            learned = np.concatenate([cut.train.rows, cut.validation.rows])
            np.testing.assert_array_equal(np.sort(learned), np.flatnonzero(spared))
            assert not set(ids[cut.train.rows]) & set(ids[cut.validation.rows])
        tested = [set(ids[cut.test.rows]) for cut in cuts]
        assert sum(map(len, tested)) == len(set.union(*tested))

    def test_a_copy_of_a_tested_image_is_not_learned_from_whatever_its_label(self):
        pixels = draw(60, 4, 5, 1)
        pixels[0] = pixels[1] = pixels[40]
        labels = np.tile([0, 1], 30)
        for cut in split(make_images(labels, pixels, np.arange(60) >= 40)):
            learned = [*cut.train.rows, *cut.validation.rows]
            assert sorted(learned) == list(range(2, 40))
            assert cut.train.features.pixels.shape[1:] == (4, 5, 1)

    def test_validation_is_drawn_anew_in_each_fold(self):
        labels = np.tile([0, 1], 100)
        cuts = split(hold_out(labels, np.arange(200) >= 150))
        assert len({tuple(cut.validation.rows) for cut in cuts}) == 5

    def test_same_seed_same_folds_other_seed_others(self):
        data = hold_out(np.tile([0, 1], 100), np.arange(200) >= 150)
        once, again, other = (
            [part.tolist() for cut in split(data, seed=seed) for part in parts_of(cut)]
            for seed in (7, 7, 8)
        )
        assert once == again != other

    @pytest.mark.parametrize("folds", [2, 3, 5, 8])
    def test_one_a_fold_is_enough_to_test_on(self, folds):
        for rows, fits in ((folds, True), (folds - 1, False)):
            labels = np.repeat([0, 1, 0, 1], [40, 20, 30, rows])
            data = hold_out(labels, np.arange(len(labels)) >= 60)
            if fits:
                assert all((cut.test.labels == 1).sum() == 1 for cut in split(data, folds))
                continue
            with pytest.raises(TooFewRowsError) as info:
                split(data, folds)
            advice = f"Ask for `folds={rows}` or fewer, merge" if rows > 1 else "Merge"
            assert str(info.value) == (
                f"class `class1` has {rows} distinct rows to test on, and {folds} folds need at "
                f"least {folds} of every class. {advice} or drop that class, or collect more rows "
                "of it."
            )

    def test_a_class_that_is_not_tested(self):
        labels = np.repeat([0, 1, 2, 0, 1], [40, 20, 20, 30, 30])
        with pytest.raises(
            TooFewRowsError, match=r"`class2` has 0 distinct rows to test on.*Merge"
        ):
            split(hold_out(labels, np.arange(140) >= 80))

    @settings(max_examples=50, deadline=None)
    @given(
        seed=st.integers(0, 10**6),
        rows=st.lists(st.integers(3, 30), min_size=2, max_size=5),
        folds=st.integers(2, 5),
    )
    def test_three_are_enough_to_learn_from(self, seed, rows, folds):
        kinds = np.arange(len(rows))
        labels = np.concatenate([np.repeat(kinds, rows), np.tile(kinds, 10)])
        cuts = split(hold_out(labels, np.arange(len(labels)) >= sum(rows)), folds, seed)
        for cut in cuts:
            assert (np.bincount(cut.train.labels, minlength=len(rows)) >= 2).all()
            assert (np.bincount(cut.validation.labels, minlength=len(rows)) >= 1).all()

    @pytest.mark.parametrize("rows", [0, 1, 2])
    def test_too_few_to_learn_from(self, rows):
        labels = np.repeat([0, 1, 0, 1], [40, rows, 30, 30])
        data = hold_out(labels, np.arange(len(labels)) >= 40 + rows)
        with pytest.raises(TooFewRowsError) as info:
            split(data)
        assert str(info.value) == (
            f"class `class1` has {rows} distinct rows to learn from without a twin to test on, and "
            "needs at least 3. Merge or drop that class, or collect more rows of it."
        )
        assert most_folds(data) == 0

    def test_all_to_learn_from_are_copies_of_what_is_tested(self):
        numbers = np.tile(np.arange(40.0), 2)[:, None]
        with pytest.raises(TooFewRowsError, match="`class0` has 0 distinct rows to learn from"):
            split(hold_out(np.tile([0, 1], 40), np.arange(80) >= 40, numbers))

    @pytest.mark.parametrize("rows", [1, 2, 7, 49, 60])
    def test_most_folds(self, rows):
        labels = np.repeat([0, 1, 0, 1], [40, 20, 70, rows])
        data = hold_out(labels, np.arange(len(labels)) >= 60)
        assert most_folds(data) == (min(rows, 50) if rows > 1 else 0)
        if rows > 1:
            split(data, min(rows, 50))
