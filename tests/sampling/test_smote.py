"""SMOTE against the paper, imbalanced-learn and a search by hand."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from collections.abc import Callable

import imblearn.over_sampling
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kilter._errors import ArgumentError
from kilter.sampling import SMOTE, Neighbors
from kilter.sampling.base import Origins, new_generator


def nearest(x: np.ndarray, k: int) -> np.ndarray:
    """Return which rows (rows, rows) are as near to each as its k nearest others."""
    distances = np.linalg.norm(x[:, None] - x, axis=2)
    np.fill_diagonal(distances, np.inf)
    return distances <= np.sort(distances, axis=1)[:, k - 1 : k] + 1e-12


def from_line(row: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    """Return how far a row lies from the line from one row to another."""
    way = other - one
    share = np.clip((row - one) @ way / max(way @ way, 1e-300), 0, 1)
    return float(np.linalg.norm(row - one - share * way))


def origins_of(sampler: SMOTE, x: np.ndarray, y: np.ndarray) -> Origins:
    return sampler._trace(x, y, new_generator(sampler.random_state))[2]


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 5), coarse=st.booleans())
def test_new_rows_lie_between_a_row_and_a_near_one_of_its_class(
    seed: int, k: int, coarse: bool
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(45, 3))
    x = np.round(x) if coarse else x  # many ties and exact duplicates
    y = rng.permutation(np.repeat([0, 1, 2], [25, 12, 8]))
    new_x, new_y = SMOTE(k_neighbors=k, random_state=seed).fit_resample(x, y)
    assert Counter(new_y.tolist()) == {0: 25, 1: 25, 2: 25}
    for label in (1, 2):
        mine = x[y == label]
        pairs = np.argwhere(nearest(mine, k))
        for row in new_x[45:][new_y[45:] == label]:
            assert min(from_line(row, mine[a], mine[b]) for a, b in pairs) < 1e-6


def test_every_pair_of_neighbours_is_drawn_equally_often_and_the_share_evenly() -> None:
    x = np.random.default_rng(0).normal(size=(32, 2))
    y = np.repeat([0, 1], [20, 12])
    sampler = SMOTE(k_neighbors=3, sampling_strategy={1: 12 + 9000}, random_state=0)
    _, partners, shares = origins = origins_of(sampler, x, y)
    pairs = np.column_stack([origins.rows[32:], partners]) - 20
    found, counts = np.unique(pairs, axis=0, return_counts=True)
    assert found.tolist() == np.argwhere(nearest(x[20:], 3)).tolist()
    assert stats.chisquare(counts).pvalue > 1e-3
    assert 0 <= shares.min() <= shares.max() <= 1
    assert stats.kstest(shares, "uniform").pvalue > 1e-3
    assert abs(stats.pearsonr(pairs[:, 0], shares).statistic) < 4 / np.sqrt(9000)


@pytest.mark.parametrize("k", [1, 4])
def test_new_rows_are_distributed_as_those_of_imbalanced_learn(k: int) -> None:
    rng = np.random.default_rng(2)
    x = np.vstack([rng.normal(size=(60, 3)), rng.exponential(size=(25, 3))])
    y = np.repeat([0, 1], [60, 25])
    more = {"k_neighbors": k, "sampling_strategy": {1: 3025}}
    ours = SMOTE(random_state=0, **more).fit_resample(x, y)[0][85:]
    theirs = imblearn.over_sampling.SMOTE(random_state=0, **more).fit_resample(x, y)[0][85:]
    for projection in (*np.eye(3), np.ones(3), np.array([1.0, -2.0, 0.5])):
        assert stats.ks_2samp(ours @ projection, theirs @ projection).pvalue > 1e-3
    # and such a test tells a wrong number of neighbours
    other = SMOTE(random_state=0, k_neighbors=24, sampling_strategy={1: 3025}).fit_resample(x, y)
    assert stats.ks_2samp(other[0][85:] @ np.ones(3), theirs @ np.ones(3)).pvalue < 1e-3


STRATEGIES = {  # of 40, 20 and 10 rows
    "auto": ("auto", [40, 40, 40]),
    "not majority": ("not majority", [40, 40, 40]),
    "minority": ("minority", [40, 20, 40]),
    "not minority": ("not minority", [40, 40, 10]),
    "all": ("all", [40, 40, 40]),
    "dict": ({2: 33}, [40, 20, 33]),
    "dict of two": ({0: 50, 2: 11}, [50, 20, 11]),
    "callable": (lambda y: {1: 2 * int((y == 1).sum())}, [40, 40, 10]),
    "nothing": ({1: 20}, [40, 20, 10]),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_strategy_says_how_many_rows_there_are(name: str) -> None:
    strategy, expected = STRATEGIES[name]
    x, y = np.random.default_rng(0).normal(size=(70, 2)), np.repeat([0, 1, 2], [40, 20, 10])
    sampler = SMOTE(sampling_strategy=strategy, random_state=0)
    assert np.bincount(sampler.fit_resample(x, y)[1]).tolist() == expected
    made = dict(enumerate(np.subtract(expected, [40, 20, 10]).tolist()))
    asked = {label: count for label, count in sampler.sampling_strategy_.items() if count}
    assert asked == {label: count for label, count in made.items() if count}
    assert sampler.classes_.tolist() == [0, 1, 2]


def test_a_float_is_the_ratio_of_two_classes() -> None:
    x, y = np.random.default_rng(0).normal(size=(50, 2)), np.repeat([0, 1], [40, 10])
    found = SMOTE(sampling_strategy=0.6, random_state=0).fit_resample(x, y)[1]
    assert np.bincount(found).tolist() == [40, 24]
    with pytest.raises(ValueError, match="remove samples from the minority"):
        SMOTE(sampling_strategy=0.1).fit_resample(x, y)
    with pytest.raises(ValueError, match="binary"):
        SMOTE(sampling_strategy=0.6).fit_resample(x, np.arange(50) % 3)


def test_fewer_rows_than_there_are_is_an_error() -> None:
    x, y = np.random.default_rng(0).normal(size=(50, 2)), np.repeat([0, 1], [40, 10])
    with pytest.raises(ValueError, match="greater or equal"):
        SMOTE(sampling_strategy={1: 9}).fit_resample(x, y)
    with pytest.raises(ValueError, match="target class"):
        SMOTE(sampling_strategy={7: 90}).fit_resample(x, y)


LABELS: dict[str, Callable] = {
    "strings": lambda y: np.array(["b", "a"])[y],
    "objects": lambda y: np.array(["b", "a"], object)[y],
    "bool": lambda y: y.astype(bool),
    "far apart": lambda y: np.array([7, -300])[y],
    "floats": lambda y: y + 1.0,
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_may_be_of_any_kind(name: str) -> None:
    x, y = np.random.default_rng(0).normal(size=(50, 2)), np.repeat([0, 1], [40, 10])
    labels = LABELS[name](y)
    sampler = SMOTE(random_state=0)
    new_x, new_y = sampler.fit_resample(x, labels)
    assert new_y.dtype == labels.dtype
    np.testing.assert_array_equal(new_y, np.append(labels, [labels[-1]] * 30))
    np.testing.assert_array_equal(new_x, SMOTE(random_state=0).fit_resample(x, y)[0])
    assert sampler.sampling_strategy_ == {labels[-1]: 30}


def test_one_hot_labels_come_back_one_hot() -> None:
    x, y = np.random.default_rng(0).normal(size=(50, 2)), np.repeat([0, 1, 2], [30, 10, 10])
    new_x, new_y = SMOTE(random_state=0).fit_resample(x, np.eye(3, dtype=int)[y])
    expected = SMOTE(random_state=0).fit_resample(x, y)
    np.testing.assert_array_equal(new_x, expected[0])
    np.testing.assert_array_equal(new_y, np.eye(3, dtype=int)[expected[1]])


def test_rows_of_several_labels_name_the_way_out() -> None:
    x, y = np.zeros((4, 2)), np.array([[1, 1], [0, 1], [0, 0], [1, 0]])
    with pytest.raises(ArgumentError, match=r"`y` must have one label a row.*`LabelPowerset\("):
        SMOTE().fit_resample(x, y)


def test_no_labels_are_an_error() -> None:
    with pytest.raises(ArgumentError, match="`y` must be the labels"):
        SMOTE().fit_resample(np.zeros((4, 2)), None)


def test_one_class_is_an_error() -> None:
    with pytest.raises(ValueError, match="class"):
        SMOTE().fit_resample(np.zeros((4, 2)), np.zeros(4, int))


def test_by_hand() -> None:
    # One neighbour each: 0 and 1 are a pair, as are 10 and 12; none lies between the pairs.
    x = np.array([[0.0], [1.0], [10.0], [12.0], *([100.0],) * 9])
    y = np.repeat([1, 0], [4, 9])
    new = SMOTE(k_neighbors=1, sampling_strategy={1: 204}, random_state=0).fit_resample(x, y)[0]
    made = new[13:, 0]
    low, high = made[made < 5], made[made > 5]
    assert len(made) == 200
    assert 0 <= low.min() < low.max() <= 1
    assert 10 <= high.min() < high.max() <= 12
    assert 70 < len(low) < 130  # half of them, four standard errors either side


def test_a_fit_learns_the_numbers_and_makes_nothing() -> None:
    x, y = np.random.default_rng(0).normal(size=(50, 2)), np.repeat(["b", "a"], [40, 10])
    sampler = SMOTE().fit(x, y)
    assert sampler.sampling_strategy_ == {"a": 30}
    assert sampler.classes_.tolist() == ["a", "b"]
    assert sampler.n_features_in_ == 2


def test_far_from_the_origin_neighbours_are_still_the_nearest() -> None:
    # float32 cannot tell these rows apart at 1e6 by products alone.
    x = np.random.default_rng(0).normal(size=(40, 2)) + 1e6
    y = np.repeat([0, 1], [25, 15])
    partners = origins_of(SMOTE(k_neighbors=2, random_state=0), x, y)
    near = nearest(x[25:], 2)
    assert near[partners.rows[40:] - 25, partners.partners - 25].all()


@pytest.mark.parametrize("recall", [1.0, 0.9])
def test_memory_beyond_the_output_is_a_fifth_of_it_at_most(recall: float) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((150_000, 40)).astype(np.float32)
    y = np.zeros(len(x), int)
    y[:5000] = 1
    sampler = SMOTE(k_neighbors=Neighbors(6, recall=recall, verbose=False), random_state=0)
    sampler.fit_resample(x[::20], y[::20])  # loads what is loaded late
    tracemalloc.start()
    made, labels = sampler.fit_resample(x, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * (made.nbytes + labels.nbytes)
