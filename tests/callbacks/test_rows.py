"""Reading, drawing and predicting the rows that callbacks watch."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, softmax

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter.callbacks._rows import Rows, predict, read_rows, sample_rows

pytestmark = pytest.mark.backend

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([0, 2, 1, 0, 0, 1])


class Batches(keras.utils.PyDataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = slice(3 * index, 3 * index + 3)
        return X[rows], Y[rows]


def tensors() -> Any:
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: (X, Y),
        lambda: (X, Y[:, None]),
        lambda: (X, np.eye(3)[Y]),
        lambda: (X, Y.astype(np.float32)),
        lambda: (X, Y.tolist()),
        lambda: (X, Y, np.ones(6)),
        lambda: [(X[:4], Y[:4]), [X[4:], Y[4:]]],
        Batches,
        tensors,
    ],
)
def test_rows_come_in_any_shape_that_keras_takes(make: Any) -> None:
    rows = read_rows(make(), "data")
    np.testing.assert_array_equal(rows.x, X)
    np.testing.assert_array_equal(rows.labels, Y)


def test_dicts_of_inputs_are_joined_by_key() -> None:
    batches = [({"a": X[:4], "b": Y[:4]}, Y[:4]), ({"a": X[4:], "b": Y[4:]}, Y[4:])]
    rows = read_rows(batches, "data")
    assert set(rows.x) == {"a", "b"}
    np.testing.assert_array_equal(rows.x["a"], X)
    np.testing.assert_array_equal(rows.x["b"], Y)


def test_booleans_are_two_classes() -> None:
    assert read_rows((X, Y == 2), "data").labels.tolist() == [0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (X, r"`data` must be a tuple \(x, y\)"),
        ((X,), r"`data` must be a tuple \(x, y\)"),
        ([], "`data` must have at least one batch"),
        ((X, Y[:5]), "as many labels as inputs; got 5"),
        (({"a": X, "b": X[:4]}, Y), "as many labels as inputs; got 6"),
        ((X, Y - 1), r"`data\[1\]` must be classes from 0 up"),
    ],
)
def test_what_is_no_rows_is_refused(data: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        read_rows(data, "data")


@pytest.mark.parametrize("y", [{"out": Y}, Y / 2, ["a"] * 6])
def test_labels_must_be_positions(y: Any) -> None:
    with pytest.raises(ArgumentTypeError, match=r"`data\[1\]` must be whole numbers"):
        read_rows((X, y), "data")


@given(st.lists(st.integers(0, 60), min_size=1, max_size=5).filter(any), st.integers(5, 100))
def test_a_sample_keeps_rare_classes_whole(counts: list[int], most: int) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    sample = sample_rows(Rows(np.arange(len(labels)), labels), most, seed=1)
    kept = np.bincount(sample.labels, minlength=len(counts))
    assert kept.sum() <= most
    assert kept.sum() > min(most, len(labels)) - len(counts)  # shares are whole numbers
    share = kept.max()
    np.testing.assert_array_equal(kept, np.minimum(counts, share))
    np.testing.assert_array_equal(labels[sample.x], sample.labels)
    assert len(set(sample.x.tolist())) == len(sample.x)


def test_a_sample_has_every_class() -> None:
    assert set(sample_rows(Rows(X, Y), 1, seed=0).labels) == {0, 1, 2}


def test_a_sample_depends_on_the_seed_alone() -> None:
    rows = Rows({"a": np.arange(50)}, np.resize([0, 1], 50))
    first, again, other = (sample_rows(rows, 10, seed).x["a"].tolist() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def model_of(outputs: np.ndarray) -> Any:
    """Return what answers ``predict`` with these outputs."""

    class Fixed:
        def predict(self, x: Any, batch_size: int, verbose: int) -> np.ndarray:
            return outputs

    return Fixed()


Z = np.array([[-2, 0.5, 1], [0, 0, 3], [1, 1, 1], [4, 0, -4], [0, 2, 0], [0, 1, 0]], np.float32)
P1 = expit(Z[:, :1])


@pytest.mark.parametrize(
    ("outputs", "from_logits", "expected"),
    [
        (Z, True, softmax(Z.astype(float), axis=1)),
        (softmax(Z, axis=1), False, softmax(Z.astype(float), axis=1)),
        (P1, False, np.hstack([1 - P1, P1])),
        (P1[:, 0], False, np.hstack([1 - P1, P1])),
        (Z[:, :1], True, np.hstack([1 - P1, P1])),
        (Z.astype(np.float16), True, softmax(Z.astype(float), axis=1)),
    ],
)
def test_outputs_become_a_column_a_class(
    outputs: np.ndarray, from_logits: bool, expected: np.ndarray
) -> None:
    rows = Rows(X, np.resize([0, 1], 6))
    found = predict(model_of(outputs), rows, from_logits, 4, "data")
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (Z, "`from_logits` must be True .* from -4 to 4"),
        (Z[:, 1:2], "`from_logits` must be True"),
        (np.full((6, 3), 0.5, np.float32), "`from_logits` must be True"),  # independent sigmoids
        ({"a": Z, "b": Z}, r"`model` must have one output .*\(6, 3\)"),
        (Z[:, None], r"`model` must have one output .*\(6, 1, 3\)"),
        (softmax(Z[:, :2], axis=1), r"`data\[1\]` must be classes from 0 to 1; got 0 to 2"),
    ],
)
def test_outputs_that_are_no_probabilities_are_refused(outputs: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        predict(model_of(outputs), Rows(X, Y), False, 4, "data")


def test_a_network_that_diverged_is_not_refused() -> None:
    outputs = np.full((6, 3), np.nan, np.float32)
    assert np.isnan(predict(model_of(outputs), Rows(X, Y), False, 4, "data")).all()


def test_a_model_with_named_inputs() -> None:
    inputs = {"a": keras.Input((2,), name="a"), "b": keras.Input((1,), name="b")}
    model = keras.Model(inputs, keras.layers.Concatenate()(list(inputs.values())))
    rows = read_rows(({"a": X, "b": X[:, :1]}, Y), "data")
    logits = np.hstack([X, X[:, :1]]).astype(float)
    found = predict(model, rows, True, 4, "data")
    np.testing.assert_allclose(found, softmax(logits, axis=1), rtol=1e-5)
