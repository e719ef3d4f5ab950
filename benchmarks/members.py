"""How many members does the default network need, where seeds are averaged anyway?

`KilterClassifier` averages ten seeds on a few hundred rows, fewer on more of them, and one above
15,000. Networks of eight members and of fewer are trained with as many seeds, on the tables of
``ablation.py`` and larger ones from where those are. ``members.py TABLE ...`` runs some tables
alone. Results go to ``docs/benchmarks/members.jsonl`` as they come and are not measured again
while they are there.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import warnings
from typing import Any

import numpy as np

import ablation
from kilter.estimator import MOST_SEEDS, SEED_ROWS

RESULTS = ablation.RESULTS.with_name("members.jsonl")
MEMBERS = (8, 4, 2, 1)
MOST = MEMBERS[0]
FIGURES = {"auprc": 3, "log_loss": 4, "seconds": 0}  # and their digits
MANY = 2_500  # rows
LEGEND = """Seconds are of five folds, without the networks that learn from all rows. They were
measured on one core while the other one worked: compare those of a row with each other. AP is the
average precision, LL the calibrated log loss.
"""

Rows = dict[str, dict[int, dict[str, Any]]]


def results() -> Rows:
    """Return what was measured, by table and members."""
    found: Rows = {}
    if RESULTS.exists():
        for line in RESULTS.read_text().splitlines():
            row = json.loads(line)
            found.setdefault(row["table"], {})[row["members"]] = row
    return found


def run(table: str) -> None:
    """Measure what is missing of a table."""
    data = ablation.read(table)
    seeds = int(np.clip(SEED_ROWS // len(data), 1, MOST_SEEDS))
    for members in MEMBERS:
        if members in results().get(table, {}):
            continue
        begun = time.perf_counter()
        found = ablation.measure(ablation.Variant({"members": members, "seeds": seeds}), data)
        seconds = round(time.perf_counter() - begun, 1)
        row = {"table": table, "rows": len(data), "members": members, "seeds": seeds, **found}
        with RESULTS.open("a") as file:
            file.write(json.dumps({**row, "seconds": seconds}) + "\n")
        print(row, seconds, file=sys.stderr, flush=True)


def show(found: Rows) -> None:
    """Print the page: a line a table, and means."""
    print("# Members\n")
    print("Written by `make bench` from `benchmarks/members.py`; do not edit.\n")
    print((__doc__ or "").partition(" ``members.py TABLE")[0].strip())
    print(f"\n{platform.machine()}, {os.cpu_count()} cores; 5 folds. {LEGEND}")
    head = [f"{name}, {m}" for name in ("AP", "LL", "seconds") for m in MEMBERS]
    print(f"| table | rows | seeds | {' | '.join(head)} |\n|---|{'---|' * (len(head) + 2)}")
    complete = {table: row for table, row in found.items() if set(MEMBERS) <= set(row)}
    for table in sorted(complete, key=lambda table: complete[table][MOST]["rows"]):
        row = complete[table]
        cells = [f"{row[m][key]:.{digits}f}" for key, digits in FIGURES.items() for m in MEMBERS]
        first = row[MOST]
        print(f"| {table} | {first['rows']:,} | {first['seeds']} | {' | '.join(cells)} |")
    for fewest, most in ((0, MANY), (MANY, sys.maxsize)):
        show_means([row for row in complete.values() if fewest <= row[MOST]["rows"] < most])


def show_means(rows: list[dict[int, dict[str, Any]]]) -> None:
    """Print what fewer members cost on average."""
    if len(rows) < 2:
        return
    low, high = (pick(row[MOST]["rows"] for row in rows) for pick in (min, max))
    print(f"\n{len(rows)} tables of {low:,} to {high:,} rows, against eight members:\n")
    print("| members | AP, mean | LL, median ratio | seconds, median ratio |\n|---|---|---|---|")
    for members in MEMBERS[1:]:
        gains = np.array([row[members]["auprc"] - row[MOST]["auprc"] for row in rows])
        loss, seconds = (
            np.median([row[members][key] / row[MOST][key] for row in rows])
            for key in ("log_loss", "seconds")
        )
        error = gains.std(ddof=1) / len(gains) ** 0.5
        print(f"| {members} | {gains.mean():+.3f} ± {error:.3f} | {loss:.3f} | {seconds:.2f} |")


def main() -> None:
    """Measure what is missing and print the page."""
    ablation.RUNS.mkdir(exist_ok=True)
    warnings.simplefilter("ignore")
    for table in sys.argv[1:] or (*ablation.TABLES, *ablation.LARGER):
        run(table)
    show(results())


if __name__ == "__main__":
    main()
