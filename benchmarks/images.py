"""What helps a convolutional network on long-tailed images, and how fast is it found out?

Fashion-LT: grey images of clothing of 28 by 28 pixels, ten classes, 3,000 down to 30 images of a
class to learn from, a fifth of which validates, and 200 of each class to test on, where accuracy
and balanced accuracy are one. The default network, up to 30 epochs, the best of which counts by
its average precision of the rarest class on validation rows. The most probable class is predicted:
no threshold is tuned. ``images.py --seeds N`` changes how many there are. Results go to
``docs/benchmarks/images.jsonl`` as they come and are not measured again while they are there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from kilter import Remedy
from kilter._types import Dataset, Test
from kilter.comparison import REMEDIES
from kilter.comparison.executors.base import Lane, Task, Trained
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.folds import encode
from kilter.comparison.plan import Plan
from kilter.comparison.prepare import make_task
from kilter.comparison.remedy import OF_HEAD
from kilter.comparison.rounds import train_in_rounds
from kilter.data import load, split
from kilter.losses.counted import log_prior
from kilter.metrics import macro_f1

ROOT = Path(__file__).resolve().parents[1]
ARCHIVE = ROOT.parent / "shared" / "data" / "fashion-lt.tar"
RESULTS = ROOT / "docs" / "benchmarks" / "images.jsonl"
TEN = (
    *("none", "class-weights", "effective-weights", "oversample", "undersample"),
    *("balanced-batches", "focal", "cb-focal", "logit-adjust", "vs"),
)
OTHERS = ("drw", "ldam-drw", "mixup", "remix", "cutmix", "cmo", "mixup-drw")
HEADS = tuple(remedy.name for remedy in OF_HEAD)
POST_HOC = "none, less the log prior"
PUBLISHED = {
    "none": 70.4,
    "class-weights": 68.3,
    "focal": 71.6,
    "oversample": 72.5,
    "drw": 74.8,
    "crt": 75.0,
    "cb-focal": 75.2,
    "ldam-drw": 77.7,
    "logit-adjust": 77.9,
    "mixup-drw": 82.1,
}
LEGEND = """Mean and standard deviation over seeds, in percent. Published figures are those of
ResNet-32 on CIFAR-10-LT at the same imbalance, for the order. Balanced softmax (77.5) is
the logit-adjusted loss by another name, and trains once.
"""


def read() -> Dataset:
    """Load the images, unpacked once."""
    folder = ROOT / "runs" / "fashion-lt"
    if not folder.exists():
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(folder.parent, filter="data")
    return load(folder)


def make(dataset: Dataset, remedies: Sequence[Any], **settings: Any) -> Task:
    """Return the task of one fold, which all that is held out tests."""
    plan = Plan.make(remedies, kind="image", **settings)
    first = split(dataset, plan.folds)[0]
    assert dataset.held_out is not None
    whole = replace(first, test=Test.of(dataset, np.flatnonzero(dataset.held_out)))
    return make_task(plan, dataset, encode((whole,), dataset.schema, plan).folds)


def train(task: Task, names: Sequence[Any], known: Sequence[Trained] = ()) -> list[Trained]:
    """Train some remedies of the task, and what they go on from; return all that is there."""
    trainings = Plan.make(names, kind="image").trainings
    wanted = [Lane(one, 0, seed) for seed in range(task.plan.seeds) for one in trainings]
    there = {one.lane for one in known}
    left = [lane for lane in wanted if lane not in there]
    return [*known, *train_in_rounds(Lanes(), task, left, known)]


def figures(labels: np.ndarray, logits: np.ndarray) -> dict[str, float]:
    """Return accuracy and macro F1, in percent."""
    found = logits.argmax(axis=1)
    return {
        "accuracy": 100 * float((found == labels).mean()),
        "macro_f1": 100 * macro_f1(labels, found),
    }


def measure(seeds: int) -> None:
    """Train all remedies and note their figures, and the seconds of both ways to compare ten."""
    dataset = read()
    assert dataset.held_out is not None
    labels = dataset.labels[dataset.held_out]
    names = (*TEN, *OTHERS, *HEADS)
    task = make(dataset, names, seeds=seeds)
    seconds: dict[str, float] = {}

    def timed(name: str, *arguments: Any) -> list[Trained]:
        begun = time.perf_counter()
        found = train(task, *arguments)
        seconds[name] = time.perf_counter() - begun
        print(name, round(seconds[name]), "s", file=sys.stderr, flush=True)
        return found

    trained = timed("encoder", ["none"])
    trained = timed("heads", HEADS, trained)
    trained = timed("end to end", TEN[1:], trained)
    trained = timed("others", OTHERS, trained)
    prior = log_prior(task.folds[0].layout.counts)
    rows = [row(labels, trained, remedy) for remedy in task.plan.remedies if remedy.name in TEN]
    rows += [row(labels, trained, REMEDIES[name]) for name in (*OTHERS, *HEADS)]
    rows.append(row(labels, trained, REMEDIES["none"], POST_HOC, lambda z: z - prior))
    with RESULTS.open("w") as file:
        for each in (*rows, {"seconds": seconds, "seeds": seeds}):
            file.write(json.dumps(each) + "\n")


def row(
    labels: np.ndarray,
    trained: Sequence[Trained],
    remedy: Remedy,
    name: str = "",
    change: Callable[[np.ndarray], np.ndarray] = lambda z: z,
) -> dict[str, Any]:
    """Return the figures of a remedy, one a seed."""
    mine = [one for one in trained if one.lane.training == remedy.trainings[0]]
    each = [figures(labels, change(one.test)) for one in sorted(mine, key=lambda t: t.lane.seed)]
    by_figure = {key: [one[key] for one in each] for key in each[0]}
    return {"remedy": name or remedy.name, **by_figure, "epochs": [one.epoch + 1 for one in mine]}


def show(rows: list[dict[str, Any]]) -> None:
    """Print the page."""
    print("# Images\n")
    print("Written by `make bench` from `benchmarks/images.py`; do not edit.\n")
    print((__doc__ or "").partition(" ``images.py --seeds")[0].strip())
    (about,) = (each for each in rows if "seconds" in each)
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, {about['seeds']} seeds. {LEGEND}")
    for title, named in (("End to end", False), ("The last layer alone", True)):
        print(f"## {title}\n")
        print("| remedy | accuracy | macro F1 | best epoch | published |\n|---|---|---|---|---|")
        mine = [each for each in rows if "remedy" in each and (each["remedy"] in HEADS) == named]
        for each in sorted(mine, key=lambda one: -np.mean(one["accuracy"])):
            show_row(each)
        print()
    times = about["seconds"]
    two, whole = times["encoder"] + times["heads"], times["encoder"] + times["end to end"]
    print("## Seconds to compare ten remedies\n")
    print("| way | seconds |\n|---|---|")
    print(f"| networks once | {times['encoder']:.0f} |")
    print(f"| and ten remedies for their last layer | {two:.0f} |")
    print(f"| ten remedies end to end | {whole:.0f} |\n")
    print(f"Two stages are {whole / two:.1f} times as fast.")


def show_row(found: dict[str, Any]) -> None:
    """Print the line of a remedy."""
    cells = [
        f"{np.mean(found[key]):.1f} ± {np.std(found[key], ddof=1):.1f}"
        for key in ("accuracy", "macro_f1")
    ]
    published = PUBLISHED.get(found["remedy"], "")
    epochs = f"{np.mean(found['epochs']):.0f}"
    print(f"| {found['remedy']} | {' | '.join(cells)} | {epochs} | {published} |")


def main() -> None:
    """Measure if nothing is there, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    if not RESULTS.exists():
        measure(seeds)
    show([json.loads(line) for line in RESULTS.read_text().splitlines()])


if __name__ == "__main__":
    main()
