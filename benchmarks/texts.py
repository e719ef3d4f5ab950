"""What does augmentation do for texts, and is a small network as good as word counts?

SMS: 5,574 messages, 747 of them spam; and the first 600 of them, 88 of them spam, as augmentation
is for few texts. Five folds, three seeds, plain training. The threshold is tuned on validation
rows, and nothing is calibrated. The reference is logistic regression on tf-idf of words and pairs
of words, which learns from the same training rows. ``texts.py --seeds N`` changes how many
there are. Results go to ``docs/benchmarks/texts.jsonl`` as they come and are not measured again
while they are there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow as pa
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

import kilter
from kilter._errors import SourceError
from kilter._types import Split, ValidationScores
from kilter.augment.synonyms import wordnet
from kilter.data import load, read, split
from kilter.decide import Threshold
from kilter.metrics import average_precision, macro_f1

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT.parent / "shared" / "data" / "sms.parquet"
RESULTS = ROOT / "docs" / "benchmarks" / "texts.jsonl"
FOLDS, FEW = 5, 600
FIGURES = ("auprc", "macro_f1", "log_loss")
WAYS: dict[str, dict[str, Any]] = {
    "as they are": {},
    "light": {"augment": "light"},
    "light, the rarer the more": {"augment": "light", "augment_share": 0.5},
    "light, rare ones alone": {"augment": "light", "augment_share": 0.0},
    "strong": {"augment": "strong"},
    "strong, the rarer the more": {"augment": "strong", "augment_share": 0.5},
    "light, WordNet": {"augment": "light", "synonyms": "wordnet"},
}


def tables() -> Iterator[tuple[str, pa.Table]]:
    """Yield the table and its beginning."""
    whole = read(TABLE)
    yield "all 5,574", whole
    yield f"{FEW}", whole.slice(0, FEW)


def word_counts(table: pa.Table) -> dict[str, list[float]]:
    """Return the figures of the reference, one a fold."""
    dataset = load(table, "target", text="text")
    found = [_of_fold(one) for one in split(dataset, FOLDS)]
    return {name: [each[name] for each in found] for name in found[0]}


def _of_fold(fold: Split) -> dict[str, float]:
    """Fit on the training part, put the threshold by the validation part, score the test part."""
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = make_pipeline(vectorizer, LogisticRegression(C=30, max_iter=2000))
    model.fit(fold.train.features.texts, fold.train.labels)
    validated, p = (
        model.predict_proba(part.features.texts) for part in (fold.validation, fold.test)
    )
    threshold = Threshold.fit(ValidationScores(fold.validation.labels, validated))
    return {
        "auprc": average_precision(fold.test.labels, p, 1),
        "macro_f1": macro_f1(fold.test.labels, threshold.apply(p)),
        "log_loss": log_loss(fold.test.labels, p, labels=[0, 1]),
    }


def measure(seeds: int) -> None:
    """Train everything that is not there."""
    for rows, table in tables():
        note(rows, "tf-idf and logistic regression", word_counts(table))
        for name, settings in WAYS.items():
            if settings.get("synonyms") == "wordnet" and not there():
                continue
            result = kilter.compare(
                table, "target", text="text", remedies="none", seeds=seeds, folds=FOLDS, **settings
            )
            (row,) = (
                each for each in result.summary["leaderboard"] if each["remedy"] == "none+threshold"
            )
            note(rows, name, {key: [row[key]] for key in FIGURES})


def there() -> bool:
    """Say whether WordNet is."""
    try:
        wordnet()
    except SourceError:
        return False
    return True


def note(rows: str, way: str, figures: dict[str, list[float]]) -> None:
    """Add a line to the results."""
    means = {name: float(np.mean(values)) for name, values in figures.items()}
    line = {"rows": rows, "way": way, **means}
    print(line, file=sys.stderr, flush=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(line) + "\n")


def show(lines: list[dict[str, Any]], seeds: int) -> None:
    """Print the page."""
    print("# Texts\n")
    print("Written by `make bench` from `benchmarks/texts.py`; do not edit.\n")
    print((__doc__ or "").partition(" ``texts.py --seeds")[0].strip())
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, {seeds} seeds.")
    for rows in dict.fromkeys(line["rows"] for line in lines):
        print(f"\n## {rows} messages\n")
        print("| texts in training | AUPRC | macro F1 | log loss |\n|---|---|---|---|")
        for line in (each for each in lines if each["rows"] == rows):
            figures = f"{line['auprc']:.3f} | {line['macro_f1']:.3f} | {line['log_loss']:.3f}"
            print(f"| {line['way']} | {figures} |")


def main() -> None:
    """Measure if nothing is there, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    if not RESULTS.exists():
        measure(seeds)
    show([json.loads(line) for line in RESULTS.read_text().splitlines()], seeds)


if __name__ == "__main__":
    main()
