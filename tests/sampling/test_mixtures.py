"""Mixtures: between two rows, labels by what went in, numpy and JAX alike."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilter.sampling import TICKETS, Quotas, find_partners, mix, mix_batch

COUNTS = np.array([180, 15, 5])
NOTHING = np.zeros(3, np.int32)
NATURAL = Quotas(COUNTS, COUNTS, NOTHING, NOTHING, np.int32(0), np.int32(0))

finite = st.floats(-1e6, 1e6, width=32)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(finite, finite, st.booleans()), min_size=1, max_size=6),
    st.floats(0, 1, width=32),
)
def test_a_mixture_lies_between_the_two(columns: list, share: float) -> None:
    row, partner, blendable = (np.array(part) for part in zip(*columns, strict=True))
    row, partner = row.astype(np.float32), partner.astype(np.float32)
    found = mix(np, row, partner, np.float32(share), blendable)
    slack = 1e-6 * (np.abs(row) + np.abs(partner)) + 1e-6
    assert (found >= np.minimum(row, partner) - slack).all()
    assert (found <= np.maximum(row, partner) + slack).all()
    expected = (1 - share) * row.astype(float) + share * partner.astype(float)
    assert np.abs(found - expected)[blendable].max(initial=0) <= slack.max()


def test_a_column_that_does_not_blend_comes_whole_from_the_nearer() -> None:
    row, partner = np.array([[0.0, 1.0, 0.0]] * 2), np.array([[1.0, 0.0, 10.0]] * 2)
    blendable = np.array([False, False, True])
    found = mix(np, row, partner, np.array([0.25, 0.75]), blendable)
    assert found.tolist() == [[0.0, 1.0, 2.5], [1.0, 0.0, 7.5]]


def test_a_share_of_nothing_leaves_the_row_as_it_is() -> None:
    row = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    found = mix(np, row, row[::-1], np.zeros(5, np.float32), np.array([True, True, False]))
    np.testing.assert_array_equal(found, row)
    assert found.dtype == np.float32


def blended(kappa: float, xp: Any = np, n: int = 40) -> tuple[np.ndarray, ...]:
    """Mix rows of three classes of which 180, 15 and 5 rows take part."""
    rng = np.random.default_rng(0)
    x, labels = rng.normal(size=(n, 3)).astype(np.float32), rng.integers(0, 3, n)
    partners, shares = rng.integers(0, n, n), rng.random(n).astype(np.float32)
    numbers = NATURAL._replace(kappa=np.float32(kappa))
    tickets = rng.integers(0, TICKETS, n)
    both = (x, labels, x[partners], labels[partners], tickets, shares)
    found = mix_batch(xp, numbers, *map(xp.asarray, both), 3)
    return (x, labels, partners, shares, *map(np.asarray, found))


def test_nothing_is_blended_without_kappa() -> None:
    x, labels, *_, rows, targets = blended(0)
    np.testing.assert_array_equal(rows, x)
    np.testing.assert_array_equal(targets, np.eye(3)[labels])


def test_mixup_mixes_rows_and_labels_alike() -> None:
    x, labels, partners, shares, rows, targets = blended(np.inf)
    lam = 1 - shares[:, None]
    np.testing.assert_allclose(rows, lam * x + (1 - lam) * x[partners], atol=1e-6)
    one_hot = np.eye(3)[labels]
    np.testing.assert_allclose(targets, lam * one_hot + (1 - lam) * one_hot[partners], atol=1e-6)


def test_remix_gives_the_label_to_a_class_that_is_so_much_rarer() -> None:
    *_, plain, _ = blended(np.inf)
    _, labels, partners, shares, rows, targets = blended(4)  # 180 : 15 is, 15 : 5 is not
    np.testing.assert_array_equal(rows, plain)
    for label, other, share, target in zip(labels, labels[partners], shares, targets, strict=True):
        lam = 1 - share
        if COUNTS[label] >= 4 * COUNTS[other] and lam < 0.5:
            lam = 0
        elif COUNTS[other] >= 4 * COUNTS[label] and 1 - lam < 0.5:
            lam = 1
        expected = lam * np.eye(3)[label] + (1 - lam) * np.eye(3)[other]
        np.testing.assert_allclose(target, expected, atol=1e-6)


def test_blending_is_the_same_on_jax() -> None:
    jnp = pytest.importorskip("jax.numpy")
    for found, expected in zip(blended(4, jnp), blended(4), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def cut(shares: np.ndarray, xp: Any = np, side: tuple[int, int] = (20, 30)) -> tuple:
    """Cut parts of black images out of white ones; rows are of class 0, partners of class 1."""
    n = len(shares)
    rng = np.random.default_rng(0)
    white, black = np.full((n, *side, 1), 255, np.uint8), np.zeros((n, *side, 1), np.uint8)
    tickets = rng.integers(0, TICKETS, n)
    given = (white, np.zeros(n, int), black, np.ones(n, int), tickets, shares.astype(np.float32))
    numbers = NATURAL._replace(kappa=np.float32(np.inf), cut=np.int32(1))
    rows, targets = mix_batch(xp, numbers, *map(xp.asarray, given), 3)
    return np.asarray(rows)[..., 0], np.asarray(targets)


def test_a_cut_is_a_rectangle_and_the_label_its_share() -> None:
    rows, targets = cut(np.random.default_rng(1).random(200))
    assert set(np.unique(rows)) == {0, 255}
    for row, target in zip(rows, targets, strict=True):
        down, across = (
            np.flatnonzero((row == 0).any(axis=1)),
            np.flatnonzero((row == 0).any(axis=0)),
        )
        area = len(down) * len(across)
        assert (row == 0).sum() == area
        assert len(down) == 0 or (np.diff(down) == 1).all()
        assert len(across) == 0 or (np.diff(across) == 1).all()
        np.testing.assert_allclose(target, [1 - area / 600, area / 600, 0], atol=1e-6)


def test_cuts_have_the_share_that_was_drawn_and_lie_anywhere() -> None:
    rows, targets = cut(np.full(2000, 0.09))
    whole = targets[:, 1].max()
    assert whole == pytest.approx(0.09, abs=0.016)  # 6 by 9 of 20 by 30 pixels, or one more
    assert targets[:, 1].mean() < whole  # some reach over the edge
    covered = (rows == 0).mean(axis=0)
    assert covered.min() > 0.01
    assert covered.max() < 0.2


def test_cuts_are_the_same_on_jax() -> None:
    import jax.numpy as jnp

    shares = np.random.default_rng(2).random(100)
    for mine, its in zip(cut(shares), cut(shares, jnp), strict=True):
        np.testing.assert_allclose(mine, its, atol=1e-6)


def test_partners_of_the_tail_are_of_every_class_alike() -> None:
    n, starts = 6000, np.array([0, 180, 195])
    tickets = np.random.default_rng(0).integers(0, TICKETS, n)
    rows, labels, places = np.arange(n) % 180, np.zeros(n, int), np.arange(n)[::-1]
    numbers = NATURAL._replace(tail=np.int32(1))
    found, classes = find_partners(np, numbers, rows, labels, places, tickets, starts)
    np.testing.assert_allclose(np.bincount(classes) / n, 1 / 3, atol=0.03)
    for label, (start, count) in enumerate(zip(starts, COUNTS, strict=True)):
        seen = np.bincount(found[classes == label], minlength=200)
        assert set(np.flatnonzero(seen)) == set(range(start, start + count))
        assert seen.max() < 3 * n / 3 / count + 10
    plain = find_partners(np, NATURAL, rows, labels, places, tickets, starts)
    np.testing.assert_array_equal(plain, (rows[::-1], labels))
