"""What all samplers share: labels of any kind in and out, strategies, weights, seeds."""

from __future__ import annotations

from typing import Any

import imblearn.over_sampling as classic
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from kilter._errors import ArgumentError
from kilter.sampling import SMOTE, RandomOverSampler, RandomUnderSampler, TomekLinks
from kilter.sampling.base import Origins, read_labels

CODES = np.array([0, 0, 1, 0, 1, 0, 0, 0, 2, 0, 1, 0])  # 8, 3 and 1 rows
NAMES = np.array(["cat", "dog", "owl"])
X = np.arange(24.0).reshape(12, 2)


def one_hot(codes: np.ndarray) -> np.ndarray:
    return (codes[:, None] == np.arange(3)).astype(np.int8)


LABELS: dict[str, Any] = {
    "int": CODES,
    "int8": CODES.astype(np.int8),
    "float": CODES.astype(float),
    "list": CODES.tolist(),
    "tuple": tuple(CODES.tolist()),
    "column": CODES[:, None],
    "text": NAMES[CODES],
    "object": NAMES[CODES].astype(object),
    "list of text": NAMES[CODES].tolist(),
    "series": pd.Series(CODES, name="kind", index=np.arange(12) * 7),
    "nullable": pd.Series(CODES, dtype="Int64"),
    "series of text": pd.Series(NAMES[CODES], dtype="string"),
    "category": pd.Series(NAMES[CODES], name="kind").astype("category"),
    "frame": pd.DataFrame({"kind": NAMES[CODES]}),
    "polars": pl.Series("kind", CODES),
    "polars text": pl.Series("kind", NAMES[CODES].tolist()),
    "polars category": pl.Series("kind", NAMES[CODES].tolist(), dtype=pl.Categorical),
    "polars frame": pl.DataFrame({"kind": CODES}),
    "one-hot": one_hot(CODES),
    "one-hot truths": one_hot(CODES).astype(bool),
    "one-hot list": one_hot(CODES).tolist(),
    "one-hot frame": pd.DataFrame(one_hot(CODES), columns=NAMES),
    "one-hot polars": pl.DataFrame(one_hot(CODES), schema=NAMES.tolist()),
    "one-hot sparse": sparse.csr_matrix(one_hot(CODES)),
    "one-hot sparse array": sparse.csc_array(one_hot(CODES)),
}


def plain(y: Any) -> list:
    """Return labels as a list, of numbers or of text as they are, whatever holds them."""
    y = y.toarray() if sparse.issparse(y) else y
    y = y.to_numpy() if hasattr(y, "to_numpy") else y
    return np.asarray(y).tolist()


@pytest.mark.parametrize("kind", LABELS)
def test_labels_are_read_of_every_kind(kind: str) -> None:
    expected = NAMES[CODES] if ("text" in kind or kind in ("object", "category", "frame")) else None
    expected = NAMES[CODES] if kind == "polars category" else expected
    found = read_labels(LABELS[kind])
    assert found.shape == (12,)
    assert found.tolist() == (CODES if expected is None else expected).tolist()


@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back_as_they_came(kind: str) -> None:
    y = LABELS[kind]
    sampler = RandomOverSampler(random_state=0)
    x2, y2 = sampler.fit_resample(X, y)
    if kind == "tuple":
        assert isinstance(y2, np.ndarray)
    else:
        assert type(y2) is type(y)
    for attribute in ("dtype", "name", "columns", "schema"):
        if hasattr(y, attribute):
            np.testing.assert_array_equal(getattr(y2, attribute), getattr(y, attribute))
    rows = (x2[:, 0] / 2).astype(int)  # the first column counts the rows
    assert plain(y2) == [plain(y)[row] for row in rows]
    assert np.bincount(CODES[rows]).tolist() == [8, 8, 8]


@pytest.mark.parametrize("kind", ["series", "frame"])
def test_an_index_starts_anew(kind: str) -> None:
    y2 = RandomUnderSampler(random_state=0).fit_resample(X, LABELS[kind])[1]
    assert y2.index.tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0.1, 0.7, 0.2], "Unknown label type: continuous"),
        ([[1, 0], [1, 1]], "`LabelPowerset"),
        ([[1, 0], [0, 0]], "one label a row"),
        ([[1, 2], [3, 1]], "Multilabel and multioutput"),
        ([[0.5, 0.5], [0.1, 0.9]], "one label a row"),
        (np.array(["a", None], object), "missing labels"),
        (np.array([0.0, 1.0, np.nan]), "missing labels"),
        (pd.Series([0, 1, None], dtype="Int64"), "missing labels"),
        (np.zeros((2, 2, 2)), "one label a row"),
    ],
)
def test_what_are_no_labels(y: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message) as caught:
        read_labels(y)
    assert "`y`" in str(caught.value)


def test_no_labels_at_all() -> None:
    for method in (RandomOverSampler().fit, SMOTE().fit_resample):
        with pytest.raises(ArgumentError, match="`y` must be the labels"):
            method(X, None)


@pytest.mark.parametrize("sampler", [RandomOverSampler(), SMOTE(), TomekLinks()], ids=str)
def test_lengths_must_agree(sampler: Any) -> None:
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        sampler.fit_resample(X, CODES[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        sampler.fit(X, CODES[:-1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        sampler.fit_resample(X, CODES, np.ones(11))


def test_weights_of_another_shape_are_an_error() -> None:
    y = np.repeat([0, 1], [8, 4])
    with pytest.raises(ArgumentError, match="`sample_weight`"):
        SMOTE(k_neighbors=2).fit_resample(X, y, np.ones((12, 1)))


shares = st.lists(st.floats(0, 1e9), min_size=1, max_size=20).filter(lambda s: sum(s) > 1e-3)


ORIGINS = Origins(
    rows=np.array([0, 1, 2, 2, 0]), partners=np.array([1, 2]), shares=np.array([0.25, 0.5])
)


def test_origins_blend_what_was_moved() -> None:
    # Row 3 is a quarter of the way from 40 to 20, row 4 half of it from 10 to 40.
    assert ORIGINS.kept == 3
    assert ORIGINS.blend(np.array([10.0, 20.0, 40.0])).tolist() == [10, 20, 40, 35, 25]
    assert ORIGINS.blend(np.array([10, 20, 40])).tolist() == [10, 20, 40, 35, 25]


def test_origins_without_partners_choose() -> None:
    chosen = Origins(np.array([2, 0, 2]))
    assert chosen.kept == 3
    found = chosen.blend(np.array([1, 2, 3]))
    assert found.tolist() == [3, 1, 3]
    assert found.dtype.kind == "i"


@given(st.sets(st.integers(0, 4)))
def test_selected_origins_are_those_of_the_selected_rows(chosen: set[int]) -> None:
    rows = np.array(sorted(chosen), np.int64)
    values = np.array([10.0, 20.0, 40.0])
    selected = ORIGINS.select(rows)
    assert selected.kept == sum(row < 3 for row in chosen)
    np.testing.assert_array_equal(selected.blend(values), ORIGINS.blend(values)[rows])


@pytest.mark.parametrize("labels", [CODES, NAMES[CODES], CODES * 5 - 3, CODES.astype(float)])
@pytest.mark.parametrize("method", ["fit", "fit_resample"])
def test_the_strategy_is_told_by_the_labels_themselves(labels: np.ndarray, method: str) -> None:
    sampler = RandomOverSampler(random_state=0)
    getattr(sampler, method)(X, labels)
    expected = classic.RandomOverSampler().fit(X, labels).sampling_strategy_
    assert sampler.sampling_strategy_ == expected
    assert sorted(sampler.sampling_strategy_.values()) == [5, 7]
    assert sampler.classes_.tolist() == np.unique(labels).tolist()


def test_fit_returns_the_sampler() -> None:
    sampler = TomekLinks()
    assert sampler.fit(X, CODES) is sampler
    assert sampler.n_features_in_ == 2


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("auto", {"cat": 8, "dog": 8, "owl": 8}),
        ("minority", {"cat": 8, "dog": 3, "owl": 8}),
        ("not minority", {"cat": 8, "dog": 8, "owl": 1}),
        ({"dog": 5}, {"cat": 8, "dog": 5, "owl": 1}),
        ({"owl": 4, "dog": 3, "cat": 9}, {"cat": 9, "dog": 3, "owl": 4}),
        (lambda y: {"owl": 2}, {"cat": 8, "dog": 3, "owl": 2}),
    ],
)
def test_strategies_name_the_labels(strategy: Any, expected: dict[str, int]) -> None:
    sampler = RandomOverSampler(sampling_strategy=strategy, random_state=0)
    y2 = sampler.fit_resample(X, NAMES[CODES])[1]
    assert dict(zip(*map(np.ndarray.tolist, np.unique(y2, return_counts=True)), strict=True)) == (
        expected
    )


def test_a_strategy_for_labels_of_numpy_and_truths() -> None:
    y = np.repeat([False, True], [8, 4])
    for key in (True, np.True_):
        y2 = RandomOverSampler(sampling_strategy={key: 6}).fit_resample(X, y)[1]
        assert np.bincount(y2).tolist() == [8, 6]
    y2 = RandomOverSampler(sampling_strategy={np.int64(2): 6}).fit_resample(X, CODES)[1]
    assert np.bincount(y2).tolist() == [8, 3, 6]


def test_days_can_be_classes() -> None:
    days = np.array(["2020-02-01", "2020-02-02", "2020-02-03"], "datetime64[D]")
    y2 = RandomOverSampler(random_state=0).fit_resample(X, days[CODES])[1]
    assert [int((y2 == day).sum()) for day in days] == [8, 8, 8]
    assert y2.dtype == days.dtype


def test_a_share_is_that_of_the_larger_class() -> None:
    y = np.repeat(["a", "b"], [8, 4])
    y2 = RandomOverSampler(sampling_strategy=0.75).fit_resample(X, y)[1]
    assert y2.tolist() == ["a"] * 8 + ["b"] * 6
    y2 = RandomUnderSampler(sampling_strategy=0.8).fit_resample(X, y)[1]
    assert y2.tolist() == ["a"] * 5 + ["b"] * 4


def test_a_label_that_does_not_occur_is_an_error() -> None:
    with pytest.raises(ValueError, match="fox"):
        RandomOverSampler(sampling_strategy={"fox": 9}).fit_resample(X, NAMES[CODES])


def test_weights_go_along_with_rows() -> None:
    sampler = RandomUnderSampler(random_state=0)
    x2, _, weights = sampler.fit_resample(X, CODES, np.arange(12) * 10)
    np.testing.assert_array_equal(weights, x2[:, 0] * 5)
    assert weights.dtype.kind == "i"


def test_weights_of_new_rows_lie_where_their_features_do() -> None:
    y = np.repeat([0, 1], [8, 4])
    x2, _, weights = SMOTE(k_neighbors=3, random_state=0).fit_resample(X, y, X[:, 0] * 10)
    assert len(weights) == 16
    np.testing.assert_allclose(weights, x2[:, 0] * 10, rtol=1e-6)


def resampled(state: Any) -> list[float]:
    return RandomOverSampler(random_state=state).fit_resample(X, CODES)[0][12:, 0].tolist()


def test_a_seed_gives_the_same_rows_again() -> None:
    assert resampled(3) == resampled(3)
    assert resampled(3) != resampled(4)
    assert resampled(np.random.RandomState(3)) == resampled(3)


def test_a_state_goes_on_and_a_seed_leaves_the_global_one_alone() -> None:
    state = np.random.RandomState(3)
    assert resampled(state) != resampled(state)
    before = np.random.get_state()[1].tolist()
    resampled(3)
    assert np.random.get_state()[1].tolist() == before


def test_no_seed_hangs_on_the_seed_of_numpy_alone() -> None:
    np.random.seed(5)
    first = resampled(None)
    assert resampled(None) != first
    np.random.seed(5)
    assert resampled(None) == first


@pytest.mark.parametrize("sampler", [RandomOverSampler(), SMOTE(k_neighbors=2), TomekLinks()])
def test_images_stay_images(sampler: Any) -> None:
    images = np.random.default_rng(0).integers(0, 255, (12, 4, 4, 3)).astype(np.uint8)
    x2, y2 = sampler.fit_resample(images, np.repeat([0, 1], [8, 4]))
    assert x2.shape == (len(y2), 4, 4, 3)
    assert x2.dtype == np.uint8
    flat = np.isin(x2[:8].reshape(-1), images.reshape(-1))
    assert flat.all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_mixes_numbers_needs_numbers(bad: float) -> None:
    x = X.copy()
    x[3, 1] = bad
    for sampler in (SMOTE(), TomekLinks()):
        with pytest.raises(ArgumentError, match=r"`X` must be finite, .* contains (NaN|infinity)"):
            sampler.fit_resample(x, CODES)
    x2 = RandomOverSampler(random_state=0).fit_resample(x, CODES)[0]
    np.testing.assert_array_equal(x2[:12], x)


@pytest.mark.parametrize("sampler", [SMOTE(), RandomOverSampler(), RandomUnderSampler()])
def test_a_lazy_table_is_to_be_collected_before(sampler: Any) -> None:
    with pytest.raises(TypeError, match="must be in memory; got a lazy one"):
        sampler.fit_resample(pl.DataFrame(X).lazy(), CODES)


def test_a_column_of_categories_is_not_mixed_as_numbers() -> None:
    # A fraction is none of the categories: pandas would make it a missing value.
    kinds = pd.Categorical([1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3])
    table = pd.DataFrame({"a": X[:, 0], "kind": kinds})
    with pytest.raises(ArgumentError, match="SMOTENC"):
        SMOTE(k_neighbors=2, random_state=0).fit_resample(table, np.repeat([0, 1], [8, 4]))


def test_the_input_is_left_alone() -> None:
    x, y, weights = X.copy(), NAMES[CODES], np.ones(12)
    SMOTE(sampling_strategy={"dog": 6}, k_neighbors=2).fit_resample(x, y, weights)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, NAMES[CODES])
    np.testing.assert_array_equal(weights, 1)
