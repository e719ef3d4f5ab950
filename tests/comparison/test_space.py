"""What a search chooses from."""

from __future__ import annotations

import optuna
import pytest

from kilter.comparison.space import NEIGHBORS, Candidate, known, suggest
from kilter.comparison.training import Draw, Loss


def test_candidates_say_what_they_are() -> None:
    draw = Draw(power=0.25, partner="neighbor", neighbors=7)
    said = [
        str(Candidate("tabm", draw, Loss(gamma=2))),
        str(Candidate("mlp", Draw(), Loss())),
        str(Candidate("mlp", Draw(power=0, shrink=True), Loss(weights="effective", beta=0.99))),
        str(Candidate("mlp", Draw(power=0.5), Loss(prior=1))),
        str(Candidate("mlp", Draw(), Loss(prior=1, scale=0.3))),
    ]
    assert said == [
        "tabm: smote(q=0.25, k=7) + focal(gamma=2.00)",
        "mlp: plain",
        "mlp: undersample + weights(beta=0.99)",
        "mlp: resample(q=0.50) + logit-adjust(tau=1.00)",
        "mlp: vs(tau=1.00, gamma=0.30)",
    ]


@pytest.mark.parametrize("given", known(["tabm", "mlp"]), ids=str)
def test_what_is_known_needs_no_other_choice(given: dict) -> None:
    trial = optuna.trial.FixedTrial(given)  # raises where a number is asked for and missing
    candidate = suggest(trial, ["tabm", "mlp"])
    assert candidate.network == given["network"]
    assert set(trial.params) == set(given)


def test_every_number_stays_in_its_range() -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = [suggest(study.ask(), ["tabm", "mlp"]) for _ in range(200)]
    assert {one.network for one in seen} == {"tabm", "mlp"}
    for draw, loss in (one.training[:2] for one in seen):
        assert 0 <= draw.power <= 1
        assert 0 <= draw.neighbors <= NEIGHBORS
        assert (draw.neighbors > 0) == draw.synthetic
        assert 0.9 <= loss.beta < 1
        assert sum([loss.weights is not None, loss.gamma > 0, loss.prior > 0]) <= 1
