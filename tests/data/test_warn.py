import copy
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kilter.data import audit, audit_lines, load
from kilter.data.warn import audit_warnings
from made_texts import make_texts


def test_lines_say_it_all(skewed):
    skewed["copy"] = skewed["target"]
    skewed.loc[:250, "x"] = np.nan
    text = "\n".join(audit_lines(audit(load(skewed, "target"))))
    for said in (
        "table: 400 rows, 1 number column, 2 category columns",
        "class rare: 20 rows (5.00%)",
        "imbalance 19.0 : 1",
        "missing x: 251 rows (62.7%)",
        "! Alone, `copy` (AUC 1.000) tells class `rare`",
        "`x` is missing in most rows",
        "`same` has one value only",
    ):
        assert said in text


@pytest.fixture
def clean() -> dict[str, Any]:
    """Return an audit with nothing to warn of."""
    return {
        "name": "t",
        "rows": 3000,
        "columns": {"number": 2},
        "classes": [
            {"label": "rare", "rows": 1000, "share": 1 / 3},
            {"label": "often", "rows": 2000, "share": 2 / 3},
        ],
        "imbalance_ratio": 2.0,
        "duplicates": {"rows": 0, "conflicting": 0},
        "missing": {},
        "constant": [],
        "empty": [],
        "broken": [],
        "held_out": None,
        "image": None,
        "text": None,
        "free_text": [],
        "identifiers": [],
        "leaks": {},
        "claim": {"class": "rare", "rows": 1000, "ap_half_width": 0.031, "max_folds": 50},
        "warnings": [],
    }


def changed(report: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a copy with other values; those of a dict are put over the old ones."""
    report = copy.deepcopy(report)
    for key, value in changes.items():
        nested = isinstance(value, dict) and report[key]
        report[key] = {**report[key], **value} if nested else value
    return report


def test_a_clean_table_has_no_warning(clean):
    assert audit_warnings(clean) == []
    assert audit_lines(clean) == [
        "t: 3,000 rows, 2 number columns",
        "class rare: 1,000 rows (33.33%)",
        "class often: 2,000 rows (66.67%)",
        "imbalance 2.0 : 1",
        "1,000 rows of class rare: an average precision of .50 is known to ±0.03; 50 folds at most",
    ]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"leaks": {"when.days": 0.9996, "x": 0.995}},
            r"Alone, `when.days` (AUC 1.000), `x` (AUC 0.995) tells class `rare` from the rest",
        ),
        ({"leaks": {"when.days": 1.0, "x": 1.0}}, "`--drop when,x`."),
        ({"duplicates": {"conflicting": 1234}}, "1,234 rows have an exact twin with another"),
        ({"duplicates": {"rows": 1500}}, "1,500 of 3,000 rows have an exact twin."),
        ({"claim": {"max_folds": 4}}, "too few for 5 folds. Use `--folds 4`, or collect"),
        ({"claim": {"max_folds": 0}}, "too few for 5 folds. Merge or drop that class, or"),
        ({"claim": {"ap_half_width": 0.151}}, "is known to ±0.15 only"),
        ({"identifiers": ["id", "key"]}, "Convert it, or `--drop id,key`."),
        (
            {"identifiers": ["note"], "free_text": ["note"]},
            "or `--drop note`; if it is what to learn from, `--text note`.",
        ),
        ({"missing": {"x": 1501, "z": 1500}}, "`x` is missing in most rows. Consider `--drop x`."),
        ({"constant": ["a", "b"]}, "`a`, `b` has one value only, and is left out."),
        ({"empty": ["a"]}, "`a` has no values, and is left out."),
        ({"broken": ["a/1.png"]}, "`a/1.png` cannot be read as an image, and is left out."),
        (
            {"broken": [f"{at}.png" for at in range(1207)]},
            "`0.png`, `1.png`, `2.png`, `3.png`, `4.png` and 1,202 more cannot be read as an image",
        ),
        (
            {"held_out": {"rows": 9, "twins": 1234, "classes": []}},
            "1,234 rows to learn from have an exact twin among those to test on, and will not be",
        ),
        (
            {"held_out": {"rows": 9, "twins": 1, "classes": []}},
            "1 row to learn from has an exact twin among those to test on, and will not be",
        ),
        (
            {"held_out": {"rows": 9, "twins": 0, "classes": ["a", "b"]}},
            "The rows to test on have other shares of 2 classes than those to learn from: no",
        ),
        (
            {"held_out": {"rows": 9, "twins": 0, "classes": ["a"]}},
            "have other shares of 1 class than",
        ),
    ],
)
def test_each_fault_has_one_warning(clean, changes, said):
    (sentence,) = audit_warnings(changed(clean, **changes))
    assert said in sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"claim": {"max_folds": 5}},
        {"claim": {"ap_half_width": 0.15}},
        {"missing": {"x": 1500}},
        {"held_out": {"rows": 9, "twins": 0, "classes": []}},
    ],
)
def test_on_the_edge_there_is_no_warning(clean, changes):
    assert audit_warnings(changed(clean, **changes)) == []


def test_the_gravest_comes_first_and_lines_end_with_the_warnings(clean):
    report = changed(
        clean,
        constant=["c"],
        missing={"m": 2000},
        identifiers=["i"],
        broken=["b.png"],
        held_out={"rows": 9, "twins": 3, "classes": ["a"]},
        duplicates={"rows": 10, "conflicting": 5},
        claim={"max_folds": 3, "ap_half_width": 0.2},
        leaks={"x": 1.0},
    )
    report["warnings"] = audit_warnings(report)
    starts = (
        *("Alone, `x`", "5 rows", "Class `rare`", "With 1,000", "10 of", "3 rows to learn"),
        *("The rows to test on", "`i`", "`m`", "`c`", "`b.png`"),
    )
    for sentence, start in zip(report["warnings"], starts, strict=True):
        assert sentence.startswith(start)
    assert audit_lines(report)[-11:] == [f"! {sentence}" for sentence in report["warnings"]]


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (12, [f"class c{at}" for at in range(12)]),
        (14, [*(f"class c{at}" for at in range(11)), "... 2 more classes ...", "class c13"]),
    ],
)
def test_of_many_classes_the_rarest_and_the_largest(clean, count, expected):
    classes = [{"label": f"c{at}", "rows": at + 2, "share": 0.01} for at in range(count)]
    lines = audit_lines({**clean, "classes": classes})
    assert [line.partition(":")[0] for line in lines[1:-2]] == expected
    assert lines[-2].startswith("imbalance")


def test_one_column_is_singular(clean):
    report = {**clean, "columns": {"number": 1, "date": 2}}
    assert audit_lines(report)[0] == "t: 3,000 rows, 1 number column, 2 date columns"


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": [{"label": "rare", "rows": 1, "share": 1 / 3000}]},
        {"claim": {"rows": 1}},
        {"claim": {"rows": 1, "max_folds": 0, "ap_half_width": 0.48}},
        {"missing": {"x": 1}},
    ],
    ids=["class", "claim", "warnings", "missing"],
)
def test_one_row_is_singular(clean, changes):
    report = changed(clean, **changes)
    text = "\n".join([*audit_lines(report), *audit_warnings(report)])
    assert re.search(r"\b1 row\b", text)
    assert not re.search(r"\b1 rows\b", text)


@pytest.mark.parametrize(
    ("channels", "held_out", "said"),
    [
        (1, None, "t: 3,000 images of 28 by 32 pixels, grey"),
        (3, None, "t: 3,000 images of 28 by 32 pixels, colour"),
        (1, {"rows": 1500, "twins": 0, "classes": []}, "grey, 1,500 of them to test on"),
    ],
)
def test_images_have_a_size(clean, channels, held_out, said):
    image = {"height": 28, "width": 32, "channels": channels}
    assert audit_lines(changed(clean, image=image, held_out=held_out))[0].endswith(said)


def test_what_a_claim_rests_on_where_rows_are_held_out(clean):
    report = changed(
        clean,
        held_out={"rows": 20, "twins": 0, "classes": []},
        claim={"rows": 1, "max_folds": 0, "ap_half_width": 0.4},
    )
    assert "1 row to test on of class rare: an average precision" in audit_lines(report)[4]
    first, second = audit_warnings(report)
    assert first.startswith("Class `rare` has 1 row to test on, too few for 5 folds. Merge")
    assert second.startswith("With 1 row to test on of class `rare`, an average precision")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            {"words": 17, "most": 200, "different": 7912},
            "t: 3,000 texts of 17 words on the median, 7,912 different ones",
        ),
        (
            {"words": 1234, "most": 5000, "different": 12},
            "t: 3,000 texts of 1,234 words on the median, 12 different ones",
        ),
    ],
)
def test_texts_have_words(clean: dict[str, Any], text: dict[str, int], said: str) -> None:
    assert audit_lines(changed(clean, text=text, columns={"text": 1}))[0] == said


def test_one_word_is_singular(clean: dict[str, Any]) -> None:
    text = {"words": 1, "most": 3, "different": 12}
    assert "texts of 1 word on the median" in audit_lines(changed(clean, text=text))[0]


def test_the_column_of_texts_is_not_to_be_dropped() -> None:
    report = audit(make_texts(np.arange(300) % 2, ["see you", "", ""] * 100))
    (sentence,) = (line for line in report["warnings"] if "missing in most rows" in line)
    assert sentence.startswith("`note` is missing in most rows.")
    assert "--drop" not in sentence


def test_a_number_is_not_to_be_learned_from_as_text() -> None:
    rows = {"id": np.arange(300), "x": np.arange(300) % 7, "y": np.arange(300) % 2}
    report = audit(load(pa.table(rows), "y"))
    assert report["identifiers"] == ["id"]
    assert "--text" not in "".join(report["warnings"])
