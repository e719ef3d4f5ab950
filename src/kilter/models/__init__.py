"""Default networks."""

from kilter.models.average import average_networks
from kilter.models.tabular import mlp

__all__ = ["average_networks", "mlp"]
