"""Random over-sampling: which rows come again, how often, and how far they are shaken."""

from __future__ import annotations

import imblearn.over_sampling
import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse, stats

from kilter._errors import ArgumentError
from kilter.sampling import RandomOverSampler, over

COUNTS = [40, 20, 10]
Y = np.repeat([0, 1, 2], COUNTS)
X = np.random.default_rng(0).normal(size=(70, 3)) * [1, 10, 100]


def silverman(rows: int, width: int) -> float:
    """Return the factor of Silverman's rule, as imbalanced-learn has it."""
    return (4 / ((width + 2) * rows)) ** (1 / (width + 4))


def test_rows_come_first_as_they_were_and_the_others_are_copies() -> None:
    sampler = RandomOverSampler(random_state=0)
    x, y = sampler.fit_resample(X, Y)
    np.testing.assert_array_equal(x[:70], X)
    np.testing.assert_array_equal(sampler.sample_indices_[:70], np.arange(70))
    np.testing.assert_array_equal(x, X[sampler.sample_indices_])
    np.testing.assert_array_equal(y, Y[sampler.sample_indices_])
    assert np.bincount(y).tolist() == [40, 40, 40]
    assert sampler.sampling_strategy_ == {1: 20, 2: 30}


def test_rows_come_equally_often() -> None:
    sampler = RandomOverSampler(sampling_strategy={2: 5010}, random_state=0)
    sampler.fit_resample(X, Y)
    times = np.bincount(sampler.sample_indices_[70:], minlength=70)
    assert times[:60].sum() == 0
    assert stats.chisquare(times[60:]).pvalue > 1e-3


def test_equal_classes_get_different_draws_from_one_seed() -> None:
    y = np.repeat([0, 1, 2], [200, 50, 50])
    sampler = RandomOverSampler(random_state=0)
    sampler.fit_resample(np.arange(300)[:, None], y)
    one, two = sampler.sample_indices_[300:450] - 200, sampler.sample_indices_[450:] - 250
    assert one.min() == two.min() == 0
    assert one.max() == two.max() == 49
    assert (one != two).mean() > 0.9


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", [40, 40, 40]),
        ("minority", [40, 20, 40]),
        ("not minority", [40, 40, 10]),
        ("all", [40, 40, 40]),
        ({0: 41, 2: 13}, [41, 20, 13]),
        (lambda y: {1: len(y)}, [40, 70, 10]),
    ],
)
def test_the_strategy_says_how_many_rows_there_are(strategy: object, expected: list[int]) -> None:
    sampler = RandomOverSampler(sampling_strategy=strategy, random_state=0)
    assert np.bincount(sampler.fit_resample(X, Y)[1]).tolist() == expected


def test_a_float_is_the_ratio_of_two_classes() -> None:
    y = np.repeat(["many", "few"], [60, 10])
    found = RandomOverSampler(sampling_strategy=0.75, random_state=0).fit_resample(X, y)[1]
    assert (found == "few").sum() == 45


@pytest.mark.parametrize("shrinkage", [None, 1.0])
def test_a_seed_gives_the_same_rows_again(shrinkage: float | None) -> None:
    def draw(seed: object) -> np.ndarray:
        return RandomOverSampler(random_state=seed, shrinkage=shrinkage).fit_resample(X, Y)[0]

    np.testing.assert_array_equal(draw(3), draw(3))
    np.testing.assert_array_equal(draw(3), draw(np.random.RandomState(3)))
    assert (draw(3) != draw(4)).any()
    state = np.random.RandomState(3)
    assert (draw(state) != draw(state)).any()


def test_weights_go_along() -> None:
    sampler = RandomOverSampler(random_state=0)
    weights = sampler.fit_resample(X, Y, np.arange(70))[2]
    np.testing.assert_array_equal(weights, sampler.sample_indices_)
    assert weights.dtype.kind == "i"


ANY = {
    "strings": np.array([["a", "b"]] * 35 + [["c", "d"]] * 35),
    "objects": np.array([["a", None], [3, "b"]] * 35, object),
    "missing": np.where(X > 0, X, np.nan),
    "images": np.random.default_rng(0).integers(0, 256, (70, 4, 5, 3), np.uint8),
    "dates": np.arange(70).astype("datetime64[D]")[:, None],
}


@pytest.mark.parametrize("name", ANY)
def test_rows_may_be_anything(name: str) -> None:
    sampler = RandomOverSampler(random_state=0)
    found = sampler.fit_resample(ANY[name], Y)[0]
    assert found.dtype == ANY[name].dtype
    np.testing.assert_array_equal(found, ANY[name][sampler.sample_indices_])


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
@pytest.mark.parametrize("shrinkage", [None, 0.5])
def test_sparse_rows_are_those_of_dense_ones(kind: type, shrinkage: float | None) -> None:
    sampler = RandomOverSampler(random_state=0, shrinkage=shrinkage)
    dense = np.where(X > 0, X, 0)
    found = sampler.fit_resample(kind(dense), Y)[0]
    assert type(found) is kind
    expected = sampler.fit_resample(dense, Y)[0]
    np.testing.assert_allclose(found.toarray(), expected, rtol=1e-12)


def test_frames_keep_their_columns() -> None:
    frame = pd.DataFrame({"n": X[:, 0], "s": list("abcdefg") * 10}, index=np.arange(70) + 5)
    frame["c"] = pd.Categorical(frame["s"], categories=list("gfedcbaz"))
    sampler = RandomOverSampler(random_state=0)
    found = sampler.fit_resample(frame, pd.Series(Y))[0]
    expected = frame.iloc[sampler.sample_indices_].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected)
    table = pl.DataFrame({"n": X[:, 0], "s": list("abcdefg") * 10})
    assert sampler.fit_resample(table, Y)[0].equals(table[sampler.sample_indices_])


# -- the smoothed bootstrap


def noise_of(sampler: RandomOverSampler, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    found = sampler.fit_resample(x, y)[0]
    np.testing.assert_array_equal(found[: len(x)], x)
    return (found - x[sampler.sample_indices_])[len(x) :]


LABELS = {"positions": [0, 1, 2], "numbers": [5, 10, 200], "strings": ["b", "c", "a"]}


@pytest.mark.parametrize("names", LABELS.values(), ids=LABELS)
def test_noise_has_silvermans_width_for_the_class(names: list) -> None:
    labels = np.array(names)[Y]
    strategy = {names[1]: 200_020, names[2]: 200_010}
    sampler = RandomOverSampler(sampling_strategy=strategy, shrinkage=0.7, random_state=0)
    x, y = sampler.fit_resample(X, labels)
    noise = x - X[sampler.sample_indices_]
    assert not noise[:70].any()
    for place in (1, 2):
        mine = noise[70:][y[70:] == names[place]]
        expected = 0.7 * silverman(70, 3) * X[place == Y].std(axis=0)
        assert len(mine) == 200_000
        # four standard errors of a standard deviation of 200,000 normal numbers: 1/sqrt(2n)
        np.testing.assert_allclose(mine.std(axis=0), expected, rtol=4 / np.sqrt(400_000))
        assert stats.kstest(mine[:, 0] / expected[0], "norm").pvalue > 1e-3
        assert np.abs(np.corrcoef(mine.T) - np.eye(3)).max() < 5 / np.sqrt(200_000)


def test_noise_is_distributed_as_that_of_imbalanced_learn() -> None:
    more = {"sampling_strategy": {2: 3010}, "shrinkage": 2.0, "random_state": 0}
    ours = RandomOverSampler(**more).fit_resample(X, Y)[0][70:]
    theirs = imblearn.over_sampling.RandomOverSampler(**more).fit_resample(X, Y)[0][70:]
    for column in range(3):
        assert stats.ks_2samp(ours[:, column], theirs[:, column]).pvalue > 1e-3


@pytest.mark.parametrize("names", LABELS.values(), ids=LABELS)
def test_shrinkage_by_class(names: list) -> None:
    labels = np.array(names)[Y]
    strategy = {names[1]: 4020, names[2]: 4010}
    shrinkage = {names[1]: 3.0, names[2]: 0}
    sampler = RandomOverSampler(sampling_strategy=strategy, shrinkage=shrinkage, random_state=0)
    x, y = sampler.fit_resample(X, labels)
    noise = x - X[sampler.sample_indices_]
    assert not noise[y == names[2]].any()
    expected = 3 * silverman(70, 3) * X[Y == 1].std(axis=0)
    mine = noise[70:][y[70:] == names[1]]
    np.testing.assert_allclose(mine.std(axis=0), expected, rtol=4 / np.sqrt(8000))


@pytest.mark.parametrize("shrinkage", [{}, {1: 1.0}, {1: 1.0, 2: -0.5}])
def test_a_class_without_shrinkage_is_an_error(shrinkage: dict) -> None:
    with pytest.raises(ArgumentError, match="`shrinkage` must have a number of at least 0"):
        RandomOverSampler(shrinkage=shrinkage).fit_resample(X, Y)


def test_a_class_that_stays_as_it_is_needs_no_shrinkage() -> None:
    sampler = RandomOverSampler(sampling_strategy={2: 20}, shrinkage={2: 1.0}, random_state=0)
    assert noise_of(sampler, X, Y).all()


def test_shrinkage_below_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="'shrinkage' parameter"):
        RandomOverSampler(shrinkage=-0.1).fit_resample(X, Y)


def test_strings_cannot_be_shaken() -> None:
    with pytest.raises(ValueError, match=r"numeric|convert string"):
        RandomOverSampler(shrinkage=1.0).fit_resample(ANY["strings"], Y)
    with pytest.raises(ValueError, match="NaN"):
        RandomOverSampler(shrinkage=1.0).fit_resample(ANY["missing"], Y)


@pytest.mark.parametrize("size", [1, 5, 1 << 18])
def test_blocks_leave_no_row_unshaken(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(over, "BLOCK", size)
    noise = noise_of(RandomOverSampler(shrinkage=1.0, random_state=0), X, Y)
    assert noise.shape == (50, 3)
    assert noise.all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_floats_keep_their_type(dtype: type) -> None:
    found = RandomOverSampler(shrinkage=1.0, random_state=0).fit_resample(X.astype(dtype), Y)[0]
    assert found.dtype == dtype


def test_pixels_are_shaken_without_wrapping_around() -> None:
    # Half of the pixels lie at each end of the type, so that noise leads out of it.
    images = np.where(np.random.default_rng(0).random((70, 4, 4, 1)) < 0.5, 0, 255).astype("uint8")
    images[:, 0] = 1
    sampler = RandomOverSampler(shrinkage=0.2, random_state=0)
    found = sampler.fit_resample(images, Y)[0]
    assert found.shape == (120, 4, 4, 1)
    assert found.dtype == np.uint8
    # a width of 0.2 * 0.67 * 127 at most: five of them are below 127
    moved = np.abs(found.astype(int) - images[sampler.sample_indices_])
    assert 0 < moved.max() < 127
    assert not moved[:, 0].any()  # all rows have the same there


def test_integers_are_shaken_and_rounded_without_bias() -> None:
    whole = np.rint(X * 3).astype(int)
    more = {"sampling_strategy": {2: 4010}, "shrinkage": 1.0, "random_state": 0}
    found = RandomOverSampler(**more).fit_resample(whole, Y)[0]
    exact = RandomOverSampler(**more).fit_resample(whole.astype(float), Y)[0]
    assert found.dtype == whole.dtype
    np.testing.assert_array_equal(found, np.rint(exact))


def test_a_frame_of_numbers_keeps_its_types() -> None:
    frame = pd.DataFrame({"i": np.arange(70), "f": X[:, 0].astype(np.float32)})
    found = RandomOverSampler(shrinkage=1.0, random_state=0).fit_resample(frame, Y)[0]
    assert found.dtypes.to_dict() == frame.dtypes.to_dict()
    pd.testing.assert_frame_equal(found[:70], frame)
    assert (found["f"][70:].to_numpy()[:, None] != frame["f"].to_numpy()).all()


def test_tags_say_what_it_takes() -> None:
    tags = RandomOverSampler().__sklearn_tags__()
    assert tags.input_tags.string
    assert tags.input_tags.allow_nan
    assert not RandomOverSampler(shrinkage=1.0).__sklearn_tags__().input_tags.string
