"""How often each class is drawn: by a power of the counts, as asked, or changing on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kilter._errors import ArgumentError, did_you_mean
from kilter._numbers import is_whole
from kilter.sampling.draws import apportion

POWERS = {"natural": 1.0, "square-root": 0.5, "balanced": 0.0}
TINY = 1e-300  # a class with a power of its count is never forgotten, however large the power


@dataclass(frozen=True)
class Progressive:
    """A draw that goes evenly from one to another over the epochs.

    In epoch t of T, counted from 0, the shares are ``(1 - t / (T - 1))`` times those of
    ``start`` and ``t / (T - 1)`` times those of ``end``, and ``end``'s afterwards. Use it where
    balanced batches from the first epoch on harm the features that a network learns.

    Parameters
    ----------
    epochs : int
        T, the epochs of the training; at least 1.
    start, end : str, float, dict or sequence
        Draws as `BalancedBatches` takes them.

    Raises
    ------
    ArgumentError
        If ``epochs`` is no whole number above 0, or a draw is progressive itself.

    References
    ----------
    Kang et al.: Decoupling representation and classifier for long-tailed recognition, ICLR
    2020, equation 3.

    Examples
    --------
    >>> import numpy as np
    >>> draw = Progressive(epochs=3)
    >>> counts = np.array([90, 10])
    >>> [find_shares(draw, np.arange(2), counts, t).round(3).tolist() for t in range(3)]
    [[0.9, 0.1], [0.7, 0.3], [0.5, 0.5]]
    """

    epochs: int
    start: Any = "natural"
    end: Any = "balanced"

    def __post_init__(self) -> None:
        if not is_whole(self.epochs) or self.epochs < 1:
            raise ArgumentError(
                f"`epochs` must be a whole number above 0, those of `fit`; got {self.epochs!r}."
            )
        if isinstance(self.start, Progressive) or isinstance(self.end, Progressive):
            raise ArgumentError(
                "`start` and `end` must be draws that do not change; got a `Progressive`."
            )


def find_shares(draw: Any, classes: np.ndarray, counts: np.ndarray, epoch: int = 0) -> np.ndarray:
    """Return the share of the draws that each class gets, float of shape (classes,).

    Parameters
    ----------
    draw : {"balanced", "square-root", "natural"}, float, dict, sequence or Progressive
        As in `BalancedBatches`.
    classes, counts : int array of shape (classes,)
        The classes that have rows, and how many.
    epoch : int
        Epochs before, for a draw that changes.

    Raises
    ------
    ArgumentError
        If it is none of these, or shares are negative or not those of the classes.
    """
    if isinstance(draw, Progressive):
        late = min(1.0, epoch / (draw.epochs - 1)) if draw.epochs > 1 else 1.0
        start, end = (find_shares(one, classes, counts) for one in (draw.start, draw.end))
        return (1 - late) * start + late * end
    if isinstance(draw, str) or (np.ndim(draw) == 0 and not isinstance(draw, Mapping)):
        shares = _by_power(_to_power(draw), counts)
    else:
        shares = _as_asked(draw, classes.tolist())
    return shares / shares.sum()


def share_out(shares: np.ndarray, total: int) -> np.ndarray:
    """Share out ``total`` draws by the largest remainder, at least one for each share above 0.

    Examples
    --------
    >>> import numpy as np
    >>> share_out(np.array([0.0, 0.98, 0.01, 0.01]), 50).tolist()
    [0, 48, 1, 1]
    """
    slots = np.zeros(len(shares), np.int64)
    slots[shares > 0] = apportion(shares[shares > 0], total)
    return slots


def _to_power(draw: Any) -> float:
    if isinstance(draw, str) and draw in POWERS:
        return POWERS[draw]
    if isinstance(draw, str) or not hasattr(draw, "__float__") or not np.isfinite(float(draw)):
        way_out = did_you_mean(str(draw), POWERS)
        if draw == "progressive":
            way_out = " Pass `kilter.sampling.Progressive(epochs=30)`, with the epochs of `fit`."
        raise ArgumentError(
            f"`draw` must be one of {', '.join(POWERS)}, a finite power of the class counts, "
            f"shares of the classes, or a `Progressive`; got `{draw}`.{way_out}"
        )
    return float(draw)


def _by_power(power: float, counts: np.ndarray) -> np.ndarray:
    largest = counts.max() if power > 0 else counts.min()  # nothing overflows
    return np.maximum((counts / largest) ** power, TINY)


def _as_asked(draw: Mapping[Any, float] | Sequence[float], classes: list[int]) -> np.ndarray:
    asked = dict(draw) if isinstance(draw, Mapping) else dict(enumerate(draw))
    values = np.array([float(asked[key]) for key in asked])
    if not (np.isfinite(values).all() and (values >= 0).all() and values.sum() > 0):
        raise ArgumentError(
            f"`draw` must have shares of at least 0, one a class and not all 0; got {draw}."
        )
    without = [key for key in classes if key not in asked]
    unknown = [key for key, share in asked.items() if share > 0 and key not in classes]
    if without or unknown:
        raise ArgumentError(
            f"`draw` must have a share for each class that has rows, {_list(classes)}, and for no "
            f"other; {_list(without) or 'none'} lack one, and {_list(unknown) or 'none'} have no "
            "rows. A class of share 0 is left out; -1 is rows without any of several labels."
        )
    return np.array([float(asked[key]) for key in classes])


def _list(keys: list[Any]) -> str:
    return ", ".join(map(str, keys[:10])) + (", ..." if len(keys) > 10 else "")
