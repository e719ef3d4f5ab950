"""Every remedy on the same folds and seeds, judged on rows that none of them saw."""

from kilter.comparison.api import compare, forecast
from kilter.comparison.executors.base import Forecast
from kilter.comparison.plan import Plan
from kilter.comparison.remedy import BASELINE, REMEDIES, Decide, Remedy
from kilter.comparison.result import Result
from kilter.comparison.run import Progress, run
from kilter.comparison.training import Draw, Loss
from kilter.comparison.tuning import tune

__all__ = [
    "BASELINE",
    "REMEDIES",
    "Decide",
    "Draw",
    "Forecast",
    "Loss",
    "Plan",
    "Progress",
    "Remedy",
    "Result",
    "compare",
    "forecast",
    "run",
    "tune",
]
