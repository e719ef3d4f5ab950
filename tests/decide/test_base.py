import numpy as np
import pytest

from kilter._errors import ArgumentError, ArtifactError
from kilter.decide.base import check_width, read_json


def test_probabilities_of_as_many_classes_pass():
    checked = check_width([[0.25, 0.75], [1, 0]], 2)
    assert (checked.tolist(), checked.dtype) == ([[0.25, 0.75], [1, 0]], np.float64)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_probabilities_of_other_classes_do_not(n_classes):
    with pytest.raises(ArgumentError, match=f"must have {n_classes} columns.* got 3"):
        check_width([[0.2, 0.3, 0.5]], n_classes)


def test_numbers_come_in_the_order_of_the_keys():
    first, second = read_json({"a": 1, "more": "x", "b": [[1, 2], [3, 4]]}, ("b", "a"), "Rule")
    assert (first.tolist(), second.tolist()) == ([[1, 2], [3, 4]], 1)


@pytest.mark.parametrize("plain", [None, [], {"a": 1}, {"a": 1, "b": "x"}, {"a": [1, [2]], "b": 1}])
def test_damaged_json_names_what_wrote_it(plain):
    with pytest.raises(ArtifactError, match=r"`plain` must be what `Rule.to_json` .* a, b"):
        read_json(plain, ("a", "b"), "Rule")


def test_long_json_is_cut_in_the_message():
    with pytest.raises(ArtifactError) as info:
        read_json({"b": "x" * 1000}, ("a",), "Rule")
    assert len(str(info.value)) < 250
