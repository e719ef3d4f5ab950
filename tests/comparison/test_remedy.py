"""Remedies as values and by their names."""

from __future__ import annotations

import pytest

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter.comparison.remedy import (
    BASELINE,
    OF_HEAD,
    REMEDIES,
    SINGLE,
    USUAL,
    Decide,
    Remedy,
    end_to_end,
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
    mixtures |= {"cutmix", "cmo", "mixup-drw"}
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


# -- remedies for the last layer ---------------------------------------------------------


def test_a_head_goes_on_from_the_plain_network_unless_told() -> None:
    plain = Training(Draw(), Loss())
    crt = Remedy("x", Draw(power=0), head="anew")
    assert crt.after == Remedy("none")
    assert crt.trainings == (Training(Draw(power=0), Loss(), plain, "anew"),)
    assert crt.trainings == REMEDIES["crt"].trainings
    late = Remedy("y", head="norm", after="focal")
    assert late.trainings[0].after == REMEDIES["focal"].trainings[0]
    assert late.trainings[0].needs() == REMEDIES["focal"].trainings


def test_heads_share_the_baselines_networks() -> None:
    baseline = REMEDIES[BASELINE].trainings
    assert {remedy.trainings[0].needs() for remedy in OF_HEAD} == {baseline}
    assert len({remedy.trainings for remedy in OF_HEAD}) == len(OF_HEAD)


def test_heads_may_be_members() -> None:
    mine = Remedy("mine", members=("crt", "none"))
    assert mine.trainings == (*REMEDIES["crt"].trainings, *REMEDIES["none"].trainings)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"head": "new"}, r"`head` must be one of anew, scale, margin, norm, or None; got `new`\."),
        ({"head": "scales"}, r"Did you mean `scale`\?"),
        (
            {"head": "norm", "draw": Draw(power=0)},
            "`head` norm trains nothing, so it takes no",
        ),
        ({"head": "norm", "loss": Loss(gamma=1)}, "takes no draw and no loss of its own. Leave"),
        ({"head": "anew", "members": ("none", "focal")}, "`head` must be None for a remedy with"),
        (
            {"head": "anew", "draw": Draw(power=0, shrink=True, part=1, paced=True)},
            r"`draw` must be neither `paced` nor `cut` where only a `head` learns, as `x` has it",
        ),
        (
            {"head": "anew", "draw": Draw(partner="batch", cut=True)},
            r"features are no images\. Leave both out",
        ),
        ({"head": "anew", "after": "blend"}, "`after` must be a remedy without members"),
    ],
)
def test_heads_that_cannot_be(given: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Remedy("x", **given)


@pytest.mark.parametrize(
    ("head", "whole"),
    [
        ("crt", "oversample"),
        ("head-undersample", "undersample"),
        ("head-smote", "smote"),
        ("head-class-weights", "class-weights"),
        ("head-focal", "focal"),
        ("head-logit-adjust", "logit-adjust"),
        ("head-vs", "vs"),
        ("lws", None),
        ("marc", None),
        ("tau-norm", None),
        ("oversample", None),
        ("blend", None),
    ],
)
def test_the_end_to_end_form_of_a_head(head: str, whole: str | None) -> None:
    found = end_to_end(REMEDIES[head])
    assert (found and found.name) == whole
    if found is not None:
        (alone,), (training,) = found.trainings, REMEDIES[head].trainings
        assert (alone.draw, alone.loss, alone.head) == (training.draw, training.loss, None)


def test_a_form_decides_by_a_tuned_threshold() -> None:
    assert end_to_end(Remedy("x", head="anew")) == REMEDIES[BASELINE]  # not `none`
    assert end_to_end(Remedy("x", Draw(power=0.3), head="anew")) is None


def test_images_have_remedies_that_take_seconds() -> None:
    found = find_remedies(None, "image")
    assert found == (REMEDIES["none"], REMEDIES[BASELINE], *OF_HEAD)
    whole = {one for remedy in found for one in remedy.trainings if one.head is None}
    assert whole == {Training(Draw(), Loss())}
    assert not {remedy.name for remedy in OF_HEAD} & set(USUAL)
