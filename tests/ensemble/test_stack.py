"""A logistic regression on members' answers."""

import numpy as np
import pytest
from scipy.special import logit
from sklearn.linear_model import LogisticRegression

from kilter.ensemble import Stack
from kilter.ensemble import stack as module
from kilter.metrics import log_loss


def test_without_priors_it_is_a_logistic_regression(members_of, monkeypatch):
    monkeypatch.setattr(module, "WEIGHT_SCALE", 1e3)
    monkeypatch.setattr(module, "BIAS_SCALE", 1e3)
    members = members_of((1.0, 1.5, 2.0), rows=2000)
    features = np.stack([logit(one.probabilities[:, 1]) for one in members], axis=1)
    expected = LogisticRegression(C=np.inf, tol=1e-10).fit(features, members[0].labels)
    assert (expected.coef_ > 0).all()  # so that the bound at 0 does not matter
    found = Stack.fit(members)
    np.testing.assert_allclose(found.weights, expected.coef_[0], atol=5e-3)
    p = found.apply([one.probabilities for one in members])
    np.testing.assert_allclose(p, expected.predict_proba(features), atol=5e-3)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_many_members_are_better_than_the_best(members_of, n_classes):
    noises = (1.5, 1.5, 2.0, 8.0)
    fitted, others = (members_of(noises, 3000, n_classes, seed) for seed in (1, 2))
    stack = Stack.fit(fitted)
    joined = stack.apply([one.probabilities for one in others])
    alone = [log_loss(one.labels, one.probabilities) for one in others]
    assert log_loss(others[0].labels, joined) < min(alone)
    assert min(stack.weights) >= 0
    assert stack.weights[3] == min(stack.weights)


def test_few_rows_leave_the_geometric_mean(members_of):
    few = [type(m)(m.labels[:3], m.probabilities[:3]) for m in members_of((0.3, 0.3, 0.3))]
    np.testing.assert_allclose(Stack.fit(few).weights, 1 / 3, atol=0.3)
