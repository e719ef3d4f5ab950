"""Small pure functions that draw SVG: numbers in, markup out.

Colours are CSS classes of the page, so a chart follows light, dark and print by itself.
Series differ by dash as well as colour. Text is escaped by `Markup.format`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from kilter.report.formats import is_number

ROW_WIDTH, ROW_HEIGHT = 200, 44
BEYOND = 60  # vertical lines run past their row; the page cuts them at the cell
SIZE, LEFT, TOP, RIGHT, BOTTOM = 420, 56, 14, 14, 48
MOST_POINTS = 300


@dataclass(frozen=True)
class Scale:
    """A straight line from values ``lo..hi`` to pixels ``start..end``."""

    lo: float
    hi: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return the pixel of a value, kept inside the scale."""
        inside = min(max(value, self.lo), self.hi)
        part = (inside - self.lo) / (self.hi - self.lo)
        return round(self.start + part * (self.end - self.start), 2)


@dataclass(frozen=True)
class Series:
    """One line of a chart; ``role`` is the CSS class that gives colour and dash."""

    label: str
    role: str
    x: Sequence[float]
    y: Sequence[float]


def nice_step(span: float, most: int = 5) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that cuts a span into few parts."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(m * power for m in (1, 2, 5, 10) if span / (m * power) <= most + 1e-9)


def ticks(lo: float, hi: float, most: int = 5) -> list[float]:
    """Return round values between ``lo`` and ``hi``."""
    step = nice_step(hi - lo, most)
    first, last = math.ceil(lo / step - 1e-9), math.floor(hi / step + 1e-9)
    return [round(step * k, 10) + 0.0 for k in range(first, last + 1)]


def row_scale(values: Iterable[float | None], lo: float = -math.inf, hi: float = math.inf) -> Scale:
    """Return the common axis of a column of interval charts, with a little air."""
    known = [v for v in values if v is not None and is_number(v)] or [0.0, 1.0]
    low, high = min(known), max(known)
    air = 0.06 * (high - low) or 0.05
    return Scale(max(low - air, lo), min(high + air, hi), 10, ROW_WIDTH - 10)


def interval(
    scale: Scale,
    value: float | None,
    bounds: Sequence[float | None] | None,
    title: str,
    reference: float | None = None,
    band: float | None = None,
) -> Markup:
    """Draw a dot and a bar in a table cell, with a vertical line at the reference.

    ``band`` shades that much on both sides of the reference.
    """
    parts = [_band(scale, reference, band), _reference(scale, reference)]
    if bounds and all(is_number(b) for b in bounds):
        x1, x2 = (scale(b) for b in bounds if b is not None)
        parts.append(_line(x1, ROW_HEIGHT / 2, x2, ROW_HEIGHT / 2, "bar"))
    if value is not None and is_number(value):
        dot = '<circle class="dot" cx="{}" cy="{}" r="4.5"/>'
        parts.append(Markup(dot).format(scale(value), ROW_HEIGHT / 2))
    return _svg(parts, ROW_WIDTH, ROW_HEIGHT, title)


def axis(scale: Scale, signed: bool = False) -> Markup:
    """Draw the round values of a row scale, for the head of its column."""
    sign = "+" if signed else ""
    values = ticks(scale.lo, scale.hi, most=4)
    if len(values) < 2:  # one label says nothing about the length of a bar
        values = ticks(scale.lo, scale.hi, most=8)
    digits = _digits(values)
    text = '<text class="tick" text-anchor="middle" x="{}" y="12">{}</text>'
    labels = [f"{v:{sign if v else ''}.{digits}f}".replace("-", "−") for v in values]
    parts = [Markup(text).format(scale(v), s) for v, s in zip(values, labels, strict=True)]
    parts += [_line(scale(v), 16, scale(v), 20, "grid") for v in values]
    return _svg(parts, ROW_WIDTH, 20, f"Axis from {labels[0]} to {labels[-1]}" if labels else "")


def bar(share: float, title: str) -> Markup:
    """Draw a horizontal bar; a class that is there at all stays visible."""
    width = max(round(share * ROW_WIDTH, 2), 1.5)
    rect = Markup('<rect class="fill" x="0" y="15" width="{}" height="14" rx="2"/>').format(width)
    return _svg([rect], ROW_WIDTH, ROW_HEIGHT, title)


def precision_recall(series: Sequence[Series], share: float | None, title: str) -> Markup:
    """Draw precision against recall; the dotted line is what guessing would give."""
    x, y = _plot_scales(1.0)
    parts = [*_frame(x, y, "Recall: share of the class that is found", "Precision")]
    if share is not None:
        parts.append(_line(x(0), y(share), x(1), y(share), "guess"))
    parts += [_polyline(x, y, s) for s in series]
    names = ", ".join(s.label for s in series)
    return _svg(parts, SIZE, SIZE, title, f"One line each for {names}.")


def reliability(series: Sequence[Series], title: str) -> Markup:
    """Draw what was predicted against what happened; the diagonal is perfect."""
    x, y = _plot_scales(_ceiling(series))
    parts = [*_frame(x, y, "Predicted probability", "Share that really was")]
    parts.append(_line(x(0), y(0), x(x.hi), y(y.hi), "guess"))
    for one in series:
        parts += [_polyline(x, y, one), *_markers(x, y, one)]
    names = ", ".join(s.label for s in series)
    return _svg(parts, SIZE, SIZE, title, f"One line each for {names}. The diagonal is perfect.")


def swatch(role: str) -> Markup:
    """Draw the piece of line that a legend shows."""
    line = _line(1, 6, 29, 6, f"line {role}")
    return Markup('<svg class="swatch" viewBox="0 0 30 12" aria-hidden="true">{}</svg>').format(
        line
    )


def _ceiling(series: Sequence[Series]) -> float:
    """Return a round value above all points: probabilities of a rare class are small."""
    top = max((v for s in series for v in (*s.x, *s.y) if is_number(v)), default=1.0)
    if top <= 0:
        return 1.0
    step = nice_step(top)
    return min(1.0, round(step * math.ceil(top / step - 1e-9), 10))


def _plot_scales(top: float) -> tuple[Scale, Scale]:
    return Scale(0, top, LEFT, SIZE - RIGHT), Scale(0, top, SIZE - BOTTOM, TOP)


def _frame(x: Scale, y: Scale, x_label: str, y_label: str) -> Iterable[Markup]:
    values = ticks(x.lo, x.hi)
    digits = _digits(values)
    for value in values:
        px, py, text = x(value), y(value), f"{value:.{digits}f}"
        yield _line(px, TOP, px, SIZE - BOTTOM, "grid")
        yield _line(LEFT, py, SIZE - RIGHT, py, "grid")
        yield _text(px, SIZE - BOTTOM + 18, text, "middle")
        yield _text(LEFT - 8, py + 4, text, "end")
    yield _text((LEFT + SIZE - RIGHT) / 2, SIZE - 8, x_label, "middle", "label")
    middle = (TOP + SIZE - BOTTOM) / 2
    yield _text(14, middle, y_label, "middle", "label", f"rotate(-90 14 {middle})")


def _polyline(x: Scale, y: Scale, series: Series) -> Markup:
    points = " ".join(f"{x(a)},{y(b)}" for a, b in _points(series))
    return Markup('<polyline class="line {}" points="{}"/>').format(series.role, points)


def _markers(x: Scale, y: Scale, series: Series) -> list[Markup]:
    circle = Markup('<circle class="mark {}" cx="{}" cy="{}" r="4"/>')
    return [circle.format(series.role, x(a), y(b)) for a, b in _points(series)]


def _points(series: Series) -> list[tuple[float, float]]:
    """Return the points that can be drawn, few enough for a small page, ends kept."""
    known = [
        (a, b) for a, b in zip(series.x, series.y, strict=True) if is_number(a) and is_number(b)
    ]
    if len(known) <= MOST_POINTS:
        return known
    last = len(known) - 1
    return [known[round(k * last / (MOST_POINTS - 1))] for k in range(MOST_POINTS)]


def _band(scale: Scale, reference: float | None, band: float | None) -> Markup:
    if reference is None or band is None:
        return Markup("")
    x1, x2 = scale(reference - band), scale(reference + band)
    rect = '<rect class="band" x="{}" y="{}" width="{}" height="{}"/>'
    return Markup(rect).format(x1, -BEYOND, round(x2 - x1, 2), ROW_HEIGHT + 2 * BEYOND)


def _reference(scale: Scale, reference: float | None) -> Markup:
    if reference is None:
        return Markup("")
    x = scale(reference)
    return _line(x, -BEYOND, x, ROW_HEIGHT + BEYOND, "reference")


def _digits(values: Sequence[float]) -> int:
    """Return the decimals that tell neighbouring ticks apart."""
    if len(values) < 2:
        return 2
    return max(0, -math.floor(math.log10(values[1] - values[0]) + 1e-9))


def _line(x1: float, y1: float, x2: float, y2: float, role: str) -> Markup:
    line = '<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>'
    return Markup(line).format(role, x1, y1, x2, y2)


def _text(
    x: float, y: float, text: str, anchor: str, role: str = "tick", transform: str = ""
) -> Markup:
    turn = Markup(' transform="{}"').format(transform) if transform else ""
    tag = '<text class="{}" x="{}" y="{}" text-anchor="{}"{}>{}</text>'
    return Markup(tag).format(role, x, y, anchor, turn, text)


def _svg(
    parts: Iterable[Markup], width: float, height: float, title: str, desc: str = ""
) -> Markup:
    more = Markup("<desc>{}</desc>").format(desc) if desc else ""
    tag = '<svg role="img" viewBox="0 0 {} {}" width="{}" height="{}"><title>{}</title>{}{}</svg>'
    body = Markup("").join(parts)
    return Markup(tag).format(width, height, width, height, title, more, body)
