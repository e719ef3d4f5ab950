"""Remedies as values and by their names."""

from __future__ import annotations

import pytest

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter.comparison.remedy import (
    BASELINE,
    REMEDIES,
    SINGLE,
    USUAL,
    Decide,
    Remedy,
    find_remedies,
)
from kilter.comparison.training import Draw, Loss, Training


def test_what_trains_the_same_shares_a_training() -> None:
    shared = {}
    for remedy in SINGLE:
        shared.setdefault(remedy.trainings, []).append(remedy.name)
    assert [names for names in shared.values() if len(names) > 1] == [
        ["none", BASELINE],
        ["logit-adjust", "balanced-softmax"],
    ]


def test_only_the_untouched_network_decides_untuned() -> None:
    assert [name for name, remedy in REMEDIES.items() if not remedy.decide.tuned] == ["none"]


def test_remedies_are_values() -> None:
    one, two = (Remedy("x", Draw(power=0.5), Loss(gamma=1), Decide()) for _ in range(2))
    assert one == two
    assert hash(one) == hash(two)
    assert one.trainings == (Training(Draw(power=0.5), Loss(gamma=1)),)


def test_the_baseline_is_always_there() -> None:
    assert find_remedies(["focal"]) == (REMEDIES[BASELINE], REMEDIES["focal"])
    assert find_remedies([]) == (REMEDIES[BASELINE],)
    assert find_remedies(["focal", BASELINE]) == (REMEDIES["focal"], REMEDIES[BASELINE])
    assert find_remedies(None) == tuple(REMEDIES[name] for name in USUAL)
    ensembles, mixtures = {"under-bagging", "self-paced"}, {"cluster-smote", "mixup", "remix"}
    losses = {"cb-focal", "vs", "drw", "ldam-drw"}
    heads = {"tau-norm", "crt", "lws", "marc"} | {
        f"head-{name}"
        for name in ("undersample", "smote", "class-weights", "focal", "logit-adjust", "vs")
    }
    assert set(REMEDIES) - set(USUAL) == ensembles | mixtures | losses | heads


def test_a_remedy_of_ones_own_is_taken_as_it_is() -> None:
    mine = Remedy("mine", Draw(power=0.7))
    assert find_remedies([mine, "smote"]) == (REMEDIES[BASELINE], mine, REMEDIES["smote"])


def test_a_remedy_of_ones_own_has_a_name_of_its_own() -> None:
    assert find_remedies([REMEDIES["smote"]])[1].name == "smote"
    with pytest.raises(ArgumentError, match=r"kilter's `smote`\. Give it another name"):
        find_remedies([Remedy("smote", Draw(power=0.3))])


def test_an_unknown_name_says_the_nearest_and_all() -> None:
    with pytest.raises(ArgumentError, match=r"no `smot`\. Did you mean `smote`\? Known are none,"):
        find_remedies(["smot"])


def test_names_must_differ() -> None:
    with pytest.raises(ArgumentError, match="`smote` twice"):
        find_remedies(["smote", Remedy("smote", Draw(power=0.5))])


def test_members_may_be_named() -> None:
    one = Remedy("two", members=("none", Remedy("half", Draw(power=0.5))), join="stack")
    assert one.trainings == (Training(Draw(), Loss()), Training(Draw(power=0.5), Loss()))
    assert REMEDIES["blend"].trainings == tuple(
        REMEDIES[name].trainings[0] for name in ("none", "oversample", "undersample")
    )


def test_a_stack_has_each_training_once() -> None:
    trainings = REMEDIES["stack"].trainings
    assert len(set(trainings)) == len(trainings)
    assert set(trainings) == {remedy.trainings[0] for remedy in SINGLE}


def test_one_name_is_not_several_members() -> None:
    with pytest.raises(ArgumentTypeError, match="`members` must be several names"):
        Remedy("x", members="none")


@pytest.mark.parametrize("after", [5, ["none"]])
def test_what_is_no_remedy_is_no_remedy(after: object) -> None:
    with pytest.raises(ArgumentTypeError, match="`after` must be names or `Remedy` values; got"):
        Remedy("x", after=after)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"members": ("nome",)}, "`members` knows no `nome`.*Did you mean"),
        ({"members": ("none", "none+threshold")}, "of none, none.threshold two or more are one"),
        ({"members": ("logit-adjust", "balanced-softmax")}, "must be trained differently"),
        ({"members": ("blend",)}, "`members` must be remedies without members"),
        ({"members": (), "after": "nome"}, "`after` knows no `nome`.*Did you mean"),
        ({"members": (), "after": "blend"}, "`after` must be a remedy without members.*`blend`"),
        ({"after": "none"}, "for one without members; got `none` for `x`"),
        ({"join": "stak"}, "`join` must be one of .*Did you mean `stack`"),
    ],
)
def test_ensembles_that_cannot_be(given: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Remedy("x", **{"members": ("none", "focal"), **given})
