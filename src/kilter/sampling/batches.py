"""Batches whose classes are drawn as asked, for Keras's `fit`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np

from kilter._errors import ArgumentError, did_you_mean
from kilter.sampling.draws import BaseDraws, Layout, Quotas, apportion, draw_rows

POWERS = {"natural": 1.0, "square-root": 0.5, "balanced": 0.0}


def to_positions(y: Any) -> np.ndarray:
    """Return the class of every row, int64 of shape (rows,); a soft row counts as its largest.

    Parameters
    ----------
    y : array of shape (rows,), (rows, 1) or (rows, classes)
        Positions of the classes, or one-hot or soft rows, of any numeric type.

    Raises
    ------
    ArgumentError
        If a position is no integer or a row of shares does not sum to 1.
    """
    y = np.asarray(y)
    if y.dtype.kind not in "biuf" or not np.isfinite(y).all():
        raise ArgumentError(
            f"`y` must be finite numbers, positions of the classes; got {y.dtype} with values such "
            f"as {y.flat[0]!r}. Encode labels: `np.unique(y, return_inverse=True)[1]`."
        )
    if y.ndim == 2 and y.shape[1] > 1:
        return _largest(y)
    if y.ndim != 1 and y.shape[1:] != (1,):
        raise ArgumentError(
            "`y` must have one label a row, positions of the classes or one-hot rows; got the "
            f"shape {y.shape}."
        )
    positions = y.reshape(-1).astype(np.int64)
    if (positions != y.reshape(-1)).any():
        raise ArgumentError(
            "`y` must be positions of the classes, which are integers; got fractions. Pass soft "
            "labels as rows with one column a class."
        )
    return positions


def _largest(shares: np.ndarray) -> np.ndarray:
    if not np.allclose(shares.sum(axis=1), 1, atol=1e-3):
        raise ArgumentError(
            "`y` must have one class a row, so that its columns sum to 1; got rows that do not. "
            "For targets with several classes a row pass the class to draw by."
        )
    return shares.argmax(axis=1)


class BalancedBatches(keras.utils.PyDataset):
    """Batches with the classes in the shares asked for, drawn anew in every epoch.

    Use it in place of ``x, y`` in ``fit`` where plain batches hold too few rows of the rare
    classes. Rows are repeated rather than thrown away: those of a class are walked through in
    a shuffled circle, so each is seen equally often. All batches have the same size. Sampling
    changes the predicted probabilities: calibrate afterwards.

    Parameters
    ----------
    x : array, or dict, list or tuple of arrays, each of shape (rows, ...)
        Inputs of the model.
    y : array of shape (rows,), (rows, 1) or (rows, classes)
        Positions of the classes, or one-hot rows. It is handed on as it is.
    batch_size : int
        Rows a batch.
    draw : {"balanced", "square-root", "natural"} or float
        A class is drawn with a probability proportional to n_k^q with q 0, 1/2 and 1, or this
        number. It can be set between epochs; the next epoch draws by it.
    augment : callable or sequence of callables, optional
        Each takes ``(x, y)`` of a batch as arrays and returns them changed, such as those of
        `kilter.augment`.
    sample_weight : array of shape (rows,), optional
        Weights that go along with the rows. A mixture keeps the weight of its own row.
    seed : int
        The same seed draws the same batches on every machine and backend.
    **kwargs
        ``workers``, ``use_multiprocessing`` and ``max_queue_size`` of Keras's ``PyDataset``.

    Raises
    ------
    ArgumentError
        If lengths differ, a label is no class, or ``draw`` or ``batch_size`` cannot be used.

    Notes
    -----
    ``fit`` takes the batches of an epoch in an order that hangs on Python's ``random``:
    ``keras.utils.set_random_seed`` fixes it, ``shuffle=False`` keeps theirs. With ``workers``
    above 1 Keras may train on batches from before a change of ``draw``.

    References
    ----------
    Kang et al.: Decoupling representation and classifier for long-tailed recognition, ICLR
    2020.

    Examples
    --------
    >>> import numpy as np
    >>> y = np.array([0] * 90 + [1] * 10)
    >>> batches = BalancedBatches(np.arange(100.0)[:, None], y, batch_size=50)
    >>> len(batches), sum(int(labels.sum()) for _, labels in batches)
    (2, 50)
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        batch_size: int = 32,
        draw: str | float = "balanced",
        augment: Callable[..., Any] | Sequence[Callable[..., Any]] | None = None,
        sample_weight: Any = None,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if batch_size < 1:
            raise ArgumentError(f"`batch_size` must be at least 1; got {batch_size}.")
        labels = np.unique(to_positions(y), return_inverse=True)[1]
        flat = [y] if sample_weight is None else [y, sample_weight]
        self._parts = (_to_arrays(x), *map(np.asarray, flat))
        _check_rows(self._parts, len(labels))
        self._batch_size = batch_size
        self._augments = augment if isinstance(augment, Sequence) else [augment or _keep]
        self._layout = Layout.of(labels, labels.max() + 1)
        self._draws = BaseDraws(self._layout, len(self) * batch_size, (seed,))
        self._begin(0)
        self.draw = draw

    @property
    def draw(self) -> str | float:
        """How classes are drawn: a name or a power."""
        return self._draw

    @draw.setter
    def draw(self, draw: str | float) -> None:
        counts, draws = self._layout.counts, len(self) * self._batch_size
        self._quotas = Quotas(
            slots=apportion(counts ** _to_power(draw), draws),
            pool=counts,
            mixed=np.zeros_like(counts),
            per_batch=0,
        )
        self._draw = draw

    def __len__(self) -> int:
        return -(-len(self._layout.order) // self._batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        index = range(len(self))[index]
        self._asked.add(index)
        rows = self._rows(index)
        x, y, *weight = keras.tree.map_structure(lambda part: part[rows], self._parts)
        for augment in self._augments:
            x, y = augment(x, y)
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
            self._begin(self._epoch + 1)

    def _begin(self, epoch: int) -> None:
        self._epoch = epoch
        self._numbers = self._draws.epoch(epoch)
        self._asked: set[int] = set()

    def _rows(self, index: int) -> np.ndarray:
        """Return the rows of a batch, int of shape (batch_size,)."""
        part = slice(index * self._batch_size, (index + 1) * self._batch_size)
        slots, tickets, shares = self._numbers
        rows, *_ = draw_rows(
            np,
            self._quotas,
            self._layout.starts,
            self._draws.circle,
            self._epoch,
            (slots[part], tickets[part], shares[part]),
            self._batch_size,
        )
        return self._layout.order[rows]


def _keep(x: Any, y: Any) -> tuple[Any, Any]:
    return x, y


def _to_power(draw: str | float) -> float:
    if isinstance(draw, str) and draw in POWERS:
        return POWERS[draw]
    if isinstance(draw, str) or not np.isfinite(draw):
        raise ArgumentError(
            f"`draw` must be one of {', '.join(POWERS)}, or a finite power of the class counts; "
            f"got `{draw}`." + did_you_mean(str(draw), POWERS)
        )
    return float(draw)


def _to_arrays(x: Any) -> Any:
    """Return an array, or a dict or tuple of arrays: a list means something else to tf.data."""
    return keras.tree.map_structure(np.asarray, tuple(x) if isinstance(x, list) else x)


def _check_rows(parts: Any, rows: int) -> None:
    for array in keras.tree.flatten(parts):
        if rows == 0 or array.shape[:1] != (rows,):
            raise ArgumentError(
                "`x`, `y` and `sample_weight` must be arrays with one entry a row, at least one; "
                f"`y` has {rows} rows, and one of them has the shape {array.shape}."
            )
