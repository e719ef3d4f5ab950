"""Random under-sampling: which rows stay, and that each may."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from kilter.sampling import RandomUnderSampler

COUNTS = [40, 20, 10]
Y = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], COUNTS))
X = np.random.default_rng(0).normal(size=(70, 3))


@settings(max_examples=40)
@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=5),
    seed=st.integers(0, 999),
    again=st.booleans(),
)
def test_every_class_has_as_many_rows_as_the_smallest(
    counts: list[int], seed: int, again: bool
) -> None:
    y = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    rows = np.arange(len(y))[:, None]
    sampler = RandomUnderSampler(random_state=seed, replacement=again)
    x, labels = sampler.fit_resample(rows, y)
    assert np.bincount(labels).tolist() == [min(counts)] * len(counts)
    np.testing.assert_array_equal(labels, y[x.ravel()])
    np.testing.assert_array_equal(sampler.sample_indices_, x.ravel())
    if not again:
        assert len(set(x.ravel().tolist())) == len(x)


def test_without_replacement_no_row_comes_twice_and_with_it_some_do() -> None:
    y = np.repeat([0, 1], [60, 50])
    rows = np.arange(110)[:, None]
    once = RandomUnderSampler(random_state=0).fit_resample(rows, y)[0].ravel()
    again = RandomUnderSampler(random_state=0, replacement=True).fit_resample(rows, y)[0].ravel()
    assert len(set(once.tolist())) == 100
    assert len(again) == 100
    assert len(set(again[again < 60].tolist())) < 45  # 60 (1 - (59/60)**50) = 34 are expected
    assert sorted(again[again >= 60].tolist()) == list(range(60, 110))  # the rare class stays


@pytest.mark.parametrize("replacement", [False, True])
def test_every_row_is_as_likely_to_stay(replacement: bool) -> None:
    times = np.zeros(70, int)
    for seed in range(120):
        sampler = RandomUnderSampler(random_state=seed, replacement=replacement)
        sampler.fit_resample(X, Y)
        times += np.bincount(sampler.sample_indices_, minlength=70)
    assert (times[Y == 2] == 120).all()
    for label, count in ((0, 40), (1, 20)):
        assert times[label == Y].sum() == 1200
        # Without replacement the numbers vary less than a chi-square takes them to.
        assert stats.chisquare(times[label == Y]).pvalue > 1e-3
        assert times[label == Y].std() > 0.5 * np.sqrt(1200 / count * (1 - 10 / count))


def test_equal_classes_get_different_draws_from_one_seed() -> None:
    y = np.repeat([0, 1, 2], [50, 50, 20])
    sampler = RandomUnderSampler(random_state=0)
    sampler.fit_resample(np.arange(120)[:, None], y)
    one, two = sampler.sample_indices_[:20], sampler.sample_indices_[20:40] - 50
    assert set(one.tolist()) != set(two.tolist())


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", [10, 10, 10]),
        ("not minority", [10, 10, 10]),
        ("majority", [10, 20, 10]),
        ("not majority", [40, 10, 10]),
        ("all", [10, 10, 10]),
        ({0: 25, 2: 4}, [25, 20, 4]),
        (lambda y: {0: int((y == 1).sum())}, [20, 20, 10]),
    ],
)
def test_the_strategy_says_how_many_rows_stay(strategy: object, expected: list[int]) -> None:
    sampler = RandomUnderSampler(sampling_strategy=strategy, random_state=0)
    assert np.bincount(sampler.fit_resample(X, Y)[1]).tolist() == expected


def test_a_float_is_the_ratio_of_two_classes() -> None:
    y = np.repeat(["many", "few"], [60, 10])
    found = RandomUnderSampler(sampling_strategy=0.25, random_state=0).fit_resample(X, y)[1]
    assert [(found == name).sum() for name in ("many", "few")] == [40, 10]


def test_more_rows_than_there_are_is_an_error() -> None:
    with pytest.raises(ValueError, match="less or equal"):
        RandomUnderSampler(sampling_strategy={2: 11}).fit_resample(X, Y)


@pytest.mark.parametrize("replacement", [False, True])
def test_a_seed_gives_the_same_rows_again(replacement: bool) -> None:
    def draw(seed: object) -> list[int]:
        sampler = RandomUnderSampler(random_state=seed, replacement=replacement)
        sampler.fit_resample(X, Y)
        return sampler.sample_indices_.tolist()

    assert draw(3) == draw(3) == draw(np.random.RandomState(3))
    assert draw(3) != draw(4)
    state = np.random.RandomState(3)
    assert draw(state) != draw(state)


def test_weights_go_along() -> None:
    sampler = RandomUnderSampler(random_state=0)
    weights = sampler.fit_resample(X, Y, np.arange(70.0))[2]
    np.testing.assert_array_equal(weights, sampler.sample_indices_)


ANY = {
    "strings": np.array([["a", "b"]] * 35 + [["c", "d"]] * 35),
    "objects": np.array([["a", None], [3, "b"]] * 35, object),
    "missing": np.where(X > 0, X, np.nan),
    "images": np.random.default_rng(0).integers(0, 256, (70, 4, 5, 3), np.uint8),
    "fortran": np.asfortranarray(X),
}


@pytest.mark.parametrize("name", ANY)
def test_rows_may_be_anything(name: str) -> None:
    sampler = RandomUnderSampler(random_state=0)
    found = sampler.fit_resample(ANY[name], Y)[0]
    assert found.dtype == ANY[name].dtype
    np.testing.assert_array_equal(found, ANY[name][sampler.sample_indices_])


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csc_array])
def test_sparse_rows_are_those_of_dense_ones(kind: type) -> None:
    sampler = RandomUnderSampler(random_state=0)
    found = sampler.fit_resample(kind(X), Y)[0]
    assert type(found) is kind
    np.testing.assert_array_equal(found.toarray(), sampler.fit_resample(X, Y)[0])


def test_frames_and_series_stay_what_they_are() -> None:
    frame = pd.DataFrame({"n": X[:, 0], "s": list("abcdefg") * 10})
    sampler = RandomUnderSampler(random_state=0)
    x, y = sampler.fit_resample(frame, pd.Series(Y, name="target"))
    kept = sampler.sample_indices_
    pd.testing.assert_frame_equal(x, frame.iloc[kept].reset_index(drop=True))
    pd.testing.assert_series_equal(y, pd.Series(Y[kept], name="target"))


def test_parameters_are_checked() -> None:
    with pytest.raises(ValueError, match="'replacement' parameter"):
        RandomUnderSampler(replacement="yes").fit_resample(X, Y)
    with pytest.raises(ValueError, match="'random_state' parameter"):
        RandomUnderSampler(random_state="a").fit_resample(X, Y)
