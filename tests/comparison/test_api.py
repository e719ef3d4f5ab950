"""`kilter.compare`: any table in, one answer out."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from sklearn.metrics import average_precision_score

import kilter
import kilter.comparison.heads as heads
from kilter._errors import (
    ArgumentError,
    ArgumentTypeError,
    KilterError,
    SourceError,
    TooFewRowsError,
)
from kilter.comparison.api import compare, forecast
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import USUAL, Remedy
from kilter.comparison.result import FILES
from kilter.comparison.training import Draw
from kilter.decide import Costs, Threshold
from made_images import save_shades

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
        ({"kind": "image"}, ArgumentTypeError, "the data say that rows are of kind table"),
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


# -- a folder of images ------------------------------------------------------------------


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders to learn from and to test on; of one class there is a third as much."""
    root = tmp_path_factory.mktemp("pictures") / "shades"
    save_shades(root / "train", seed=1, dark=48, light=16)
    save_shades(root / "test", seed=2, dark=18, light=9)
    return root


def flat(shape: tuple[int, ...], n_classes: int) -> keras.Model:
    layers = keras.layers
    ends = [layers.Flatten(), layers.Dense(5, "relu"), layers.Dense(n_classes)]
    return keras.Sequential([keras.Input(shape), layers.Rescaling(1 / 255), *ends])


OF_IMAGES: dict[str, Any] = {
    "remedies": "none,crt,head-focal,tau-norm",
    "folds": 2,
    "epochs": 2,
    "confirm": 1,
    "build": flat,
    "executor": "sequential",
}


@pytest.fixture(scope="module")
def short() -> Iterator[None]:
    """Let last layers train for few epochs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(heads.SETTINGS, "epochs", 2)
        yield


@pytest.fixture(scope="module")
def whole(short: None, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A comparison of images that nobody interrupts; its folder, and how far it told to be."""
    out, seen = tmp_path_factory.mktemp("whole") / "run", []
    result = compare(pictures, **OF_IMAGES, out=out, observe=seen.append)
    return SimpleNamespace(result=result, out=out, seen=seen)


def stopped_after(number: int) -> Callable:
    def observe(progress: Any) -> None:
        if progress.done == number:
            raise KeyboardInterrupt

    return observe


@pytest.mark.backend
def test_images_from_end_to_end(whole: SimpleNamespace, pictures: Path) -> None:
    result, out, seen = whole.result, whole.out, whole.seen
    (confirmed,) = result.summary["confirmed"]
    assert confirmed in ("oversample", "focal")
    names = {"none", "none+threshold", "crt", "head-focal", "tau-norm", confirmed}
    assert {row["remedy"] for row in board(result)} == names
    # 4 trainings on 2 folds, one more that is confirmed, then those on all rows
    assert [now.done for now in seen][:10] == [*range(9), 8]
    assert seen[-1].done == seen[-1].total >= 11
    assert {path.name for path in out.iterdir()} == set(FILES)
    data = result.summary["data"]
    assert (data["rows"], data["held_out"], data["image"]) == (91, 27, [8, 8, 1])
    assert [(one["name"], one["count"]) for one in data["classes"]] == [("light", 16), ("dark", 48)]
    tested = result.predictions.to_pandas().groupby("remedy", observed=True)
    for _, rows in tested:
        assert rows["target"].value_counts().to_dict() == {"dark": 18, "light": 9}
        assert rows["row"].is_unique
    # The matrix counts the same mistakes of which there are examples.
    wrong = sum(one["count"] for one in result.summary["misses"])
    matrix = np.array(result.summary["confusion"]["matrix"])
    assert wrong == matrix.sum() - np.trace(matrix)
    page = (out / "report.html").read_text()
    for words in ("8 by 8 pixels", "27 were set apart", "(crt, head-focal, tau-norm)", confirmed):
        assert words in page
    model = kilter.load(out / "model.kilter")
    predicted = model.predict_table(pictures / "test")
    assert predicted.column_names == ["file", "prediction", "p_dark", "p_light"]
    assert predicted["file"].to_pylist()[::18] == ["dark/0.png", "light/0.png"]
    expected = result.model.predict_proba(pictures / "test")
    np.testing.assert_allclose(predicted["p_light"], expected[:, 1], rtol=1e-5)
    assert model.predict(pictures / "test").tolist() == predicted["prediction"].to_pylist()


def figures(result: Any) -> list[dict[str, Any]]:
    return [{**row, "seconds": None} for row in board(result)]


def check_same_networks(one: Any, other: Any) -> None:
    for pair in zip(*(each.model.network.get_weights() for each in (one, other)), strict=True):
        np.testing.assert_array_equal(*pair)


@pytest.mark.parametrize("number", [4, 9])
def test_images_go_on_in_either_stage(
    whole: SimpleNamespace, pictures: Path, tmp_path: Path, number: int
) -> None:
    """After 2 first trainings come 6 of the last layer, and 2 of what is confirmed."""
    settings = {**OF_IMAGES, "out": tmp_path / "run"}
    with pytest.raises(KeyboardInterrupt):
        compare(pictures, **settings, observe=stopped_after(number))
    seen = []
    again = compare(pictures, **settings, resume=True, observe=seen.append)
    assert seen[0].done == min(number, 8)
    assert figures(again) == figures(whole.result)
    assert again.predictions.equals(whole.result.predictions)
    assert again.summary["confirmed"] == whole.result.summary["confirmed"]
    check_same_networks(again, whole.result)


def test_what_is_tested_moves_nothing_that_is_learned(
    whole: SimpleNamespace, pictures: Path, tmp_path: Path
) -> None:
    """Other images to test on: the same remedies are confirmed, and the same networks made."""
    other = tmp_path / "shades"
    (other / "test").mkdir(parents=True)
    (other / "train").symlink_to(pictures / "train")
    save_shades(other / "test", seed=9, light=9, dark=18)  # each has the shade of the other
    found = compare(other, **OF_IMAGES)
    assert figures(found) != figures(whole.result)
    assert found.summary["confirmed"] == whole.result.summary["confirmed"]
    assert found.best == whole.result.best
    check_same_networks(found, whole.result)
    assert found.model.calibrator == whole.result.model.calibrator
    assert found.model.decision == whole.result.model.decision


@pytest.mark.usefixtures("short")
def test_costs_decide_on_images_too(pictures: Path) -> None:
    settings = {**OF_IMAGES, "remedies": "crt", "cost": [[0, 1], [9, 0]]}
    result = compare(pictures, **settings)
    assert result.model.decision == Costs(((0.0, 1.0), (9.0, 0.0)))
    assert result.summary["confirmed"] == ["oversample"]


def test_a_forecast_of_images_counts_what_takes_long(quick, pictures: Path) -> None:
    settings = {name: OF_IMAGES[name] for name in ("remedies", "folds", "confirm", "build")}
    found = forecast(pictures, **settings)
    # the plain network and what is confirmed on two folds, and one network on all rows
    assert found.trainings == 2 + 2 + 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": "y"}, ArgumentError, "`target` is for tables: the class of an image is the"),
        ({"group": "g"}, ArgumentError, "`group` is for tables"),
        ({"size": 0}, ArgumentError, "`size` must be a number of pixels"),
        ({"broken": "keep"}, ArgumentError, "`broken` must be one of refuse, skip; got `keep`."),
        ({"network": "tabm", "build": None}, ArgumentError, "`network` must be convnet for images"),
        ({"remedies": "smote"}, ArgumentError, "`remedies` has `smote`, which makes rows between"),
        ({"confirm": -1}, ArgumentError, "`confirm` must be at least 0; got -1."),
        ({"folds": 10}, TooFewRowsError, "`light` has 9 distinct rows to test on, and 10 folds"),
        ({"data": "no-such-folder"}, SourceError, "`no-such-folder` does not exist."),
    ],
)
def test_what_is_wrong_with_images_is_said_in_a_sentence(
    pictures: Path, arguments: dict[str, Any], error: type[KilterError], message: str
) -> None:
    given = {"data": pictures, **OF_IMAGES, **arguments}
    with pytest.raises(error) as info:
        compare(**given)
    assert message in str(info.value)
    assert "\n" not in str(info.value)


def test_a_size_is_for_images(table_of: Callable) -> None:
    with pytest.raises(ArgumentError, match="`size` is for a folder of images, and this is a"):
        compare(table_of(), "target", size=8, **FAST)


# -- last layers of networks for tables --------------------------------------------------


@pytest.mark.usefixtures("short")
def test_last_layers_on_a_table(table_of: Callable) -> None:
    two = Remedy("two", members=("crt", "none"))
    remedies = ["crt", "tau-norm", "head-smote", two]
    settings = {"network": "mlp", "hidden": (4,), "folds": 2, "seeds": 2, "epochs": 2}
    settings |= {"executor": "sequential", "min_recall": 0.8}
    table = table_of(3, "text")
    result = compare(table, "target", remedies=remedies, **settings)
    assert len(board(result)) == 5
    assert result.summary["confirmed"] == []
    assert result.summary["misses"] == []
    p = result.model.predict_proba(table)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


def test_last_layers_need_a_network_that_has_one(table_of: Callable) -> None:
    with pytest.raises(ArgumentError, match="`network` tabm has one for each of its members"):
        compare(table_of(), "target", remedies="crt", folds=2, seeds=1)


# -- texts -------------------------------------------------------------------------------


def notes(rows: int = 96) -> pd.DataFrame:
    """Messages of which a sixth wants money; other columns are beside them."""
    rng = np.random.default_rng(0)
    words = {True: ["cash", "prize", "call", "£500"], False: ["noon", "home", "tea", "bus"]}
    spam = np.arange(rows) % 6 == 0
    texts = [
        " ".join([f"no{chr(97 + row % 26)}", *rng.choice(words[bool(label)] + ["the", "a"], 5)])
        for row, label in enumerate(spam)
    ]
    return pd.DataFrame({"note": texts, "spam": np.where(spam, "yes", "no"), "hour": 1})


OF_TEXTS: dict[str, Any] = {
    "text": "note",
    "remedies": "none,focal,head-class-weights",
    "folds": 2,
    "seeds": 1,
    "epochs": 3,
}


@pytest.mark.backend
def test_texts_from_end_to_end(tmp_path: Path) -> None:
    table, out = notes(), tmp_path / "run"
    result = compare(table, "spam", **OF_TEXTS, augment="light", augment_share=0.5, out=out)
    assert {row["remedy"] for row in board(result)} == {
        *("none", "none+threshold", "focal", "head-class-weights")
    }
    data = result.summary["data"]
    assert (data["kind"], data["rows"], data["columns"]) == ("text", 96, 1)
    examples = [each for one in result.summary["misses"] for each in one["examples"]]
    assert all(each["text"] in set(table["note"]) for each in examples)
    page = (out / "report.html").read_text()
    assert "96 texts" in page
    assert all(html.escape(each["text"]) in page for each in examples)
    model = kilter.load(out / "model.kilter")
    texts = ["call for cash", "", "tea at noon"]
    expected = result.model.predict_proba(texts)
    np.testing.assert_allclose(model.predict_proba(texts), expected, rtol=1e-4)
    np.testing.assert_allclose(model.predict_proba(pd.DataFrame({"note": texts})), expected, 1e-4)
    assert model.predict_table(texts).column_names == ["prediction", "p_no", "p_yes"]
    assert set(model.predict(texts)) <= {"no", "yes"}
    assert Plan.from_json(result.summary["plan"]).to_json() == result.summary["plan"]


def test_a_stopped_run_of_texts_goes_on(tmp_path: Path) -> None:
    settings = {**OF_TEXTS, "executor": "sequential", "remedies": "none,focal"}
    whole = compare(notes(), "spam", **settings)
    with pytest.raises(KeyboardInterrupt):
        compare(notes(), "spam", **settings, out=tmp_path / "run", observe=stopped_after(2))
    # The texts are equal and not the same objects: what is trained is found again.
    seen: list[Any] = []
    result = compare(
        notes(), "spam", **settings, out=tmp_path / "run", resume=True, observe=seen.append
    )
    assert seen[0].done == 2
    assert figures(result) == figures(whole)
    with pytest.raises(KeyboardInterrupt):
        compare(notes(), "spam", **settings, out=tmp_path / "new", observe=stopped_after(2))
    other = notes().assign(note=lambda table: table["note"].str.upper())
    with pytest.raises(ArgumentError, match="`resume` found an interrupted run at"):
        compare(other, "spam", **settings, out=tmp_path / "new", resume=True)


def test_the_usual_remedies_of_texts_mix_nothing() -> None:
    names = [remedy.name for remedy in Plan.make(kind="text").remedies]
    assert names == [name for name in USUAL if name not in ("smote", "stack")]
