"""The nested search: what it may see, what it is scored on, what it hands over."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import kilter
from kilter._errors import ArgumentError, DataError, TooFewRowsError
from kilter.comparison import nested, verdict
from kilter.comparison.nested import _inner_splits, search
from kilter.comparison.plan import Plan
from kilter.comparison.space import Candidate
from kilter.comparison.training import Draw, Loss
from kilter.data import load, split
from made_data import make_dataset

LABELS = np.repeat([0, 1], [160, 40])
QUICK: dict[str, Any] = {"folds": 2, "seeds": 2, "epochs": 3, "hidden": (4,), "members": 2}


def ids(part: Any) -> set[int]:
    """Return which rows of the whole table a part has; their number is their only column."""
    return set(part.features.numbers[:, 0].astype(int).tolist())


@pytest.mark.parametrize("by", [{}, {"times": np.arange(200.0)}, {"groups": np.arange(200) // 2}])
def test_a_search_sees_no_row_that_it_is_scored_on(by: dict) -> None:
    labels = np.random.default_rng(0).permutation(LABELS)
    dataset = make_dataset(labels, **by)
    outer = split(dataset, 4, 0)
    *searches, last = _inner_splits(dataset, outer, 0)
    assert len(searches) == 4
    for one, inner in zip(outer, searches, strict=True):
        seen = set.union(*(ids(part) for fold in inner for part in (fold.train, fold.validation)))
        scored = set.union(*(ids(fold.test) for fold in inner))
        assert not (seen | scored) & ids(one.test)
        assert seen | scored <= ids(one.train) | ids(one.validation)
    assert len(last) == len(searches[0])


@pytest.fixture
def tuned(quick, table_of: Callable) -> Any:
    plan = Plan.make([], **QUICK)
    return search(plan, load(table_of(2, "text"), "target"), trials=14, networks=["mlp"])


@pytest.fixture(autouse=True)
def quickly(quick, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested, "find_executor", lambda *given: quick)


def test_the_result_is_that_of_a_comparison(tuned: Any) -> None:
    assert {row["remedy"] for row in tuned.summary["leaderboard"]} == {"none+threshold", "tuned"}
    assert json.loads(json.dumps(tuned.summary)) == tuned.summary
    searched = tuned.summary["search"]
    assert searched["trials"] == len(searched["candidates"]) == 14
    assert searched["searches"] == 3
    assert len(searched["chosen_without_fold"]) == 2
    trainings = [one["trainings"] for one in searched["candidates"]]
    assert trainings == sorted(trainings, reverse=True)
    assert set(trainings) == {1, 3, 6}
    assert searched["chosen"] == searched["candidates"][0]["candidate"]
    assert searched["chosen"] in tuned.verdict
    assert searched["chosen"].startswith("mlp")
    assert "What was searched" in tuned._repr_html_().replace("&quot;", '"')


def test_each_fold_is_scored_by_what_was_chosen_without_it(
    quick, table_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan.make([], **QUICK)
    dataset = load(table_of(2, "text"), "target")
    seen = []
    judge = nested.judge_fold

    def spy(plan: Plan, remedy: Any, split: Any, trained: Any, positive: int) -> Any:
        seen.append((remedy.name, {one.lane.fold for one in trained}, remedy.trainings))
        return judge(plan, remedy, split, trained, positive)

    monkeypatch.setattr(nested, "judge_fold", spy)
    result = search(plan, dataset, trials=8, networks=["mlp"])
    outer = [(folds, trainings) for name, folds, trainings in seen if min(folds) < 2]
    assert [folds for folds, _ in outer] == [{0}, {1}, {0}, {1}]  # baseline, then tuned
    rows = result.predictions.to_pandas()
    assert sorted(rows[rows["remedy"] == "tuned"]["row"]) == list(range(len(dataset)))


def test_progress_comes_to_its_end(quick, table_of: Callable) -> None:
    seen: list[Any] = []
    plan = Plan.make([], **QUICK)
    search(plan, load(table_of(), "target"), trials=13, networks=["mlp"], observe=seen.append)
    done = [now.done for now in seen]
    assert done == sorted(done)
    assert done[-2] / seen[-1].total > 0.5
    assert done[-1] == seen[-1].total
    assert max(now.score for now in seen) == seen[-1].score > 0
    assert seen[-1].leader.startswith("mlp")


def test_the_search_counts_into_the_seconds(quick, table_of: Callable) -> None:
    plan = Plan.make([], **QUICK)
    result = search(plan, load(table_of(2, "text"), "target"), trials=5, networks=["mlp"])
    seconds = {row["remedy"]: row["seconds"] for row in result.summary["leaderboard"]}
    judged = plan.folds * plan.seeds
    searching = sum(lane.fold >= plan.folds for lane in quick.trained)
    assert seconds == {
        "none+threshold": pytest.approx(0.25 * judged),
        "tuned": pytest.approx(0.25 * (judged + searching)),
    }


@pytest.mark.parametrize("metric", ["log_loss", "macro_f1"])
def test_other_metrics_and_three_classes(quick, table_of: Callable, metric: str) -> None:
    plan = Plan.make([], **QUICK, metric=metric)
    result = search(plan, load(table_of(3, "text"), "target"), trials=5, networks=["mlp"])
    finalists = [c for c in result.summary["search"]["candidates"] if c["trainings"] == 6]
    assert all(np.isfinite(one["value"]) for one in finalists)
    assert result.summary["chosen"]["metric"] == metric


@pytest.mark.parametrize("after", [1, 20])
def test_an_interrupted_search_asks_and_trains_as_if_it_had_not_been(
    quick, table_of: Callable, tmp_path: Any, after: int
) -> None:
    def tune(folder: str, **given: Any) -> Any:
        quick.trained.clear()
        out = tmp_path / folder
        return kilter.tune(table_of(2, "text"), "target", trials=5, out=out, **given, **QUICK)

    def told(result: Any) -> Any:
        weights = [one.tolist() for one in result.model.network.get_weights()]
        return {**result.summary, "environment": None}, result.predictions.to_pylist(), weights

    whole, trainings = told(tune("whole")), list(quick.trained)
    quick.fails_after = after
    with pytest.raises(KeyboardInterrupt):
        tune("mine")
    assert not (tmp_path / "mine").exists()
    quick.fails_after = None
    assert told(tune("mine", resume=True)) == whole
    assert len(quick.trained) == len(trainings) - after
    assert {path.name for path in tmp_path.iterdir()} == {"whole", "mine"}


def test_a_search_can_go_on_with_more_trials(quick, table_of: Callable, tmp_path: Any) -> None:
    given = {**QUICK, "networks": "mlp", "out": tmp_path / "mine"}
    quick.fails_after = 30
    with pytest.raises(KeyboardInterrupt):
        kilter.tune(table_of(), "target", trials=4, **given)
    with pytest.raises(ArgumentError, match="an interrupted run at"):
        kilter.tune(table_of(), "target", trials=8, resume=True, **{**given, "seeds": 1})
    quick.fails_after = None
    result = kilter.tune(table_of(), "target", trials=8, resume=True, **given)
    assert result.summary["search"]["trials"] == 8


def test_another_network_counts_as_a_rival(
    quick, table_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Candidate("tabm", Draw(), Loss())
    monkeypatch.setattr(nested.Search, "best", lambda self: plain)
    plan = Plan.make([], **QUICK, network="mlp")
    result = search(plan, load(table_of(), "target"), trials=2, networks="mlp,tabm")
    assert "No other remedy was compared" not in result.verdict
    assert result.summary["search"]["chosen"] == "tabm: plain"
    monkeypatch.setattr(verdict, "SURE", 0.0)  # whatever is best is handed over
    result = search(plan, load(table_of(), "target"), trials=2, networks="mlp,tabm")
    assert result.best == "tuned"
    assert result.summary["plan"]["network"] == "tabm"
    assert "ends at tabm: plain" in result.model.about["verdict"]


def test_rows_that_are_too_few_to_part_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = make_dataset(np.repeat([0, 1], [60, 10]))
    with pytest.raises(TooFewRowsError, match="a search has to part the rows"):
        _inner_splits(dataset, split(dataset, 2, 0), 0)
    assert len(_inner_splits(dataset, split(dataset, 5, 0), 0)[0]) == 3
    parted = []

    def cut(dataset: Any, folds: int, seed: int) -> Any:
        parted.append(folds)
        if folds == 3:
            raise DataError("in time a fold may have too few rows")
        return split(dataset, folds, seed)

    monkeypatch.setattr(nested, "split", cut)
    assert len(_inner_splits(dataset, split(dataset, 5, 0), 0)[0]) == 2
    assert parted[:2] == [3, 2]
