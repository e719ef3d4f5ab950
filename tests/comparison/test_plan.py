"""Plans: frozen, checked, and the same after JSON."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter.comparison.plan import METRICS, Plan
from kilter.comparison.remedy import BASELINE, REMEDIES, Decide, Remedy
from kilter.comparison.training import PARTNERS, TAIL, Draw, Loss

partners = st.sampled_from([None, *(one for one in PARTNERS if one != TAIL)])
draws = st.builds(Draw, st.floats(0, 1), st.booleans(), st.booleans(), partners) | st.builds(
    Draw, st.floats(0, 1), partner=st.just(TAIL), cut=st.booleans()
)
losses = st.builds(Loss, st.sampled_from([None, "balanced"]), st.floats(0, 2), st.floats(0, 5))
own = st.builds(Remedy, st.text(min_size=1, max_size=9), draws, losses, st.builds(Decide))
plans = st.builds(
    lambda mine, **settings: Plan.make([mine, BASELINE], **settings),
    own.filter(lambda remedy: remedy.name != BASELINE),
    folds=st.integers(2, 9),
    seeds=st.integers(1, 9),
    metric=st.sampled_from(sorted(METRICS)),
    batch_size=st.none() | st.integers(1, 999),
    hidden=st.lists(st.integers(1, 99), max_size=3),
    costs=st.none() | st.just(((0.0, 1.0), (9.5, 0.0))),
)


@given(plans)
def test_a_plan_comes_back_from_json(plan: Plan) -> None:
    again = Plan.from_json(json.loads(json.dumps(plan.to_json())))
    assert again == plan
    assert hash(again) == hash(plan)


def test_a_plan_of_everything_comes_back_too() -> None:
    plan = Plan.make(list(REMEDIES), min_recall=0.9, learning_rate=0.1, dropout=0.0, seed=7)
    assert Plan.from_json(plan.to_json()) == plan
    assert plan.remedies == tuple(REMEDIES.values())


def test_a_plan_trains_what_its_remedies_need_first() -> None:
    plain, late = Plan.make(["drw"]).trainings
    assert late.after == plain


def test_a_plan_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Plan.make().folds = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    "given_",
    ["focal,smote", " focal , smote ,", ["focal", "smote"], ("focal", REMEDIES["smote"])],
)
def test_remedies_are_given_in_many_ways(given_: Any) -> None:
    assert [r.name for r in Plan.make(given_).remedies] == [BASELINE, "focal", "smote"]


def test_one_remedy_needs_no_list() -> None:
    mine = Remedy("mine", Draw(power=0.5))
    assert Plan.make(mine).remedies == (REMEDIES[BASELINE], mine)


@pytest.mark.parametrize(
    ("metric", "higher"),
    [("auprc", True), ("macro_f1", True), ("mcc", True), ("log_loss", False), ("brier", False)],
)
def test_the_direction_of_a_metric(metric: str, higher: bool) -> None:
    assert Plan.make(metric=metric).higher_is_better is higher


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"folds": 1}, "`folds` must be at least 2; got 1. One fold leaves nothing to test on."),
        ({"folds": 0}, "`folds` must be at least 2; got 0."),
        ({"seeds": 0}, "`seeds` must be at least 1; got 0."),
        ({"epochs": 0}, "`epochs` must be at least 1; got 0."),
        ({"patience": -1}, "`patience` must be at least 1; got -1."),
        ({"neighbors": 0}, "`neighbors` must be at least 1; got 0."),
        ({"batch_size": 0}, "`batch_size` must be at least 1; got 0."),
        ({"hidden": (8, 0)}, "`hidden` must be at least 1; got 0."),
        ({"metric": "auprcc"}, "Did you mean `auprc`?"),
        ({"metric": None}, "`metric` must be one of auprc,"),
        ({"min_recall": 0}, "`min_recall` must be above 0, at most 1; got 0."),
        ({"min_recall": 1.1}, "`min_recall` must be above 0, at most 1; got 1.1."),
        ({"min_recall": float("nan")}, "`min_recall` must be above 0"),
        ({"min_recall": 0.5, "costs": ((0, 1), (1, 0))}, "give one of the two"),
    ],
)
def test_values_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError) as info:
        Plan.make(**settings)
    assert message in str(info.value)


def test_numbers_of_numpy_are_pythons() -> None:
    given = {"seed": np.int64(3), "epochs": np.int32(9), "hidden": np.array([8, 4]).tolist()}
    plan = Plan.make([], **given, learning_rate=np.float32(0.5), min_recall=np.float64(0.25))
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert plan == Plan.make(
        [], seed=3, epochs=9, hidden=(8, 4), learning_rate=0.5, min_recall=0.25
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": None}, "`seed` must be a whole number; got None."),
        ({"folds": 5.0}, "`folds` must be a whole number; got 5.0."),
        ({"seeds": True}, "`seeds` must be a whole number; got True."),
        ({"epochs": "9"}, "`epochs` must be a whole number; got '9'."),
        ({"batch_size": 32.5}, "`batch_size` must be a whole number; got 32.5."),
        ({"hidden": 64}, "`hidden` must be whole numbers in a row; got 64."),
        ({"hidden": "64"}, "`hidden` must be whole numbers in a row; got '64'."),
        ({"hidden": (64, 0.5)}, "`hidden` must be a whole number; got 0.5."),
        ({"epoch": 9}, "there is no setting `epoch`. Did you mean `epochs`?"),
        ({"zzz": 9}, "there is no setting `zzz`."),
    ],
)
def test_types_and_names_are_checked(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentTypeError) as info:
        Plan.make(**settings)
    assert message in str(info.value)


def test_a_changed_plan_is_checked_too() -> None:
    with pytest.raises(ArgumentError, match="give one of the two"):
        replace(Plan.make(min_recall=0.5), costs=((0, 1), (1, 0)))


def test_augmentation_goes_to_json_and_back() -> None:
    assert Plan.from_json(Plan.make([], augment="light").to_json()).augment == "light"
    flip = keras.layers.RandomFlip("vertical", seed=3)
    again = Plan.from_json(json.loads(json.dumps(Plan.make([], augment=[flip]).to_json())))
    assert [layer.get_config()["mode"] for layer in again.augment] == ["vertical"]
    with pytest.raises(ArgumentError, match="`augment` must be one of light, strong"):
        Plan.make([], augment="ligth")
    with pytest.raises(ArgumentError, match="`augment_share` must be from 0 to 1; got 2"):
        Plan.make([], augment_share=2)


def test_settings_that_are_not_given_are_those_of_the_kind() -> None:
    table, image = Plan.make([]), Plan.make([], kind="image", epochs=None, patience=3)
    assert (table.network, table.seeds, table.epochs, table.confirm) == ("tabm", 3, 200, 0)
    assert (image.network, image.seeds, image.epochs, image.patience) == ("convnet", 1, 30, 3)


@pytest.mark.parametrize(
    ("kind", "usual"),
    [
        ("table", {"network": "tabm", "seeds": 3, "epochs": 200, "patience": 20, "confirm": 0}),
        ("image", {"network": "convnet", "seeds": 1, "epochs": 30, "patience": 6, "confirm": 2}),
    ],
)
def test_what_is_usual_hangs_on_what_a_row_is(kind: str, usual: dict[str, Any]) -> None:
    plan = Plan.make(kind=kind)
    assert {name: getattr(plan, name) for name in usual} == usual
    assert Plan.make(kind=kind, **dict.fromkeys(usual)) == plan
    given = {"network": "mlp", "seeds": 2, "epochs": 7, "patience": 3, "confirm": 1}
    plan = Plan.make(kind=kind, **given)
    assert {name: getattr(plan, name) for name in given} == given
    if kind == "table":
        assert Plan.make(kind=kind) == Plan.make() == Plan(Plan.make().remedies)


def test_none_to_confirm_is_not_the_usual_number() -> None:
    assert Plan.make(kind="image", confirm=0).confirm == 0
    for value, error in ((-1, ArgumentError), ("2", ArgumentTypeError), (1.5, ArgumentTypeError)):
        with pytest.raises(error, match="`confirm` must be "):
            Plan.make(confirm=value)


def test_a_plan_of_images_comes_back_with_its_heads() -> None:
    mine = Remedy("mine", Draw(power=0.5), head="scale", after="crt")
    for remedies in (None, [mine]):
        plan = Plan.make(remedies, kind="image")
        assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_plan_from_before_there_were_heads_is_read() -> None:
    plain = Plan.make("focal,drw").to_json()
    del plain["confirm"]
    for remedy in plain["remedies"]:
        del remedy["head"]
    assert Plan.from_json(plain) == Plan.make("focal,drw")
