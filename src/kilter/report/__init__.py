"""The report: a summary dict in, one self-contained HTML page out."""

from kilter.report.render import MEASURES, read_summary, render, write

__all__ = ["MEASURES", "read_summary", "render", "write"]
