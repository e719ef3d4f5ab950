import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kilter.decide._sweep import CRITERIA, Sweep, rivals, sweep

REFERENCES = {
    "macro_f1": lambda labels, found: sk.f1_score(labels, found, average="macro", zero_division=0),
    "balanced_accuracy": sk.balanced_accuracy_score,
    "mcc": sk.matthews_corrcoef,
}


def test_every_criterion_has_a_reference():
    assert CRITERIA.keys() == REFERENCES.keys()


@pytest.mark.parametrize("name", CRITERIA)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n_classes=st.integers(2, 5))
def test_the_score_at_every_offset_as_scikit_learn_has_it(name, seed, n_classes):
    rng = np.random.default_rng(seed)
    labels = np.r_[np.arange(n_classes), rng.integers(0, n_classes, 30)]
    logs = np.log(rng.dirichlet(np.ones(n_classes), len(labels)))
    offsets, k = rng.normal(size=n_classes), int(rng.integers(n_classes))
    swept = sweep(np.eye(n_classes)[labels], logs, offsets, k, CRITERIA[name])
    edges = np.r_[swept.margins[0] - 2, swept.margins, swept.margins[-1] + 2]
    assert (np.diff(edges) > 0).all()
    for middle, value in zip((edges[:-1] + edges[1:]) / 2, swept.values, strict=True):
        moved = np.where(np.arange(n_classes) == k, middle, offsets)
        expected = REFERENCES[name](labels, (logs + moved).argmax(axis=1))
        assert value == pytest.approx(expected, abs=1e-12)


def soft_score(name, truth, found):
    """A score of what each row is of each class, from the table of (true, predicted)."""
    table = truth.T @ np.eye(truth.shape[1])[found]
    true, predicted, hits = table.sum(axis=1), table.sum(axis=0), np.diag(table)
    if name == "macro_f1":
        return np.mean(2 * hits / (true + predicted))
    if name == "balanced_accuracy":
        return np.mean(hits / true)
    rows = table.sum()
    spread = (rows**2 - predicted @ predicted) * (rows**2 - true @ true)
    return (hits.sum() * rows - true @ predicted) / np.sqrt(spread) if spread > 1e-9 else 0.0


@pytest.mark.parametrize("name", CRITERIA)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n_classes=st.integers(2, 5))
def test_rows_may_be_of_several_classes_in_part(name, seed, n_classes):
    rng = np.random.default_rng(seed)
    truth, p = (rng.dirichlet(np.ones(n_classes), 20) for _ in range(2))
    k = int(rng.integers(n_classes))
    swept = sweep(truth, np.log(p), np.zeros(n_classes), k, CRITERIA[name])
    edges = np.r_[swept.margins[0] - 2, swept.margins, swept.margins[-1] + 2]
    for middle, value in zip((edges[:-1] + edges[1:]) / 2, swept.values, strict=True):
        found = (np.log(p) + middle * np.eye(n_classes)[k]).argmax(axis=1)
        assert value == pytest.approx(soft_score(name, truth, found), abs=1e-6)


def test_rivals_by_hand():
    logs = np.array([[0.0, -1.0, -3.0], [-2.0, -1.5, 0.0]])
    rival, margins = rivals(logs, np.array([0.0, 2.0, 9.0]), 2)
    assert rival.tolist() == [1, 1]
    assert margins.tolist() == [4.0, 0.5]
    assert logs.max() == 0  # the rows that came are left as they were


@pytest.mark.parametrize(
    ("margins", "values", "best"),
    [
        ([0, 1, 3], [0, 1, 1, 0], (1.5, 1)),  # two ranges side by side are one
        ([0, 1, 10], [1, 0, 1, 0], (5.5, 1)),  # the wider of two
        ([0, 0, 1], [0, 9, 1, 0], (0.5, 1)),  # no offset lies between equal margins
        ([4], [0, 1], (5, 1)),  # two beyond the last row
        ([4], [1, 0], (3, 1)),  # and before the first
    ],
)
def test_best_is_the_middle_of_the_widest_range(margins, values, best):
    assert Sweep(np.array(margins, float), np.array(values, float)).best() == best
