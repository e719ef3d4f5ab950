"""Say an audit in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

_WIDE = 0.15
_USUAL_FOLDS = 5
_MOST_LINES = 12
_MOST_NAMES = 5


def audit_warnings(report: dict[str, Any]) -> list[str]:
    """Return what is wrong with the table and what to do next, the gravest first."""
    parts = (_about_leaks, _about_rows, _about_held_out, _about_columns)
    return [sentence for about in parts for sentence in about(report)]


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _words(count: int) -> str:
    return "1 word" if count == 1 else f"{count:,} words"


def _claimed(report: dict[str, Any]) -> str:
    """Say how many rows a claim rests on."""
    return _rows(report["claim"]["rows"]) + (" to test on" if report["held_out"] else "")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _drop(names: Iterable[str]) -> str:
    return f"`--drop {','.join(names)}`"


def _about_leaks(report: dict[str, Any]) -> Iterator[str]:
    if leaks := report["leaks"]:
        found = ", ".join(f"`{name}` (AUC {auc:.3f})" for name, auc in leaks.items())
        columns = dict.fromkeys(name.removesuffix(".days") for name in leaks)
        yield (
            f"Alone, {found} tells class `{report['claim']['class']}` from the rest almost "
            "perfectly. Check that it is known at the time of prediction; if it is not, "
            f"{_drop(columns)}."
        )
    if conflicting := report["duplicates"]["conflicting"]:
        yield (
            f"{conflicting:,} rows have an exact twin with another label: no model can be right "
            "on both. Check how the labels were made."
        )


def _about_rows(report: dict[str, Any]) -> Iterator[str]:
    claim = report["claim"]
    if claim["max_folds"] < _USUAL_FOLDS:
        most = claim["max_folds"]
        advice = f"Use `--folds {most}`" if most else "Merge or drop that class"
        yield (
            f"Class `{claim['class']}` has {_claimed(report)}, too few for {_USUAL_FOLDS} "
            f"folds. {advice}, or collect more rows of it."
        )
    if claim["ap_half_width"] > _WIDE:
        yield (
            f"With {_claimed(report)} of class `{claim['class']}`, an average precision of "
            f".50 is known to ±{claim['ap_half_width']:.2f} only: small differences between "
            "remedies cannot be shown. Collect more rows of it."
        )
    if twins := report["duplicates"]["rows"]:
        yield (
            f"{twins:,} of {report['rows']:,} rows have an exact twin. They stay in one part of "
            "every split, so they do not leak; check that they are not copies made by mistake."
        )


def _about_held_out(report: dict[str, Any]) -> Iterator[str]:
    held_out = report["held_out"] or {"twins": 0, "classes": []}
    if twins := held_out["twins"]:
        yield (
            f"{_rows(twins)} to learn from {_have(twins)} an exact twin among those to test on, "
            "and will not be learned from. Check how the two were parted."
        )
    if classes := held_out["classes"]:
        yield (
            f"The rows to test on have other shares of {_classes(len(classes))} than those to "
            "learn from: no probability or threshold fits both. Judge by what does not hang on "
            "shares, `--metric balanced_accuracy`."
        )


def _classes(count: int) -> str:
    return "1 class" if count == 1 else f"{count:,} classes"


def _have(count: int) -> str:
    return "has" if count == 1 else "have"


def _about_columns(report: dict[str, Any]) -> Iterator[str]:
    if identifiers := report["identifiers"]:
        texts = report["free_text"]
        learn = f"; if it is what to learn from, `--text {texts[0]}`" if texts else ""
        yield (
            f"{_names(identifiers)} is different in most rows, like an identifier, free text, or "
            f"numbers written as text. Convert it, or {_drop(identifiers)}{learn}."
        )
    if mostly := [c for c, rows in report["missing"].items() if rows > report["rows"] / 2]:
        advice = "" if report["text"] else f" Consider {_drop(mostly)}."
        yield f"{_names(mostly)} is missing in most rows.{advice}"
    if constant := report["constant"]:
        yield f"{_names(constant)} has one value only, and is left out."
    if empty := report["empty"]:
        yield f"{_names(empty)} has no values, and is left out."
    if broken := report["broken"]:
        more = f" and {len(broken) - _MOST_NAMES:,} more" if len(broken) > _MOST_NAMES else ""
        yield f"{_names(broken[:_MOST_NAMES])}{more} cannot be read as an image, and is left out."


def audit_lines(report: dict[str, Any]) -> list[str]:
    """Return an audit as lines of text to print.

    Examples
    --------
    >>> import pyarrow
    >>> from kilter.data import audit, load
    >>> rows = {"age": list(range(200)), "fraud": [0] * 190 + [1] * 10}
    >>> print(audit_lines(audit(load(pyarrow.table(rows), "fraud")))[0])
    table: 200 rows, 1 number column
    """
    return [*_facts(report), *(f"! {sentence}" for sentence in report["warnings"])]


def _facts(report: dict[str, Any]) -> Iterator[str]:
    yield f"{report['name']}: {_what(report)}"
    yield from _class_lines(report["classes"])
    yield f"imbalance {report['imbalance_ratio']:,.1f} : 1"
    for column, rows in report["missing"].items():
        yield f"missing {column}: {_rows(rows)} ({rows / report['rows']:.1%})"
    claim = report["claim"]
    yield (
        f"{_claimed(report)} of class {claim['class']}: an average precision of .50 is known "
        f"to ±{claim['ap_half_width']:.2f}; {claim['max_folds']} folds at most"
    )


def _what(report: dict[str, Any]) -> str:
    if image := report["image"]:
        colour = "grey" if image["channels"] == 1 else "colour"
        held_out = report["held_out"]
        tests = f", {held_out['rows']:,} of them to test on" if held_out else ""
        size = f"{image['height']} by {image['width']} pixels, {colour}"
        return f"{report['rows']:,} images of {size}{tests}"
    if text := report["text"]:
        return (
            f"{report['rows']:,} texts of {_words(text['words'])} on the median, "
            f"{text['different']:,} different ones"
        )
    kinds = ", ".join(_counted(kind, count) for kind, count in report["columns"].items())
    return f"{report['rows']:,} rows, {kinds}"


def _class_lines(classes: list[dict[str, Any]]) -> list[str]:
    """Return a line a class, rarest first; of many, the rarest and the largest."""
    lines = [f"class {c['label']}: {_rows(c['rows'])} ({c['share']:.2%})" for c in classes]
    left_out = len(lines) - _MOST_LINES
    if left_out <= 0:
        return lines
    return [
        *lines[: _MOST_LINES - 1],
        f"... {left_out:,} more {'class' if left_out == 1 else 'classes'} ...",
        lines[-1],
    ]


def _counted(kind: str, count: int) -> str:
    return f"{count:,} {kind} column{'' if count == 1 else 's'}"
