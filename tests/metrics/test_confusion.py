import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from kilter._errors import ArgumentError
from kilter.metrics import balanced_accuracy, confusion_matrix, macro_f1, mcc, per_class

LABELS = np.array([0, 0, 0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 0, 1, 2, 1, 0, 2])


def test_values_by_hand():
    # Recalls 3/5 1/2 1; precisions 3/4 1/2 1/2; F1 2/3 1/2 2/3.
    assert macro_f1(LABELS, PREDICTED) == pytest.approx((2 / 3 + 1 / 2 + 2 / 3) / 3)
    assert balanced_accuracy(LABELS, PREDICTED) == pytest.approx((3 / 5 + 1 / 2 + 1) / 3)
    # Gorodkin: (5·8 - (4·5 + 2·2 + 2·1)) / sqrt((64 - 24) (64 - 30))
    assert mcc(LABELS, PREDICTED) == pytest.approx((40 - 26) / np.sqrt(40 * 34))
    assert confusion_matrix(LABELS, PREDICTED).tolist() == [[3, 1, 1], [1, 1, 0], [0, 0, 1]]


def test_per_class_by_hand():
    result = per_class(LABELS, PREDICTED, 4)
    np.testing.assert_allclose(result.precision, [3 / 4, 1 / 2, 1 / 2, 0])
    np.testing.assert_allclose(result.recall, [3 / 5, 1 / 2, 1, 0])
    np.testing.assert_allclose(result.f1, [2 / 3, 1 / 2, 2 / 3, 0])
    assert result.support.tolist() == [5, 2, 1, 0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40))
def test_agrees_with_the_confusion_matrix_and_never_warns(pairs):
    labels, predicted = np.array(pairs).T
    counts = confusion_matrix(labels, predicted, 4)
    seen = counts.sum(axis=1) > 0
    recall = np.diag(counts)[seen] / counts.sum(axis=1)[seen]
    assert balanced_accuracy(labels, predicted) == pytest.approx(recall.mean())
    either = counts.sum(axis=0) + counts.sum(axis=1)
    f1 = 2 * np.diag(counts)[either > 0] / either[either > 0]
    assert macro_f1(labels, predicted) == pytest.approx(f1.mean())
    assert -1 <= mcc(labels, predicted) <= 1
    assert per_class(labels, predicted, 4).support.tolist() == counts.sum(axis=1).tolist()


def test_agrees_with_scikit_learn():
    assert balanced_accuracy(LABELS, PREDICTED) == pytest.approx(
        sk.balanced_accuracy_score(LABELS, PREDICTED)
    )
    assert mcc(LABELS, PREDICTED) == pytest.approx(sk.matthews_corrcoef(LABELS, PREDICTED))


def test_one_class_everywhere():
    one = np.zeros(3, int)
    assert (macro_f1(one, one), balanced_accuracy(one, one), mcc(one, one)) == (1, 1, 0)
    assert confusion_matrix(one, one).tolist() == [[3, 0], [0, 0]]


@pytest.mark.parametrize("metric", [macro_f1, balanced_accuracy, mcc, confusion_matrix])
def test_rows_must_match(metric):
    with pytest.raises(ArgumentError, match="`predicted` must have one row a label"):
        metric([0, 1], [0])


def test_classes_must_be_known():
    with pytest.raises(ArgumentError, match="`predicted` must be classes from 0 to 1"):
        per_class([0, 1], [0, 2], 2)
