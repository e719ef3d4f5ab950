"""The report: a summary dict in, one self-contained HTML page out."""

from kilter.report.render import render, write

__all__ = ["render", "write"]
