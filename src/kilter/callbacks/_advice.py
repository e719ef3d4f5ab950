"""Say in sentences which classes overfit, and what to do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from kilter.callbacks._curve import Curve


def overfitting_lines(curves: Sequence[Curve]) -> list[str]:
    """Return what the curves say, the classes that overfit first; epochs count from 1."""
    guilty = [c for c in curves if c.overfits]
    return [
        *(sentence(c) for c in guilty),
        *_try(guilty, curves),
        *(_unsure(c) for c in curves if c.is_unsure),
        *_rest(curves),
    ]


def sentence(c: Curve) -> str:
    """Return one sentence about a class that overfits."""
    return (
        f"Class `{c.name}` overfits: since epoch {c.best_epoch + 1} its validation loss rose from "
        f"{c.best_val_loss:.3g} to {c.val_loss:.3g}, by more than the {c.noise:.2g} that chance "
        f"explains with {_counted(c.val_rows)}, while its training loss fell from "
        f"{c.best_loss:.3g} to {c.loss:.3g}. Recall is {c.recall:.0%} in training and "
        f"{c.val_recall:.0%} in validation."
    )


def change_of_gap(name: str, before: tuple[float, float], after: tuple[float, float]) -> str:
    """Return one sentence about how the gap and the validation loss of a class changed."""
    (gap, loss), (new_gap, new_loss) = before, after
    if not math.isfinite(gap + new_gap):
        return f"Class `{name}` cannot be compared: no rows in training or in validation."
    word = "shrank" if new_gap < gap else "grew"
    return (
        f"Class `{name}`: the gap between validation and training loss {word} from {gap:.3g} to "
        f"{new_gap:.3g}; the lowest validation loss is {new_loss:.3g} instead of {loss:.3g}."
    )


def _try(guilty: list[Curve], curves: Sequence[Curve]) -> Iterator[str]:
    if not guilty:
        return
    stop = _stop(min(guilty, key=lambda c: c.rows))
    if len(guilty) == sum(c.watched > 0 for c in curves):
        yield f"All classes do. Try dropout or weight decay, a smaller network, or {stop}."
        return
    yield (
        f"Try, for {_names(guilty)}: new variants of its rows (`kilter.augment.PerClass`, "
        "`kilter.augment.Mixup`); where its rows are repeated or weighed up, milder weights or "
        f"`kilter.callbacks.DeferredReweighting`; or {stop}."
    )


def _stop(c: Curve) -> str:
    if c.best_epoch == 0:
        return "a lower learning rate, as it overfits from the first epoch on"
    return f"stop near epoch {c.best_epoch + 1} (`kilter.callbacks.RankingEarlyStopping`)"


def _unsure(c: Curve) -> str:
    allowed = "any amount" if math.isinf(c.noise) else f"{c.noise:.2g}"
    return (
        f"Class `{c.name}`: too early or too few rows to tell. Its validation loss is "
        f"{c.rise:.2g} above its lowest, and chance explains {allowed} with "
        f"{_counted(c.val_rows)}. Collect more rows of it, or judge on several folds: "
        "`kilter.compare`."
    )


def _rest(curves: Sequence[Curve]) -> Iterator[str]:
    if missing := [c for c in curves if not c.rows or not c.val_rows]:
        yield (
            f"{_names(missing)} cannot be watched: no rows in training or in validation. "
            "Split with strata: `kilter.data.split`."
        )
    if lost := [c for c in curves if c.watched and math.isnan(c.gap)]:
        yield f"The loss of {_names(lost)} is not a number: try a lower learning rate."
    if fine := [c for c in curves if math.isfinite(c.gap) and not (c.overfits or c.is_unsure)]:
        yield f"No sign of overfitting: {_names(fine)}."


def _names(curves: Sequence[Curve]) -> str:
    return ", ".join(f"`{c.name}`" for c in curves)


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows:,} rows"
