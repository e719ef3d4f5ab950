"""Over-sampling, then cleaning: what SMOTE makes, less what a search by hand would drop."""

from __future__ import annotations

from typing import Any

import imblearn.combine as classic
import imblearn.over_sampling
import imblearn.under_sampling
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from kilter.sampling import (
    ADASYN,
    SMOTE,
    SMOTEENN,
    SMOTENC,
    BorderlineSMOTE,
    ClusterCentroids,
    EditedNearestNeighbours,
    RandomOverSampler,
    SMOTETomek,
    TomekLinks,
)


@pytest.fixture
def table() -> tuple[np.ndarray, np.ndarray]:
    """Return rows of three classes that overlap: 60, 25 and 12, mixed."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1, 2], [60, 25, 12]))
    return rng.normal(size=(97, 3)) + 0.8 * y[:, None], y


def nearest(x: np.ndarray, k: int) -> np.ndarray:
    squares = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    return np.argsort(squares, axis=1, kind="stable")[:, :k]


def linked(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    near = nearest(x, 1)[:, 0]
    return (near[near] == np.arange(len(y))) & (y[near] != y)


def surrounded(x: np.ndarray, y: np.ndarray, k: int = 3) -> np.ndarray:
    return (y[nearest(x, k)] != y[:, None]).any(axis=1)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("strategy", ["auto", "minority", {1: 40, 2: 30}], ids=str)
@pytest.mark.parametrize(("kind", "stray"), [(SMOTETomek, linked), (SMOTEENN, surrounded)])
def test_what_smote_makes_is_cleaned(
    table: tuple, kind: Any, stray: Any, strategy: Any, seed: int
) -> None:
    # The same seed makes the same rows; those that must go are found by hand.
    settings = {"sampling_strategy": strategy, "random_state": seed}
    made, labels = SMOTE(**settings).fit_resample(*table)
    drop = stray(made, labels)
    assert drop.any()
    assert drop[len(table[1]) :].any()  # new rows too
    x2, y2 = kind(**settings).fit_resample(*table)
    np.testing.assert_allclose(x2, made[~drop], rtol=1e-12)
    np.testing.assert_array_equal(y2, labels[~drop])


@pytest.mark.parametrize(("kind", "stray"), [(SMOTETomek, linked), (SMOTEENN, surrounded)])
def test_rows_as_they_were_come_first_and_in_order(table: tuple, kind: Any, stray: Any) -> None:
    x, y = table
    x2, y2 = kind(random_state=0).fit_resample(x, y)
    places = {tuple(row): place for place, row in enumerate(x)}
    found = [places.get(tuple(row)) for row in x2]
    old = [place for place in found if place is not None]
    assert old == sorted(old)
    assert found[: len(old)] == old
    assert y2[: len(old)].tolist() == y[old].tolist()
    assert 0 < len(old) < len(x)


@pytest.mark.parametrize("name", ["SMOTEENN", "SMOTETomek"])
def test_about_as_many_rows_as_in_imbalanced_learn(table: tuple, name: str) -> None:
    ours, theirs = ({"SMOTEENN": SMOTEENN, "SMOTETomek": SMOTETomek}[name], getattr(classic, name))
    counts = np.array(
        [
            [np.bincount(kind(random_state=seed).fit_resample(*table)[1]) for seed in range(30)]
            for kind in (ours, theirs)
        ]
    )
    means, spread = counts.mean(axis=1), counts.std(axis=1).max(axis=0)
    # the means of 30 draws each: five standard errors of a difference
    assert (np.abs(means[0] - means[1]) <= 5 * np.sqrt(2 / 30) * spread + 1e-9).all()


def test_its_own_smote_is_used(table: tuple) -> None:
    smote = BorderlineSMOTE(k_neighbors=2, m_neighbors=7, sampling_strategy={2: 41})
    made, labels = BorderlineSMOTE(**{**smote.get_params(), "random_state": 4}).fit_resample(*table)
    drop = linked(made, labels)
    x2, y2 = SMOTETomek(smote=smote, random_state=4).fit_resample(*table)
    np.testing.assert_allclose(x2, made[~drop], rtol=1e-12)
    np.testing.assert_array_equal(y2, labels[~drop])
    assert not hasattr(smote, "sampling_strategy_")  # a copy was fitted


def test_its_own_cleaners_are_used(table: tuple) -> None:
    made, labels = SMOTE(random_state=0).fit_resample(*table)
    enn = EditedNearestNeighbours(n_neighbors=1, sampling_strategy=[0])
    keep = ~(surrounded(made, labels, 1) & (labels == 0))
    x2, y2 = SMOTEENN(enn=enn, random_state=0).fit_resample(*table)
    np.testing.assert_allclose(x2, made[keep], rtol=1e-12)
    tomek = TomekLinks(sampling_strategy=[1])
    keep = ~(linked(made, labels) & (labels == 1))
    assert not keep.all()
    x2, y2 = SMOTETomek(tomek=tomek, random_state=0).fit_resample(*table)
    np.testing.assert_allclose(x2, made[keep], rtol=1e-12)
    np.testing.assert_array_equal(y2, labels[keep])


@pytest.mark.parametrize("kind", [SMOTEENN, SMOTETomek])
def test_weights_follow_their_rows(table: tuple, kind: Any) -> None:
    # Weights that are a column: they are mixed as it is.
    x, y = table
    x2, y2, weights = kind(random_state=0).fit_resample(x, y, x[:, 1])
    np.testing.assert_allclose(weights, x2[:, 1], atol=1e-6)
    assert len(weights) == len(y2)


@pytest.mark.parametrize("kind", [SMOTEENN, SMOTETomek])
def test_names_of_classes_and_columns(table: tuple, kind: Any) -> None:
    x, y = table
    expected, labels = kind(random_state=0).fit_resample(x, y)
    names = np.array(["ant", "bee", "cow"])
    sampler = kind(random_state=0, sampling_strategy={"bee": 60, "cow": 60})
    frame = pd.DataFrame(x, columns=list("abc"), index=np.arange(97) * 3)
    x2, y2 = sampler.fit_resample(frame, pd.Series(names[y], name="animal"))
    np.testing.assert_allclose(x2.to_numpy(), expected)
    assert list(x2.columns) == list("abc")
    assert x2.index.tolist() == y2.index.tolist() == list(range(len(expected)))
    assert y2.tolist() == names[labels].tolist()
    assert sampler.sampling_strategy_ == {"bee": 35, "cow": 48}


@pytest.mark.parametrize("kind", [SMOTEENN, SMOTETomek])
def test_sparse_rows(table: tuple, kind: Any) -> None:
    x, y = table
    expected, labels = kind(random_state=0).fit_resample(x, y)
    x2, y2 = kind(random_state=0).fit_resample(sparse.csc_matrix(x), y)
    assert isinstance(x2, sparse.csc_matrix)
    np.testing.assert_allclose(x2.toarray(), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(y2, labels)


@pytest.mark.parametrize("kind", [SMOTEENN, SMOTETomek])
def test_images(table: tuple, kind: Any) -> None:
    x, y = table
    expected = kind(random_state=0).fit_resample(x, y)[0]
    found = kind(random_state=0).fit_resample(x.reshape(97, 3, 1, 1), y)[0]
    np.testing.assert_array_equal(found, expected.reshape(-1, 3, 1, 1))


def test_another_over_sampler_of_kilter(table: tuple) -> None:
    made, labels = ADASYN(random_state=2).fit_resample(*table)
    drop = surrounded(made, labels)
    x2, y2 = SMOTEENN(smote=ADASYN(), random_state=2).fit_resample(*table)
    np.testing.assert_allclose(x2, made[~drop], rtol=1e-12)
    np.testing.assert_array_equal(y2, labels[~drop])


@pytest.mark.parametrize(
    "sampler",
    [
        SMOTEENN(smote=imblearn.over_sampling.SMOTE()),
        SMOTEENN(enn=imblearn.under_sampling.EditedNearestNeighbours()),
        SMOTETomek(tomek=imblearn.under_sampling.TomekLinks()),
        SMOTETomek(smote=SMOTENC([0])),  # its categories would be mixed as numbers
        SMOTETomek(smote=RandomOverSampler(shrinkage=1)),  # its noise would be lost
        SMOTETomek(tomek=ClusterCentroids()),  # its centres are no rows
    ],
    ids=["smote", "enn", "tomek", "nc", "noise", "centroids"],
)
def test_samplers_that_cannot_be_combined_are_an_error(table: tuple, sampler: Any) -> None:
    # An error that names the parameter, and neither an attribute nor rows that are wrong
    with pytest.raises(ValueError, match=r"[`'](smote|enn|tomek)[`']"):
        sampler.fit_resample(*table)


def test_parameters_of_what_is_combined_are_checked(table: tuple) -> None:
    with pytest.raises(ValueError, match="'k_neighbors' parameter of SMOTE"):
        SMOTEENN(smote=SMOTE(k_neighbors=-1)).fit_resample(*table)
    with pytest.raises(ValueError, match="'kind_sel' parameter of EditedNearestNeighbours"):
        SMOTEENN(enn=EditedNearestNeighbours(kind_sel="most")).fit_resample(*table)
