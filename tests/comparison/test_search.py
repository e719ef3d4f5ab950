"""A search with rungs, on made-up values."""

from __future__ import annotations

import sys

import pytest

from kilter._errors import BackendError
from kilter.comparison.search import Search
from kilter.comparison.space import Candidate, known
from kilter.comparison.training import Draw, Loss

RUNGS = [[(0, 0)], [(0, 0), (1, 0), (2, 0)], [(fold, seed) for fold in range(3) for seed in (0, 1)]]


def run(search: Search, worth, trials: int = 36, batch: int = 12) -> list[tuple[int, int]]:
    """Search to the end; return how many candidates and trainings each rung asked for."""
    sizes = []
    for _ in range(0, trials, batch):
        search.ask(batch)
        for rung in range(len(RUNGS)):
            sizes.append((len(search.batch), len(search.wanted())))
            search.climb(lambda candidate, places: worth(candidate), rung == len(RUNGS) - 1)
    return sizes


def distance(candidate: Candidate) -> float:
    """Best at logit adjustment with tau 1.5 on naturally drawn rows, by mlp."""
    tau = (candidate.loss.prior - 1.5) ** 2
    return tau + (candidate.draw != Draw()) + (candidate.network != "mlp")


def test_a_third_goes_on_to_more_trainings() -> None:
    sizes = run(Search(RUNGS, ["tabm", "mlp"], 0, True), lambda one: -distance(one))
    assert sizes == [(12, 12), (4, 12), (1, 6)] * 3


@pytest.mark.parametrize("higher", [True, False])
def test_it_finds_what_is_best(higher: bool) -> None:
    search = Search(RUNGS, ["tabm", "mlp"], 3, higher)
    run(search, lambda one: -distance(one) if higher else distance(one), trials=96)
    best = search.best()
    assert (best.network, best.draw) == ("mlp", Draw())
    assert abs(best.loss.prior - 1.5) < 0.4
    values = [one.value for one in search.asked if one.rung == 2]
    assert len(search.asked) == 96
    assert len(values) == 8


def test_what_stands_first_on_few_trainings_need_not_win() -> None:
    search = Search(RUNGS, ["mlp"], 0, True)
    search.ask(6)
    lucky, sound = (one.candidate for one in search.batch[:2])
    luck = {1: {lucky: 0.9, sound: 0.8}, 3: {lucky: 0.4, sound: 0.7}, 6: {sound: 0.7}}
    for rung in range(3):
        search.climb(lambda one, places: luck[len(places)].get(one, 0.1), rung == 2)
    assert search.best() == sound


def test_a_seed_asks_the_same_again() -> None:
    one, same, other = (Search(RUNGS, ["mlp"], seed, True) for seed in (1, 1, 2))
    for search in (one, same, other):
        run(search, lambda candidate: -distance(candidate), trials=24)
    names = [[str(asked.candidate) for asked in search.asked] for search in (one, same, other)]
    assert names[0] == names[1] != names[2]


def test_it_begins_with_what_is_known() -> None:
    search = Search(RUNGS, ["mlp", "tabm"], 0, True)
    search.ask(len(known(["mlp", "tabm"])))
    first = [one.candidate for one in search.batch]
    assert first[0] == Candidate("mlp", Draw(), Loss())
    assert first[1] == Candidate("tabm", Draw(), Loss())
    assert Candidate("mlp", Draw(), Loss(prior=1.0)) in first
    assert Candidate("mlp", Draw(power=0, partner="neighbor", neighbors=5), Loss()) in first
    assert len(set(first)) == len(first)


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(BackendError, match=r"pip install 'kilter\[tune\]'"):
        Search(RUNGS, ["mlp"], 0, True)
