"""Overfitting told from chance, against Student's t and on made losses without overfitting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kilter.callbacks._curve import Curve

FALLING = np.linspace(1, 0.1, 60)


def watch(val_losses: np.ndarray, losses: np.ndarray = FALLING, first: int = 0) -> Curve:
    """Return the curve of validation losses (epochs, rows) and training losses (epochs,)."""
    curve = Curve("rare")
    for epoch, row_losses in enumerate(val_losses, start=first):
        curve.add(epoch, np.full(5, losses[epoch - first]), row_losses)
    return curve


def steady(rows: int, rise: float = 0.2) -> np.ndarray:
    """Return losses that fall for three epochs and then rise by the same at each of six."""
    means = np.r_[1.0, 0.8, 0.6, 0.6 + rise * np.arange(1, 7)]
    spread = np.linspace(0.5, 1.5, rows)
    return np.where(
        np.arange(9)[:, None] < 3, means[:, None], 0.6 + (means[:, None] - 0.6) * spread
    )


def test_a_rise_since_the_lowest_point() -> None:
    curve = watch(steady(40), first=10)
    assert curve.overfits
    assert not curve.is_unsure
    assert (curve.best_epoch, curve.watched, curve.rows, curve.val_rows) == (12, 9, 5, 40)
    assert curve.best_val_loss == pytest.approx(0.6)
    assert curve.val_loss == pytest.approx(1.8)
    assert curve.rise == pytest.approx(1.2)
    assert curve.best_loss == pytest.approx(FALLING[2])
    assert curve.gap == pytest.approx(1.8 - FALLING[8])


def test_noise_of_a_steady_rise_is_that_of_students_t() -> None:
    losses = steady(4)
    differences = losses[-1] - losses[2]
    error = stats.sem(differences)  # steps are equal, so there is no jitter
    assert watch(losses).noise == pytest.approx(stats.t.ppf(0.99, 3) * error)


def test_noise_counts_the_jitter_between_epochs() -> None:
    means = np.array([1.0, 1.1, 1.4, 1.2, 1.5])
    curve = watch(np.tile(means[:, None], (1, 50)))  # all rows alike: no noise of rows
    assert curve.noise == pytest.approx(stats.t.ppf(0.99, 3) * np.diff(means).std(ddof=1))


@pytest.mark.parametrize(("high", "overfits"), [(1, False), (2, False), (3, True)])
def test_three_epochs_in_a_row_are_needed(high: int, overfits: bool) -> None:
    rows = 1.0 + 0.01 * np.sin(np.arange(40))
    means = np.r_[[0.97, 1.0] * 15, [2.0] * high]  # the lowest is the first: later ones tie
    assert watch(means[:, None] * rows).overfits is overfits


def test_a_loss_that_rises_in_training_too_is_no_overfitting() -> None:
    curve = watch(steady(40), losses=FALLING[::-1])
    assert not curve.overfits
    assert not curve.is_unsure


def test_a_small_rise_is_not_worth_a_word() -> None:
    assert not watch(steady(1000, rise=0.6 * 0.09 / 6)).overfits
    assert watch(steady(1000, rise=0.6 * 0.2 / 6)).overfits


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_few_rows_do_not_shout(rows: int) -> None:
    rng = np.random.default_rng(rows)
    losses = 1 + np.arange(30)[:, None] * rng.gamma(0.5, 0.2, rows)
    curve = watch(losses)
    assert curve.rise > 0.5
    assert not curve.overfits
    assert curve.is_unsure


@pytest.mark.parametrize("rows", [3, 10, 30, 100])
def test_false_alarms_are_rare_without_overfitting(rows: int) -> None:
    rng = np.random.default_rng(rows)
    alarms = 0
    for _ in range(100):
        falling = np.interp(np.arange(40), [0, 15], [1, 0])[:, None] * rng.gamma(2, 0.5, rows)
        jitter = 0.3 * rng.normal(size=(40, rows)) + 0.05 * rng.normal(size=(40, 1))
        alarms += watch(rng.gamma(1, 1, rows) * np.exp(falling + jitter)).overfits
    assert alarms <= 3


def test_overfitting_of_many_rows_is_found() -> None:
    rng = np.random.default_rng(0)
    found = 0
    for _ in range(50):
        curve = np.interp(np.arange(40), [0, 10, 39], [1, 0, 1])[:, None] * rng.gamma(2, 0.5, 100)
        jitter = 0.3 * rng.normal(size=(40, 100)) + 0.05 * rng.normal(size=(40, 1))
        found += watch(rng.gamma(1, 1, 100) * np.exp(curve + jitter)).overfits
    assert found >= 45


def test_classes_without_rows_are_not_watched() -> None:
    curve = Curve("rare")
    curve.add(0, np.ones(3), np.ones(0))
    curve.add(1, np.ones(0), np.ones(3))
    assert curve.watched == 0
    assert np.isnan(curve.gap)
    assert not curve.overfits


def test_losses_that_are_not_numbers_are_no_overfitting() -> None:
    curve = watch(np.vstack([steady(40)[:4], np.full((5, 40), np.nan)]))
    assert curve.best_epoch == 2
    assert not curve.overfits
    assert np.isnan(curve.gap)
