"""The watcher's numbers against scikit-learn, and what it logs, keeps and says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, recall_score

from kilter._errors import ArgumentError
from kilter.callbacks import GapWatcher

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)
Y, VAL_Y = np.resize([0, 0, 0, 1, 2], 40), np.resize([0, 0, 1, 2], 20)
X, VAL_X = np.zeros((40, 1), np.float32), np.zeros((20, 1), np.float32)


class Scripted:
    """A model that predicts, in turn, training and validation rows of each watched epoch."""

    def __init__(self, script: list[np.ndarray]) -> None:
        self.script = iter(script)

    def predict(self, x: Any, batch_size: int, verbose: int) -> np.ndarray:
        p = next(self.script)
        assert len(p) == len(x)
        return p


def train(watcher: GapWatcher, script: list[np.ndarray], epochs: int) -> list[dict[str, float]]:
    """Run a watcher as ``fit`` does; return what was logged."""
    watcher.set_model(Scripted(script))
    watcher.on_train_begin()
    logged = []
    for epoch in range(epochs):
        logged.append({})
        watcher.on_epoch_end(epoch, logged[-1])
    watcher.on_train_end()
    return logged


def random_script(epochs: int, classes: int = 3) -> list[np.ndarray]:
    return [RNG.dirichlet(np.ones(classes), rows) for _ in range(epochs) for rows in (40, 20)]


def overfitting(epochs: int = 12) -> list[np.ndarray]:
    """Return a script in which class 1 of two is learned by heart and missed in validation."""
    script = []
    for epoch in range(epochs):
        for labels, own in ((Y > 0, 0.6 + 0.03 * epoch), (VAL_Y > 0, 0.4 * 0.7**epoch)):
            p = np.where(labels, own, 0.1).astype(np.float32)
            script.append(np.column_stack([1 - p, p]))
    return script


def test_numbers_are_scikit_learns() -> None:
    script = random_script(2)
    watcher = GapWatcher((X, Y), (VAL_X, VAL_Y), verbose=0)
    logged = train(watcher, script, epochs=2)
    for epoch in range(2):
        seen = watcher.history[epoch]
        assert seen["epoch"] == epoch
        parts = (("", Y, script[2 * epoch]), ("val_", VAL_Y, script[2 * epoch + 1]))
        for prefix, y, p in parts:
            p = p / p.sum(axis=1, keepdims=True)
            losses = [log_loss(y[y == k], p[y == k], labels=[0, 1, 2]) for k in range(3)]
            np.testing.assert_allclose(seen[f"{prefix}loss"], losses, rtol=1e-4)
            recalls = recall_score(y, p.argmax(axis=1), average=None)
            np.testing.assert_allclose(seen[f"{prefix}recall"], recalls)
        np.testing.assert_allclose(seen["gap"], seen["val_loss"] - seen["loss"])
        for k in range(3):
            assert logged[epoch][f"gap_{k}"] == seen["gap"][k]
            assert logged[epoch][f"val_loss_{k}"] == seen["val_loss"][k]
            assert logged[epoch][f"val_recall_{k}"] == seen["val_recall"][k]
        assert len(logged[epoch]) == 9


def test_one_hot_labels_and_logits() -> None:
    script = random_script(1)
    plain = GapWatcher((X, Y), (VAL_X, VAL_Y), verbose=0)
    (expected,) = train(plain, script, epochs=1)
    hot = GapWatcher((X, np.eye(3)[Y]), (VAL_X, np.eye(3)[VAL_Y]), from_logits=True, verbose=0)
    (found,) = train(hot, [np.log(p).astype(np.float32) for p in script], epochs=1)
    assert found == pytest.approx(expected, rel=1e-4)


def test_one_column_is_two_classes() -> None:
    script = overfitting(1)
    (expected,) = train(GapWatcher((X, Y > 0), (VAL_X, VAL_Y > 0), verbose=0), script, 1)
    watcher = GapWatcher((X, Y > 0), (VAL_X, VAL_Y > 0), verbose=0)
    (found,) = train(watcher, [p[:, 1:] for p in script], 1)
    assert found == pytest.approx(expected, rel=1e-5)
    assert len(found) == 6


def test_every_other_epoch_repeats_the_last_numbers() -> None:
    watcher = GapWatcher((X, Y), (VAL_X, VAL_Y), every=2, verbose=0)
    logged = train(watcher, random_script(3), epochs=5)
    assert [seen["epoch"] for seen in watcher.history] == [0, 2, 4]
    assert logged[0] == logged[1] != logged[2] == logged[3] != logged[4]


def test_the_first_epoch_is_watched_wherever_it_begins() -> None:
    watcher = GapWatcher((X, Y), (VAL_X, VAL_Y), every=5, verbose=0)
    watcher.set_model(Scripted(random_script(1)))
    watcher.on_train_begin()
    watcher.on_epoch_end(3, logs := {})
    assert [seen["epoch"] for seen in watcher.history] == [3]
    assert "gap_2" in logs


def test_the_class_that_overfits_is_named() -> None:
    watcher = GapWatcher((X, Y > 0), (VAL_X, VAL_Y > 0), class_names=["ok", "fraud"], verbose=0)
    logged = train(watcher, overfitting(), epochs=12)
    assert watcher.overfitting == ["fraud"]
    assert "gap_fraud" in logged[0]
    first = watcher.report().splitlines()[0]
    assert "Class `fraud` overfits: since epoch 1" in first
    low, high = -np.log(0.4), -np.log(0.4 * 0.7**11)
    assert f"from {low:.3g} to {high:.3g}" in first
    assert f"from {-np.log(0.6):.3g} to {-np.log(0.93):.3g}" in first
    assert "Recall is 100% in training and 0% in validation" in first


def test_it_speaks_when_overfitting_begins_and_at_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    watcher = GapWatcher((X, Y > 0), (VAL_X, VAL_Y > 0))
    train(watcher, overfitting(), epochs=12)
    said = capsys.readouterr().out
    assert said.count("Class `1` overfits") == 2
    assert said.endswith(watcher.report() + "\n")
    quiet = GapWatcher((X, Y > 0), (VAL_X, VAL_Y > 0), verbose=0)
    train(quiet, overfitting(), epochs=12)
    assert not capsys.readouterr().out


def test_a_class_without_validation_rows_is_said() -> None:
    watcher = GapWatcher((X, Y), (VAL_X, np.minimum(VAL_Y, 1)), verbose=0)
    (logs,) = train(watcher, random_script(1), epochs=1)
    assert np.isnan(logs["gap_2"])
    assert np.isfinite(logs["gap_1"])
    assert "`2` cannot be watched" in watcher.report()


def test_at_most_so_many_training_rows_are_predicted() -> None:
    script = [RNG.dirichlet(np.ones(3), rows) for rows in (24, 20)]
    train(GapWatcher((X, Y), (VAL_X, VAL_Y), max_rows=24, verbose=0), script, epochs=1)


def test_a_second_fit_starts_anew() -> None:
    watcher = GapWatcher((X, Y > 0), (VAL_X, VAL_Y > 0), verbose=0)
    assert watcher.report() == "No epoch was watched yet."
    train(watcher, overfitting(), epochs=12)
    train(watcher, overfitting(1), epochs=1)
    assert len(watcher.history) == 1
    assert not watcher.overfitting


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "`every` must be at least 1"),
        ({"class_names": ["ok", "fraud"]}, "`class_names` must be different names of 3"),
        ({"class_names": ["ok", "ok", "fraud"]}, "`class_names` must be different names of 3"),
        ({"training_data": X}, "`training_data` must be a tuple"),
        ({"validation_data": (X, VAL_Y)}, "`validation_data` must have as many labels"),
    ],
)
def test_arguments_are_checked(options: dict[str, Any], message: str) -> None:
    data = {"training_data": (X, Y), "validation_data": (VAL_X, VAL_Y)}
    with pytest.raises(ArgumentError, match=message):
        GapWatcher(**{**data, **options})


def watched(script: list[np.ndarray], epochs: int, **settings: Any) -> GapWatcher:
    watcher = GapWatcher((X, Y > 0), (VAL_X, VAL_Y > 0), verbose=0, **settings)
    train(watcher, script, epochs)
    return watcher


def test_two_trainings_are_compared_class_by_class() -> None:
    before, after = watched(overfitting(), 12), watched(overfitting(2), 2)
    rare, common = after.compare(before).splitlines()[::-1]
    gaps = [-np.log(0.4 * 0.7**e) + np.log(0.6 + 0.03 * e) for e in (11, 1)]
    assert rare == (
        f"Class `1`: the gap between validation and training loss shrank from {gaps[0]:.3g} to "
        f"{gaps[1]:.3g}; the lowest validation loss is {-np.log(0.4):.3g} instead of "
        f"{-np.log(0.4):.3g}."
    )
    assert common.startswith("Class `0`: the gap")


def test_only_like_trainings_are_compared() -> None:
    one, other = watched(overfitting(1), 1), watched(overfitting(1), 1, class_names=["a", "b"])
    with pytest.raises(ArgumentError, match="`before` must have the same classes"):
        one.compare(other)
    with pytest.raises(ArgumentError, match="each have watched an epoch"):
        one.compare(GapWatcher((X, Y > 0), (VAL_X, VAL_Y > 0), verbose=0))
