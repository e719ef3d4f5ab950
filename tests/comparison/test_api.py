"""`kilter.compare`: any table in, one answer out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from sklearn.metrics import average_precision_score

import kilter
from kilter._errors import ArgumentError, ArgumentTypeError, KilterError, SourceError
from kilter.comparison.api import compare, forecast
from kilter.comparison.remedy import USUAL, Remedy
from kilter.comparison.training import Draw
from kilter.decide import Costs, Threshold

FAST: dict[str, Any] = {"remedies": "smote", "folds": 2, "seeds": 1, "hidden": (4,)}


def without_clock(result: Any) -> dict[str, Any]:
    return {key: value for key, value in result.summary.items() if key not in ("environment",)}


def board(result: Any) -> list[dict[str, Any]]:
    return result.summary["leaderboard"]


@pytest.fixture
def paths(table_of: Callable, tmp_path: Path) -> dict[str, Any]:
    """The same table in many forms."""
    table = table_of(2, "text")
    pyarrow.csv.write_csv(table, tmp_path / "table.csv")
    pyarrow.parquet.write_table(table, tmp_path / "table.parquet")
    return {
        "pyarrow": table,
        "pandas": table.to_pandas(),
        "polars": pl.from_arrow(table),
        "polars lazy": pl.from_arrow(table).lazy(),
        "csv": tmp_path / "table.csv",
        "parquet": str(tmp_path / "table.parquet"),
    }


def test_every_form_of_a_table_gives_the_same_answer(quick, paths: dict[str, Any]) -> None:
    results = {name: compare(data, "target", **FAST) for name, data in paths.items()}
    first = without_clock(results["pyarrow"])
    for name, result in results.items():
        assert without_clock(result) == first, name


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("pyarrow", pa.Table),
        ("pandas", pd.DataFrame),
        ("polars", pl.DataFrame),
        ("polars lazy", pl.DataFrame),
        ("csv", pd.DataFrame),
        ("parquet", pd.DataFrame),
    ],
)
def test_the_leaderboard_is_of_the_callers_library(
    quick, paths: dict[str, Any], form: str, kind: type
) -> None:
    result = compare(paths[form], "target", **{**FAST, "remedies": "focal"})
    assert isinstance(result.leaderboard(), kind)


@pytest.mark.parametrize(
    ("n_classes", "kind", "classes"),
    [
        (2, "text", ["fine", "fraud"]),
        (2, "boolean", [False, True]),
        (2, "number", [0, 1]),
        (3, "text", ["a", "b", "c"]),
        (3, "number", [1, 2, 5]),
    ],
)
def test_labels_of_any_kind_come_back_as_they_were(
    quick, table_of: Callable, n_classes: int, kind: str, classes: list[Any]
) -> None:
    table = table_of(n_classes, kind)
    result = compare(table, "target", **FAST)
    predicted = result.model.predict(table.drop_columns("target"))
    assert result.model.classes_.tolist() == classes
    assert set(predicted.tolist()) <= set(classes)
    assert type(predicted.tolist()[0]) is type(classes[0])
    assert result.summary["data"]["positive"] == str(classes[-1])
    assert set(result.predictions["target"].to_pylist()) == set(classes)
    assert {f"p_{name}" for name in classes} <= set(result.predictions.column_names)


def test_names_of_labels_do_not_change_the_figures(quick, table_of: Callable) -> None:
    text, number = (compare(table_of(2, kind), "target", **FAST) for kind in ("text", "number"))
    assert board(text) == board(number)


def test_a_seed_repeats_everything(quick, table_of: Callable) -> None:
    one, two, other = (compare(table_of(), "target", seed=s, **FAST) for s in (3, 3, 4))
    assert without_clock(one) == without_clock(two)
    assert one.predictions.equals(two.predictions)
    assert board(one) != board(other)


def test_remedies_are_chosen_by_name_and_the_baseline_is_added(quick, table_of: Callable) -> None:
    mine = Remedy("mine", Draw(power=0.5))
    result = compare(table_of(), "target", **{**FAST, "remedies": ["focal", mine]})
    assert {row["remedy"] for row in board(result)} == {"focal", "mine", "none+threshold"}
    result = compare(table_of(), "target", folds=2, seeds=1, hidden=(4,))
    assert {row["remedy"] for row in board(result)} == set(USUAL)


def test_a_min_recall_is_kept_on_validation_rows(quick, table_of: Callable) -> None:
    table = table_of()
    loose, strict = (
        compare(table, "target", min_recall=recall, **FAST).summary for recall in (0.2, 0.95)
    )
    assert strict["chosen"]["threshold"] < loose["chosen"]["threshold"]

    def recall(summary: dict[str, Any]) -> float:
        per_class = summary["confusion"]["per_class"]
        return next(one["recall"] for one in per_class if one["class"] == "1")

    assert recall(strict) > recall(loose)


def test_costs_are_read_from_a_file(quick, table_of: Callable, tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text(",fine,fraud\nfine,0,1\nfraud,50,0\n")
    model = compare(table_of(2, "text"), "target", cost=path, **FAST).model
    assert model.decision == Costs(((0.0, 1.0), (50.0, 0.0)))
    # Elkan 2001: alarm above 1 / (1 + 50)
    assert model.decide(np.array([[0.985, 0.015], [0.975, 0.025]])).tolist() == ["fine", "fraud"]


@pytest.mark.parametrize(
    "cost", [Costs(((0, 1), (50, 0))), [[0, 1], [50, 0]], np.array([[0, 1], [50, 0]])]
)
def test_costs_are_given_themselves(quick, table_of: Callable, cost: Any) -> None:
    model = compare(table_of(2, "text"), "target", cost=cost, **FAST).model
    assert model.decision == Costs(((0.0, 1.0), (50.0, 0.0)))


def test_costs_of_other_classes(quick, table_of: Callable) -> None:
    with pytest.raises(ArgumentError, match=r"`cost` must have one row .* got 2, .* are a, b, c"):
        compare(table_of(3, "text"), "target", cost=[[0, 1], [50, 0]], **FAST)


@pytest.mark.parametrize("cost", [{"fraud": 1}, [[0, 1]], [[0, 1], [9, "x"]], 5])
def test_what_are_no_costs(quick, table_of: Callable, cost: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^`cost` must .* Or name a CSV or JSON file\.$"):
        compare(table_of(), "target", cost=cost, **FAST)


def test_one_column_to_drop_needs_no_list(quick, table_of: Callable) -> None:
    result = compare(table_of(), "target", drop="age", **FAST)
    assert [c.name for c in result.model.schema.columns] == ["amount", "city"]


def test_group_time_and_drop_are_no_features(quick, table_of: Callable) -> None:
    table = table_of()
    table = table.append_column("who", pa.array(np.arange(300) // 2))
    table = table.append_column("when", pa.array(np.arange(300)))
    grouped = compare(table, "target", group="who", drop=["when"], **FAST)
    timed = compare(table, "target", time="when", drop=["who"], **FAST)
    assert grouped.summary["data"]["split"] == "group"
    assert timed.summary["data"]["split"] == "time"
    for result in (grouped, timed):
        assert [c.name for c in result.model.schema.columns] == ["amount", "age", "city"]
    rows = timed.predictions.to_pandas()
    assert rows["row"].min() == 150  # two of four blocks are never tested on


def test_an_answer_is_written_where_asked(quick, table_of: Callable, tmp_path: Path) -> None:
    result = compare(table_of(), "target", out=tmp_path / "run", **FAST)
    model = kilter.load(tmp_path / "run" / "model.kilter")
    np.testing.assert_array_equal(
        model.predict_proba(table_of()), result.model.predict_proba(table_of())
    )


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"remedies": "smotte"}, ArgumentError, "Did you mean `smote`?"),
        ({"folds": 1}, ArgumentError, "`folds` must be at least 2; got 1."),
        ({"epoch": 5}, ArgumentTypeError, "there is no setting `epoch`. Did you mean `epochs`?"),
        ({"metric": "accuracy"}, ArgumentError, "`metric` must be one of"),
        ({"executor": "lane"}, ArgumentError, "Did you mean `lanes`?"),
        ({"target": "targett"}, ArgumentError, "Did you mean `target`?"),
        ({"drop": ["agee"]}, ArgumentError, "Did you mean `age`?"),
        ({"data": "no-such.csv"}, SourceError, "`no-such.csv` does not exist."),
        ({"data": [1, 2]}, ArgumentTypeError, "`source` must be a path"),
        ({"cost": "no-such.csv"}, SourceError, "no-such.csv cannot be read"),
        ({"min_recall": 2.0}, ArgumentError, "`min_recall` must be above 0"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    table_of: Callable, arguments: dict[str, Any], error: type[KilterError], message: str
) -> None:
    given = {"data": table_of(), "target": "target", **FAST, **arguments}
    with pytest.raises(error) as info:
        compare(**given)
    assert message in str(info.value)
    assert "\n" not in str(info.value)


def test_costs_and_a_recall_exclude_each_other(table_of: Callable, tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text(",0,1\n0,0,1\n1,50,0\n")
    with pytest.raises(ArgumentError, match="give one of the two"):
        compare(table_of(), "target", cost=path, min_recall=0.9, **FAST)


@pytest.mark.backend
def test_for_real_from_end_to_end(table_of: Callable, tmp_path: Path) -> None:
    """A few trainings by Keras itself; what was learned is in the file that is written."""
    table = table_of(2, "text")
    result = compare(
        table,
        "target",
        remedies=[],
        folds=2,
        seeds=1,
        epochs=8,
        patience=8,
        learning_rate=0.05,
        batch_size=16,
        hidden=(8,),
        executor="sequential",
        out=tmp_path / "run",
    )
    assert [row["remedy"] for row in board(result)] == ["none+threshold"]
    truth = np.array(table["target"].to_pylist()) == "fraud"
    # out of fold it is better than the share of the rare class, which is chance
    assert board(result)[0]["auprc"] > truth.mean() + 0.1
    model = kilter.load(tmp_path / "run" / "model.kilter")
    p = model.predict_proba(table)
    np.testing.assert_allclose(p, result.model.predict_proba(table), rtol=1e-5)
    assert average_precision_score(truth, p[:, 1]) > truth.mean() + 0.1
    assert p[:, 1].mean() == pytest.approx(truth.mean(), abs=0.1)  # calibrated
    assert isinstance(model.decision, Threshold)
    assert kilter.compare is compare


def test_a_forecast_counts_the_trainings_of_the_same_comparison(quick, table_of) -> None:
    found = forecast(table_of(2, "text"), "target", **FAST)
    compare(table_of(2, "text"), "target", **FAST)
    assert found.trainings == len(quick.trained) + len(quick.refitted) == 5
    assert found.most > found.seconds > 90  # with the time to make the folds


def test_a_forecast_refuses_what_a_comparison_would(quick, table_of) -> None:
    with pytest.raises(ArgumentTypeError, match="`fold`"):
        forecast(table_of(2, "text"), "target", fold=3)
