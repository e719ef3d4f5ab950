"""Callbacks for training on rare classes: when to stop, what to watch, what to defer."""

from kilter.callbacks.deferred import DeferredResampling, DeferredReweighting
from kilter.callbacks.early import RankingEarlyStopping
from kilter.callbacks.gap import GapWatcher

__all__ = [
    "DeferredResampling",
    "DeferredReweighting",
    "GapWatcher",
    "RankingEarlyStopping",
]
