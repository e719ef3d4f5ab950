"""The score on the device is scikit-learn's, with ties, padding and many classes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from sklearn.metrics import average_precision_score

from kilter.comparison.executors.precision import average_precision

average_precision = jax.jit(average_precision, static_argnums=2)
ROWS = 40


def padded(logits: np.ndarray, labels: np.ndarray) -> tuple:
    """Pad to `ROWS`, as folds are padded to the largest; JAX compiles once."""
    rows = ROWS - len(labels)
    fill = np.pad(logits, ((0, rows), (0, 0)), constant_values=0)
    return jnp.asarray(fill), jnp.asarray(np.pad(labels, (0, rows), constant_values=-1))


logits = st.integers(-4, 4).map(lambda n: n / 2)  # coarse, so that ties abound
binary_rows = st.lists(st.tuples(st.booleans(), logits, logits), min_size=1, max_size=ROWS - 1)


@settings(max_examples=60)
@given(rows=binary_rows, positive=st.sampled_from([0, 1]))
def test_average_precision_of_two_classes_is_scikit_learns(rows: list, positive: int) -> None:
    labels = np.array([positive, *(int(row[0]) for row in rows)])
    z = np.array([(0.0, 0.0), *(row[1:] for row in rows)], np.float32)
    found = average_precision(*padded(z, labels), positive)
    margin = z[:, positive] - z[:, 1 - positive]
    assert float(found) == pytest.approx(average_precision_score(labels == positive, margin))


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), rows=st.integers(2, ROWS), distinct=st.integers(1, ROWS))
def test_average_precision_of_many_classes_is_the_mean(seed: int, rows: int, distinct: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, rows)
    z = rng.normal(size=(distinct, 4)).astype(np.float32)[rng.integers(0, distinct, rows)]
    p = softmax(z.astype(np.float64), axis=1)
    each = [average_precision_score(labels == c, p[:, c]) for c in np.unique(labels)]
    assert float(average_precision(*padded(z, labels), 3)) == pytest.approx(np.mean(each), abs=1e-5)


def test_padding_does_not_count() -> None:
    z = np.array([[0.0, 3.0], [0.0, 2.0], [0.0, -9.0]], np.float32)
    alone = average_precision(jnp.asarray(z), jnp.asarray([1, 0, 1]), 1)
    assert float(alone) == pytest.approx((1 + 2 / 3) / 2)
    assert float(average_precision(*padded(z, np.array([1, 0, 1])), 1)) == pytest.approx(5 / 6)


def test_saturated_logits_still_rank() -> None:
    # in float32 both probabilities are 1: only the log-odds tell the rows apart
    z = np.array([[0.0, 40.0], [0.0, 50.0], [0.0, -1.0]], np.float32)
    assert float(average_precision(*padded(z, np.array([0, 1, 0])), 1)) == 1
