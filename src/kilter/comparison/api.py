"""`kilter.compare`: from a table or images to an answer in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import narwhals as nw

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter._types import Dataset
from kilter.comparison.executors.base import Forecast
from kilter.comparison.folder import RunFolder
from kilter.comparison.plan import Plan
from kilter.comparison.result import Result
from kilter.comparison.run import Observer, run
from kilter.comparison.run import forecast as forecast_run
from kilter.data import load
from kilter.data.load import is_folder
from kilter.decide import Costs, read_costs


def compare(
    data: Any,
    target: str | None = None,
    *,
    remedies: Any = None,
    folds: int = 5,
    seeds: int | None = None,
    metric: str = "auprc",
    text: str | None = None,
    embed: str | None = None,
    group: str | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    size: Any = None,
    broken: str = "refuse",
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
    """Find out which remedy for imbalance really helps on a table, on texts or on images.

    Trains every remedy on the same folds and seeds, judges them on rows that they never
    saw, and hands over the chosen model with calibrated probabilities and a threshold.
    "None of them helps" is an answer.

    Parameters
    ----------
    data : path or dataframe
        A CSV or Parquet file, any dataframe that narwhals knows, or a folder that has a folder of
        images for each class: see `kilter.data.load_images`.
    target : str
        The column with the classes; images have none.
    remedies : str or sequence of str or Remedy, optional
        Names, also as one string with commas. If not given, all that kilter knows but
        ``under-bagging`` and ``self-paced``, which train as long as most others together, and
        ``cb-focal``, ``vs``, ``cluster-smote``, ``mixup`` and ``remix``, which are near to
        others or seldom for tables, and those with ``drw``, which train twice. For images,
        whose trainings take minutes, those for the last layer alone, which take seconds. For texts
        none that mixes rows.
    folds, seeds : int
        Every remedy is trained ``folds * seeds`` times; seeds are three if not given, one for
        images.
    metric : str
        What chooses: ``auprc``, ``macro_f1``, ``balanced_accuracy``, ``mcc``, ``log_loss``
        or ``brier``.
    text : str, optional
        The column of texts to learn from, as words; other columns are left out then. See
        `kilter.data.load_texts`.
    embed : path, optional
        The folder of a model of ``sentence-transformers`` that turns each text into numbers, which
        join the other columns; nothing is downloaded.
    group : str, optional
        Rows with the same value of this column stay in the same part.
    time : str, optional
        Learn from the past, test on the future: folds follow this column.
    drop : str or sequence of str
        Columns to leave out.
    size : int or (height, width), optional
        Pixels that images are brought to; their median size, at most 64, if not given.
    broken : {"refuse", "skip"}
        What to do about files that cannot be read as an image.
    cost : path, Costs or array, optional
        A CSV or JSON file with the cost of each confusion, or the costs themselves,
        ``cost[true][predicted]`` with the classes sorted; decisions then minimise the expected
        cost.
    min_recall : float, optional
        Put the threshold as high as this recall of the rarest class allows.
    build : function or keras.Model, optional
        A network of your own: a function of the number of encoded columns (of the shape of
        images, of length and vocabulary of texts) and of classes that returns a new Keras model,
        or a model, whose weights are drawn anew. It may end in probabilities or in logits; how it
        is compiled does not matter.
    executor : {"auto", "lanes", "sequential", "ray"}
        How to train; see `kilter.comparison.run`.
    memory : float, optional
        GiB that lanes may take on the device; half of what it has if not given.
    devices : int, optional
        How many of JAX's devices the lanes are spread over; all if not given.
    out : path, optional
        Folder for the result's files.
    resume : bool
        Go on with an interrupted run in ``out``.
    observe : callable, optional
        Called after every training with how far the run is.
    **settings
        Anything else that `Plan` takes, such as ``epochs``, ``hidden`` or ``augment``.

    Returns
    -------
    Result

    Raises
    ------
    KilterError
        With one sentence that says what is wrong and what to do.

    Examples
    --------
    >>> import kilter, pandas, sklearn.datasets
    >>> x, y = sklearn.datasets.make_classification(400, 4, weights=[0.9], random_state=0)
    >>> table = pandas.DataFrame(x, columns=list("abcd")).assign(fraud=y)
    >>> result = kilter.compare(
    ...     table, "fraud", remedies="class-weights", network="mlp", folds=2, seeds=1, epochs=3
    ... )
    >>> sorted(result.leaderboard()["remedy"])
    ['class-weights', 'none+threshold']
    """
    settings |= {"folds": folds, "seeds": seeds, "metric": metric}
    settings |= {"min_recall": min_recall, "build": build}
    plan = _plan(remedies, _kind(data, text, embed), settings)
    folder = None if out is None else RunFolder(out, resume)
    columns: dict[str, Any] = {"text": text, "embed": embed, "drop": drop}
    columns |= {"group": group, "time": time}
    dataset = load(data, target, **columns, size=size, broken=broken)
    plan = with_costs(plan, cost, dataset)
    result = run(
        plan,
        dataset,
        executor=executor,
        memory=memory,
        devices=devices,
        folder=folder,
        observe=observe,
    )
    return replace(result, dataframes=library_of(data))


def forecast(
    data: Any,
    target: str | None = None,
    *,
    remedies: Any = None,
    text: str | None = None,
    embed: str | None = None,
    group: str | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    size: Any = None,
    broken: str = "refuse",
    executor: str = "auto",
    memory: float | None = None,
    devices: int | None = None,
    **settings: Any,
) -> Forecast:
    """Say what the trainings of `kilter.compare` with the same arguments will take.

    Compiles and runs an epoch of a few of them, which takes some seconds; nothing of it is
    kept but what JAX caches. Trainings are expected to end evenly between the first epoch
    at which they may and the last. Judging them and saving the result come on top.

    Parameters
    ----------
    data, target, remedies, text, embed, group, time, drop, size, broken
        As `kilter.compare` has them.
    executor, memory, devices, **settings
        As `kilter.compare` has them.

    Returns
    -------
    Forecast
        Trainings, lanes and threads, memory in bytes, seconds.

    Examples
    --------
    >>> import kilter, pandas, sklearn.datasets
    >>> x, y = sklearn.datasets.make_classification(400, 4, weights=[0.9], random_state=0)
    >>> table = pandas.DataFrame(x, columns=list("abcd")).assign(fraud=y)
    >>> quick = {"remedies": "focal", "network": "mlp", "folds": 2, "seeds": 1}
    >>> kilter.comparison.forecast(table, "fraud", **quick).trainings
    5
    """
    plan = _plan(remedies, _kind(data, text, embed), settings)
    columns: dict[str, Any] = {"text": text, "embed": embed, "drop": drop}
    columns |= {"group": group, "time": time}
    dataset = load(data, target, **columns, size=size, broken=broken)
    return forecast_run(plan, dataset, executor=executor, memory=memory, devices=devices)


def _plan(remedies: Any, kind: str, settings: dict[str, Any]) -> Plan:
    if "kind" in settings:
        raise ArgumentTypeError(
            f"there is no setting `kind`: the data say that rows are of kind {kind}. Leave it out."
        )
    return Plan.make(remedies, kind=kind, **settings)


def _kind(data: Any, text: str | None, embed: str | None) -> str:
    """Return what a row of the data is, as far as settings hang on it."""
    if is_folder(data):
        return "image"
    if embed is not None:
        return "embedding"
    return "table" if text is None else "text"


def with_costs(plan: Plan, cost: Any, dataset: Dataset) -> Plan:
    """Return the plan with the costs that were given, if any were."""
    if cost is None:
        return plan
    classes = dataset.schema.classes
    costs = read_costs(Path(cost), classes) if isinstance(cost, str | PathLike) else _costs(cost)
    if len(costs.matrix) != len(classes):
        raise ArgumentError(
            f"`cost` must have one row and one column a class; got {len(costs.matrix)}, and the "
            f"classes are {', '.join(map(str, classes))}."
        )
    return replace(plan, costs=costs.matrix)


def _costs(given: Any) -> Costs:
    if isinstance(given, Costs):
        return given
    try:
        return Costs(given)
    except ArgumentError as error:
        said = str(error).replace("`matrix`", "`cost`")
        raise ArgumentError(f"{said} Or name a CSV or JSON file.") from None


def library_of(data: Any) -> str:
    """Return the name of the dataframe library that the data came in; pandas for a file."""
    if isinstance(data, str | PathLike):
        return "pandas"
    library = nw.from_native(data).implementation
    # A lazy engine, such as DuckDB, computes but holds no frame of its own.
    return library.value if library.is_pandas_like() or library.is_polars() else "pyarrow"
