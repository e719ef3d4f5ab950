"""Which rows each batch of each epoch holds: numbers only, for any loader.

The rows of a class stand in a circle, shuffled once. An epoch takes as many turns of it as the
class is drawn, and goes on where the last one ended: rows are seen equally often. The turns of
all classes are then dealt to the batches like cards, class after class, one to each batch in
turn: every batch gets its share of every class, give or take one, and the sums are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from kilter._errors import ArgumentError
from kilter._numbers import is_whole
from kilter.sampling.draws import Layout, philox, shuffle_classes
from kilter.sampling.labels import drawn_classes
from kilter.sampling.shares import Progressive, find_shares, share_out

CIRCLE, DEALING, CHANCES = 0, 2, 3  # counters of the random numbers
KEPT = 2  # epochs whose cards are kept: a loader that reads ahead stands in two of them


class Seats(NamedTuple):
    """What a batch draws: places in the circles, and which are a row's second time or later.

    Each has the shape (batch_size,).
    """

    places: np.ndarray
    repeated: np.ndarray


class _Recent:
    """What a function makes of an epoch, kept for the latest of them."""

    def __init__(self, make: Callable[[int], np.ndarray]) -> None:
        self._make = make
        self._kept: dict[int, np.ndarray] = {}

    def __call__(self, epoch: int) -> np.ndarray:
        kept = self._kept  # other threads may replace it
        if epoch not in kept:
            kept = dict([*kept.items(), (epoch, self._make(epoch))][-KEPT:])
            self._kept = kept
        return kept[epoch]


class _Since(NamedTuple):
    """A draw, the epoch it holds from, and how many turns each class took before."""

    epoch: int
    draw: Any
    turns: np.ndarray


class BalancedIndices:
    """Rows of each batch, with the classes in the shares asked for, drawn anew in every epoch.

    Use it to feed PyTorch's ``DataLoader``, ``tf.data``, grain or a loop of your own; for
    Keras's ``fit`` there is `BalancedBatches`, which takes the arrays too. It holds no data, only
    which row comes when. Rows are repeated rather than thrown away, and those of a class are
    seen equally often. All batches have the same size. Sampling changes the predicted
    probabilities: calibrate afterwards.

    Parameters
    ----------
    y : array, Series or DataFrame of shape (rows,), (rows, 1) or (rows, classes)
        Positions of the classes, one-hot or soft rows (drawn by the largest share), or a column
        of 0 and 1 for each of several labels. A row with several labels is drawn by its rarest;
        rows without any are a class of their own, -1.
    batch_size : int
        Rows a batch.
    draw : {"balanced", "square-root", "natural"}, float, dict, sequence or Progressive
        A class is drawn with a probability proportional to n_k^q with q 0, 1/2 and 1, or this
        number; or in these shares, of each class by its position or, in a dict, by name, such as
        ``{1: 0.3, 0: 0.7}``; or by a `Progressive` one. It can be set at any time, and holds
        from the next epoch on.
    per_batch : bool
        Every batch has the very same number of rows of each class, by the largest remainder and
        at least one. Without it, the default, that number may differ by one between batches, and
        is exact over the epoch: shares are not rounded to a batch, and there may be more
        classes than a batch has rows.
    steps : int, optional
        Batches an epoch; as many as it takes to draw the number of rows, if not given.
    seed : int
        The same seed draws the same rows on every machine, backend and loader.

    Attributes
    ----------
    classes, counts, starts : int array of shape (classes,)
        The classes that have rows, how many, and at which place their circle starts.

    Raises
    ------
    ArgumentError
        If labels are no classes, or another argument cannot be used.

    Notes
    -----
    The rows of a batch hang on the seed, the epoch and the number of the batch only: any batch
    can be asked for at any time, in any order. PyTorch: each pass over ``batch_sampler=indices``
    is the next epoch, and ``set_epoch`` chooses it. Elsewhere `over` is a sequence of the
    batches of all epochs, such as ``grain.MapDataset.source(indices.over(30))`` or, with
    ``steps_per_epoch=len(indices)`` in ``fit``, ``tf.data.Dataset.from_generator(lambda:
    indices.over(30), output_signature=tf.TensorSpec((32,), "int64"))``; each is followed by
    ``.map(...)`` from rows to a batch.

    References
    ----------
    Kang et al.: Decoupling representation and classifier for long-tailed recognition, ICLR
    2020.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([0] * 90 + [1] * 10)
    >>> indices = BalancedIndices(y, batch_size=20)
    >>> len(indices), [np.bincount(y[rows]).tolist() for rows in indices]
    (5, [[10, 10], [10, 10], [10, 10], [10, 10], [10, 10]])
    >>> indices.quotas(0).tolist(), indices.batch(epoch=7, index=4).shape
    ([50, 50], (20,))
    """

    def __init__(
        self,
        y: Any,
        batch_size: int = 32,
        draw: Any = "balanced",
        per_batch: bool = False,
        steps: int | None = None,
        seed: int = 0,
    ) -> None:
        labels = drawn_classes(y)
        if not len(labels):
            raise ArgumentError("`y` must have at least one row; got none.")
        self.classes, labels = np.unique(labels, return_inverse=True)
        self.batch_size = _above_zero("batch_size", batch_size)
        enough = -(-len(labels) // self.batch_size)
        self._steps = _above_zero("steps", enough if steps is None else steps)
        self._per_batch = per_batch
        layout = Layout.of(labels, len(self.classes))
        self.counts, self.starts = layout.counts, layout.starts
        self._seed = _to_seed(seed)
        circle = shuffle_classes(layout, philox(self._seed, CIRCLE))
        self._circle = _small(layout.order[circle])
        self._chances = _Recent(self._draw_chances)
        self._history = [_Since(0, draw, np.zeros_like(self.counts))]
        self.set_epoch(0)
        self.draw = draw

    @property
    def draw(self) -> Any:
        """How classes are drawn, from the next epoch on."""
        return self._history[-1].draw

    @draw.setter
    def draw(self, draw: Any) -> None:
        for one in (draw.start, draw.end) if isinstance(draw, Progressive) else (draw,):
            self._share_out(one, 0)  # what cannot be drawn fails here, not in training
        since = _Since(self.epoch, draw, self._turns(self.epoch))
        self._history = [*(one for one in self._history if one.epoch < self.epoch), since]
        self._cards = _Recent(self._deal)

    @property
    def epoch(self) -> int:
        """The epoch that the next pass draws."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass, counted from 0, such as to resume a training."""
        if not is_whole(epoch) or epoch < 0:
            raise ArgumentError(f"`epoch` must be a whole number of at least 0; got {epoch!r}.")
        self._epoch = int(epoch)

    def __len__(self) -> int:
        return self._steps

    def __iter__(self) -> Iterator[list[int]]:
        epoch = self.epoch
        self.set_epoch(epoch + 1)
        for index in range(len(self)):
            yield self.batch(epoch, index).tolist()

    def batch(self, epoch: int, index: int) -> np.ndarray:
        """Return the rows of a batch, int of shape (batch_size,).

        Parameters
        ----------
        epoch : int
            Counted from 0.
        index : int
            Which batch of it, below ``len(indices)``.
        """
        return self.rows_at(self.seats(epoch, index).places)

    def over(self, epochs: int) -> Sequence[np.ndarray]:
        """Return the batches of epochs 0 to ``epochs - 1``, one after the other, as a sequence.

        Examples
        --------
        >>> batches = BalancedIndices([0, 0, 0, 1], batch_size=2).over(10)
        >>> len(batches), batches[19].shape
        (20, (2,))
        """
        return _Run(self, _above_zero("epochs", epochs))

    def quotas(self, epoch: int, draw: Any = None) -> np.ndarray:
        """Return how often each class is drawn in an epoch, int of shape (classes,).

        Parameters
        ----------
        epoch : int
            Counted from 0.
        draw : str, float, dict, sequence or Progressive, optional
            Another draw than the epoch's own.
        """
        return self._share_out(self._since(epoch).draw if draw is None else draw, epoch)

    def seats(self, epoch: int, index: int) -> Seats:
        """Return what a batch draws as places in the circles of the classes."""
        cards = self._cards(epoch)[range(self._steps)[index]]
        repeated = cards >= len(self._circle)
        return Seats(cards - repeated * len(self._circle), repeated)

    def chances(self, epoch: int, index: int) -> np.ndarray:
        """Return a random number for each draw of a batch, float32 in [0, 1)."""
        return self._chances(epoch)[index]

    def rows_at(self, places: Any) -> np.ndarray:
        """Return the rows that stand at places of the circles."""
        return self._circle[places].astype(np.int64)

    def labels_at(self, places: np.ndarray) -> np.ndarray:
        """Return which class, counted from 0, places of the circles belong to."""
        return np.searchsorted(self.starts, places, side="right") - 1

    def circle_of(self, label: int) -> np.ndarray:
        """Return the rows of a class in the order of its circle."""
        start = self.starts[label]
        return self.rows_at(slice(start, start + self.counts[label]))

    def _since(self, epoch: int) -> _Since:
        return [one for one in self._history if one.epoch <= epoch][-1]

    def _turns(self, epoch: int) -> np.ndarray:
        """Count the turns that each class took in all epochs before one."""
        since = self._since(epoch)
        if not isinstance(since.draw, Progressive):
            return since.turns + (epoch - since.epoch) * self._share_out(since.draw, 0)
        past = range(since.epoch, epoch)
        return sum((self._share_out(since.draw, one) for one in past), start=since.turns)

    def _share_out(self, draw: Any, epoch: int) -> np.ndarray:
        shares = find_shares(draw, self.classes, self.counts, epoch)
        unit = self.batch_size if self._per_batch else self.batch_size * self._steps
        if unit < np.count_nonzero(shares):
            raise ArgumentError(
                f"`batch_size` must be at least {np.count_nonzero(shares)}, the number of classes, "
                f"for one row of each in every {'batch' if self._per_batch else 'epoch'}; got "
                f"{self.batch_size}. Take larger batches"
                + (", or leave `per_batch` out." if self._per_batch else " or more `steps`.")
            )
        return share_out(shares, unit) * (self._steps if self._per_batch else 1)

    def _draw_chances(self, epoch: int) -> np.ndarray:
        shape = (self._steps, self.batch_size)
        return philox(self._seed, CHANCES, epoch).random(shape, dtype=np.float32)

    def _deal(self, epoch: int) -> np.ndarray:
        """Return the cards of an epoch's batches, int of shape (steps, batch_size).

        A card is a place in the circles; from the second turn of a row in the epoch on, that
        plus the number of rows.
        """
        generator = philox(self._seed, DEALING, epoch)
        quotas, turns = self.quotas(epoch), self._turns(epoch)
        hands = [
            generator.permutation(self._hand(label, quotas[label], turns[label]))
            for label in generator.permutation(len(quotas))
        ]
        batches = np.concatenate(hands).reshape(self.batch_size, self._steps).T
        return generator.permuted(generator.permutation(batches), axis=1)

    def _hand(self, label: int, size: int, turns: int) -> np.ndarray:
        """Return the cards of a class, which has taken some turns before."""
        start, count = self.starts[label], self.counts[label]
        cards = start + (turns + np.arange(size)) % count
        cards[count:] += len(self._circle)
        return _small(cards)


class _Run(Sequence[np.ndarray]):
    """The batches of many epochs, one after the other."""

    def __init__(self, indices: BalancedIndices, epochs: int) -> None:
        self._indices, self._epochs = indices, epochs

    def __len__(self) -> int:
        return self._epochs * len(self._indices)

    def __getitem__(self, step: Any) -> Any:
        return self._indices.batch(*divmod(range(len(self))[step], len(self._indices)))


def _small(numbers: np.ndarray) -> np.ndarray:
    """Return integers in half the memory, where they fit."""
    return numbers.astype(np.int32) if numbers.max(initial=0) < 2**31 else numbers


def _above_zero(name: str, value: Any) -> int:
    if not is_whole(value) or value < 1:
        raise ArgumentError(f"`{name}` must be a whole number of at least 1; got {value!r}.")
    return int(value)


def _to_seed(seed: Any) -> int:
    if not is_whole(seed) or seed < 0:
        raise ArgumentError(f"`seed` must be a whole number of at least 0; got {seed!r}.")
    return int(seed)
