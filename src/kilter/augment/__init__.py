"""What changes a batch for the training: mixtures of rows, and new versions of rare ones."""

from kilter.augment.affine import RandomAffine
from kilter.augment.cut import CMO, CutMix
from kilter.augment.image import Augmented
from kilter.augment.mix import Mixup, Remix
from kilter.augment.perclass import PerClass
from kilter.augment.words import RandomWords

__all__ = [
    "CMO",
    "Augmented",
    "CutMix",
    "Mixup",
    "PerClass",
    "RandomAffine",
    "RandomWords",
    "Remix",
]
