"""Batches whose classes are drawn as asked, for Keras's `fit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from kilter._errors import ArgumentError, did_you_mean
from kilter._numbers import is_whole
from kilter.sampling.blend import blend
from kilter.sampling.indices import BalancedIndices
from kilter.sampling.labels import to_array
from kilter.sampling.partners import Partners, check_mixable
from kilter.sampling.rows import Rows, to_rows


class BalancedBatches(keras.utils.PyDataset):
    """Batches with the classes in the shares asked for, drawn anew in every epoch.

    Use it in place of ``x, y`` in ``fit`` where plain batches hold too few rows of the rare
    classes; not for validation, which is about the rows as they are. Rows are repeated rather
    than thrown away, as they are or mixed with a neighbour (SMOTE), and those of a class are
    seen equally often. All batches have the same size. Nothing is copied but the rows of a
    batch. Sampling changes the predicted probabilities: calibrate afterwards.

    Parameters
    ----------
    x : array, or dict, list or tuple of arrays, each of shape (rows, ...)
        Inputs of the model: numpy arrays, memory maps, sparse matrices of scipy, of which a
        batch is dense, or DataFrames with columns of numbers.
    y : array, Series or DataFrame of shape (rows,), (rows, 1) or (rows, classes)
        Positions of the classes, one-hot or soft rows (drawn by the largest share), or a column
        of 0 and 1 for each of several labels. It is handed on as it is. A row with several
        labels is drawn by its rarest; rows without any are a class of their own, -1.
    batch_size : int
        Rows a batch.
    draw : {"balanced", "square-root", "natural"}, float, dict, sequence or Progressive
        A class is drawn with a probability proportional to n_k^q with q 0, 1/2 and 1, or this
        number; or in these shares, of each class by its position or, in a dict, by name, such as
        ``{1: 0.3, 0: 0.7}``; or by a `Progressive` one. It can be set between epochs; the next
        epoch draws by it.
    augment : callable or sequence of callables, optional
        Each takes ``(x, y)`` of a batch as arrays and returns them changed, such as those of
        `kilter.augment`, whose numbers hang on their seed, the epoch and the batch only.
    sample_weight : array or Series of shape (rows,), optional
        Weights that go along with the rows. ``augment`` leaves them: a mixture keeps the weight
        of its own row.
    seed : int
        The same seed draws the same batches on every machine and backend.
    per_batch : bool
        Every batch has the very same number of rows of each class, by the largest remainder and
        at least one. Without it, the default, that number may differ by one between batches, and
        is exact over the epoch: shares are not rounded to a batch, and there may be more
        classes than a batch has rows.
    steps : int, optional
        Batches an epoch; as many as it takes to draw the number of rows, if not given. Use it
        rather than ``steps_per_epoch`` of ``fit``, with which Keras breaks off the last epoch
        before the batches begin anew.
    mix : {"smote"}, optional
        With "smote" a row's second and later draws of an epoch are mixtures with one of its
        neighbours of the same class, ``x + share * (neighbour - x)`` with a share drawn evenly
        from [0, 1]. ``x`` must be one array of floats or of pixels, which are rounded. Labels
        with several columns and weights are mixed alike. Neighbours of raw pixels rarely look
        alike: prefer ``augment`` for images.
    k_neighbors : int
        How many neighbours SMOTE chooses from. Only classes that are drawn more often than they
        have rows are searched, once.
    **kwargs
        ``workers``, ``use_multiprocessing`` and ``max_queue_size`` of Keras's ``PyDataset``.

    Raises
    ------
    ArgumentError
        If lengths differ, a label is no class, a column is not numeric, or another argument
        cannot be used.

    Notes
    -----
    An epoch is over when Keras has asked for all of its batches, however often it begins or
    peeks: with one or two batches an epoch, or ``workers`` above 1, the peek before training
    may be the first. ``fit`` takes the batches of an epoch in an order that hangs on Python's
    ``random``: ``keras.utils.set_random_seed`` fixes it, ``shuffle=False`` keeps theirs. With
    ``workers`` above 1 Keras may train on batches from before a change of ``draw``, and twice
    on the few that it fetched early.

    References
    ----------
    Kang et al.: Decoupling representation and classifier for long-tailed recognition, ICLR
    2020. Chawla, Bowyer, Hall, Kegelmeyer: SMOTE: synthetic minority over-sampling technique,
    JAIR 2002.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([0] * 90 + [1] * 10)
    >>> x = np.arange(100.0)[:, None]
    >>> [int(labels.sum()) for _, labels in BalancedBatches(x, y, batch_size=50)]
    [25, 25]
    >>> mixed = np.concatenate([x for x, _ in BalancedBatches(x, y, batch_size=50, mix="smote")])
    >>> len(np.unique(mixed[mixed > 89])) > 10
    True
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        batch_size: int = 32,
        draw: Any = "balanced",
        augment: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
        sample_weight: Any = None,
        seed: int = 0,
        *,
        per_batch: bool = False,
        steps: int | None = None,
        mix: str | None = None,
        k_neighbors: int = 5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._indices = BalancedIndices(y, batch_size, draw, per_batch, steps, seed)
        x = tuple(x) if isinstance(x, list) else x  # a list means something else to tf.data
        labels = y if isinstance(y, np.memmap) else to_array(y)
        self._parts = [keras.tree.map_structure(to_rows, x), to_rows(labels)]
        if sample_weight is not None:
            self._parts.append(_to_weights(sample_weight))
        _check_lengths(self._parts)
        # A neighbour has the same position; with columns, its labels can be others.
        self._same = self._parts[1] if np.prod(self._parts[1].shape[1:]) == 1 else None
        self._augments = augment if isinstance(augment, Sequence) else [augment]
        self._partners = self._find_partners(mix, k_neighbors)
        self._begin(0)

    @property
    def draw(self) -> Any:
        """How classes are drawn."""
        return self._indices.draw

    @draw.setter
    def draw(self, draw: Any) -> None:
        self._search(self._indices.quotas(self.epoch, draw))
        self._indices.draw = draw

    @property
    def indices(self) -> BalancedIndices:
        """Which rows are drawn, and how often each class."""
        return self._indices

    @property
    def epoch(self) -> int:
        """The epoch that the batches are of, counted from 0."""
        return self._indices.epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the batches are of, such as to resume a training."""
        self._begin(epoch)

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        index, epoch = range(len(self))[index], self.epoch
        self._asked.add(index)
        x, y, *weight = self._take(epoch, index)
        for augment in self._augments:
            x, y = _for_batch(augment, epoch, index)(x, y)
        return (x, y, *weight)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        yield from super().__iter__()
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        """Go on to the next epoch, if all batches of this one were asked for.

        Keras also begins and ends epochs that it only peeks into. Where other processes make
        the batches, nothing is known of what they were asked.
        """
        if len(self._asked) == len(self) or self.use_multiprocessing:
            self._begin(self.epoch + 1)

    def _begin(self, epoch: int) -> None:
        self._search(self._indices.quotas(epoch))
        self._indices.set_epoch(epoch)
        self._asked: set[int] = set()

    def _search(self, quotas: np.ndarray) -> None:
        """Search neighbours before other threads and processes make batches of them."""
        if self._partners is not None:
            self._partners.find(quotas)

    def _take(self, epoch: int, index: int) -> list[Any]:
        """Return the inputs, labels and perhaps weights of a batch."""
        places, repeated = self._indices.seats(epoch, index)
        batch = self._gather(places)
        if self._partners is not None and repeated.any():
            (mixed,) = np.nonzero(repeated)
            chances = self._indices.chances(epoch, index)[mixed]
            partners, shares = self._partners.of(places[mixed], chances)
            rows = self._indices.rows_at(partners)
            for part, own in zip(self._parts, batch, strict=True):
                if part is not self._same:
                    own[mixed] = blend(own.take(mixed, axis=0), part.take(rows), shares)
        return batch

    def _gather(self, places: np.ndarray) -> list[Any]:
        rows = self._indices.rows_at(places)
        return [
            keras.tree.map_structure(lambda part: part.take(rows), part) for part in self._parts
        ]

    def _find_partners(self, mix: str | None, k: int) -> Partners | None:
        if mix is None:
            return None
        if mix != "smote":
            raise ArgumentError(
                f'`mix` must be "smote" or None; got {mix!r}.{did_you_mean(str(mix), ["smote"])} '
                "Mixup and its kin are passed as `augment=kilter.augment.Mixup(...)`."
            )
        if not is_whole(k) or k < 1:
            raise ArgumentError(f"`k_neighbors` must be at least 1, such as 5; got {k!r}.")
        check_mixable(self._parts[0])
        return Partners(self._parts[0], self._indices, k)


def _keep(x: Any, y: Any) -> tuple[Any, Any]:
    return x, y


def _for_batch(augment: Any, epoch: int, index: int) -> Any:
    if augment is None:
        return _keep
    return augment.for_batch(epoch, index) if hasattr(augment, "for_batch") else augment


def _to_weights(weights: Any) -> Rows:
    """Return weights to take rows from; whole numbers become floats, as they may be mixed."""
    array = to_array(weights, "sample_weight")
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"`sample_weight` must be numbers, one a row; got {array.dtype}.")
    return to_rows(array if array.dtype.kind == "f" else array.astype(np.float32))


def _check_lengths(parts: list[Any]) -> None:
    rows = parts[1].shape[0]
    for name, part in zip(("x", "y", "sample_weight"), parts, strict=False):
        for one in keras.tree.flatten(part) or [None]:
            if one is None or one.shape[:1] != (rows,):
                raise ArgumentError(
                    f"`{name}` must have one entry for each row of `y`, which has {rows} rows; got "
                    f"{'nothing' if one is None else f'the shape {one.shape}'}. Pass arrays that "
                    "were split alike."
                )
