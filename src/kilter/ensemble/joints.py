"""The ways to join members, by name."""

from __future__ import annotations

from kilter.ensemble.base import Joint
from kilter.ensemble.pool import Average, WeightedAverage
from kilter.ensemble.stack import Stack
from kilter.ensemble.vote import Vote

JOINTS: dict[str, type[Joint]] = {
    "average": Average,
    "weighted-average": WeightedAverage,
    "vote": Vote,
    "stack": Stack,
}

PLAIN = {"average": Average.plain, "vote": Vote.plain}
"""Those that can do without validation rows."""
