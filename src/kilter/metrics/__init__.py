"""Scores on labels (rows,) and probabilities (rows, classes) that fit rare classes."""

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

__all__ = [
    "PerClass",
    "Reliability",
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
