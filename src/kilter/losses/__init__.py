"""Losses that act on rare classes: pure functions, and Keras classes over them."""

from kilter.losses.cost import ExpectedCost, expected_cost
from kilter.losses.density import GHMC, ghm_c
from kilter.losses.focal import ClassBalancedFocal, Focal, class_balanced_focal, focal
from kilter.losses.general import CrossEntropy, cross_entropy
from kilter.losses.influence import influence_balanced
from kilter.losses.margins import LDAM, ldam
from kilter.losses.multilabel import Asymmetric, asymmetric
from kilter.losses.overlap import Dice, SoftF1, Tversky, dice, soft_f1, tversky
from kilter.losses.prior import BalancedSoftmax, LogitAdjusted, balanced_softmax, logit_adjusted
from kilter.losses.ranking import AUCMargin, SmoothAP, auc_margin, smooth_average_precision
from kilter.losses.scaling import VS, vs
from kilter.losses.seesaw import Seesaw, seesaw
from kilter.losses.smoothing import LabelAwareSmoothing, label_aware_smoothing

__all__ = [
    "GHMC",
    "LDAM",
    "VS",
    "AUCMargin",
    "Asymmetric",
    "BalancedSoftmax",
    "ClassBalancedFocal",
    "CrossEntropy",
    "Dice",
    "ExpectedCost",
    "Focal",
    "LabelAwareSmoothing",
    "LogitAdjusted",
    "Seesaw",
    "SmoothAP",
    "SoftF1",
    "Tversky",
    "asymmetric",
    "auc_margin",
    "balanced_softmax",
    "class_balanced_focal",
    "cross_entropy",
    "dice",
    "expected_cost",
    "focal",
    "ghm_c",
    "influence_balanced",
    "label_aware_smoothing",
    "ldam",
    "logit_adjusted",
    "seesaw",
    "smooth_average_precision",
    "soft_f1",
    "tversky",
    "vs",
]
