"""`kilter.tune`: from a table to the best of many candidates in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter.comparison.api import library_of, with_costs
from kilter.comparison.folder import RunFolder
from kilter.comparison.nested import search
from kilter.comparison.plan import NETWORKS, Plan
from kilter.comparison.result import Result
from kilter.comparison.run import Observer
from kilter.data import load
from kilter.data.load import is_folder


def tune(
    data: Any,
    target: str | None = None,
    *,
    trials: int = 36,
    networks: str | Sequence[str] = NETWORKS["table"],
    folds: int = 5,
    seeds: int = 3,
    metric: str = "auprc",
    group: str | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    cost: Any = None,
    min_recall: float | None = None,
    build: Any = None,
    executor: str = "auto",
    memory: float | None = None,
    devices: int | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    observe: Observer | None = None,
    **settings: Any,
) -> Result:
    """Search for the remedy, its numbers and the network that are best on a table.

    Use it where `compare` finds that something helps and more is worth hours. Optuna chooses
    candidates: how classes are drawn (the power q of their shares, SMOTE's k), what the loss does
    (beta of effective weights, gamma of the focal loss, tau of logit adjustment) and which network
    learns. All begin with one training, and the best third goes on to more (successive halving).

    The search is nested, so that its figure is honest: for each fold another search, that does not
    see the fold's test rows, chooses what they are predicted with. The leaderboard has that as
    ``tuned`` beside the baseline, and it is handed over only if it surely helps.

    Parameters
    ----------
    data, target, folds, seeds, metric, group, time, drop, cost, min_recall
        As `compare` has them.
    trials : int
        Candidates of each search; there is one search a fold, and one on all rows.
    networks : str or sequence of str
        To choose from, also as one string with commas. The baseline has the default network if
        that is among them.
    build : function or keras.Model, optional
        A network of your own in their place; see `compare`.
    executor, memory, devices, out
        As `compare` has them.
    resume : bool
        Go on with an interrupted search in ``out``: it asks for the same candidates again, and
        trains those alone that are not there. ``trials`` may be another number.
    observe : callable, optional
        Called after every training with how far the search is.
    **settings
        Anything else that `Plan` takes.

    Returns
    -------
    Result
        ``summary["search"]`` has the candidates.

    Raises
    ------
    KilterError
        With one sentence that says what is wrong and what to do.

    References
    ----------
    Cawley and Talbot (2010), On over-fitting in model selection, for nested searches; Jamieson and
    Talwalkar (2016), Non-stochastic best arm identification, for successive halving.

    Examples
    --------
    >>> import kilter, pandas, sklearn.datasets
    >>> x, y = sklearn.datasets.make_classification(300, 3, n_redundant=0, random_state=0)
    >>> table = pandas.DataFrame(x, columns=list("abc")).assign(fraud=y)
    >>> quick = {"folds": 2, "seeds": 1, "epochs": 2}
    >>> result = kilter.tune(table, "fraud", trials=3, networks=["mlp"], **quick)
    >>> sorted(result.leaderboard()["remedy"])
    ['none+threshold', 'tuned']
    """
    if is_folder(data):
        raise ArgumentError(
            "`tune` is for tables, and got a folder. Use `kilter.compare` for images, with "
            "networks of your own as `build`."
        )
    for name, instead in (("remedies", "it"), ("neighbors", "it"), ("network", "`networks`")):
        if name in settings:
            raise ArgumentTypeError(
                f"`tune` takes no `{name}`, as it searches over {instead}. Leave it out, or use "
                "`kilter.compare`."
            )
    settings |= {"folds": folds, "seeds": seeds, "metric": metric}
    plan = Plan.make([], min_recall=min_recall, build=build, **settings)
    folder = None if out is None else RunFolder(out, resume)
    dataset = load(data, target, drop=drop, group=group, time=time)
    plan = with_costs(plan, cost, dataset)
    result = search(
        plan,
        dataset,
        trials=trials,
        networks=networks,
        executor=executor,
        memory=memory,
        devices=devices,
        folder=folder,
        observe=observe,
    )
    return replace(result, dataframes=library_of(data))
