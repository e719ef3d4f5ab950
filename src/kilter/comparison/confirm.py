"""Which remedies for the last layer are worth training end to end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from kilter._types import Split, Test
from kilter.comparison.executors.base import Trained
from kilter.comparison.judge import judge_fold, of_fold, of_remedy
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import Remedy, end_to_end
from kilter.comparison.verdict import figure_name


def to_confirm(
    plan: Plan, splits: Sequence[Split], trained: Sequence[Trained], positive: int
) -> tuple[Remedy, ...]:
    """Return the end-to-end forms of the heads that are best on validation rows.

    As many as ``plan.confirm`` says, without those that the plan has anyway. No test row is
    looked at: what is chosen here is judged on them later.
    """
    forms = {one.name: _form(one) for one in plan.remedies}
    heads = [one for one in plan.remedies if forms[one.name] not in (None, *plan.remedies)]
    if not plan.confirm or not heads:
        return ()
    values = [_value(plan, remedy, splits, trained, positive) for remedy in heads]
    order = np.argsort(values)[:: -1 if plan.higher_is_better else 1]
    ranked = (forms[heads[place].name] for place in order)
    return tuple(dict.fromkeys(form for form in ranked if form is not None))[: plan.confirm]


def _form(remedy: Remedy) -> Remedy | None:
    """Return the end-to-end form, but none that mixes neighbours: those of rows are not known."""
    return None if remedy.draw.synthetic else end_to_end(remedy)


def _value(
    plan: Plan, remedy: Remedy, splits: Sequence[Split], trained: Sequence[Trained], positive: int
) -> float:
    """Return the plan's metric on validation rows, the mean over folds."""
    mine = [replace(one, test=one.validation) for one in of_remedy(trained, remedy)]
    folds = (
        judge_fold(plan, remedy, _on_validation(split), of_fold(mine, fold), positive)
        for fold, split in enumerate(splits)
    )
    return float(np.mean([fold.figures[figure_name(plan)] for fold in folds]))


def _on_validation(split: Split) -> Split:
    """Return a split that is judged on its validation rows."""
    rows = split.validation
    return replace(split, test=Test(rows.rows, rows.features, rows.labels))
