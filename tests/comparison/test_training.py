"""Draws and losses in numbers, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import logsumexp
from sklearn.utils.class_weight import compute_class_weight

from kilter._errors import ArgumentError
from kilter.comparison.remedy import (
    PARTS,
    REMEDIES,
    Remedy,
)
from kilter.comparison.training import Draw, Loss, Training, with_needs
from kilter.sampling import TICKETS

COUNTS = np.array([90, 9, 1])
STEPS, BATCH = 4, 30  # 120 draws


def quotas(name: str, counts: np.ndarray = COUNTS):
    return REMEDIES[name].draw.quotas(counts, STEPS, BATCH)


@pytest.mark.parametrize(
    ("name", "slots", "pool"),
    [
        ("none", [108, 11, 1], [90, 9, 1]),  # 108, 10.8, 1.2 by the largest remainder
        ("oversample", [40, 40, 40], [90, 9, 1]),
        ("undersample", [40, 40, 40], [1, 1, 1]),
        ("smote", [40, 40, 40], [90, 9, 1]),
        ("balanced-batches", [10, 10, 10], [90, 9, 1]),
    ],
)
def test_draws_by_hand(name: str, slots: list[int], pool: list[int]) -> None:
    numbers = quotas(name)
    assert numbers.slots.tolist() == slots
    assert numbers.pool.tolist() == pool
    assert int(numbers.per_batch) == (name == "balanced-batches")
    whole = numbers._replace(kappa=np.int32(0))
    assert all(np.asarray(field).dtype == np.int32 for field in whole)
    assert (numbers.kappa, numbers.tail, numbers.cut) == (0, 0, 0)


def test_only_smote_mixes_and_only_what_a_class_lacks() -> None:
    np.testing.assert_allclose(quotas("smote").mixed / TICKETS, [0, 0.9, 89 / 90], atol=1e-6)
    others = {"mixup", "remix", "cutmix", "cmo", "mixup-drw"}
    for name in REMEDIES.keys() - {"smote", "head-smote", "cluster-smote"} - others:
        assert not quotas(name).mixed.any()


@pytest.mark.parametrize(
    ("name", "kappa", "tail", "cut"),
    [
        ("mixup", np.inf, 0, 0),
        ("remix", 3, 0, 0),
        ("cutmix", np.inf, 0, 1),
        ("cmo", np.inf, 1, 1),
    ],
)
def test_mixtures_are_of_every_row(name: str, kappa: float, tail: int, cut: int) -> None:
    assert (quotas(name).tail, quotas(name).cut) == (tail, cut)
    assert quotas(name).mixed.tolist() == [TICKETS] * 3
    assert quotas(name).kappa == kappa
    assert quotas(name).slots.tolist() == quotas("none").slots.tolist()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"partner": "neighbour"}, "`partner` must be one of .*Did you mean `neighbor`"),
        ({"kappa": 3}, "`kappa` must be at least 1 and needs the partner `batch`"),
        ({"kappa": 3, "partner": "cluster"}, "with the partner `cluster`"),
        ({"kappa": 0.5, "partner": "batch"}, "got 0.5"),
    ],
)
def test_mixtures_that_cannot_be(given: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Draw(**given)


def test_the_power_of_a_draw_goes_from_natural_to_balanced() -> None:
    square_root = Draw(power=0.5).quotas(np.array([64, 16, 1]), 1, 130)
    assert square_root.slots.tolist() == [80, 40, 10]  # 8 : 4 : 1 of 130


@pytest.mark.parametrize("name", ["class-weights", "effective-weights"])
def test_weights_are_of_the_training_counts(name: str) -> None:
    numbers = REMEDIES[name].loss.numbers(COUNTS)
    labels = np.repeat([0, 1, 2], COUNTS)
    balanced = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    inverse = 1 / (1 - 0.9999 ** COUNTS.astype(float))
    expected = {"class-weights": balanced, "effective-weights": inverse / inverse.mean()}[name]
    np.testing.assert_allclose(numbers.weights, expected, rtol=1e-5)
    assert not numbers.margins.any()
    assert float(numbers.gamma) == 0


def test_focal_focuses_and_nothing_else() -> None:
    numbers = REMEDIES["focal"].loss.numbers(COUNTS)
    assert float(numbers.gamma) == 2
    assert numbers.weights.tolist() == numbers.scale.tolist() == [1, 1, 1]
    assert not numbers.margins.any()


@pytest.mark.parametrize("name", ["logit-adjust", "balanced-softmax"])
def test_logit_adjustment_adds_the_log_prior_whatever_the_true_class(name: str) -> None:
    numbers = REMEDIES[name].loss.numbers(COUNTS)
    np.testing.assert_allclose(numbers.margins, [np.log([0.9, 0.09, 0.01])] * 3, rtol=1e-5)
    assert logsumexp(numbers.margins[0]) == pytest.approx(0, abs=1e-6)


def test_class_balanced_focal_loss_weighs_and_focuses() -> None:
    numbers = REMEDIES["cb-focal"].loss.numbers(COUNTS)
    weights = (1 - 0.9999) / (1 - 0.9999**COUNTS)
    np.testing.assert_allclose(numbers.weights, weights / weights.mean(), rtol=1e-5)
    assert float(numbers.gamma) == 2


def test_the_vector_scaling_loss_shrinks_logits_of_rare_classes_and_adds_the_log_prior() -> None:
    numbers = REMEDIES["vs"].loss.numbers(COUNTS)
    np.testing.assert_allclose(numbers.scale, [1, 0.1**0.3, (1 / 90) ** 0.3], rtol=1e-6)
    np.testing.assert_allclose(numbers.margins, [np.log([0.9, 0.09, 0.01])] * 3, rtol=1e-5)


def test_all_numbers_are_float32_of_one_shape() -> None:
    for remedy in REMEDIES.values():
        numbers = remedy.loss.numbers(COUNTS)
        assert [a.shape for a in numbers] == [(3,), (3, 3), (3,), ()]
        assert {a.dtype for a in numbers} == {np.dtype("float32")}


def subset(draw: Draw, counts: np.ndarray, k: int) -> set[int]:
    """Return the places of a class's circle that a draw takes."""
    numbers = draw.quotas(counts, STEPS, BATCH)
    return set(range(numbers.first[k], numbers.first[k] + numbers.pool[k]))


def test_parts_have_no_row_of_a_large_class_in_common_and_all_of_the_rarest() -> None:
    counts = np.array([90, 20, 8])
    draws = [training.draw for training in REMEDIES["under-bagging"].trainings]
    assert len(draws) == PARTS
    large = [subset(draw, counts, 0) for draw in draws]
    assert len(set.union(*large)) == PARTS * 8
    assert all(subset(draw, counts, 2) == set(range(8)) for draw in draws)
    middle = set.union(*(subset(draw, counts, 1) for draw in draws))
    assert middle <= set(range(20))  # too few for four parts of eight: they overlap
    assert draws[0] == REMEDIES["undersample"].draw


def test_paced_parts_come_after_those_before_them() -> None:
    draws = [training.draw for training in REMEDIES["self-paced"].trainings]
    assert draws[0] == REMEDIES["undersample"].draw
    for part, draw in enumerate(draws):
        assert list(draw.earlier()) == draws[:part] if draw.paced else not draw.earlier()
        assert subset(draw, COUNTS, 0) == {0}  # its circle begins with its rows


def test_ldam_takes_its_margin_off_the_true_class_alone() -> None:
    first, second = REMEDIES["ldam-drw"].after, REMEDIES["ldam-drw"]
    margins = first.loss.numbers(COUNTS).margins
    np.testing.assert_allclose(np.diag(margins), -0.5 * COUNTS**-0.25, rtol=1e-6)  # rarest: .5
    assert not (margins - np.diag(np.diag(margins))).any()
    np.testing.assert_array_equal(second.loss.numbers(COUNTS).margins, margins)
    assert first.loss.numbers(COUNTS).weights.tolist() == [1, 1, 1]
    assert second.loss.numbers(COUNTS).weights.argmax() == 2


def test_what_goes_on_from_another_needs_it_first() -> None:
    (plain,), (late,) = REMEDIES["none"].trainings, REMEDIES["drw"].trainings
    assert late.after == plain
    assert (plain.needs(), late.needs()) == ((), (plain,))
    (later,) = Remedy("x", draw=Draw(power=0), after="drw").trainings
    assert later.needs() == (plain, late)
    assert [one.round for one in (plain, late, later)] == [0, 1, 2]
    assert with_needs([later, late, plain]) == (plain, late, later)


def test_what_many_paced_parts_need_is_found_at_once() -> None:
    draws = [Draw(power=0, shrink=True, part=part, paced=part > 0) for part in range(40)]
    last = Training(draws[-1], Loss())
    assert [one.draw for one in last.needs()] == draws[:-1]
    assert last.round == 39
