"""Several classifiers as one: averaged, voted on or stacked."""

from kilter.ensemble.base import Joint
from kilter.ensemble.joints import JOINTS
from kilter.ensemble.networks import Join, join, join_networks
from kilter.ensemble.pool import Average, WeightedAverage
from kilter.ensemble.stack import Stack
from kilter.ensemble.vote import Vote

__all__ = [
    "JOINTS",
    "Average",
    "Join",
    "Joint",
    "Stack",
    "Vote",
    "WeightedAverage",
    "join",
    "join_networks",
]
