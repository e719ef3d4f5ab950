"""The page: what it shows, that it is whole, and that it trusts nobody's names."""

from __future__ import annotations

import copy
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import kilter._errors as errors
from kilter.report import render, write

VOID = {"meta", "br", "wbr", "link", "img", "hr"}
Summary = dict[str, Any]


class Page(HTMLParser):
    """Reads a page, checks that tags close in order, and keeps text and tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.words))

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.tags)


def test_the_verdict_comes_first_and_the_numbers_are_there(summary: Summary) -> None:
    page = Page(render(summary))
    assert page.text.index(summary["verdict"]) < page.text.index("Does a remedy help?")
    for row in summary["leaderboard"]:
        assert row["remedy"] in page.text
        assert f"{row['auprc']:.3f}" in page.text
    for shown in ("93%", "<1%", "−0.097", "12.38", "0.313", "2.3%", "11,183", "70%", "0.725"):
        assert shown in page.text


def test_every_section_is_there(summary: Summary) -> None:
    ids = {attrs.get("id") for _, attrs in Page(render(summary)).tags}
    assert {"leaderboard", "curves", "scores", "decisions", "data", "method"} <= ids


def test_chosen_row_is_highlighted_and_baseline_is_named(summary: Summary) -> None:
    html = render(summary)
    chosen = re.findall(r'<tr class="chosen">\s*<th scope="row"><span class="name">([^<]+)', html)
    assert [name.strip() for name in chosen] == ["logit-adjust", "logit-adjust"]
    assert re.search(r'none\+<wbr>threshold</span>\s*<span class="tag baseline">baseline', html)


def test_the_baseline_is_told_in_words(summary: Summary) -> None:
    assert "The baseline is plain cross-entropy with a tuned threshold: what" in render(summary)
    other = {**summary, "plain": "plain cross-entropy that decides by the costs"}
    assert "The baseline is plain cross-entropy that decides by the costs: what" in render(other)


def test_the_page_needs_nothing_from_outside(summary: Summary) -> None:
    html = render(summary)
    page = Page(html)
    assert not {"script", "link", "img", "iframe"} & {name for name, _ in page.tags}
    assert not re.search(r"https?:|url\(|@import|src=", html)


def test_charts_have_a_name_for_those_who_cannot_see(summary: Summary) -> None:
    html = render(summary)
    drawings = re.findall(r'<svg role="img".*?</svg>', html, flags=re.S)
    assert len(drawings) == 2 * 8 + 2 + 2 + 2  # rows, axes, curves, classes
    assert all(re.search(r"<title>[^<]+</title>", svg) for svg in drawings)


def hostile(value: Any) -> Any:
    """Put markup into every piece of text, except the few words with a meaning."""
    if isinstance(value, dict):
        return {key: hostile(v) for key, v in value.items()}
    if isinstance(value, list):
        return [hostile(v) for v in value]
    return f"{value}<script>alert('x')</script>\"" if isinstance(value, str) else value


def test_text_from_the_summary_is_escaped(summary: Summary) -> None:
    evil = hostile(summary)
    evil["curves"] = {hostile(k): v for k, v in evil["curves"].items()}
    page = Page(render(evil))
    assert page.count("script") == 0
    assert "malignant<script>alert('x')</script>\"" in page.text
    assert page.count("tr") == Page(render(summary)).count("tr")


def test_a_class_named_script(summary: Summary) -> None:
    text = json.dumps(summary).replace("malignant", "<script>")
    page = Page(render(json.loads(text)))
    assert page.count("script") == 0
    assert "Finding <script>" in page.text


def test_many_classes_many_remedies_missing_numbers(many_classes: Summary) -> None:
    page = Page(render(many_classes))
    assert "class number 29" in page.text
    assert "remedy 19" in page.text
    assert "curves" not in {attrs.get("id") for _, attrs in page.tags}
    assert "Threshold" not in page.text
    assert "Offset" in page.text


def test_differences_name_their_measure(summary: Summary) -> None:
    assert "The difference, in average precision (AUPRC)," in Page(render(summary)).text
    summary["chosen"]["metric"] = "macro_f1"
    assert "The difference, in macro F1," in Page(render(summary)).text


OPTIONAL = ("p_better", "difference", "difference_ci", "auprc_ci", "mcc", "seconds", "log_loss")


@pytest.mark.parametrize("value", [None, math.nan, "absent"])
def test_one_remedy_with_hardly_a_number(summary: Summary, value: Any) -> None:
    row = copy.deepcopy(summary["leaderboard"][3])
    for key in OPTIONAL:
        row.pop(key) if value == "absent" else row.update({key: value})
    row["auprc_ci"] = row["difference_ci"] = None
    summary.update(leaderboard=[row], chosen={"remedy": "none+threshold"}, verdict="Nothing helps.")
    for key in ("curves", "confusion", "environment", "command"):
        del summary[key]
    page = Page(render(summary))
    assert "Nothing helps." in page.text
    assert not re.search(r"\bnan\b", page.text)
    assert "None" not in page.text


def test_only_raw_reliability(summary: Summary) -> None:
    for curve in summary["curves"].values():
        del curve["reliability_calibrated"]
    assert "Trusting a probability" in Page(render(summary)).text


@pytest.mark.parametrize(
    ("split", "words"),
    [("stratified", "same share"), ("group", "one group together"), ("time", "order of time")],
)
def test_the_split_is_told_in_words(summary: Summary, split: str, words: str) -> None:
    summary["data"]["split"] = split
    assert words in Page(render(summary)).text


def test_the_summary_is_not_changed(summary: Summary) -> None:
    before = copy.deepcopy(summary)
    render(summary)
    assert summary == before


def test_write_makes_the_folder_and_returns_the_path(summary: Summary, tmp_path: Path) -> None:
    path = write(summary, tmp_path / "run" / "report.html")
    assert path.read_text(encoding="utf-8") == render(summary)


def test_write_to_a_folder_says_what_to_do(summary: Summary, tmp_path: Path) -> None:
    with pytest.raises(errors.OutputError, match="`path` must be a file"):
        write(summary, tmp_path)


def test_another_schema_is_refused(summary: Summary) -> None:
    summary["schema"] = 2
    with pytest.raises(errors.ArgumentError, match="schema 1; got 2"):
        render(summary)


# -- images, and remedies for the last layer ---------------------------------------------

PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
def of_images(summary: Summary) -> Summary:
    """A comparison of images, of which some were set apart, in two stages."""
    summary["data"] |= {"image": [28, 32, 1], "rows": 11183, "held_out": 2000}
    names = [{"name": "none+threshold", "head": None}, {"name": "crt", "head": "anew"}]
    summary["plan"] = {"remedies": [*names, {"name": "tau-norm", "head": "norm"}]}
    summary["confirmed"] = ["oversample"]
    example = {"predicted": "benign", "probability": 0.93, "file": "m/1.png", "image": PIXEL}
    missed = {"class": "malignant", "count": 1234, "of": 2600, "examples": [example]}
    summary["misses"] = [missed, {**missed, "class": "benign", "examples": [example] * 2}]
    return summary


def test_mistakes_are_shown(of_images: Summary) -> None:
    page = Page(render(of_images))
    assert "What logit-adjust takes for something else" in page.text
    assert "malignant 1,234 of 2,600 missed" in page.text
    assert page.count("img") == 3
    images = [attrs for name, attrs in page.tags if name == "img"]
    assert {(image["src"], image["alt"]) for image in images} == {(PIXEL, "m/1.png")}
    assert "benign 93%" in page.text
    assert page.text.index("decides on test rows") < page.text.index("takes for something else")


def test_without_mistakes_there_is_no_such_part(of_images: Summary) -> None:
    for misses in ([], None):
        of_images["misses"] = misses
        assert "takes for something else" not in Page(render(of_images)).text
    del of_images["misses"]
    assert "takes for something else" not in Page(render(of_images)).text


def test_images_are_told_by_their_size(of_images: Summary) -> None:
    page = Page(render(of_images))
    assert "11,183 images of 28 by 32 pixels, grey, 2 classes." in page.text
    assert "2,000 were set apart to test on; the table counts the others." in page.text
    assert "set apart to test on were cut into 5 test parts" in page.text
    of_images["data"]["image"] = [28, 32, 3]
    assert "28 by 32 pixels, colour" in Page(render(of_images)).text


def test_a_table_is_told_by_its_columns(summary: Summary) -> None:
    for data in (summary["data"], {**summary["data"], "image": [], "held_out": 0}):
        page = Page(render({**summary, "data": data}))
        assert "11,183 rows, 6 columns, 2 classes in diagnosis." in page.text
        assert "set apart" not in page.text
        assert "The rows were cut into 5 folds" in page.text


def test_what_shares_networks_is_told(of_images: Summary) -> None:
    page = Page(render(of_images))
    assert "Remedies for the last layer (crt, tau-norm) share networks" in page.text
    assert "the 1 best on validation rows were (oversample)." in page.text
    of_images["confirmed"] = []
    assert "best on validation rows were" not in Page(render(of_images)).text
    of_images["plan"]["remedies"] = of_images["plan"]["remedies"][:1]
    assert "Remedies for the last layer" not in Page(render(of_images)).text


def test_names_of_files_and_classes_are_escaped(of_images: Summary) -> None:
    evil = hostile(of_images)
    evil["curves"] = {hostile(k): v for k, v in evil["curves"].items()}
    page = Page(render(evil))
    assert page.count("script") == 0
    assert page.count("img") == 3
