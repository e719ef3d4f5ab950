"""Losses that act on rare classes: pure functions, and Keras classes over them."""

from kilter.losses.base import CrossEntropy, cross_entropy

__all__ = ["CrossEntropy", "cross_entropy"]
