"""Indices: exact shares in every batch, fairness to rows, any batch at any time, any loader."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter._errors import ArgumentError
from kilter.sampling import BalancedIndices, Progressive

Y = np.array([0] * 80 + [1] * 20)


def epoch_of(indices: BalancedIndices, epoch: int) -> np.ndarray:
    """Return the rows of an epoch, int of shape (batches, batch_size)."""
    return np.stack([indices.batch(epoch, index) for index in range(len(indices))])


def counts_of(rows: np.ndarray, y: np.ndarray = Y) -> list[list[int]]:
    """Count the classes of each batch."""
    return [np.bincount(y[batch], minlength=y.max() + 1).tolist() for batch in rows]


@pytest.mark.parametrize(
    ("draw", "expected"),  # of 120 draws in 4 batches
    [
        ("natural", [24, 6]),
        ("square-root", [20, 10]),
        ("balanced", [15, 15]),
        (-1, [6, 24]),
        ({0: 0.7, 1: 0.3}, [21, 9]),
        ([0, 1], [0, 30]),
    ],
)
@pytest.mark.parametrize("per_batch", [False, True])
def test_every_batch_has_its_share(draw: Any, expected: list[int], per_batch: bool) -> None:
    indices = BalancedIndices(Y, batch_size=30, draw=draw, per_batch=per_batch)
    for epoch in range(3):
        assert counts_of(epoch_of(indices, epoch)) == [expected] * 4
    assert indices.quotas(0).tolist() == [4 * count for count in expected]
    assert indices.quotas(0, [1, 0]).tolist() == [120, 0]


def test_shares_are_not_rounded_to_a_batch() -> None:
    y = np.repeat([0, 1, 2], 40)
    # 15 batches of 8 rows: a third of 8 is 2 or 3, and 40 of each in an epoch
    batches = np.array(counts_of(epoch_of(BalancedIndices(y, batch_size=8), 0), y))
    assert batches.sum(axis=0).tolist() == [40, 40, 40]
    assert set(batches.ravel().tolist()) == {2, 3}
    batches = counts_of(epoch_of(BalancedIndices(y, batch_size=8, per_batch=True), 0), y)
    assert batches == [[3, 3, 2]] * 15


@given(
    y=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    batch_size=st.integers(1, 20),
    power=st.floats(-1, 2),
    epoch=st.integers(0, 3),
)
def test_batches_differ_by_one_row_of_a_class_and_epochs_are_exact(
    y: list[int], batch_size: int, power: float, epoch: int
) -> None:
    indices = BalancedIndices(y, batch_size, draw=power)
    labels = np.unique(y, return_inverse=True)[1]
    counts = np.array(counts_of(epoch_of(indices, epoch), labels))
    assert counts.sum(axis=0).tolist() == indices.quotas(epoch).tolist()
    assert np.ptp(counts, axis=0).max() <= 1
    assert counts.sum(axis=1).tolist() == [batch_size] * len(indices)


@given(
    y=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    batch_size=st.integers(4, 20),
    draws=st.lists(
        st.sampled_from(["balanced", "natural", 0.3, Progressive(4), Progressive(3, -1, 2)]),
        min_size=1,
        max_size=4,
    ),
    per_batch=st.booleans(),
    steps=st.integers(1, 6),
)
def test_rows_of_a_class_are_seen_equally_often_whatever_draws_them(
    y: list[int], batch_size: int, draws: list[Any], per_batch: bool, steps: int
) -> None:
    indices = BalancedIndices(y, batch_size, per_batch=per_batch, steps=steps)
    seen = np.zeros(len(y), int)
    for draw in draws:
        indices.draw = draw
        for rows in (*indices, *indices):  # two epochs
            np.add.at(seen, rows, 1)
    for label in set(y):
        assert np.ptp(seen[np.array(y) == label]) <= 1


def test_seats_tell_the_first_time_of_a_row_from_the_others() -> None:
    indices = BalancedIndices(Y, batch_size=30)
    for epoch in range(3):
        seats = [indices.seats(epoch, index) for index in range(4)]
        places, repeated = (np.concatenate(parts) for parts in zip(*seats, strict=True))
        first = np.bincount(places[~repeated], minlength=100)
        assert first[80:].tolist() == [1] * 20  # 60 draws: once as they are, twice again
        assert first[:80].sum() == 60  # no row of the common class comes twice
        np.testing.assert_array_equal(Y[indices.rows_at(places)], indices.labels_at(places))
    assert sorted(indices.circle_of(1).tolist()) == list(range(80, 100))


def test_chances_are_even_and_hang_on_the_epoch_and_the_batch_only() -> None:
    indices, again = (BalancedIndices(Y, batch_size=500, steps=4) for _ in range(2))
    found = np.stack([indices.chances(1, index) for index in range(4)])
    assert found.dtype == np.float32
    np.testing.assert_array_equal(again.chances(1, 2), found[2])
    assert (indices.chances(0, 2) != found[2]).any()
    counts = np.histogram(found, bins=10, range=(0, 1))[0]
    assert np.abs(counts - 200).max() < 5 * 200**0.5  # five standard errors


def test_epochs_differ_and_batches_come_in_any_order() -> None:
    indices, again = (BalancedIndices(Y, batch_size=30, seed=3) for _ in range(2))
    first, second = epoch_of(indices, 0), epoch_of(indices, 1)
    assert not np.array_equal(first, second)
    for epoch, index in ((1, 3), (9, 0), (0, 2), (1, 0)):
        np.testing.assert_array_equal(again.batch(epoch, index), indices.batch(epoch, index))
    other = BalancedIndices(Y, batch_size=30, seed=4)
    assert not np.array_equal(epoch_of(other, 0), first)


def test_draws_are_the_same_on_every_machine() -> None:
    found = BalancedIndices([0, 0, 0, 0, 0, 0, 1, 1], batch_size=4, seed=5)
    assert [batch.tolist() for batch in found.over(2)] == [
        [7, 1, 7, 0],
        [4, 6, 6, 2],
        [3, 5, 6, 7],
        [7, 6, 4, 0],
    ]


def test_rows_of_a_batch_are_in_random_order() -> None:
    y = np.repeat([0, 1], 400)
    rows = epoch_of(BalancedIndices(y, batch_size=100), 0)
    first_half = (y[rows[:, :50]] == 1).mean(axis=1)
    assert 0.3 < first_half.min() <= first_half.max() < 0.7
    assert len(np.unique(first_half)) > 1


def test_each_pass_is_the_next_epoch() -> None:
    indices = BalancedIndices(Y, batch_size=30)
    for epoch in range(2):
        assert list(indices) == epoch_of(indices, epoch).tolist()
    indices.set_epoch(7)
    assert indices.epoch == 7
    assert list(indices) == epoch_of(indices, 7).tolist()
    assert all(type(row) is int for batch in indices for row in batch)


def test_a_run_is_all_epochs_one_after_the_other() -> None:
    indices = BalancedIndices(Y, batch_size=30)
    run = indices.over(3)
    assert len(run) == 12
    np.testing.assert_array_equal(np.stack(run)[4:8], epoch_of(indices, 1))
    np.testing.assert_array_equal(run[-1], indices.batch(2, 3))
    with pytest.raises(IndexError):
        run[12]
    assert indices.epoch == 0


def test_the_number_of_steps_can_be_chosen() -> None:
    indices = BalancedIndices(Y, batch_size=10, steps=2)
    assert len(indices) == 2
    seen = np.bincount(np.concatenate(indices.over(8)).ravel(), minlength=100)
    assert seen.tolist() == [1] * 80 + [4] * 20  # 160 draws


def test_a_changed_draw_leaves_the_epochs_before() -> None:
    indices = BalancedIndices(Y, batch_size=25, draw="natural")
    before = epoch_of(indices, 0)
    list(indices)
    indices.draw = "balanced"
    np.testing.assert_array_equal(epoch_of(indices, 0), before)
    assert np.bincount(Y[epoch_of(indices, 1)].ravel()).tolist() == [50, 50]
    with pytest.raises(ArgumentError):
        indices.draw = "balancd"
    assert indices.draw == "balanced"


def test_a_progressive_draw_goes_from_natural_to_balanced() -> None:
    indices = BalancedIndices(Y, batch_size=50, draw=Progressive(epochs=4))
    found = [np.bincount(Y[epoch_of(indices, epoch)].ravel()).tolist() for epoch in range(5)]
    assert found == [[80, 20], [70, 30], [60, 40], [50, 50], [50, 50]]


def test_several_labels_are_drawn_by_the_rarest() -> None:
    y = np.zeros((100, 3), int)
    y[:70, 0], y[60:80, 1], y[75:85, 2] = 1, 1, 1  # and 15 rows without any
    indices = BalancedIndices(y, batch_size=40)
    assert dict(zip(indices.classes.tolist(), indices.counts.tolist(), strict=True)) == {
        -1: 15,
        0: 60,
        1: 15,
        2: 10,
    }
    rows = epoch_of(indices, 0).ravel()
    assert np.bincount(rows, minlength=100)[75:85].sum() == 30  # 120 draws in four classes


def test_more_classes_than_rows_in_a_batch() -> None:
    y = np.repeat(np.arange(50), 4)
    indices = BalancedIndices(y, batch_size=16)
    assert set(np.bincount(y[epoch_of(indices, 0)].ravel()).tolist()) == {4, 5}  # 208 draws
    with pytest.raises(ArgumentError, match=r"`batch_size` must be at least 50, .* `per_batch`"):
        BalancedIndices(y, batch_size=16, per_batch=True)
    with pytest.raises(ArgumentError, match=r"`batch_size` must be at least 50, .* `steps`"):
        BalancedIndices(y, batch_size=16, steps=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "`batch_size` must be a whole number of at least 1; got 0"),
        ({"batch_size": 2.5}, "`batch_size` must be a whole number of at least 1; got 2.5"),
        ({"steps": 0}, "`steps` must be a whole number"),
        ({"seed": -1}, "`seed` must be a whole number of at least 0; got -1"),
        ({"seed": None}, "`seed` must be a whole number"),
        ({"y": []}, "`y` must have at least one row"),
        ({"draw": "balance"}, "Did you mean `balanced`"),
        ({"draw": Progressive(3, end={0: 1})}, "`draw` must have a share for each class"),
    ],
)
def test_what_cannot_be_drawn_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        BalancedIndices(**{"y": Y, **arguments})
    indices = BalancedIndices(Y)
    with pytest.raises(ArgumentError, match="`epoch` must be a whole number of at least 0"):
        indices.set_epoch(-1)
    with pytest.raises(IndexError):
        indices.batch(0, 4)


def test_indices_can_be_sent_to_other_processes() -> None:
    indices = BalancedIndices(Y, batch_size=30)
    again = pickle.loads(pickle.dumps(indices))
    np.testing.assert_array_equal(epoch_of(again, 5), epoch_of(indices, 5))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_loader_of_pytorch_draws_every_epoch_anew(workers: int) -> None:
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.arange(100), torch.from_numpy(Y))
    indices = BalancedIndices(Y, batch_size=30)
    loader = torch.utils.data.DataLoader(
        data,
        batch_sampler=indices,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="forkserver" if workers else None,
    )
    assert len(loader) == 4
    for epoch in range(3):
        rows = np.stack([batch[0].numpy() for batch in loader])
        np.testing.assert_array_equal(rows, epoch_of(indices, epoch))


def test_a_pipeline_of_tensorflow_draws_every_epoch_anew() -> None:
    tf = pytest.importorskip("tensorflow")
    indices = BalancedIndices(Y, batch_size=30)
    signature = tf.TensorSpec((30,), "int64")
    rows = tf.data.Dataset.from_generator(lambda: indices.over(3), output_signature=signature)
    batches = rows.map(lambda row: tf.gather(tf.constant(Y), row))
    assert counts_of(np.stack(list(rows.as_numpy_iterator()))) == [[15, 15]] * 12
    assert [int(batch.numpy().sum()) for batch in batches] == [15] * 12
    np.testing.assert_array_equal(
        np.stack(list(rows.as_numpy_iterator())), np.stack(indices.over(3))
    )


def test_grain_draws_every_epoch_anew() -> None:
    grain = pytest.importorskip("grain", reason="needs grain, which kilter does not ask for")
    indices = BalancedIndices(Y, batch_size=30)
    data = grain.MapDataset.source(indices.over(3)).map(lambda rows: Y[rows])
    assert len(data) == 12
    assert [int(data[step].sum()) for step in range(12)] == [15] * 12
    read = data.to_iter_dataset(grain.ReadOptions(num_threads=4, prefetch_buffer_size=8))
    np.testing.assert_array_equal(np.stack(list(read)), [Y[rows] for rows in indices.over(3)])
