"""From a summary dict to a page: draws the charts and fills the template.

The page needs no network: styles and charts are inside it. Everything that comes from the
summary is escaped, since class and column names are other people's text.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from kilter._errors import ArgumentError, OutputError, SourceError
from kilter.report import charts, formats
from kilter.report.formats import bounds, is_number, number, signed

SCHEMA = 1
MEASURES = {
    "auprc": "average precision",
    "macro_f1": "macro F1",
    "balanced_accuracy": "balanced accuracy",
    "mcc": "Matthews correlation",
    "log_loss": "log loss",
    "brier": "Brier score",
}
LINE_ROLES = ("other-1", "other-2", "other-3")

Summary = Mapping[str, Any]


def render(summary: Summary) -> str:
    """Return the report of a run as one HTML page.

    Parameters
    ----------
    summary : mapping
        What ``result.json`` holds: plain JSON values, ``schema`` 1.

    Returns
    -------
    str
        A page that needs no other file.
    """
    _require_schema(summary)
    try:
        return _template().render(view(summary))
    except (KeyError, TypeError, AttributeError, IndexError, jinja2.UndefinedError) as error:
        raise ArgumentError(
            f"`summary` must hold what a comparison writes into result.json, and a part is "
            f"missing or changed ({type(error).__name__}: {error}). Run the comparison again."
        ) from error


def write(summary: Summary, path: str | Path) -> Path:
    """Write the report of a run to a file and return its path."""
    page, path = render(summary), Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"`path` must be a file that can be written; `{path}` gave: {error.strerror}. "
            "Choose another place or free this one."
        ) from error
    return path


def read_summary(folder: str | Path) -> dict[str, Any]:
    """Read the summary of a run from its folder.

    Raises
    ------
    SourceError
        If the folder holds no readable ``result.json``.
    """
    path = Path(folder) / "result.json"
    try:
        summary: Any = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourceError(
            f"`{folder}` must be the folder of a finished run; its result.json gave: "
            f"{error.strerror}. Name the folder that `kilter compare` wrote."
        ) from error
    except ValueError as error:
        raise SourceError(
            f"`{path}` is damaged: it is not JSON. Run the comparison again."
        ) from error
    if not isinstance(summary, dict) or summary.get("schema") != SCHEMA:
        raise SourceError(
            f"`{path}` is not the result of a comparison by this version of kilter. Run the "
            "comparison again."
        )
    return summary


def view(summary: Summary) -> dict[str, Any]:
    """Return what the template shows: the summary, and what is drawn from it."""
    rows, chosen = summary["leaderboard"], summary["chosen"]
    metric = chosen.get("metric") or "auprc"
    headline, _, details = summary["verdict"].partition(". ")
    return {
        **summary,
        "headline": f"{headline.removesuffix('.')}.",
        "details": details,
        "rows": rows,
        "winner": _find(rows, chosen["remedy"]),
        "measure": MEASURES.get(metric, metric),
        "shows_offsets": bool(chosen.get("offsets")) and not is_number(chosen.get("threshold")),
        "positive_share": _positive_share(summary["data"]),
        "two_stages": _two_stages(summary),
        **_leaderboard_charts(summary),
        **_curve_charts(summary),
    }


@functools.cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("kilter.report", "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update({f.__name__: f for f in formats.ALL})
    environment.globals.update(bar=charts.bar, swatch=charts.swatch)
    return environment.get_template("report.html.j2")


def _require_schema(summary: Summary) -> None:
    found = summary.get("schema")
    if found != SCHEMA:
        raise ArgumentError(
            f"`summary` must have schema {SCHEMA}; got {found!r}. "
            "Was it written by another version of kilter? Run the comparison again with this one."
        )


def _two_stages(summary: Summary) -> list[str]:
    """Return the remedies that learn a last layer only."""
    remedies = summary.get("plan", {}).get("remedies", [])
    return [remedy["name"] for remedy in remedies if remedy.get("head")]


def _find(rows: Sequence[Summary], remedy: str | None) -> Summary:
    return next((row for row in rows if row["remedy"] == remedy), {})


def _positive_share(data: Summary) -> float | None:
    found = (c["share"] for c in data["classes"] if c["name"] == data.get("positive"))
    return next(found, None)


def _leaderboard_charts(summary: Summary) -> dict[str, Any]:
    rows = summary["leaderboard"]
    base = _find(rows, summary.get("baseline")).get("auprc")
    scores = charts.row_scale(_values(rows, "auprc"), lo=0.0, hi=1.0)
    gaps = charts.row_scale(
        [*_values(rows, "difference"), -2 * summary["rope"], 2 * summary["rope"]]
    )
    return {
        "score_axis": charts.axis(scores),
        "gap_axis": charts.axis(gaps, signed=True),
        "score_charts": [_score_chart(scores, row, base) for row in rows],
        "gap_charts": [_gap_chart(gaps, row, summary["rope"]) for row in rows],
    }


def _values(rows: Sequence[Summary], key: str) -> Iterator[float | None]:
    for row in rows:
        yield row.get(key)
        yield from row.get(f"{key}_ci") or ()


def _score_chart(scale: charts.Scale, row: Summary, base: float | None) -> Markup:
    pair = row.get("auprc_ci")
    title = f"{row['remedy']}: AUPRC {number(row.get('auprc'))}, {bounds(pair) or 'no interval'}"
    return charts.interval(scale, row.get("auprc"), pair, title, reference=base)


def _gap_chart(scale: charts.Scale, row: Summary, rope: float) -> Markup:
    gap, pair = row.get("difference"), row.get("difference_ci")
    if not is_number(gap) or not pair:
        gap, pair, text = None, None, "the line that the others are compared with"
    else:
        text = f"difference {signed(gap)}, {bounds(pair, sign=True) or 'no interval'}"
    return charts.interval(scale, gap, pair, f"{row['remedy']}: {text}", reference=0.0, band=rope)


def _curve_charts(summary: Summary) -> dict[str, Any]:
    curves = summary.get("curves") or {}
    roles = _roles(curves, summary)
    ranked = [_curve_series(name, roles[name], curves[name]) for name in roles]
    trusted = _reliability_series(summary["chosen"]["remedy"], curves)
    share, positive = _positive_share(summary["data"]), summary["data"].get("positive")
    return {
        "pr_series": ranked,
        "pr_chart": charts.precision_recall(ranked, share, f"Precision and recall of {positive}"),
        "reliability_series": trusted,
        "reliability_chart": charts.reliability(
            trusted, f"Can a probability of {positive} be trusted?"
        ),
    }


def _roles(curves: Summary, summary: Summary) -> dict[str, str]:
    """Give each drawn remedy a line style; the chosen one comes last, on top."""
    chosen, baseline = summary["chosen"]["remedy"], summary.get("baseline")
    others = [name for name in curves if name not in (chosen, baseline)]
    roles: dict[str, str] = dict(zip(others, LINE_ROLES, strict=False))
    for name, role in ((baseline, "baseline"), (chosen, "chosen")):
        if name is not None and name in curves:
            roles.pop(name, None)
            roles[name] = role
    return roles


def _curve_series(name: str, role: str, curve: Summary) -> charts.Series:
    points = curve["precision_recall"]
    return charts.Series(name, role, points["recall"], points["precision"])


def _reliability_series(chosen: str, curves: Summary) -> list[charts.Series]:
    curve = curves.get(chosen) or {}
    after = curve.get("reliability_calibrated")
    raw_role = "baseline" if after else "chosen"
    kinds = ((curve.get("reliability"), "as trained", raw_role), (after, "calibrated", "chosen"))
    return [charts.Series(n, r, p["predicted"], p["observed"]) for p, n, r in kinds if p]
