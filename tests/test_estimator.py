"""The scikit-learn face: what scikit-learn asks of a classifier, and what it builds on it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import kilter
from kilter import KilterClassifier
from kilter import estimator as module
from kilter._errors import ArgumentError
from kilter.comparison import Plan
from kilter.comparison.remedy import USUAL
from kilter.comparison.run import fit
from kilter.data import load

QUICK: dict[str, Any] = {
    "folds": 2,
    "seeds": 1,
    "epochs": 20,
    "network": "mlp",
    "hidden": (16,),
    "learning_rate": 0.01,
}


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    return make_classification(240, 5, weights=[0.85], class_sep=1.5, random_state=0)


@pytest.fixture
def frame(rows: tuple[np.ndarray, np.ndarray]) -> tuple[pd.DataFrame, pd.Series]:
    """Numbers, some missing, a category, and labels in words."""
    x, y = rows
    table = pd.DataFrame(x, columns=list("abcde")).assign(
        city=np.where(x[:, 0] > 0, "Oslo", "Rome")
    )
    table.loc[::7, "b"] = np.nan
    return table, pd.Series(np.where(y, "fraud", "fine"))


def checks(remedy: str, only: tuple[str, ...] = ("",)) -> list[Any]:
    """Return scikit-learn's checks of a remedy, those with one of these words in their name."""
    every = estimator_checks_generator(KilterClassifier(remedy, **QUICK))
    named = [(getattr(check, "func", check).__name__, clf, check) for clf, check in every]
    return [
        pytest.param(clf, check, id=f"{remedy}-{name}")
        for name, clf, check in named
        if any(word in name for word in only)
    ]


FITTED = ("classifiers", "idempotent", "pickle", "invariance")
CHECKS = [  # of ensembles those that fit and predict: each takes seconds to compile
    *checks("none+threshold"),
    *checks("blend", FITTED),
    *checks("self-paced", FITTED),
]


@pytest.mark.slow
@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learn_has_nothing_against_it(estimator: Any, check: Callable) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some checks have classes of five rows, or columns of y
        check(estimator)


def test_it_is_the_fit_of_a_plan(frame: tuple[pd.DataFrame, pd.Series]) -> None:
    x, y = frame
    clf = KilterClassifier("focal", **QUICK, random_state=3).fit(x, y)
    plan = Plan(Plan.make(["focal"]).remedies[1:], **QUICK, seed=3)
    model = fit(plan, load(x.assign(y=y), "y"))
    np.testing.assert_array_equal(clf.predict_proba(x), model.predict_proba(x))
    np.testing.assert_array_equal(clf.predict(x), model.predict(x))
    assert clf.classes_.tolist() == ["fine", "fraud"]
    assert clf.feature_names_in_.tolist() == list(x.columns)


def test_auto_compares(rows: tuple[np.ndarray, np.ndarray]) -> None:
    clf = KilterClassifier("auto", **{**QUICK, "epochs": 2}).fit(*rows)
    assert len(clf.result_.leaderboard()) == len(USUAL)
    assert clf.model_ is clf.result_.model


def test_its_model_can_be_saved(rows: tuple[np.ndarray, np.ndarray], tmp_path: Any) -> None:
    x, y = rows
    clf = KilterClassifier(**QUICK).fit(x, y)
    clf.model_.save(tmp_path / "model.kilter")
    again = kilter.load(tmp_path / "model.kilter")
    named = pd.DataFrame(x, columns=[f"x{place}" for place in range(5)])
    np.testing.assert_allclose(again.predict_proba(named), clf.predict_proba(x), rtol=1e-6)


def test_an_array_may_hold_text(rows: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = rows
    city = np.where(y, "Oslo", "Rome")
    mixed = np.column_stack([x[:, :2].astype(object), city.astype(object)])
    mixed[::9, 2] = np.nan
    clf = KilterClassifier(**QUICK).fit(mixed, y)
    kinds = [column.kind for column in clf.model_.schema.columns]
    assert clf.predict(mixed[:5]).shape == (5,)
    assert kinds[0] == kinds[1] != kinds[2]
    text = np.column_stack([x[:, :2].astype(str), city])
    assert [column.kind for column in clf.fit(text, y).model_.schema.columns] == kinds


def test_an_index_is_no_feature(rows: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = rows
    frame = pd.DataFrame(x, columns=list("abcde"), index=pd.Index(y * 1000, name="customer"))
    clf = KilterClassifier(**QUICK).fit(frame, y)
    assert [column.name for column in clf.model_.schema.columns] == list("abcde")
    assert clf.predict(frame.reset_index(drop=True)).shape == y.shape


def test_random_states_of_all_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(module, "fit", lambda plan, *others, **more: seen.append(plan.seed))
    x, y = np.arange(60.0)[:, None], np.arange(60) % 2
    for state in (np.int64(7), np.random.RandomState(0), np.random.RandomState(0), None, None):
        KilterClassifier(random_state=state).fit(x, y)
    assert seen[0] == 7
    assert seen[1] == seen[2]
    assert seen[3] != seen[4]


def test_auto_takes_as_many_folds_as_there_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(module, "run", lambda plan, *others, **more: seen.append(plan.folds))
    for rare in (7, 4):
        x, y = np.arange(60.0)[:, None], np.arange(60) < rare
        with pytest.raises(AttributeError):  # there is no result
            KilterClassifier("auto").fit(x, y)
    assert seen == [3, 5]  # with 4 rows `run` says what is wrong


def test_a_clone_has_every_setting() -> None:
    clf = KilterClassifier("smote", **QUICK, min_recall=0.9, random_state=7)
    assert clone(clf).get_params() == clf.get_params()


def test_search_and_cross_validation(rows: tuple[np.ndarray, np.ndarray]) -> None:
    scores = cross_val_score(KilterClassifier(**QUICK), *rows, cv=3, scoring="roc_auc")
    assert scores.min() > 0.7
    pipeline = make_pipeline(StandardScaler(), KilterClassifier(**QUICK))
    search = GridSearchCV(pipeline, {"kilterclassifier__remedy": ["focal", "smote"]}, cv=2)
    assert search.fit(*rows).best_score_ > 0.8


def test_scikit_learns_calibration_and_threshold(rows: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = rows
    calibrated = CalibratedClassifierCV(KilterClassifier(**QUICK), cv=2).fit(x, y)
    assert calibrated.predict_proba(x).shape == (240, 2)
    tuned = TunedThresholdClassifierCV(KilterClassifier(**QUICK), cv=2).fit(x, y)
    assert 0 < tuned.best_threshold_ < 1


def test_groups_are_routed(rows: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = rows
    groups = np.arange(240) // 3
    with sklearn.config_context(enable_metadata_routing=True):
        clf = KilterClassifier(**QUICK).set_fit_request(groups=True)
        scores = cross_val_score(clf, x, y, cv=GroupKFold(3), params={"groups": groups})
    assert scores.min() > 0.7


def test_a_class_too_rare_for_the_folds_gets_fewer(rows: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = rows
    few = np.concatenate([np.flatnonzero(y == 0), np.flatnonzero(y == 1)[:7]])
    clf = KilterClassifier(**{**QUICK, "folds": 5}).fit(x[few], y[few])  # seven rows: three folds
    assert clf.model_.calibrator.scale != 1
    few = few[:-3]
    with pytest.warns(UserWarning, match="fewer than 6 different rows"):
        clf = KilterClassifier(**QUICK).fit(x[few], y[few])
    assert clf.model_.calibrator.scale == 1
    assert clf.predict_proba(x).shape == (240, 2)


@pytest.mark.parametrize("remedy", ["smote", "auto"])
def test_a_threshold_is_for_unequal_classes_or_a_recall(remedy: str) -> None:
    x, y = make_classification(240, 5, weights=[0.6], class_sep=0.5, random_state=0)
    quick = {**QUICK, "epochs": 2}
    plain = KilterClassifier(remedy, **quick).fit(x, y)
    np.testing.assert_array_equal(plain.predict(x), plain.predict_proba(x).argmax(axis=1))
    careful = KilterClassifier(remedy, **quick, min_recall=0.95).fit(x, y)
    assert (careful.predict(x) == 1)[y == 1].mean() > 0.9


def test_names_that_are_taken_and_a_remedy_that_is_none(
    rows: tuple[np.ndarray, np.ndarray],
) -> None:
    x, y = rows
    table = pd.DataFrame(x, columns=["y", "groups", "y_", "c", "d"])
    assert KilterClassifier(**QUICK).fit(table, y, np.arange(240)).predict(table).shape == (240,)
    with pytest.raises(ArgumentError, match="`remedies` knows no `smotee`"):
        KilterClassifier("smotee").fit(x, y)


def own(width: int, n_classes: int) -> keras.Model:
    hidden = keras.layers.Dense(16, "relu")
    batch = keras.layers.BatchNormalization()
    end = keras.layers.Dense(1, "sigmoid")
    return keras.Sequential([keras.Input((width,)), hidden, batch, end])


@pytest.mark.backend
def test_a_network_of_ones_own(rows: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = rows
    quick = {**QUICK, "epochs": 8}
    p = KilterClassifier("smote", **quick, build=own).fit(x, y).predict_proba(x)[:, 1]
    assert roc_auc_score(y, p) > 0.8
    model = clone(KilterClassifier("smote", **quick, build=own(10, 2)))  # its weights do not count
    np.testing.assert_allclose(model.fit(x, y).predict_proba(x)[:, 1], p, atol=1e-5)


def test_the_fewer_rows_the_more_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(module, "fit", lambda plan, *others, **more: seen.append(plan.seeds))
    monkeypatch.setattr(module, "run", lambda plan, *others, **more: seen.append(plan.seeds))
    for rows in (300, 6_000, 20_000):
        x, y = np.arange(rows)[:, None], np.arange(rows) % 2
        KilterClassifier().fit(x, y)
        KilterClassifier(seeds=1).fit(x, y)
        KilterClassifier("blend").fit(x, y)  # joins three networks
    with pytest.raises(AttributeError):  # there is no result
        KilterClassifier("auto").fit(x[:300], y[:300])
    assert seen == [10, 1, 3, 5, 1, 1, 1, 1, 1, 3]
