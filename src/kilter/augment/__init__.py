"""What changes a batch for the training: mixtures of rows, and new versions of rare rows."""

from kilter.augment.cut import CMO, CutMix
from kilter.augment.mix import Mixup, Remix
from kilter.augment.perclass import PerClass

__all__ = ["CMO", "CutMix", "Mixup", "PerClass", "Remix"]
