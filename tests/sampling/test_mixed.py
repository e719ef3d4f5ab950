"""SMOTE-NC: numbers are mixed, categories voted for, and columns keep their types."""

from __future__ import annotations

import datetime
from collections import Counter

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from kilter._errors import ArgumentError
from kilter.sampling import SMOTENC
from kilter.sampling.base import Origins, new_generator

WORDS = np.array(["ant", "bee", "cat", "dog"], object)


def table(seed: int = 0, counts: tuple[int, ...] = (40, 16)) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of two numbers and two categories (columns 1 and 3), no two of them alike."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.empty((len(y), 4), object)
    x[:, 0] = rng.normal(size=len(y))
    x[:, 1] = WORDS[rng.integers(0, 4, len(y))]
    x[:, 2] = rng.normal(size=len(y)) * 3 + y
    x[:, 3] = rng.integers(0, 3, len(y)) * 100
    return x, y


def neighbours(x: np.ndarray, k: int, words: list[int]) -> np.ndarray:
    """Return the k nearest of each row, as section 6.1 of the paper says."""
    numbers = np.delete(x, words, axis=1).astype(float)
    median = np.median(numbers.std(axis=0))
    found = []
    for row in range(len(x)):
        differ = (x[:, words] != x[row, words]).sum(axis=1)
        distances = ((numbers - numbers[row]) ** 2).sum(axis=1) + median**2 * differ
        distances[row] = np.inf
        found.append(np.argsort(distances, kind="stable")[:k])
    return np.array(found)


def most_frequent(values: list) -> set:
    counts = Counter(values)
    return {value for value, count in counts.items() if count == max(counts.values())}


def origins_of(sampler: SMOTENC, x: object, y: np.ndarray) -> Origins:
    return sampler._trace(x, y, new_generator(sampler.random_state))[2]


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 6))
def test_numbers_are_mixed_and_categories_are_the_most_frequent_of_the_neighbours(
    seed: int, k: int
) -> None:
    x, y = table(seed, (40, 16, 11))
    sampler = SMOTENC([1, 3], k_neighbors=k, random_state=seed)
    new_x, new_y = sampler.fit_resample(x, y)
    origins = origins_of(SMOTENC([1, 3], k_neighbors=k, random_state=seed), x, y)
    assert new_x.dtype == object
    np.testing.assert_array_equal(new_x[:67], x)
    assert np.bincount(new_y).tolist() == [40, 40, 40]
    for place, row in enumerate(new_x[67:]):
        mine, partner = origins.rows[67 + place], origins.partners[place]
        rows = np.flatnonzero(y == new_y[67 + place])
        near = rows[neighbours(x[rows], k, [1, 3])[np.searchsorted(rows, mine)]]
        assert partner in near
        for column in (0, 2):
            share = float(origins.shares[place])
            expected = x[mine, column] + share * (x[partner, column] - x[mine, column])
            assert row[column] == pytest.approx(expected, abs=1e-9)
        for column in (1, 3):
            assert row[column] in most_frequent(x[near, column].tolist())


def test_of_equally_frequent_categories_any_comes() -> None:
    # One row of class 1 in the middle of two: its neighbours vote one to one.
    x = np.array([[0.0, "a"], [1.0, "b"], [2.0, "c"]] + [[9.0, "z"]] * 3, object)
    x[3:, 0] = [9.0, 10.0, 11.0]
    y = np.array([1, 1, 1, 0, 0, 0])
    sampler = SMOTENC([1], k_neighbors=2, sampling_strategy={1: 903}, random_state=0)
    origins = origins_of(sampler, x, y)
    middle = sampler.fit_resample(x, y)[0][6:][origins.rows[6:] == 1, 1]
    counts = Counter(middle.tolist())
    assert counts.keys() == {"a", "c"}
    assert stats.binomtest(counts["a"], len(middle)).pvalue > 1e-3


@pytest.mark.parametrize(("gap", "nearest"), [(0.95, 1), (1.05, 2)])
def test_a_difference_in_a_category_is_the_median_deviation(gap: float, nearest: int) -> None:
    # Row 1 differs from row 0 in a number, row 2 in the category. The numbers of the class
    # deviate by about 1, 2 and 6, so 2 is the median; those of class 0 do not count.
    rng = np.random.default_rng(0)
    numbers = np.vstack([np.zeros((3, 3)), rng.normal(size=(40, 3)) * [1, 2, 6] + [0, 0, 30]])
    numbers[3::2, 2] -= 60
    for _ in range(20):  # the number itself changes the deviation, if little
        numbers[1, 1] = gap * np.median(numbers.std(axis=0))
    kinds = np.array([0, 0, 1] + [2] * 40)
    rare = np.column_stack([numbers, kinds])
    x = np.vstack([rare, rng.normal(size=(400, 4)) * 1000])
    y = np.repeat([1, 0], [43, 400])
    origins = origins_of(SMOTENC([3], k_neighbors=1, random_state=0), x, y)
    partners = origins.partners[origins.rows[443:] == 0]
    assert set(partners.tolist()) == {nearest}


def test_draws_are_even() -> None:
    x, y = table()
    sampler = SMOTENC([1, 3], k_neighbors=3, sampling_strategy={1: 6016}, random_state=0)
    origins = origins_of(sampler, x, y)
    pairs = np.column_stack([origins.rows[56:], origins.partners])
    rows = np.flatnonzero(y == 1)
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    near = rows[neighbours(x[rows], 3, [1, 3])]
    expected = {(row, p) for row, those in zip(rows, near, strict=True) for p in those}
    assert {tuple(pair) for pair in found.tolist()} == expected
    assert stats.chisquare(counts).pvalue > 1e-3
    assert stats.kstest(origins.shares, "uniform").pvalue > 1e-3


def test_equal_classes_get_different_draws_from_one_seed() -> None:
    x, y = table(0, (30, 15))
    shifted = x[y == 1].copy()
    shifted[:, 0] += 1000
    both = np.vstack([x, shifted])
    labels = np.append(y, [2] * 15)
    new_x, new_y = SMOTENC([1, 3], random_state=0).fit_resample(both, labels)
    one = np.sort(new_x[60:][new_y[60:] == 1][:, 0].astype(float))
    two = np.sort(new_x[60:][new_y[60:] == 2][:, 0].astype(float)) - 1000
    assert len(one) == len(two) == 15
    assert (np.abs(one - two) > 1e-6).mean() > 0.8


# -- which columns


@pytest.mark.parametrize(
    "columns",
    [[1, 3], [3, 1], [-1, 1], np.array([1, 3]), [False, True, False, True], (1, 3, 3)],
    ids=str,
)
def test_columns_by_position_and_mask(columns: object) -> None:
    x, y = table()
    sampler = SMOTENC(columns, random_state=0)
    found = sampler.fit_resample(x, y)[0]
    assert sampler.categorical_features_.tolist() == [1, 3]
    assert sampler.continuous_features_.tolist() == [0, 2]
    np.testing.assert_array_equal(found, SMOTENC([1, 3], random_state=0).fit_resample(x, y)[0])


def frame_of(x: np.ndarray) -> pd.DataFrame:
    frame = pd.DataFrame({"n": x[:, 0].astype(float), "word": x[:, 1].astype(str)})
    frame["m"] = x[:, 2].astype(np.float32)
    frame["code"] = pd.Categorical(x[:, 3].astype(int), categories=[200, 100, 0, 7])
    return frame


@pytest.mark.parametrize(
    "columns", [["word", "code"], ["code", "word"], [1, 3], "auto", [False, True, False, True]]
)
@pytest.mark.parametrize("kind", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_columns_of_a_frame(columns: object, kind: object) -> None:
    x, y = table()
    frame = frame_of(x)
    frame["code"] = frame["code"].astype(str)
    frame = kind(frame)
    sampler = SMOTENC(columns, random_state=0)
    found = sampler.fit_resample(frame, y)[0]
    assert sampler.categorical_features_.tolist() == [1, 3]
    assert type(found) is type(frame)
    exact = SMOTENC([1, 3], random_state=0).fit_resample(
        np.column_stack([frame[name].to_numpy().astype(object) for name in frame.columns]), y
    )[0]
    for place, name in enumerate(frame.columns):
        if place in (1, 3):
            assert found[name].to_list() == exact[:, place].tolist()
        else:
            np.testing.assert_allclose(
                found[name].to_numpy(), exact[:, place].astype(float), rtol=1e-6
            )


WRONG = {
    "beyond": [7],
    "before": [-5],
    "too short a mask": [True, False],
    "too long a mask": [False, True, False, False, True],
    "a name": ["nobody"],
    "a fraction": [1.5],
    "all": [0, 1, 2, 3],
    "none": [],
    "no mask": [False] * 4,
    "auto": "auto",
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_columns_name_the_argument(name: str) -> None:
    x, y = table()
    with pytest.raises(ArgumentError, match="`categorical_features`"):
        SMOTENC(WRONG[name]).fit_resample(x, y)


@pytest.mark.parametrize("name", sorted(set(WRONG) - {"auto"}))
def test_wrong_columns_of_a_frame_name_the_argument(name: str) -> None:
    x, y = table()
    with pytest.raises(ArgumentError, match="`categorical_features`"):
        SMOTENC(WRONG[name]).fit_resample(frame_of(x), y)


def test_auto_finds_none_in_a_frame_of_numbers() -> None:
    x, y = table()
    with pytest.raises(ArgumentError, match="`categorical_features` must be some"):
        SMOTENC("auto").fit_resample(frame_of(x)[["n", "m"]], y)


def test_a_name_that_is_no_column_is_said() -> None:
    x, y = table()
    with pytest.raises(ArgumentError, match=r"`categorical_features`.*nobody"):
        SMOTENC(["word", "nobody"]).fit_resample(frame_of(x), y)


def test_words_among_the_numbers_are_an_error() -> None:
    x, y = table()
    with pytest.raises(ValueError, match="could not convert string to float"):
        SMOTENC([3]).fit_resample(x, y)


def test_missing_numbers_are_an_error_and_missing_words_a_category() -> None:
    x, y = table()
    x[:8, 1] = None
    found = SMOTENC([1, 3], random_state=0, sampling_strategy={1: 400}).fit_resample(x, y)[0]
    assert set(found[56:, 1]) <= {None, *WORDS}
    x[0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        SMOTENC([1, 3]).fit_resample(x, y)


def test_sparse_rows_are_an_error() -> None:
    y = np.repeat([0, 1], [10, 6])
    with pytest.raises((ValueError, TypeError), match=r"[Ss]parse"):
        SMOTENC([0]).fit_resample(sparse.csr_matrix(np.eye(16)), y)


# -- kinds and types


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8])
def test_arrays_of_numbers_keep_their_type(dtype: type) -> None:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.integers(91, 110, (60, 2)), rng.integers(0, 3, 60)]).astype(dtype)
    y = np.repeat([0, 1], [40, 20])
    found = SMOTENC([2], random_state=0).fit_resample(x, y)[0]
    assert found.dtype == dtype
    assert set(found[60:, 2].tolist()) <= {0, 1, 2}
    assert found[60:, :2].min() >= 91
    assert found[60:, :2].max() <= 109
    exact = SMOTENC([2], random_state=0).fit_resample(x.astype(float), y)[0]
    assert np.abs(found - exact).max() <= (1e-4 if dtype is np.float32 else 0.5)


def test_lists_come_back_as_lists() -> None:
    x, y = table()
    found, labels = SMOTENC([1, 3], random_state=0).fit_resample(x.tolist(), y.tolist())
    assert isinstance(found, list)
    assert isinstance(found[-1], list)
    assert found == SMOTENC([1, 3], random_state=0).fit_resample(x, y)[0].tolist()
    assert len(labels) == len(found)


def wide(kind: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return a frame with columns of many types, "n" and "i" to "f" of numbers."""
    x, y = table()
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {
            "n": x[:, 0].astype(float),
            "i": rng.integers(0, 9, 56),
            "small": rng.integers(0, 255, 56).astype(np.uint8),
            "f": x[:, 2].astype(np.float32),
            "word": x[:, 1].astype(str),
            "truth": rng.random(56) < 0.5,
            "code": pd.Categorical(x[:, 1].astype(str), categories=["dog", "cat", "bee", "ant"]),
        }
    )
    if kind == "pandas":
        frame["rank"] = pd.Categorical(x[:, 1], categories=list(WORDS), ordered=True)
        frame["whole"] = pd.array(rng.integers(0, 9, 56), dtype="Int32")
        return frame, y
    return pl.from_pandas(frame), y


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_columns_of_frames_keep_their_types(kind: str) -> None:
    frame, y = wide(kind)
    sampler = SMOTENC("auto", random_state=0, sampling_strategy={1: 300})
    found, labels, weights = sampler.fit_resample(frame, y, frame["n"].to_numpy())
    numbers = {"n", "i", "small", "f", "whole"}
    names = [list(frame.columns)[place] for place in sampler.continuous_features_]
    assert set(names) == numbers & set(frame.columns)
    assert list(found.columns) == list(frame.columns)
    assert len(found) == len(labels) == 40 + 300
    np.testing.assert_allclose(weights, found["n"].to_numpy(), rtol=1e-6)
    if kind == "pandas":
        assert found.dtypes.to_dict() == frame.dtypes.to_dict()
        assert found.index.tolist() == list(range(340))
        pd.testing.assert_frame_equal(found[:56], frame)
    else:
        assert found.schema == frame.schema
        assert found[:56].equals(frame)
    for name in set(frame.columns) - numbers:
        assert set(found[name].to_list()) <= set(frame[name].to_list())
    for name in names:
        mine = frame[name].to_numpy()[y == 1]
        made = found[name].to_numpy()[56:]
        assert mine.min() - 1e-6 <= made.min() <= made.max() <= mine.max() + 1e-6
    # Rounded, not cut off: by half at most either way, so nothing on average.
    both = origins_of(SMOTENC("auto", random_state=0, sampling_strategy={1: 300}), frame, y)
    values = frame["i"].to_numpy().astype(float)
    exact = both.blend(values)[56:]
    off = found["i"].to_numpy()[56:] - exact
    assert np.abs(off).max() <= 0.5 + 1e-5
    assert abs(off.mean()) < 4 * 0.5 / np.sqrt(len(off))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_truth_that_is_taken_for_a_number_is_rounded(kind: str) -> None:
    frame, y = wide(kind)
    names = [name for name in frame.columns if name not in ("n", "truth")]
    sampler = SMOTENC(names, random_state=0, sampling_strategy={1: 500})
    found = sampler.fit_resample(frame, y)[0]["truth"].to_numpy()
    origins = origins_of(SMOTENC(names, random_state=0, sampling_strategy={1: 500}), frame, y)
    expected = origins.blend(frame["truth"].to_numpy().astype(float)) > 0.5
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_large_integers_of_the_rows_given_stay_to_the_digit(kind: str) -> None:
    # Numbers such as keys and nanoseconds have more digits than a float64 holds.
    frame, y = wide(kind)
    keys = 2**60 + 2 * np.arange(56) + 1
    frame = frame.assign(i=keys) if kind == "pandas" else frame.with_columns(i=pl.Series(keys))
    found = SMOTENC("auto", random_state=0).fit_resample(frame, y)[0]
    assert found["i"].to_list()[:56] == keys.tolist()


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_dates_are_categories(kind: str) -> None:
    frame, y = wide(kind)
    days = [datetime.datetime(2020, 1, 1 + row % 5) for row in range(56)]
    frame = frame.assign(day=days) if kind == "pandas" else frame.with_columns(day=pl.Series(days))
    found = SMOTENC("auto", random_state=0).fit_resample(frame, y)[0]
    assert set(found["day"].to_list()) <= set(days)
    if kind == "polars":
        assert found.schema == frame.schema
    else:
        assert found.dtypes.to_dict() == frame.dtypes.to_dict()


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_nothing_made_is_the_table_itself(kind: str) -> None:
    frame, y = wide(kind)
    found = SMOTENC("auto", sampling_strategy={1: 16}).fit_resample(frame, y)[0]
    assert found.equals(frame)


# -- small classes and seeds


def test_a_class_of_one_row_gives_copies() -> None:
    x, y = table(0, (20, 1))
    with pytest.warns(UserWarning, match="copies of it are used"):
        new_x = SMOTENC([1, 3], random_state=0).fit_resample(x, y)[0]
    assert (new_x[21:] == x[y == 1][0]).all()


def test_a_class_of_k_rows_has_fewer_neighbours() -> None:
    x, y = table(0, (20, 4))
    with pytest.warns(UserWarning, match="class .*1.* has 4 rows, too few for 5 neighbours"):
        new_y = SMOTENC([1, 3], random_state=0).fit_resample(x, y)[1]
    assert np.bincount(new_y).tolist() == [20, 20]
    with pytest.raises(ArgumentError, match="`k_neighbors`"):
        SMOTENC([1, 3], small_class="error").fit_resample(x, y)


def test_a_seed_gives_the_same_rows_again_and_a_sampler_can_be_used_twice() -> None:
    x, y = table()
    sampler = SMOTENC([1, 3], random_state=3)
    one, two = sampler.fit_resample(x, y)[0], sampler.fit_resample(x, y)[0]
    np.testing.assert_array_equal(one, two)
    other = SMOTENC([1, 3], random_state=4).fit_resample(x, y)[0]
    assert (one[56:] != other[56:]).any()
