"""Write docs/traps.md: what hurts elsewhere, and the tests that prove it does not here.

Runs the tests of tests/traps on each backend and puts their outcome beside each line. A
test belongs to the line that its name begins with: test_b07_... to B7.

    python docs/traps.py
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "traps.md"
BACKENDS = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}
NAME = re.compile(r"test_([ab])(\d\d)_(\w+)")

ADVICE = {
    "A1": ("Augment images: rotate, shift, shear, zoom, flip", "`augment.PerClass(layer)`"),
    "A2": (
        "Augment texts: synonyms, insertion, swap, deletion",
        "`augment.RandomWords().fit_resample(texts, y)`",
    ),
    "A3": ("SMOTE", '`sampling.SMOTE()`, `sampling.BalancedBatches(mix="smote")`'),
    "A4": ("Undersample at random", "`sampling.RandomUnderSampler()`"),
    "A5": (
        "Oversample at random",
        '`sampling.RandomOverSampler()`, `sampling.BalancedBatches(draw="balanced")`',
    ),
    "A6": ("Augment and resample together", "`sampling.BalancedBatches(augment=...)`"),
    "A7": ("Resample after the split, never before", "`data.split`: only a training part is drawn"),
    "A8": ("Weigh classes inversely to their frequency", "`class_weights`, `ExpectedCost`"),
    "A10": ("Stop early and restore the best weights", "`callbacks.RankingEarlyStopping`"),
    "A11": ("Watch training against validation", "`callbacks.GapWatcher`"),
    "A12": ("Oversample within clusters", "`sampling.KMeansSMOTE()`"),
    "A13": ("Focal loss for two classes and many", "`losses.Focal`"),
    "A16": ("Precision, recall, F1 and ROC-AUC instead of accuracy", "`metrics`"),
}
TRAPS = {
    "B1": (
        "`class_weight` takes a dict with integer keys only; others are ignored in silence",
        "losses take a dict, a list, an array; anything else is an error",
    ),
    "B2": (
        "`class_weight` is refused for several outputs and generators, and wrong for pixels",
        "weights live in the loss",
    ),
    "B3": (
        "Rows with many labels, and soft rows, get the weight of their argmax",
        "`Asymmetric` weighs each label; soft rows are weighed by their shares",
    ),
    "B4": ("The validation loss is not weighted", "weights live in the loss"),
    "B5": ("Weights take a Python loop a row", "one count of the labels; a lookup in the step"),
    "B6": (
        "Weights are cut from 2.5 to 2 in tf.data (not seen with TensorFlow 2.21)",
        "weights are floats in the loss",
    ),
    "B7": ("Focal losses ignore alpha, or weigh the wrong way", "`Focal(class_weights=...)`"),
    "B8": ("Gradients vanish or are NaN far from the boundary", "sums of logarithms throughout"),
    "B9": ("Integer labels make the focal loss wrong", "integers, one-hot and soft rows agree"),
    "B10": ("Tversky's alpha and beta are swapped; weights do nothing", "`Tversky`, `Dice`"),
    "B11": ("A sum over the batch doubles the step with the batch", "a mean over rows"),
    "B12": ("Losses do not come back from a saved model", "all are registered with their config"),
    "B13": ("No MCC, balanced accuracy, G-mean, kappa, calibration, report", "`metrics`"),
    "B14": ("`F1Score` fails on flat labels and is wrong on integers", "`metrics.FBeta`"),
    "B15": ("Integer labels are shape errors; logits are cut at .5", "`from_logits` says it"),
    "B16": ("200 thresholds are too few for a rare class", "exact metrics, and bins on log-odds"),
    "B17": (
        "A second metric is renamed, and early stopping never stops",
        "fixed names, directions",
    ),
    "B18": ("Validation splits without strata", "`data.split` deals every class evenly"),
    "B19": ("Mixing fails on integer labels; nothing is per class", "`augment`"),
    "B20": ("Callbacks miscount the epochs of a dataset", "`BalancedBatches` counts its own"),
    "B21": (
        "imblearn.keras's balanced batches are drawn once and are not balanced",
        "`BalancedBatches` deals every class evenly, anew in every epoch",
    ),
    "B22": ("StringLookup and TextVectorization need TensorFlow", "`data.TextEncoder`"),
}


def outcomes(backend: str) -> dict[str, bool]:
    """Run the tests on one backend: whether each test function passed everywhere it ran."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        call = [sys.executable, "-m", "pytest", "-q", "tests/traps", f"--junitxml={report}"]
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        subprocess.run(call, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, check=False)
        cases = list(ET.parse(report).iter("testcase"))
    passed: dict[str, bool] = {}
    for case in cases:
        name = case.attrib["name"].partition("[")[0]
        good = all(case.find(bad) is None for bad in ("failure", "error", "skipped"))
        passed[name] = passed.get(name, True) and good
    return passed


def line_of(test: str) -> str | None:
    """Return the line that a test proves, such as B7."""
    match = NAME.match(test)
    return f"{match[1].upper()}{int(match[2])}" if match else None


def files() -> dict[str, str]:
    """Return the file of each test."""
    sources = sorted((ROOT / "tests" / "traps").glob("test_*.py"))
    found = {
        n: p.name for p in sources for n in re.findall(r"^def (test_\w+)", p.read_text(), re.M)
    }
    return {name: file for name, file in found.items() if line_of(name)}


def rows(lines: dict[str, tuple[str, str]], passed: dict[str, dict[str, bool]]) -> Iterator[str]:
    """Yield the table of one part."""
    heads = ["", "elsewhere", "in kilter", "test", *BACKENDS.values()]
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    tests = defaultdict(list)
    for test, file in files().items():
        tests[line_of(test)].append((test, file))
    for line, (elsewhere, here) in lines.items():
        for test, file in tests[line]:
            marks = ["passes" if passed[b].get(test) else "does not pass" for b in BACKENDS]
            link = f"[{test[9:].replace('_', ' ')}](../tests/traps/{file})"
            yield "| " + " | ".join([line, elsewhere, here, link, *marks]) + " |"
            line = elsewhere = here = ""
    yield ""


def main() -> None:
    """Write the page."""
    unknown = {line_of(test) for test in files()} - {*ADVICE, *TRAPS}
    assert not unknown, f"tests for lines that are not in the table: {unknown}"
    passed = {backend: outcomes(backend) for backend in BACKENDS}
    head = [
        "# Traps, and the tests that prove them answered",
        "",
        "Written by `make traps` from the tests in tests/traps, run on each backend; do not edit.",
        "",
    ]
    advice = ["## What tutorials tell people to do", "", *rows(ADVICE, passed)]
    traps = ["## What hurts in Keras 3.15", "", *rows(TRAPS, passed)]
    PAGE.write_text("\n".join([*head, *advice, *traps]).rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    main()
