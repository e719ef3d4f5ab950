"""From probabilities to decisions: calibrate, then apply a threshold or costs.

What is fitted here takes validation scores only. Every rule has ``apply(probabilities)``,
which returns classes, and goes to JSON and back.
"""

from kilter.decide.base import Decision
from kilter.decide.calibrate import Calibrator
from kilter.decide.cost import Costs, read_costs
from kilter.decide.threshold import Threshold

__all__ = ["Calibrator", "Costs", "Decision", "Threshold", "read_costs"]
