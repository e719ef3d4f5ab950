"""What all samplers share that make rows between two rows: types, kinds, weights, neighbours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors

from kilter._errors import ArgumentError
from kilter.sampling import (
    ADASYN,
    SMOTE,
    SVMSMOTE,
    BorderlineSMOTE,
    KMeansSMOTE,
    Neighbors,
    synthetic,
)
from kilter.sampling.base import Origins, new_generator
from kilter.sampling.synthetic import as_neighbors, mix, neighbors_among, pick

BETWEEN = {  # new rows lie between two rows, for SVM-SMOTE beyond them too
    "smote": SMOTE,
    "borderline-1": BorderlineSMOTE,
    "borderline-2": partial(BorderlineSMOTE, kind="borderline-2"),
    "adasyn": ADASYN,
    "kmeans": partial(KMeansSMOTE, kmeans_estimator=1),
}
SAMPLERS = {**BETWEEN, "svm": SVMSMOTE}
NEIGHBORS = {"adasyn": "n_neighbors"}  # k_neighbors for the others
every = pytest.mark.parametrize("make", SAMPLERS.values(), ids=SAMPLERS)
between = pytest.mark.parametrize("make", BETWEEN.values(), ids=BETWEEN)


def overlapping(width: int = 2, scale: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return 60 and 20 rows of two classes that overlap."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, width))
    x[60:] += 1
    return scale * x, np.repeat([0, 1], [60, 20])


def origins_of(sampler: object, x: np.ndarray, y: np.ndarray) -> Origins:
    return sampler._trace(x, y, new_generator(sampler.random_state))[2]


@every
def test_rows_come_first_as_they_were_and_new_ones_make_classes_equal(make: Callable) -> None:
    x, y = overlapping()
    new_x, new_y = make(random_state=0).fit_resample(x, y)
    np.testing.assert_array_equal(new_x[:80], x)
    np.testing.assert_array_equal(new_y[:80], y)
    assert new_x.shape == (120, 2)
    assert new_y[80:].tolist() == [1] * 40
    assert new_y.dtype == y.dtype


@every
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_keep_their_type(make: Callable, dtype: type) -> None:
    x, y = overlapping()
    found = make(random_state=0).fit_resample(x.astype(dtype), y)[0]
    assert found.dtype == dtype
    assert np.isfinite(found).all()


@every
def test_float32_and_float64_give_the_same_rows(make: Callable) -> None:
    x, y = overlapping()
    single = x.astype(np.float32)
    found = make(random_state=3).fit_resample(single, y)[0]
    exact = make(random_state=3).fit_resample(single.astype(np.float64), y)[0]
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=1e-5)


@between
def test_uint8_images_never_wrap_around_and_come_back_as_images(make: Callable) -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(91, 110, size=(80, 4, 3, 2), dtype=np.uint8)
    y = np.repeat([0, 1], [60, 20])
    new_images, new_y = make(random_state=0).fit_resample(images, y)
    assert new_images.shape == (len(new_y), 4, 3, 2)
    assert new_images.dtype == np.uint8
    np.testing.assert_array_equal(new_images[:80], images)
    assert new_images[80:].min() >= 91
    assert new_images[80:].max() <= 109


def test_uint8_images_moved_beyond_a_row_stop_at_the_ends_of_the_type() -> None:
    # Extrapolation by half of the way from 0 and 255 leaves the type: numpy would wrap around.
    rng = np.random.default_rng(1)
    dark = rng.integers(0, 30, size=(60, 4, 4, 1), dtype=np.uint8)
    bright = rng.integers(226, 256, size=(20, 4, 4, 1), dtype=np.uint8)
    y = np.repeat([0, 1], [60, 20])
    new = SVMSMOTE(random_state=0, out_step=1.0).fit_resample(np.vstack([dark, bright]), y)[0]
    assert new[80:].shape == (40, 4, 4, 1)
    assert new[80:].min() >= 226 - 29  # a pixel is moved by its distance to the other at most
    assert (new[80:] == 255).any()


@every
@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, np.uint32])
def test_integers_are_rounded_not_cut_off(make: Callable, dtype: type) -> None:
    x, y = overlapping()
    whole = np.rint(4 * x + 60).astype(dtype)
    found = make(random_state=0).fit_resample(whole, y)[0]
    exact = make(random_state=0).fit_resample(whole.astype(np.float64), y)[0]
    assert found.dtype == dtype
    assert np.abs(found - exact).max() <= 0.5 + 1e-6


def test_a_system_that_cannot_trim_memory_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = overlapping()
    expected = SMOTE(random_state=0).fit_resample(x, y)[0]
    for library in (object(), None):  # of macOS or musl; there is none on Windows

        def load(name: None, library: object = library) -> object:
            if library is None:
                raise TypeError
            return library

        monkeypatch.setattr(synthetic.ctypes, "CDLL", load)
        np.testing.assert_array_equal(SMOTE(random_state=0).fit_resample(x, y)[0], expected)


def rounded_and_exact(make: Callable) -> tuple[np.ndarray, np.ndarray]:
    x, y = overlapping()
    whole = np.rint(4 * x).astype(int)
    more = {"sampling_strategy": {1: 3020}, "random_state": 0}
    found = make(**more).fit_resample(whole, y)[0][80:]
    exact = make(**more).fit_resample(whole.astype(float), y)[0][80:]
    assert (exact != np.rint(exact)).mean() > 0.5
    return found, exact


@between
def test_integers_are_the_nearest_ones(make: Callable) -> None:
    found, exact = rounded_and_exact(make)
    assert abs((found - np.rint(exact)).mean()) < 1e-3  # cutting off errs by about half


# Rows that go less than half of the way to another class are nearer to where they start.
@pytest.mark.parametrize("make", [m for name, m in BETWEEN.items() if name != "borderline-2"])
def test_integers_are_unbiased(make: Callable) -> None:
    found, exact = rounded_and_exact(make)
    # Rounding errs by half at most, so by sqrt(1/12) or less in the mean of squares, 6000 numbers;
    # cutting off errs by about half always.
    assert abs((found - exact).mean()) < 5 * 0.5 / np.sqrt(found.size)


@every
def test_truths_stay_truths(make: Callable) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [120, 40])
    x = rng.random((160, 12)) < np.where(y[:, None], 0.6, 0.4)
    found = make(random_state=0).fit_resample(x, y)[0]
    assert found.dtype == bool
    np.testing.assert_array_equal(found[:160], x)
    origins = origins_of(make(random_state=0), x, y)
    mine, theirs = x[origins.rows[160:]].astype(float), x[origins.partners].astype(float)
    expected = mine + origins.shares[:, None] * (theirs - mine) > 0.5
    np.testing.assert_array_equal(found[160:], expected)
    assert found[160:].any(axis=0).all()
    assert not found[160:].all(axis=0).any()


KINDS = [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array]


def check_sparse(name: str, kind: type, dtype: type) -> None:
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [60, 20])
    x = rng.integers(0, 200, (80, 6)) * (rng.random((80, 6)) < 0.5)
    x = (x > 0) if dtype is bool else x.astype(dtype)
    # One search for both: of rows equally near another search may take another first.
    wanted = {NEIGHBORS.get(name, "k_neighbors"): 4, "m_neighbors": 11}
    known = SAMPLERS[name]().get_params()
    more = {
        key: NearestNeighbors(n_neighbors=number, algorithm="brute")
        for key, number in wanted.items()
        if key in known
    }
    more |= {"svm_estimator": EverySecond()} if name == "svm" else {}
    dense = SAMPLERS[name](random_state=0, **more).fit_resample(x, y)[0]
    found, labels = SAMPLERS[name](random_state=0, **more).fit_resample(kind(x), y)
    assert type(found) is kind
    assert found.format == kind(x).format
    assert found.dtype == dtype
    assert found.shape == (len(labels), 6) == dense.shape
    np.testing.assert_allclose(
        found.toarray().astype(float), dense.astype(float), rtol=1e-5, atol=1e-4
    )


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("kind", KINDS)
def test_sparse_rows_are_those_of_dense_ones(name: str, kind: type) -> None:
    check_sparse(name, kind, np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.int64, np.uint8, bool])
@pytest.mark.parametrize("kind", KINDS)
def test_sparse_rows_of_any_type_are_those_of_dense_ones(kind: type, dtype: type) -> None:
    check_sparse("smote", kind, dtype)


class EverySecond(BaseEstimator):
    """Take every second row for a support vector."""

    def fit(self, x: object, y: object) -> EverySecond:
        self.support_ = np.arange(0, x.shape[0], 2)
        return self

    def predict(self, x: object) -> np.ndarray:
        raise NotImplementedError


def test_lists_come_back_as_lists() -> None:
    x, y = overlapping()
    found, labels = SMOTE(random_state=0).fit_resample(x.tolist(), y.tolist())
    assert isinstance(found, list)
    assert isinstance(labels, list)
    np.testing.assert_array_equal(found, SMOTE(random_state=0).fit_resample(x, y)[0])
    assert labels == [0] * 60 + [1] * 60


@between
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_are_mixed_as_the_rows_are(make: Callable, dtype: type) -> None:
    x, y = overlapping()
    x = x.astype(dtype)
    new_x, _, weights = make(random_state=0).fit_resample(x, y, sample_weight=x[:, 0])
    assert weights.dtype == dtype
    np.testing.assert_allclose(weights, new_x[:, 0], rtol=1e-6)
    np.testing.assert_array_equal(weights[:80], x[:, 0])


@every
def test_equal_weights_stay_equal(make: Callable) -> None:
    x, y = overlapping()
    found = make(random_state=0).fit_resample(x, y, np.full(80, 3))[2]
    assert found.tolist() == [3.0] * 120


@every
def test_weights_change_no_row(make: Callable) -> None:
    x, y = overlapping()
    found = make(random_state=0).fit_resample(x, y, np.arange(80.0))[0]
    np.testing.assert_array_equal(found, make(random_state=0).fit_resample(x, y)[0])


@every
def test_equal_classes_get_different_draws_from_one_seed(make: Callable) -> None:
    # Classes 1 and 2 have the same coordinates but for a shift, in the same company.
    rng = np.random.default_rng(0)
    apart = np.array([1024.0, 0.0])
    mine, foreign = rng.integers(0, 64, (30, 2)), rng.integers(0, 64, (60, 2)) + 16
    x = np.vstack([foreign, foreign + apart, mine, mine + apart])
    y = np.repeat([0, 1, 2], [120, 30, 30])
    new_x, new_y = make(random_state=7).fit_resample(x, y)
    ones, twos = new_x[180:][new_y[180:] == 1], new_x[180:][new_y[180:] == 2] - apart
    assert len(ones) == len(twos) == 90
    assert (np.abs(np.sort(ones, axis=0) - np.sort(twos, axis=0)) > 1e-3).mean() > 0.8
    if make is not SVMSMOTE:
        origins = origins_of(make(random_state=7), x, y)
        one, two = origins.shares[:90], origins.shares[90:]
        assert abs(stats.pearsonr(one, two).statistic) < 4 / np.sqrt(90)
        picks = np.column_stack([origins.rows[180:], origins.partners]).reshape(2, 90, 2)
        assert (picks[0] != picks[1] - 30).any()


@every
def test_a_seed_gives_the_same_rows_again(make: Callable) -> None:
    x, y = overlapping()
    one, two, other = (make(random_state=seed).fit_resample(x, y)[0] for seed in (4, 4, 5))
    np.testing.assert_array_equal(one, two)
    assert (one[80:] != other[80:]).any()


@every
def test_a_random_state_is_used_up(make: Callable) -> None:
    x, y = overlapping()
    sampler = make(random_state=np.random.RandomState(4))
    one, two = sampler.fit_resample(x, y)[0], sampler.fit_resample(x, y)[0]
    fresh = make(random_state=np.random.RandomState(4)).fit_resample(x, y)[0]
    np.testing.assert_array_equal(one, fresh)
    assert (one[80:] != two[80:]).any()


@every
def test_no_seed_follows_numpys_own(make: Callable) -> None:
    x, y = overlapping()
    np.random.seed(3)
    one, two = make().fit_resample(x, y)[0], make().fit_resample(x, y)[0]
    np.random.seed(3)
    np.testing.assert_array_equal(one, make().fit_resample(x, y)[0])
    assert (one[80:] != two[80:]).any()


@every
def test_the_rows_given_are_not_written_to(make: Callable) -> None:
    x, y = overlapping()
    x.flags.writeable = y.flags.writeable = False
    make(random_state=0).fit_resample(x, y)


@every
def test_the_order_in_memory_does_not_matter(make: Callable) -> None:
    x, y = overlapping(3)
    found = make(random_state=0).fit_resample(np.asfortranarray(x), y)[0]
    np.testing.assert_array_equal(found, make(random_state=0).fit_resample(x, y)[0])


@every
def test_missing_and_infinite_numbers_are_an_error(make: Callable) -> None:
    x, y = overlapping()
    for number in (np.nan, np.inf):
        x[3, 1] = number
        with pytest.raises(ValueError, match=r"Input X contains|Input contains"):
            make().fit_resample(x, y)


@every
def test_mismatched_lengths_are_an_error(make: Callable) -> None:
    x, y = overlapping()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit_resample(x, y[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make().fit_resample(x, y, np.ones(79))


@every
def test_numbers_to_predict_are_no_classes(make: Callable) -> None:
    x, _ = overlapping()
    with pytest.raises(ArgumentError, match=r"`y` must be labels of classes.*continuous"):
        make().fit_resample(x, x[:, 0])


@every
def test_several_labels_a_row_name_the_way_out(make: Callable) -> None:
    x, _ = overlapping()
    labels = np.random.default_rng(0).integers(0, 2, (80, 3))
    with pytest.raises(ArgumentError, match=r"`y` must have one label a row.*LabelPowerset"):
        make().fit_resample(x, labels)


# -- neighbours


class Minimal(BaseEstimator):
    """The least that a neighbour estimator of somebody else can be, through scipy's sorting."""

    def __init__(self, n_neighbors: int = 5) -> None:
        self.n_neighbors = n_neighbors

    def fit(self, x: np.ndarray, y: None = None) -> Minimal:
        self.x = np.asarray(x, float)
        return self

    def kneighbors(
        self, x: np.ndarray, n_neighbors: int | None = None, return_distance: bool = True
    ) -> tuple[np.ndarray, np.ndarray]:
        distances = np.linalg.norm(np.asarray(x, float)[:, None] - self.x, axis=2)
        rows = np.argsort(distances, axis=1)[:, : n_neighbors or self.n_neighbors]
        return np.take_along_axis(distances, rows, axis=1), rows

    def kneighbors_graph(self) -> None:
        raise NotImplementedError


ESTIMATORS = {
    "kilter": Neighbors,
    "scikit-learn": NearestNeighbors,
    "tree": partial(NearestNeighbors, algorithm="kd_tree"),
    "minimal": Minimal,
}


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
@pytest.mark.parametrize("name", SAMPLERS)
def test_an_estimator_of_k_plus_one_gives_the_rows_of_k(name: str, estimator: Callable) -> None:
    x, y = overlapping()
    parameter = NEIGHBORS.get(name, "k_neighbors")
    search = estimator(n_neighbors=4)
    found = SAMPLERS[name](random_state=0, **{parameter: search}).fit_resample(x, y)[0]
    expected = SAMPLERS[name](random_state=0, **{parameter: 3}).fit_resample(x, y)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert not hasattr(search, "n_samples_fit_")  # it was cloned
    assert not hasattr(search, "x")


@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_a_row_is_no_neighbour_of_its_own_among_duplicates(estimator: Callable) -> None:
    # 12 rows at the same place: a search of 4 need not find the row that it was asked for.
    x, own = np.zeros((12, 2)), np.arange(12)
    found = neighbors_among(estimator(n_neighbors=4).fit(x), x, own, 3)
    assert found.shape == (12, 3)
    assert not (found == own[:, None]).any()
    assert all(len(set(row)) == 3 for row in found.tolist())


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 6), coarse=st.booleans())
def test_neighbours_are_those_of_brute_force(seed: int, k: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, (25, 2)).astype(float) if coarse else rng.normal(size=(25, 2))
    own = rng.permutation(25)[:10]
    found = neighbors_among(NearestNeighbors(n_neighbors=k + 1).fit(x), x[own], own, k)
    for row, near in zip(own, found, strict=True):
        distances = np.linalg.norm(x - x[row], axis=1)
        assert row not in near
        assert len(set(near.tolist())) == k
        np.testing.assert_allclose(distances[near], np.sort(np.delete(distances, row))[:k])


def test_a_number_and_an_estimator_mean_as_many_neighbours() -> None:
    assert [as_neighbors(k)[1] for k in (5, np.int64(5), Neighbors(6), Minimal(6))] == [5] * 4
    search = NearestNeighbors(n_neighbors=6, leaf_size=7)
    assert as_neighbors(search)[0].leaf_size == 7
    assert as_neighbors(search)[0] is not search


@pytest.mark.parametrize("k", [0, -1, 2.5, "five"])
def test_a_number_of_neighbours_must_be_one(k: object) -> None:
    x, y = overlapping()
    with pytest.raises(ValueError, match="k_neighbors"):
        SMOTE(k_neighbors=k).fit_resample(x, y)


def test_pick_draws_all_pairs_equally_often() -> None:
    rows, near = np.array([10, 20, 30]), np.array([[1, 2], [3, 4], [5, 6]])
    mine, partners = pick(rows, near, 6000, np.random.default_rng(0))
    assert mine.shape == partners.shape == (6000,)
    pairs, counts = np.unique(np.column_stack([mine, partners]), axis=0, return_counts=True)
    assert pairs.tolist() == [[10, 1], [10, 2], [20, 3], [20, 4], [30, 5], [30, 6]]
    assert stats.chisquare(counts).pvalue > 1e-3


# -- small classes


def small(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return 30 rows of a class and ``count`` of another within them."""
    x = np.random.default_rng(0).normal(size=(30 + count, 2))
    return x, np.array(["many"] * 30 + ["few"] * count)


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("name", ["smote", "adasyn"])
def test_a_class_of_k_rows_or_fewer_has_fewer_neighbours(name: str, count: int) -> None:
    x, y = small(count)
    message = rf"few.* has {count} rows, too few for 5 neighbours: its {count - 1} other"
    with pytest.warns(UserWarning, match=message):
        new_x, new_y = SAMPLERS[name](random_state=0).fit_resample(x, y)
    assert (new_y == "few").sum() == 30
    mine = x[30:]
    for row in new_x[30 + count :]:  # on the line between two of its class
        lengths = [
            np.linalg.norm(row - a) + np.linalg.norm(row - b) - np.linalg.norm(a - b)
            for a in mine
            for b in mine
            if (a != b).any()
        ]
        assert min(lengths) < 1e-6
    with pytest.warns(UserWarning, match="too few"):
        partners = origins_of(SAMPLERS[name](random_state=0), x, y).partners
    if name == "smote":
        assert set(partners.tolist()) == set(range(30, 30 + count))


@pytest.mark.parametrize("name", ["smote", "borderline-1", "adasyn", "svm"])
def test_a_class_of_one_more_than_k_rows_is_large_enough(name: str) -> None:
    x, y = small(6)
    more = {"m_neighbors": 34} if name in ("borderline-1", "svm") else {}
    new_y = SAMPLERS[name](random_state=0, **more).fit_resample(x, y)[1]
    assert (new_y == "few").sum() == 30


@pytest.mark.parametrize("name", ["smote", "borderline-1", "adasyn", "svm"])
def test_a_small_class_is_an_error_if_it_is_to_be(name: str) -> None:
    x, y = small(5)
    more = {"m_neighbors": 34} if name in ("borderline-1", "svm") else {}
    with pytest.raises(ArgumentError, match=r"`k_neighbors` must be below .*'few'.* with 5"):
        SAMPLERS[name](random_state=0, small_class="error", **more).fit_resample(x, y)


@pytest.mark.parametrize("name", ["smote", "adasyn"])
def test_a_class_of_one_row_gives_copies(name: str) -> None:
    x, y = small(1)
    with pytest.warns(UserWarning, match="few.* has 1 rows.*: copies of it are used"):
        new_x, new_y, weights = SAMPLERS[name](random_state=0).fit_resample(x, y, np.arange(31.0))
    assert (new_y == "few").sum() == 30
    np.testing.assert_array_equal(new_x[31:], np.tile(x[30], (29, 1)))
    assert weights[31:].tolist() == [30.0] * 29


def test_a_class_of_one_row_is_an_error_if_it_is_to_be() -> None:
    x, y = small(1)
    with pytest.raises(ArgumentError, match=r"`k_neighbors`.* with 1"):
        SMOTE(small_class="error").fit_resample(x, y)


@pytest.mark.parametrize("name", ["few", 7])
def test_a_class_is_called_what_its_label_is(name: object) -> None:
    x, y = small(3)  # and not np.str_('few') or np.int64(7)
    y = np.where(y == "few", name, "many" if name == "few" else 1)
    with pytest.warns(UserWarning, match=rf"^class {name!r} has 3 rows"):
        SMOTE(random_state=0).fit_resample(x, y)
    with pytest.raises(ArgumentError, match=rf"and class {name!r} with 3"):
        SMOTE(small_class="error").fit_resample(x, y)


def test_small_class_must_be_one_of_two() -> None:
    x, y = small(6)
    with pytest.raises(ValueError, match="'small_class' parameter"):
        SMOTE(small_class="ignore").fit_resample(x, y)


# -- mixing

WHOLE = [np.uint8, np.int8, np.int16, np.uint16, np.int32]


def mixed(matrix: object, rows: list, partners: list, shares: list) -> object:
    return mix(matrix, Origins(np.array(rows), np.array(partners), np.array(shares, np.float32)))


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    dtype=st.sampled_from([*WHOLE, bool, np.float32, np.float64]),
    size=st.sampled_from([1, 7, 1 << 18]),
    fortran=st.booleans(),
)
def test_a_mixture_is_the_formula(seed: int, dtype: type, size: int, fortran: bool) -> None:
    rng = np.random.default_rng(seed)
    if np.dtype(dtype).kind in "iu":
        limits = np.iinfo(dtype)
        matrix = rng.integers(limits.min, limits.max, (9, 3), dtype, endpoint=True)
    else:
        matrix = (100 * rng.normal(size=(9, 3))).astype(dtype)
    matrix = np.asfortranarray(matrix) if fortran else matrix
    rows, partners = np.append(np.arange(9), rng.integers(0, 9, 20)), rng.integers(0, 9, 20)
    shares = rng.uniform(-1, 1, 20).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthetic, "BLOCK", size)
        found = mixed(matrix, rows, partners, shares)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[:9], matrix)
    mine, theirs = matrix[rows[9:]].astype(float), matrix[partners].astype(float)
    exact = mine + shares.astype(float)[:, None] * (theirs - mine)
    if np.dtype(dtype).kind == "f":
        np.testing.assert_allclose(found[9:], exact, rtol=1e-5, atol=1e-3)
        return
    lowest, highest = (0, 1) if dtype is bool else (limits.min, limits.max)
    # 2**16 times the rounding of float32 on top, which smaller types are mixed in
    assert np.abs(found[9:] - np.clip(exact, lowest, highest)).max() <= 0.5 + 0.02


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_the_largest_integers_do_not_turn_over(dtype: type) -> None:
    # float64 rounds the largest int64 up to 2**63, which no int64 holds.
    ends = np.iinfo(dtype)
    matrix = np.array([[ends.max, ends.min], [ends.max, ends.min]], dtype)
    found = mixed(matrix, [0, 1, 0, 1], [1, 0], [0.5, -0.5])
    assert (found[2:, 0] >= ends.max - 1024).all()
    assert (found[2:, 1].astype(float) <= float(ends.min) + 1024).all()


def test_nothing_made_is_the_table_itself() -> None:
    x, _ = overlapping()
    found, labels, weights = SMOTE().fit_resample(x[:2], [0, 1], [2, 3])
    np.testing.assert_array_equal(found, x[:2])
    assert list(labels) == [0, 1]
    assert weights.tolist() == [2, 3]
    assert weights.dtype.kind == "i"


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_sparse_mixtures_are_rounded_and_do_not_wrap(dtype: type) -> None:
    matrix = np.array([[1, 0, 1], [0, 1, 1]], dtype) * dtype(1 if dtype is bool else 200)
    dense = mixed(matrix, [0, 1, 0, 1], [1, 0], [0.25, 0.9])
    found = mixed(sparse.csr_array(matrix), [0, 1, 0, 1], [1, 0], [0.25, 0.9])
    assert found.dtype == dtype
    by_hand = [[150, 50, 200], [180, 20, 200]] if dtype is not bool else [[1, 0, 1], [1, 0, 1]]
    assert dense[2:].astype(int).tolist() == by_hand
    assert found.toarray()[2:].astype(int).tolist() == by_hand
