"""How fast is resampling, and does it make the same rows?

Every sampler of kilter against imbalanced-learn's on the same float32 table: seconds, memory
beyond the table, and whether the new rows can be told apart. Rows lie on planes of 8
dimensions or are isotropic noise; two shapes: A has 500,000 + 20,000 rows of 32 numbers, B
200,000 + 50,000 of 128. Each side runs in a process of its own, three times or as often as
begins within 10 seconds; where no side takes 3 seconds they take turns, three processes each.
Figures are medians; memory is that of the first run. Then rows a second of ``BalancedBatches``
in ``fit``.

    python benchmarks/resampling.py [--tables A B] [--kinds planes isotropic] [--threads 1 2]
        [--samplers SMOTE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

SHAPES = {"A": (500_000, 20_000, 32), "B": (200_000, 50_000, 128)}
KINDS = ["planes", "isotropic"]
SAMPLERS = {
    "random over": ("RandomOverSampler", {}, None),
    "SMOTE": ("SMOTE", {}, ("k_neighbors", 5)),
    "Borderline": ("BorderlineSMOTE", {}, ("m_neighbors", 10)),
    "ADASYN": ("ADASYN", {}, ("n_neighbors", 5)),
    # On these tables imbalanced-learn's own exponent overflows; 2 works on both sides.
    "KMeans-SMOTE": (
        "KMeansSMOTE",
        {"cluster_balance_threshold": 0.01, "density_exponent": 2},
        ("k_neighbors", 2),
    ),
}
HEAD = """\
# How fast is resampling, and does it make the same rows?

Written by `make bench` from `benchmarks/resampling.py`; do not edit.

{machine}; A has 500,000 + 20,000 rows of 32 numbers, B 200,000 + 50,000 of 128, all float32.
Seconds are medians of nine runs, three in a process and the sides in turn, where no side takes
{short} s; else of three, or of those that begin within {long} s. A column that ends in two figures
has the exact search first, then the one with `recall=0.97`. Memory is that beyond the table,
over the size of the output: imbalanced-learn's, then kilter's. Told apart: the least p of a
two-sample test of each column, and the AUC of boosted trees that look for the maker of a new
row.
"""
SIDES = ("imbalanced-learn", "kilter", "kilter, recall .97")
COMPARED = 6_000  # new rows of each side that are told apart
LONG = 10  # seconds after which nothing is measured again
SHORT = 3  # seconds below which three runs differ by a quarter
ROUNDS = 3  # processes of each side, where all are short


def table(name: str, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Draw a table: 20 normal clouds on planes of 8 dimensions, or one of all dimensions."""
    common, rare, width = SHAPES[name]
    rows, rng = common + rare, np.random.default_rng(0)
    y = np.zeros(rows, int)
    y[rng.choice(rows, rare, replace=False)] = 1
    if kind == "isotropic":
        return rng.standard_normal((rows, width), dtype=np.float32), y
    x, cloud = np.empty((rows, width), np.float32), rng.integers(20, size=rows)
    for one in range(20):
        at = np.flatnonzero(cloud == one)
        plane, center = rng.standard_normal((8, width)), 3 * rng.standard_normal(width)
        x[at] = rng.standard_normal((len(at), 8)) @ plane + center
        x[at] += 0.05 * rng.standard_normal((len(at), width))
    return x, y


def sampler_of(side: str, name: str, alike: bool = False) -> Any:
    """Return a side's sampler; ``alike`` is KMeans-SMOTE with the same clusters on both sides."""
    kind, options, neighbors = SAMPLERS[name]
    if side == "imbalanced-learn":
        import imblearn.over_sampling as package
    else:
        import kilter.sampling as package
    if side == SIDES[2] and neighbors is not None:
        from kilter.sampling import Neighbors

        argument, k = neighbors
        options = {**options, argument: Neighbors(k + 1, recall=0.97)}
        if name == "Borderline":
            options["k_neighbors"] = Neighbors(6, recall=0.97)
    if alike:
        from sklearn.cluster import MiniBatchKMeans

        options = {**options, "kmeans_estimator": MiniBatchKMeans(random_state=0)}
    return getattr(package, kind)(random_state=0, **options)


def memory(field: str) -> int:
    """Return a field of this process's status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def warm(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a smaller table, to load what is loaded late, for a planned search too.

    It also touches memory as large as what follows: on a virtual machine the first touch of a
    page that no process has touched before takes longer than all the rest.
    """
    np.ones(4 * x.size, np.float32)
    rows = np.concatenate([np.flatnonzero(y == label)[:6000] for label in (0, 1)])
    rows = rows[: len(rows) * 3 // 4]
    return x[rows], y[rows]


def measure(job: dict[str, str]) -> dict[str, Any]:
    """Resample up to three times; what came of it, and some of the new rows if in a file."""
    warnings.simplefilter("ignore")
    sampler = sampler_of(job["side"], job["sampler"])
    x, y = table(job["table"], job["kind"])
    sampler.fit_resample(*warm(x, y))
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    before = memory("VmRSS")
    seconds: list[float] = []
    while len(seconds) < 3 and sum(seconds) < LONG:
        start = time.perf_counter()
        try:
            made, labels = sampler.fit_resample(x, y)
        except Exception as error:
            return {"error": f"{type(error).__name__}: {error}"}
        seconds.append(time.perf_counter() - start)
        if len(seconds) == 1:
            extra = (memory("VmHWM") - before) / (made.nbytes + labels.nbytes)
    if "rows" in job:
        if job["sampler"] == "KMeans-SMOTE":
            made, _ = sampler_of(job["side"], job["sampler"], alike=True).fit_resample(x, y)
        new = made[len(x) :]
        some = np.random.default_rng(1).choice(len(new), COMPARED, replace=False)
        np.save(job["rows"], new[some])
    return {"runs": seconds, "extra": extra}


def run(job: dict[str, str], threads: int) -> dict[str, Any]:
    """Measure in a process of its own."""
    names = ("OMP", "OPENBLAS", "MKL")
    limits = {f"{name}_NUM_THREADS": str(threads) for name in names}
    command = [sys.executable, __file__, "--job", json.dumps(job)]
    done = subprocess.run(
        command, env={**os.environ, **limits}, capture_output=True, text=True, check=True
    )
    said = [line.strip() for line in done.stderr.splitlines() if "recall" in line]
    return {"said": said[-1] if said else "", **json.loads(done.stdout.splitlines()[-1])}


def compare(jobs: dict[str, dict[str, str]], threads: int, folder: Path) -> dict[str, Any]:
    """Measure each side's job, and again in turns where all are short."""
    first = {side: {**job, "rows": str(folder / f"{side}.npy")} for side, job in jobs.items()}
    found = {side: run(job, threads) for side, job in first.items()}
    slowest = max((max(one["runs"]) for one in found.values() if "runs" in one), default=LONG)
    for _ in range(ROUNDS - 1 if slowest < SHORT else 0):
        for side, job in jobs.items():
            if "runs" in found[side]:
                found[side]["runs"] += run(job, threads)["runs"]
    for one in found.values():
        if "runs" in one:
            one["seconds"] = statistics.median(one["runs"])
    return found


def told_apart(ours: Path, theirs: Path) -> tuple[float, float]:
    """Return the least p-value of a two-sample test a column, times the columns, and an AUC.

    The AUC is that of gradient boosting, cross-validated, which is to tell one side's new rows
    from the other's: .5 if it cannot.
    """
    from scipy.stats import ks_2samp
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import cross_val_score

    a, b = np.load(ours), np.load(theirs)
    least = min(ks_2samp(a[:, j], b[:, j]).pvalue for j in range(a.shape[1]))
    x, y = np.vstack([a, b]), np.repeat([0, 1], [len(a), len(b)])
    scores = cross_val_score(HistGradientBoostingClassifier(), x, y, cv=3, scoring="roc_auc")
    return min(1.0, least * a.shape[1]), float(scores.mean())


def figures(name: str, kind: str, threads: int, samplers: list[str], folder: Path) -> list[str]:
    """Return the lines of one table's page."""
    lines = [
        f"### {name}, {kind}, {threads} thread{'s' * (threads > 1)}\n",
        "| sampler | "
        + " | ".join(SIDES)
        + " | times as fast | extra memory / output | told apart |",
        "|---|---|---|---|---|---|---|",
    ]
    said = []
    for sampler in samplers:
        sides = SIDES[:2] if SAMPLERS[sampler][2] is None else SIDES
        common = {"sampler": sampler, "table": name, "kind": kind}
        found = compare({side: {"side": side, **common} for side in sides}, threads, folder)
        lines.append(line(sampler, found, folder))
        if found.get(SIDES[2], {}).get("said"):
            said.append(f"{sampler}: {found[SIDES[2]]['said']}")
    return [*lines, "", *(f"- {one}" for one in said), ""]


def line(sampler: str, found: dict[str, Any], folder: Path) -> str:
    theirs, ours = found[SIDES[0]], found[SIDES[1]]
    times = [
        f"{found[side]['seconds']:.2f} s" if side in found and "seconds" in found[side] else ""
        for side in SIDES
    ]
    if "error" in theirs:
        return f"| {sampler} | {theirs['error'][:60]} | {times[1]} | {times[2]} | | | |"
    ratios = [theirs["seconds"] / found[side]["seconds"] for side in SIDES[1:] if side in found]
    p, auc = told_apart(folder / f"{SIDES[1]}.npy", folder / f"{SIDES[0]}.npy")
    faster = " / ".join(f"{ratio:.1f}" for ratio in ratios)
    extra = f"{theirs['extra']:.2f} / {ours['extra']:.2f}"
    told = f"p {p:.2f}, AUC {auc:.3f}"
    return f"| {sampler} | {' | '.join(times)} | {faster} | {extra} | {told} |"


def kernels() -> str:
    """Say what BLAS computes with, which most of the time goes into."""
    from threadpoolctl import threadpool_info

    found = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    return " and ".join(sorted({f"{one['internal_api']} {one['architecture']}" for one in found}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    parser.add_argument("--no-batches", action="store_true")
    parser.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(measure(options.job)))
        return
    machine = f"{platform.machine()}, {os.cpu_count()} cores, {kernels()}"
    print(HEAD.format(machine=machine, long=LONG, short=SHORT))
    with tempfile.TemporaryDirectory() as folder:
        for threads in options.threads:
            for name in options.tables:
                for kind in options.kinds:
                    page = figures(name, kind, threads, options.samplers, Path(folder))
                    print("\n".join(page), flush=True)
    if not options.no_batches:
        batches()


def batches() -> None:
    import _batches

    print("### Batches in fit\n")
    print("| " + " | ".join(_batches.COLUMNS) + " |")
    print("|" + "---|" * len(_batches.COLUMNS))
    for row in _batches.measure():
        cells = [f"{cell:,.2f}" if isinstance(cell, float) else cell for cell in row.values()]
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
