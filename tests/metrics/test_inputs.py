import numpy as np
import pytest

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter.metrics import average_precision
from kilter.metrics._inputs import check_class, check_labels, check_probabilities, check_same_rows
from made_data import two_columns


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], [0.5, 0.5], "`probabilities` must have the shape"),
        ([0, 1], [[0.5, 0.5]], "`probabilities` must have one row a label"),
        ([0, 1], [[2.0, -1.0], [0.5, 0.5]], "apply a softmax"),
        ([0, 1], [[np.nan, 0.5], [0.5, 0.5]], "must be finite"),
        ([0, 1], [[0.9, 0.9], [0.5, 0.5]], "sum to 1"),
        ([0, 2], [[0.5, 0.5], [0.5, 0.5]], "`labels` must be classes from 0 to 1"),
        ([-1, 0], [[0.5, 0.5], [0.5, 0.5]], "`labels` must be classes from 0"),
        ([], np.zeros((0, 2)), "`probabilities` must have the shape"),
    ],
)
def test_errors_say_what_came(labels, probabilities, message):
    with pytest.raises(ArgumentError, match=message):
        average_precision(np.array(labels, int), probabilities, 1)


def test_labels_must_be_positions():
    with pytest.raises(ArgumentTypeError, match="`labels` must be whole numbers"):
        average_precision(["a", "b"], two_columns([0.1, 0.2]), 1)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int32, np.int64])
def test_labels_of_any_whole_type_become_int64(dtype):
    checked = check_labels(np.array([1, 0, 1], dtype), 2)
    assert (checked.tolist(), checked.dtype) == ([1, 0, 1], np.int64)


@pytest.mark.parametrize("labels", [[], [[0, 1]], np.int64(1)])
def test_labels_are_one_column_with_rows(labels):
    with pytest.raises(ArgumentError, match=r"`mine` must have the shape \(rows,\)"):
        check_labels(np.array(labels, int), name="mine")


def test_labels_are_not_bounded_above_where_the_classes_are_not_known():
    assert check_labels([0, 99]).tolist() == [0, 99]
    with pytest.raises(ArgumentError, match="classes from 0 up; got -1 to 99"):
        check_labels([-1, 99])


@pytest.mark.parametrize(("total", "fits"), [(0.991, True), (1.009, True), (0.98, False)])
def test_rows_sum_to_one_within_half_precision(total, fits):
    given = np.array([[0.25, total - 0.25]], np.float32)
    if fits:
        checked = check_probabilities(given)
        assert checked.dtype == np.float64
        np.testing.assert_array_equal(checked, given)
    else:
        with pytest.raises(ArgumentError, match="sum to 1"):
            check_probabilities(given)


def test_rows_are_counted():
    check_same_rows(np.zeros(2), np.ones((2, 3)), "other")
    with pytest.raises(ArgumentError, match="`other` must have one row a label; got 3 rows and 2"):
        check_same_rows(np.zeros(2), np.zeros(3), "other")


def test_a_class_is_a_whole_number_in_range():
    assert check_class(np.int32(2), 3) == 2
    for wrong in (3, -1, 1.0, True, None):
        with pytest.raises(ArgumentError, match="`other` must be a class from 0 to 2"):
            check_class(wrong, 3, "other")
