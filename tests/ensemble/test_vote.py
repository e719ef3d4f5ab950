"""Votes of members, each by its own threshold."""

import numpy as np
import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from kilter.decide import Calibrator, Threshold
from kilter.decide.threshold import CALIBRATED
from kilter.ensemble import Vote


def test_the_most_votes_win_as_in_scikit_learn(members_of):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 3)), rng.integers(0, 3, 200)
    kinds = [LogisticRegression(), GaussianNB(), DecisionTreeClassifier(max_depth=2)]
    voting = VotingClassifier([(str(i), kind) for i, kind in enumerate(kinds)]).fit(x, y)
    p = np.array([one.predict_proba(x) for one in voting.estimators_])
    most = np.sort(np.apply_along_axis(np.bincount, 0, p.argmax(axis=2), minlength=3), axis=0)
    clear = most[-1] > most[-2]  # a tie is broken by the probabilities here
    joined = Vote.plain(members=3, classes=3).apply(p)
    assert clear.sum() > 100
    np.testing.assert_array_equal(joined.argmax(axis=1)[clear], voting.predict(x)[clear])


def test_ties_are_broken_by_the_mean_probability():
    p = [[[0.9, 0.1]], [[0.45, 0.55]]]
    votes = np.array([1, 1]) + np.mean(p, axis=0)
    np.testing.assert_allclose(Vote.plain(2, 2).apply(p), votes / 3, atol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_member_votes_by_its_own_threshold(members_of, n_classes):
    members = members_of((0.5, 1.0, 2.0), n_classes=n_classes)
    votes = np.zeros((len(members[0].labels), n_classes))
    for one in members:
        p = Calibrator.fit(one).apply(one.probabilities)
        rule = Threshold.fit(type(one)(one.labels, p), expected=CALIBRATED)
        votes += np.eye(n_classes)[rule.apply(p)]
    joined = Vote.fit(members).apply([one.probabilities for one in members])
    np.testing.assert_array_equal(np.floor(joined * 4 + 1e-9), votes)
