"""Charts against coordinates that were worked out by hand."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from kilter.report import charts
from kilter.report.charts import Scale, Series

UNIT = Scale(0, 1, 10, 190)


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def by_class(svg: str, name: str) -> list[ElementTree.Element]:
    return [e for e in parse(svg).iter() if name in (e.get("class") or "").split()]


def test_scale_is_a_straight_line_kept_inside() -> None:
    assert UNIT(0.0) == 10
    assert UNIT(0.25) == 55
    assert UNIT(1.0) == 190
    assert UNIT(-3) == 10
    assert UNIT(3) == 190


@pytest.mark.parametrize(
    ("lo", "hi", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.53, 0.81, [0.6, 0.7, 0.8]),
        (-0.13, 0.05, [-0.1, -0.05, 0, 0.05]),
        (0, 0.03, [0, 0.01, 0.02, 0.03]),
    ],
)
def test_ticks_are_round_values(lo: float, hi: float, expected: list[float]) -> None:
    assert charts.ticks(lo, hi) == pytest.approx(expected)


def test_row_scale_leaves_air_and_skips_what_is_missing() -> None:
    scale = charts.row_scale([0.2, None, 0.7, math.nan])
    assert (scale.lo, scale.hi) == pytest.approx((0.17, 0.73))
    assert charts.row_scale([0.0, 1.0], lo=0.0, hi=1.0).lo == 0
    assert charts.row_scale([None]).lo < 0 < charts.row_scale([None]).hi
    assert charts.row_scale([0.5]).hi == pytest.approx(0.55)


def test_interval_draws_dot_bar_reference_and_band() -> None:
    svg = charts.interval(UNIT, 0.5, (0.25, 0.75), "t", reference=0.4, band=0.1)
    (dot,), (line,) = by_class(svg, "dot"), by_class(svg, "bar")
    assert (dot.get("cx"), dot.get("cy")) == ("100.0", "22.0")
    assert (line.get("x1"), line.get("x2")) == ("55.0", "145.0")
    assert by_class(svg, "reference")[0].get("x1") == "82.0"
    band = by_class(svg, "band")[0]
    assert (band.get("x"), band.get("width")) == ("64.0", "36.0")


def test_interval_without_numbers_is_empty_and_still_named() -> None:
    svg = charts.interval(UNIT, None, None, "nothing known")
    assert not by_class(svg, "dot")
    assert not by_class(svg, "bar")
    assert parse(svg).findtext("title") == "nothing known"


def test_interval_with_a_missing_bound_keeps_the_dot() -> None:
    svg = charts.interval(UNIT, 0.5, (None, 0.75), "t")
    assert by_class(svg, "dot")
    assert not by_class(svg, "bar")


def test_axis_labels_are_signed_on_request() -> None:
    svg = charts.axis(Scale(-0.1, 0.1, 10, 190), signed=True)
    assert [e.text for e in by_class(svg, "tick")] == ["−0.10", "−0.05", "0.00", "+0.05", "+0.10"]


def test_axis_has_more_than_one_label() -> None:
    svg = charts.axis(Scale(-0.44, 0.48, 10, 190))
    assert [e.text for e in by_class(svg, "tick")] == ["−0.4", "−0.2", "0.0", "0.2", "0.4"]


@pytest.mark.parametrize(("share", "width"), [(0.5, "100.0"), (1.0, "200.0"), (1e-9, "1.5")])
def test_bar_is_as_long_as_the_share_and_never_invisible(share: float, width: str) -> None:
    assert by_class(charts.bar(share, "t"), "fill")[0].get("width") == width


def test_precision_recall_draws_each_line_and_the_guess() -> None:
    series = [Series("a", "chosen", [0, 1], [1, 0.5]), Series("b", "baseline", [0, 1], [0.5, 0])]
    svg = charts.precision_recall(series, 0.25, "t")
    (a,), (b,) = by_class(svg, "chosen"), by_class(svg, "baseline")
    assert a.get("points") == "56.0,14.0 406.0,193.0"  # plot: x 56..406, y 372..14
    assert b.get("points") == "56.0,193.0 406.0,372.0"
    assert by_class(svg, "guess")[0].get("y1") == "282.5"
    assert parse(svg).findtext("desc") == "One line each for a, b."


def test_reliability_zooms_in_on_small_probabilities() -> None:
    svg = charts.reliability([Series("a", "chosen", [0.0, 0.02], [0.0, 0.038])], "t")
    labels = {e.text for e in by_class(svg, "tick")}
    assert "0.04" in labels
    assert "1.0" not in labels
    assert by_class(svg, "mark")[1].get("cx") == "231.0"  # half of 0.04


def test_reliability_of_nothing_is_drawn_on_the_unit_square() -> None:
    assert "1.0" in charts.reliability([], "t")


def test_long_lines_are_thinned_and_keep_their_ends() -> None:
    many = [k / 10_000 for k in range(10_001)]
    svg = charts.precision_recall([Series("a", "chosen", many, many)], None, "t")
    points = (by_class(svg, "chosen")[0].get("points") or "").split()
    assert len(points) == charts.MOST_POINTS
    assert (points[0], points[-1]) == ("56.0,372.0", "406.0,14.0")


def test_points_that_are_not_numbers_are_left_out() -> None:
    svg = charts.precision_recall([Series("a", "chosen", [0, 0.5, 1], [1, math.nan, 0])], None, "t")
    assert by_class(svg, "chosen")[0].get("points") == "56.0,14.0 406.0,372.0"


def test_names_are_escaped() -> None:
    svg = charts.precision_recall([Series("<b>&", "chosen", [0], [1])], None, "<script>")
    assert parse(svg).findtext("title") == "<script>"
    assert "<script>" not in svg
    assert "<b>" not in svg
