"""What all joints keep to."""

import json

import numpy as np
import pytest

from kilter._errors import ArgumentError, ArgumentTypeError, ArtifactError
from kilter._types import TestScores, ValidationScores
from kilter.ensemble import JOINTS


@pytest.fixture(params=JOINTS)
def kind(request):
    return JOINTS[request.param]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_sum_to_one_and_numbers_survive_json(kind, members_of, n_classes):
    members = members_of((0.5, 1.0, 3.0), n_classes=n_classes)
    joint = kind.fit(members)
    joined = joint.apply([one.probabilities for one in members])
    assert joined.shape == (400, n_classes)
    np.testing.assert_allclose(joined.sum(axis=1), 1)
    again = kind.from_json(json.loads(json.dumps(joint.to_json())))
    assert again == joint
    assert hash(again) == hash(joint)


def test_one_member_ranks_as_before(kind, members_of):
    (one,) = members_of((1.0,))
    joined = kind.fit([one]).apply([one.probabilities])
    order = np.argsort(one.probabilities[:, 1])
    assert (np.diff(joined[order, 1]) >= 0).all()


def test_certain_members_stay_finite(kind, members_of):
    labels = members_of((1.0,))[0].labels
    certain = ValidationScores(labels, np.eye(2)[labels])
    joint = kind.fit([certain, certain])
    assert np.isfinite(joint.apply([certain.probabilities] * 2)).all()


def test_only_validation_scores_of_the_same_rows(kind, members_of):
    one, other = members_of((1.0, 1.0))
    with pytest.raises(ArgumentError, match="`members` must be the scores of one member"):
        kind.fit([])
    with pytest.raises(ArgumentTypeError, match="fitted on a `ValidationScores` only"):
        kind.fit([one, TestScores(other.labels, other.probabilities)])
    fewer = ValidationScores(other.labels[:-1], other.probabilities[:-1])
    with pytest.raises(ArgumentError, match="`members` must be scores of the same rows"):
        kind.fit([one, fewer])
    with pytest.raises(ArgumentError, match="`members` must be scores of the same rows"):
        kind.fit([one, ValidationScores(1 - other.labels, other.probabilities)])


def test_other_json_is_refused(kind):
    with pytest.raises(ArtifactError, match=f"{kind.__name__}.to_json"):
        kind.from_json({"scale": 1})
