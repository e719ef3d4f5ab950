"""How good are kilter's probabilities beside those of boosted trees and balanced forests?

Five stratified, shuffled folds with seed 0; every method gets the same training rows and is
scored on the same test rows. Of kddcup10 every tenth row or so is taken, and classes of ten rows
or more. The positive class of the average precision (auprc) is the rarest; with more than two
classes it is the mean over all. Thresholds are tuned on training rows. Of the others,
lightgbm-calibrated alone is calibrated: Platt's method, the mean of five fits. LightGBM has 300
trees, and HistGradientBoosting stops early above 10,000 rows. Kilter's default was chosen on
other tables, those of ``ablation.py``, but for what is named below. Ranks are of the figures as
they are shown: equal ones share a rank. ``quality.py TABLE ...`` runs some tables
alone, ``--only M,N`` some methods. Results go to ``docs/benchmarks/quality.jsonl`` as they come
and are not measured again while they are there; the page is made of all of them.
imbalanced-ensemble needs an older scikit-learn: it gets an environment of its own,
``runs/imbalanced-ensemble``, made when it is first needed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pandas as pd
from imblearn.ensemble import BalancedRandomForestClassifier
from imblearn.over_sampling import SMOTE
from imblearn.pipeline import make_pipeline
from lightgbm import LGBMClassifier
from scipy.stats import rankdata
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from kilter import KilterClassifier
from kilter._types import ValidationScores
from kilter.decide import Threshold
from kilter.metrics import brier, log_loss, macro_f1

HERE = Path(__file__).resolve()
SHARED = HERE.parents[2] / "shared" / "data"
RUNS = HERE.parents[1] / "runs"
RESULTS = HERE.parents[1] / "docs" / "benchmarks" / "quality.jsonl"
TABLES = (
    *("abalone9-18", "yeast4", "car", "sick", "page-blocks", "phoneme", "satimage-2"),
    *("mammography", "adult", "bank", "kddcup10"),
)
FOLDS = 5
MOST_ROWS = 50_000  # of kddcup10 every tenth or so
SECONDS = """Seconds are of one fit. They are upper
bounds, and no ratios: kept from hours in which other work ran, kilter's on one of the cores."""
FEWEST_ROWS = 10  # of a class
FIGURES = ("auprc", "log_loss", "brier", "macro_f1", "seconds")
LOWER = ("log_loss", "brier", "seconds")
DIGITS = {"seconds": 1}  # three for the others
BLEND = "kilter-blend"
SEEN = {
    "phoneme": "how many epochs",
    "bank": "one seed on large tables",
    "sick": "bins of numbers",
    "adult": "bins of numbers",
}


class Part(NamedTuple):
    """Rows with their labels as positions."""

    x: pd.DataFrame
    y: np.ndarray


def read(table: str) -> Part:
    """Return a table of the shared collection, or digits where that is absent."""
    if not SHARED.exists():
        bunch = load_digits(as_frame=True)
        return Part(bunch.data, np.asarray(bunch.target == 8, int))
    frame = pd.read_parquet(SHARED / f"{table}.parquet").dropna(axis=1, how="all")
    frame = without_rare(frame)
    if len(frame) > MOST_ROWS:
        labels = frame["target"]
        frame, _ = train_test_split(frame, train_size=MOST_ROWS, stratify=labels, random_state=0)
        frame = without_rare(frame)
    frame = frame.reset_index(drop=True)
    for name in frame.select_dtypes(exclude="number").columns:
        frame[name] = frame[name].astype(object).where(frame[name].notna(), np.nan)
    return Part(frame.drop(columns="target"), np.unique(frame["target"], return_inverse=True)[1])


def without_rare(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out classes that are too rare for five folds."""
    counts = frame["target"].value_counts()
    return frame[frame["target"].isin(counts[counts >= FEWEST_ROWS].index)]


def one_hot() -> Any:
    """Return what makes numbers of text, and fills in what is missing."""
    numbers = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    words = OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float64)
    return make_column_transformer(
        (SimpleImputer(strategy="median", keep_empty_features=True), numbers),
        (words, others),
    )


def as_categories(x: pd.DataFrame) -> pd.DataFrame:
    """Return text as pandas' categories, which boosted trees of both libraries take."""
    text = x.select_dtypes(exclude="number").columns
    return x.assign(**{name: pd.Categorical(x[name].astype(str)) for name in text})


Method = Callable[[Part, pd.DataFrame], np.ndarray]


class Kilter:
    """kilter's classifier, which tunes its threshold itself."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings
        self.labels = np.empty(0)

    def __call__(self, train: Part, x: pd.DataFrame) -> np.ndarray:
        """Return probabilities; the decisions are kept."""
        model = KilterClassifier(**self.settings).fit(*train)
        self.labels = model.predict(x)
        return model.predict_proba(x)


def fitted(make: Callable[[], Any]) -> Method:
    """Fit a pipeline on rows that are encoded one-hot."""
    return lambda train, x: make().fit(*train).predict_proba(x)


def trees(make: Callable[[], Any]) -> Method:
    """Fit boosted trees, which see to text and missing values themselves."""

    def method(train: Part, x: pd.DataFrame) -> np.ndarray:
        both = as_categories(pd.concat([train.x, x]))
        model = make().fit(both.iloc[: len(train.x)], train.y)
        return model.predict_proba(both.iloc[len(train.x) :])

    return method


def shuffled() -> StratifiedKFold:
    return StratifiedKFold(FOLDS, shuffle=True, random_state=0)


def light(**settings: Any) -> LGBMClassifier:
    return LGBMClassifier(
        n_estimators=300, learning_rate=0.05, n_jobs=-1, verbose=-1, random_state=0, **settings
    )


def neighbors_of_rarest(y: np.ndarray) -> int:
    return max(1, min(5, int(np.bincount(y).min()) - 1))


def smote_mlp(train: Part, x: pd.DataFrame) -> np.ndarray:
    smote = SMOTE(random_state=0, k_neighbors=neighbors_of_rarest(train.y))
    mlp = MLPClassifier((64, 64), early_stopping=True, max_iter=200, random_state=0)
    return fitted(lambda: make_pipeline(one_hot(), StandardScaler(), smote, mlp))(train, x)


SPE = """
import sys
import numpy as np
from imbens.ensemble import SelfPacedEnsembleClassifier
given = np.load(sys.argv[1])
model = SelfPacedEnsembleClassifier(random_state=0, n_estimators=50)
np.save(sys.argv[2], model.fit(given["x"], given["y"]).predict_proba(given["test"]))
"""


def self_paced(train: Part, x: pd.DataFrame) -> np.ndarray:
    encoder = one_hot().fit(train.x)
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given.npz", Path(folder) / "found.npy"
        np.savez(given, x=encoder.transform(train.x), y=train.y, test=encoder.transform(x))
        command = [str(_older_python()), "-W", "ignore", "-c", SPE, str(given), str(found)]
        subprocess.run(command, check=True)
        return np.load(found)


def _older_python() -> Path:
    folder = RUNS / "imbalanced-ensemble"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        packages = ["imbalanced-ensemble==0.2.3", "scikit-learn==1.6.0"]
        subprocess.run([str(python), "-m", "pip", "-qq", "install", *packages], check=True)
    return python


def balanced_forest() -> Any:
    forest = BalancedRandomForestClassifier(
        sampling_strategy="all", replacement=True, bootstrap=False, n_jobs=-1, random_state=0
    )
    return make_pipeline(one_hot(), forest)


METHODS: dict[str, Method] = {
    "kilter": Kilter(),
    BLEND: Kilter(remedy="blend"),
    "lightgbm": trees(light),
    "lightgbm-balanced": trees(lambda: light(class_weight="balanced")),
    "lightgbm-calibrated": trees(lambda: CalibratedClassifierCV(light(), cv=shuffled())),
    "hist-gradient-boosting": trees(
        lambda: HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    ),
    "balanced-forest": fitted(balanced_forest),
    "self-paced": self_paced,
    "smote-mlp": smote_mlp,
}


RIVALS = [name for name in METHODS if name != BLEND]


def auprc(y: np.ndarray, p: np.ndarray) -> float:
    """Return the average precision of the rarest of two classes, or the mean over all."""
    n_classes = p.shape[1]
    ranked = [int(np.bincount(y).argmin())] if n_classes == 2 else range(n_classes)
    return float(np.mean([average_precision_score(y == c, p[:, c]) for c in ranked]))


def measure(method: Method, train: Part, test: Part) -> dict[str, float]:
    """Fit and score."""
    begun = time.perf_counter()
    p = method(train, test.x)
    seconds = time.perf_counter() - begun
    predicted = method.labels if isinstance(method, Kilter) else tune(method, train).apply(p)
    return {
        "auprc": auprc(test.y, p),
        "log_loss": log_loss(test.y, p),
        "brier": brier(test.y, p),
        "macro_f1": macro_f1(test.y, predicted),
        "seconds": seconds,
    }


def tune(method: Method, train: Part) -> Threshold:
    """Tune a threshold on a fifth of the training rows, for what has none of its own."""
    rows, held = train_test_split(
        np.arange(len(train.y)), test_size=0.2, stratify=train.y, random_state=0
    )
    inner, validation = (Part(train.x.iloc[part], train.y[part]) for part in (rows, held))
    return Threshold.fit(ValidationScores(validation.y, method(inner, validation.x)))


def run(table: str, name: str) -> None:
    """Measure a method on all folds of a table, and write the means down."""
    data, found = read(table), []
    for train, test in shuffled().split(data.x, data.y):
        parts = (Part(data.x.iloc[rows], data.y[rows]) for rows in (train, test))
        found.append(measure(METHODS[name], *parts))
    means = {key: float(np.mean([one[key] for one in found])) for key in found[0]}
    means = {key: round(value, DIGITS.get(key, 3)) for key, value in means.items()}
    with RESULTS.open("a") as file:
        file.write(json.dumps({"table": table, "method": name, **means}) + "\n")
    print(table, name, means, file=sys.stderr, flush=True)


def results() -> dict[str, dict[str, dict[str, float]]]:
    """Return what was measured, by table and method."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    if RESULTS.exists():
        for line in RESULTS.read_text().splitlines():
            row = json.loads(line)
            found.setdefault(row["table"], {})[row["method"]] = row
    return found


def complete_rows(
    rows: dict[str, dict[str, dict[str, float]]], names: list[str]
) -> list[dict[str, dict[str, float]]]:
    """Return the tables that all of these methods have."""
    return [row for row in rows.values() if all(name in row for name in names)]


def ranks(
    rows: dict[str, dict[str, dict[str, float]]], names: list[str], figure: str
) -> dict[str, float]:
    """Return the mean rank of each method over the tables that all have."""
    complete = complete_rows(rows, names)
    sign = 1 if figure in LOWER else -1
    each = [rankdata([sign * row[name][figure] for name in names]) for row in complete]
    return dict(zip(names, np.mean(each, axis=0), strict=True)) if each else {}


def show_ranks(rows: dict[str, dict[str, dict[str, float]]], names: list[str]) -> None:
    """Print the mean ranks of some methods, if any table has all of them."""
    if not complete_rows(rows, names):
        return
    beside = ", kilter's best ensemble among the methods" if BLEND in names else ""
    print(f"\nMean rank over {len(complete_rows(rows, names))} tables, 1 is best{beside}:\n")
    table_of = {figure: ranks(rows, names, figure) for figure in FIGURES}
    print(f"| method | {' | '.join(table_of)} |\n|---|{'---|' * len(table_of)}")
    for name in names:
        cells = [f"{found[name]:.2f}" if found else "" for found in table_of.values()]
        print(f"| {name} | {' | '.join(cells)} |")


def show(rows: dict[str, dict[str, dict[str, float]]]) -> None:
    """Print the page."""
    print("# Quality\n")
    print("Written by `make bench` from `benchmarks/quality.py`; do not edit.\n")
    print((__doc__ or "").partition("\n\n")[2].partition("``quality.py")[0].strip())
    print(f"\n{platform.machine()}, {os.cpu_count()} cores. {SECONDS}")
    for names in (RIVALS, list(METHODS)):
        show_ranks(rows, names)
    print("\nThese tables had a say in kilter's default, so they are no evidence for it:")
    print(", ".join(f"{table} ({what})" for table, what in SEEN.items()) + ". Without them:")
    show_ranks({table: row for table, row in rows.items() if table not in SEEN}, RIVALS)
    names = [name for name in METHODS if any(name in row for row in rows.values())]
    for figure in FIGURES:
        print(f"\n## {figure}\n\n| table | {' | '.join(names)} |")
        print(f"|---|{'---|' * len(names)}")
        for table, row in rows.items():
            digits = DIGITS.get(figure, 3)
            cells = [f"{row[name][figure]:.{digits}f}" if name in row else "" for name in names]
            print(f"| {table} | {' | '.join(cells)} |")


def main() -> None:
    """Measure what is missing and print the page."""
    parser = argparse.ArgumentParser()
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--only", default=",".join(METHODS))
    given = parser.parse_args()
    RUNS.mkdir(exist_ok=True)
    warnings.simplefilter("ignore")
    for table in given.tables or TABLES:
        for name in given.only.split(","):
            if name not in results().get(table, {}):
                run(table, name)
    show(results())


if __name__ == "__main__":
    main()
