"""What is said about the classes, and what is advised."""

from __future__ import annotations

import numpy as np
import pytest

from kilter.callbacks._advice import overfitting_lines
from kilter.callbacks._curve import Curve


def curve(name: str, rise: float = 0.0, val_rows: int = 60, best: int = 2, rows: int = 5) -> Curve:
    """Return a curve that falls to .6 at epoch ``best`` and rises steadily afterwards."""
    made = Curve(name, recall=1.0, val_recall=0.25)
    means = np.r_[0.6 + 0.2 * np.arange(best, -1, -1), 0.6 + rise * np.arange(1, 7)]
    for epoch, mean in enumerate(means):
        val = np.full(val_rows, mean) * np.linspace(0.99, 1.01, val_rows)
        made.add(epoch, np.full(rows, 0.5 - 0.04 * epoch), val)
    return made


def test_a_rare_class_that_overfits() -> None:
    lines = overfitting_lines([curve("ok", rows=90), curve("fraud", rise=0.2)])
    assert lines[0].startswith(
        "Class `fraud` overfits: since epoch 3 its validation loss rose from 0.6 to 1.8, by more "
        "than the 0.0"
    )
    assert "chance explains with 60 rows" in lines[0]
    assert "training loss fell from 0.42 to 0.18" in lines[0]
    assert "Recall is 100% in training and 25% in validation." in lines[0]
    assert "`kilter.augment.PerClass`" in lines[1]
    assert "`kilter.callbacks.DeferredReweighting`" in lines[1]
    assert "stop near epoch 3 (`kilter.callbacks.RankingEarlyStopping`)" in lines[1]
    assert lines[2:] == ["No sign of overfitting: `ok`."]


def test_all_classes_that_overfit() -> None:
    lines = overfitting_lines([curve("ok", 0.2), curve("fraud", 0.2)])
    assert [line[:16] for line in lines[:2]] == ["Class `ok` overf", "Class `fraud` ov"]
    assert lines[2].startswith("All classes do. Try dropout or weight decay")
    assert len(lines) == 3


def test_overfitting_from_the_first_epoch_on() -> None:
    lines = overfitting_lines([curve("ok"), curve("fraud", rise=0.2, best=0)])
    assert "since epoch 1" in lines[0]
    assert "a lower learning rate" in lines[1]
    assert "stop near" not in lines[1]


def test_too_few_rows_to_tell() -> None:
    (line,) = overfitting_lines([curve("fraud", rise=0.2, val_rows=1)])
    assert "`fraud`: too early or too few rows to tell" in line
    assert "1.2 above its lowest" in line
    assert "chance explains any amount with 1 row." in line
    assert "Collect more rows" in line


@pytest.mark.parametrize("part", ["rows", "val_rows"])
def test_a_class_without_rows(part: str) -> None:
    (line,) = overfitting_lines([curve("fraud", **{part: 0})])
    assert line.startswith("`fraud` cannot be watched")
    assert "`kilter.data.split`" in line


def test_a_loss_that_is_not_a_number() -> None:
    made = curve("fraud")
    made.add(9, np.full(5, np.nan), np.full(60, np.nan))
    (line,) = overfitting_lines([made])
    assert line.startswith("The loss of `fraud` is not a number")
