"""What `kilter.tune` chooses from: a draw, a loss and a network, with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kilter.comparison.remedy import Remedy
from kilter.comparison.training import NEIGHBOR, Draw, Loss, Training

DRAWS = ("natural", "resample", "smote", "undersample")
LOSSES = ("plain", "weights", "focal", "logit-adjust", "vs")
NEIGHBORS = 15


@dataclass(frozen=True)
class Candidate:
    """A network and what it is trained with."""

    network: str
    draw: Draw
    loss: Loss

    @property
    def training(self) -> Training:
        """What its trainings hang on."""
        return Training(self.draw, self.loss)

    def remedy(self, name: str) -> Remedy:
        """Return the remedy that trains so."""
        return Remedy(name, self.draw, self.loss)

    def __str__(self) -> str:
        parts = [_draw_words(self.draw), *_loss_words(self.loss)]
        return f"{self.network}: {' + '.join(filter(None, parts)) or 'plain'}"


def _draw_words(draw: Draw) -> str:
    if draw.shrink:
        return "undersample"
    if draw.synthetic:
        return f"smote(q={draw.power:.2f}, k={draw.neighbors})"
    return f"resample(q={draw.power:.2f})" if draw.power != 1 else ""


def _loss_words(loss: Loss) -> list[str]:
    words = [f"weights(beta={loss.beta:.6g})"] if loss.weights else []
    words += [f"focal(gamma={loss.gamma:.2f})"] if loss.gamma else []
    if loss.scale:
        return [*words, f"vs(tau={loss.prior:.2f}, gamma={loss.scale:.2f})"]
    return words + ([f"logit-adjust(tau={loss.prior:.2f})"] if loss.prior else [])


def suggest(trial: Any, networks: Sequence[str]) -> Candidate:
    """Choose a candidate by an Optuna trial."""
    network = trial.suggest_categorical("network", list(networks))
    return Candidate(network, _draw(trial), _loss(trial))


def _draw(trial: Any) -> Draw:
    kind = trial.suggest_categorical("draw", DRAWS)
    if kind == "natural":
        return Draw()
    if kind == "undersample":
        return Draw(power=0, shrink=True)
    power = trial.suggest_float("q", 0, 1)
    if kind == "resample":
        return Draw(power=power)
    neighbors = trial.suggest_int("k", 1, NEIGHBORS)
    return Draw(power=power, partner=NEIGHBOR, neighbors=neighbors)


def _loss(trial: Any) -> Loss:
    kind = trial.suggest_categorical("loss", LOSSES)
    if kind == "weights":
        rest = trial.suggest_float("1-beta", 1e-6, 0.1, log=True)
        return Loss(weights="effective", beta=1 - rest)
    if kind == "focal":
        return Loss(gamma=trial.suggest_float("gamma", 0.25, 5))
    if kind == "logit-adjust":
        return Loss(prior=trial.suggest_float("tau", 0.1, 2))
    if kind == "vs":
        prior, scale = trial.suggest_float("tau", 0.1, 2), trial.suggest_float("scale", 0.05, 0.5)
        return Loss(prior=prior, scale=scale)
    return Loss()


def known(networks: Sequence[str]) -> list[dict[str, Any]]:
    """Return the trials to begin with: what is known under a name, the plain network first."""
    plain: dict[str, Any] = {"draw": "natural", "loss": "plain"}
    every: list[dict[str, Any]] = [
        *({"network": network, **plain} for network in networks),
        {"loss": "logit-adjust", "tau": 1.0},
        {"loss": "vs", "tau": 1.0, "scale": 0.3},
        {"loss": "focal", "gamma": 2.0},
        {"loss": "weights", "1-beta": 1e-4},
        {"draw": "resample", "q": 0.0},
        {"draw": "smote", "q": 0.0, "k": 5},
    ]
    return [{"network": networks[0], **plain, **one} for one in every]
