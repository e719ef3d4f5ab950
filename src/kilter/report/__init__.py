"""The report: a summary dict in, one self-contained HTML page out."""

from kilter.report.render import read_summary, render, write

__all__ = ["read_summary", "render", "write"]
