"""Scores that fit rare classes: numpy functions on labels and probabilities, Keras metrics.

The Keras metrics are loaded when they are first used: the functions need no backend.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kilter import _lazy
from kilter.metrics.calibration import (
    Reliability,
    brier,
    calibration_ratio,
    expected_calibration_error,
    log_loss,
    reliability,
)
from kilter.metrics.confusion import (
    PerClass,
    balanced_accuracy,
    confusion_matrix,
    macro_f1,
    mcc,
    per_class,
)
from kilter.metrics.ranking import (
    average_precision,
    average_precision_interval,
    logit_interval,
    macro_interval,
)

if TYPE_CHECKING:
    from kilter.metrics.agreement import BalancedAccuracy, CohenKappa, GMean, MatthewsCorrelation
    from kilter.metrics.binned import BinnedAveragePrecision, BinnedROCAUC
    from kilter.metrics.curves import ROCAUC, AveragePrecision, PartialROCAUC
    from kilter.metrics.proper import BrierScore, CalibrationError, CalibrationRatio, LogLoss
    from kilter.metrics.rates import FBeta, Precision, Recall, Specificity
    from kilter.metrics.report import PerClassReport

_HOMES = {
    "AveragePrecision": "curves",
    "BalancedAccuracy": "agreement",
    "BinnedAveragePrecision": "binned",
    "BinnedROCAUC": "binned",
    "BrierScore": "proper",
    "CalibrationError": "proper",
    "CalibrationRatio": "proper",
    "CohenKappa": "agreement",
    "FBeta": "rates",
    "GMean": "agreement",
    "LogLoss": "proper",
    "MatthewsCorrelation": "agreement",
    "PartialROCAUC": "curves",
    "PerClassReport": "report",
    "Precision": "rates",
    "ROCAUC": "curves",
    "Recall": "rates",
    "Specificity": "rates",
}

__all__ = [
    "ROCAUC",
    "AveragePrecision",
    "BalancedAccuracy",
    "BinnedAveragePrecision",
    "BinnedROCAUC",
    "BrierScore",
    "CalibrationError",
    "CalibrationRatio",
    "CohenKappa",
    "FBeta",
    "GMean",
    "LogLoss",
    "MatthewsCorrelation",
    "PartialROCAUC",
    "PerClass",
    "PerClassReport",
    "Precision",
    "Recall",
    "Reliability",
    "Specificity",
    "average_precision",
    "average_precision_interval",
    "balanced_accuracy",
    "brier",
    "calibration_ratio",
    "confusion_matrix",
    "expected_calibration_error",
    "log_loss",
    "logit_interval",
    "macro_f1",
    "macro_interval",
    "mcc",
    "per_class",
    "reliability",
]


def __getattr__(name: str) -> Any:
    return _lazy.find("kilter.metrics", _HOMES, name)
