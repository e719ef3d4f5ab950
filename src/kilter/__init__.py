"""kilter: imbalanced classification for Keras 3 networks, judged honestly.

Importing it is cheap: every name below is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from kilter import _backend, _lazy

if TYPE_CHECKING:
    from kilter._errors import (
        ArgumentError,
        ArgumentTypeError,
        ArtifactError,
        BackendError,
        DataError,
        KilterError,
        OutputError,
        SchemaError,
        SourceError,
        TooFewRowsError,
    )
    from kilter.artifact import Model, load
    from kilter.comparison import Plan, Remedy, Result, compare, tune
    from kilter.data import inspect
    from kilter.estimator import KilterClassifier
    from kilter.weights import class_counts, class_weights, cost_matrix

_backend.mend_default()

_HOMES = {
    "ArgumentError": "_errors",
    "ArgumentTypeError": "_errors",
    "ArtifactError": "_errors",
    "BackendError": "_errors",
    "DataError": "_errors",
    "KilterClassifier": "estimator",
    "KilterError": "_errors",
    "Model": "artifact",
    "OutputError": "_errors",
    "Plan": "comparison",
    "Remedy": "comparison",
    "Result": "comparison",
    "SchemaError": "_errors",
    "SourceError": "_errors",
    "TooFewRowsError": "_errors",
    "class_counts": "weights",
    "class_weights": "weights",
    "compare": "comparison",
    "cost_matrix": "weights",
    "inspect": "data",
    "load": "artifact",
    "tune": "comparison",
}
_MODULES = (
    "augment",
    "callbacks",
    "comparison",
    "data",
    "decide",
    "ensemble",
    "losses",
    "metrics",
    "models",
    "report",
    "sampling",
)

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "ArtifactError",
    "BackendError",
    "DataError",
    "KilterClassifier",
    "KilterError",
    "Model",
    "OutputError",
    "Plan",
    "Remedy",
    "Result",
    "SchemaError",
    "SourceError",
    "TooFewRowsError",
    "class_counts",
    "class_weights",
    "compare",
    "cost_matrix",
    "inspect",
    "load",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"kilter.{name}")
    return _lazy.find("kilter", _HOMES, name)


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
