"""Samplers in the pipelines and searches of imbalanced-learn and scikit-learn."""

from __future__ import annotations

from typing import Any

import imblearn.combine
import imblearn.over_sampling as classic
import imblearn.under_sampling
import numpy as np
import pandas as pd
import pytest
from imblearn.pipeline import Pipeline, make_pipeline
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from kilter import sampling
from kilter.sampling import (
    MLSMOTE,
    SMOTE,
    EditedNearestNeighbours,
    LabelPowerset,
    Neighbors,
    RandomOverSampler,
    RandomUnderSampler,
    SMOTETomek,
    TomekLinks,
)


@pytest.fixture
def table() -> tuple[np.ndarray, np.ndarray]:
    """Return 120 rows of two classes that overlap, 90 and 30, mixed."""
    rng = np.random.default_rng(0)
    y = rng.permutation(np.repeat([0, 1], [90, 30]))
    return rng.normal(size=(120, 4)) + y[:, None], y


class Counter(ClassifierMixin, BaseEstimator):
    """A classifier that remembers how many rows of each class it was fitted on."""

    def fit(self, X: Any, y: Any) -> Counter:
        self.classes_, self.counts_ = np.unique(y, return_counts=True)
        return self

    def predict(self, X: Any) -> np.ndarray:
        return np.full(len(X), self.classes_[0])


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        (RandomOverSampler(random_state=0), [90, 90]),
        (RandomOverSampler(random_state=0, shrinkage=0.5), [90, 90]),
        (RandomUnderSampler(random_state=0), [30, 30]),
        (SMOTE(random_state=0), [90, 90]),
        (SMOTE(random_state=0, sampling_strategy=0.5), [90, 45]),
    ],
    ids=str,
)
def test_a_pipeline_resamples_in_fit_only(table: tuple, sampler: Any, expected: list[int]) -> None:
    x, y = table
    pipeline = make_pipeline(StandardScaler(), sampler, Counter()).fit(x, y)
    assert pipeline[-1].counts_.tolist() == expected
    assert len(pipeline.predict(x)) == 120
    assert pipeline.score(x, y) == pytest.approx(0.75)


def test_a_pipeline_of_two_samplers(table: tuple) -> None:
    x, y = table
    steps = [SMOTE(sampling_strategy=0.5, random_state=0), RandomUnderSampler(random_state=0)]
    assert make_pipeline(*steps, Counter()).fit(x, y)[-1].counts_.tolist() == [45, 45]


def test_a_pipeline_ends_in_a_sampler(table: tuple) -> None:
    x, y = table
    x2, y2 = make_pipeline(StandardScaler(), RandomUnderSampler(random_state=0)).fit_resample(x, y)
    assert np.bincount(y2).tolist() == [30, 30]
    scaled = StandardScaler().fit_transform(x)
    assert set(map(tuple, x2)) <= set(map(tuple, scaled))


def test_cross_validation_scores_the_rows_as_they_are(table: tuple) -> None:
    x, y = table
    pipeline = make_pipeline(RandomOverSampler(random_state=0), LogisticRegression())
    folds = StratifiedKFold(4)
    expected = []
    for train, test in folds.split(x, y):
        x2, y2 = RandomOverSampler(random_state=0).fit_resample(x[train], y[train])
        expected.append(LogisticRegression().fit(x2, y2).score(x[test], y[test]))
    found = cross_val_score(pipeline, x, y, cv=folds)
    np.testing.assert_allclose(found, expected)


def test_a_grid_search_tunes_the_sampler(table: tuple) -> None:
    x, y = table
    pipeline = Pipeline([("smote", SMOTE(random_state=0)), ("model", LogisticRegression())])
    grid = {
        "smote__k_neighbors": [1, 5, Neighbors(6, verbose=False)],
        "smote__sampling_strategy": [0.5, 1.0],
    }
    search = GridSearchCV(pipeline, grid, cv=3, scoring="balanced_accuracy").fit(x, y)
    scores = search.cv_results_["mean_test_score"]
    # Of the six, 5 neighbours by number and as an estimator, which counts the row, are the same.
    np.testing.assert_array_equal(scores[2:4], scores[4:])
    assert len(set(scores[:4])) > 1
    assert len(search.predict(x)) == 120
    tuned = search.best_estimator_["smote"]
    assert tuned.sampling_strategy == search.best_params_["smote__sampling_strategy"]


def test_a_search_over_samplers(table: tuple) -> None:
    x, y = table
    pipeline = Pipeline([("sampler", "passthrough"), ("model", LogisticRegression())])
    samplers = [SMOTETomek(random_state=0), TomekLinks(), EditedNearestNeighbours()]
    search = GridSearchCV(pipeline, {"sampler": ["passthrough", *samplers]}, cv=3).fit(x, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_nested_parameters_are_set_and_copied() -> None:
    sampler = SMOTETomek(smote=SMOTE(k_neighbors=Neighbors(6, verbose=False)))
    sampler.set_params(smote__k_neighbors__recall=0.9, random_state=3)
    copy = clone(sampler)
    assert copy.smote is not sampler.smote
    assert copy.smote.k_neighbors.recall == 0.9
    assert copy.get_params()["random_state"] == 3


@pytest.mark.parametrize("name", ["RandomOverSampler", "SMOTE", "TomekLinks", "NearMiss"])
def test_names_of_columns_pass_through(table: tuple, name: str) -> None:
    x, y = table
    frame = pd.DataFrame(x, columns=list("abcd"))
    sampler = getattr(sampling, name)()
    sampler.fit_resample(frame, y)
    assert sampler.get_feature_names_out().tolist() == list("abcd")
    assert sampler.feature_names_in_.tolist() == list("abcd")
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), sampler)
    assert pipeline.fit(frame, y).get_feature_names_out().tolist() == list("abcd")


@pytest.mark.parametrize(
    "resampler",
    [MLSMOTE(random_state=0), LabelPowerset(RandomOverSampler(random_state=0))],
    ids=str,
)
def test_samplers_of_several_labels_in_a_pipeline(table: tuple, resampler: Any) -> None:
    x, y = table
    labels = np.column_stack([x[:, 0] > 0, y]).astype(int)
    model = MultiOutputClassifier(LogisticRegression())
    pipeline = make_pipeline(resampler, model).fit(x, labels)
    assert pipeline.predict(x).shape == (120, 2)
    x2, y2 = clone(resampler).fit_resample(x, labels)
    assert len(x2) > 120
    expected = clone(model).fit(x2, y2).predict_proba(x)
    for found, wanted in zip(pipeline.predict_proba(x), expected, strict=True):
        np.testing.assert_allclose(found, wanted)


@pytest.mark.parametrize(
    "make",
    [
        lambda search: classic.SMOTE(random_state=0, k_neighbors=search(6)),
        lambda search: classic.BorderlineSMOTE(
            random_state=0, k_neighbors=search(6), m_neighbors=search(11)
        ),
        lambda search: classic.ADASYN(random_state=0, n_neighbors=search(6)),
        lambda search: classic.SVMSMOTE(
            random_state=0, k_neighbors=search(6), m_neighbors=search(11)
        ),
        lambda search: imblearn.under_sampling.NearMiss(n_neighbors=search(3)),
        lambda search: imblearn.under_sampling.EditedNearestNeighbours(n_neighbors=search(4)),
    ],
    ids=["SMOTE", "BorderlineSMOTE", "ADASYN", "SVMSMOTE", "NearMiss", "ENN"],
)
def test_neighbors_stand_in_within_imbalanced_learn(table: tuple, make: Any) -> None:
    x, y = table
    ours, labels = make(lambda k: Neighbors(k, verbose=False)).fit_resample(x, y)
    theirs, expected = make(lambda k: NearestNeighbors(n_neighbors=k)).fit_resample(x, y)
    assert len(ours) != len(x)  # it did something
    np.testing.assert_allclose(ours, theirs, atol=1e-12)
    np.testing.assert_array_equal(labels, expected)
