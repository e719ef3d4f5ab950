"""The score on the device is scikit-learn's, with ties, padding and many classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import average_precision_score

from kilter.comparison.executors import precision
from kilter.comparison.executors.precision import average_precision, rows_to_rank

ROWS = 40


@pytest.fixture(params=["compared", "looked up"], scope="module")
def score(request: pytest.FixtureRequest) -> Iterator[Callable]:
    """Average precision from logits, labels and the positive, by either way to count."""
    way = pytest.MonkeyPatch()
    way.setattr(precision, "COMPARED", ROWS if request.param == "compared" else -1)
    # a function of its own, as what JAX has compiled goes by the function
    compiled = jax.jit(
        lambda *given, positive: average_precision(*given, positive), static_argnames="positive"
    )

    def found(logits: np.ndarray, labels: np.ndarray, positive: int) -> float:
        logits, labels = padded(logits, labels)
        rows = rows_to_rank(np.asarray(labels), logits.shape[1], positive)
        rows = np.pad(rows, (0, ROWS - len(rows)), constant_values=-1)
        return float(compiled(logits, labels, jnp.asarray(rows), positive=positive))

    yield found
    way.undo()


def padded(logits: np.ndarray, labels: np.ndarray) -> tuple:
    """Pad to `ROWS`, as folds are padded to the largest; JAX compiles once."""
    rows = ROWS - len(labels)
    fill = np.pad(logits, ((0, rows), (0, 0)), constant_values=0)
    return jnp.asarray(fill), jnp.asarray(np.pad(labels, (0, rows), constant_values=-1))


logits = st.integers(-4, 4).map(lambda n: n / 2)  # coarse, so that ties abound
binary_rows = st.lists(st.tuples(st.booleans(), logits, logits), min_size=1, max_size=ROWS - 1)


@settings(max_examples=60)
@given(rows=binary_rows, positive=st.sampled_from([0, 1]))
def test_average_precision_of_two_classes_is_scikit_learns(
    score: Callable, rows: list, positive: int
) -> None:
    labels = np.array([positive, *(int(row[0]) for row in rows)])
    z = np.array([(0.0, 0.0), *(row[1:] for row in rows)], np.float32)
    margin = z[:, positive] - z[:, 1 - positive]
    assert score(z, labels, positive) == pytest.approx(
        average_precision_score(labels == positive, margin)
    )


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, ROWS), distinct=st.integers(1, ROWS))
def test_average_precision_of_many_classes_is_the_mean(
    score: Callable, seed: int, rows: int, distinct: int
) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, rows)
    z = rng.normal(size=(distinct, 4)).astype(np.float32)[rng.integers(0, distinct, rows)]
    p = softmax(z.astype(np.float64), axis=1)
    each = [average_precision_score(labels == c, p[:, c]) for c in np.unique(labels)]
    assert score(z, labels, 3) == pytest.approx(np.mean(each), abs=1e-5)


def test_padding_does_not_count(score: Callable) -> None:
    z = np.array([[0.0, 3.0], [0.0, 2.0], [0.0, -9.0]], np.float32)
    labels = jnp.asarray([1, 0, 1])
    alone = average_precision(jnp.asarray(z), labels, jnp.asarray([0, 2]), 1)
    assert float(alone) == pytest.approx((1 + 2 / 3) / 2)
    assert score(z, np.array([1, 0, 1]), 1) == pytest.approx(5 / 6)


def test_saturated_logits_still_rank(score: Callable) -> None:
    # in float32 both probabilities are 1: only the log-odds tell the rows apart
    z = np.array([[0.0, 40.0], [0.0, 50.0], [0.0, -1.0]], np.float32)
    assert score(z, np.array([0, 1, 0]), 1) == 1


def test_scores_of_either_sign_rank_as_floats(score: Callable) -> None:
    margins = np.array([-3.0, -0.0, 0.0, 1e-30, -1e-30, 2.0, -2.5, 1e30], np.float32)
    labels = np.array([0, 1, 0, 1, 1, 0, 1, 0])
    z = np.stack([np.zeros_like(margins), margins], axis=1)
    assert score(z, labels, 1) == pytest.approx(average_precision_score(labels, margins))


def test_a_class_without_a_row_does_not_count(score: Callable) -> None:
    z = np.array([[1.0, 0.0, 5.0], [0.0, 1.0, 5.0]], np.float32)
    assert score(z, np.array([0, 1]), 2) == 1
    assert score(z[:, :2], np.array([0, 0]), 1) == 0  # as scikit-learn has it


def test_which_rows_need_a_rank() -> None:
    labels = np.array([0, 1, 0, 1, -1])
    assert rows_to_rank(labels, 2, 1).tolist() == [1, 3]
    assert rows_to_rank(labels, 3, 1).tolist() == [0, 1, 2, 3]
