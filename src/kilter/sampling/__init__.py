"""Which rows a training step sees: samplers, neighbours, and balanced batches.

What needs Keras, scikit-learn or imbalanced-learn is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kilter import _lazy
from kilter.sampling.draws import (
    TICKETS,
    BaseDraws,
    Layout,
    Quotas,
    apportion,
    draw_base,
    draw_epoch,
    draw_rows,
    key_words,
    philox,
    shuffle_classes,
)
from kilter.sampling.indices import BalancedIndices
from kilter.sampling.mixtures import find_partners, mix, mix_batch
from kilter.sampling.shares import Progressive
from kilter.sampling.versions import pick_versions

if TYPE_CHECKING:
    from kilter.sampling.adasyn import ADASYN
    from kilter.sampling.batches import BalancedBatches
    from kilter.sampling.borderline import BorderlineSMOTE
    from kilter.sampling.cleaning import EditedNearestNeighbours, TomekLinks
    from kilter.sampling.combined import SMOTEENN, SMOTETomek
    from kilter.sampling.kmeans import KMeansSMOTE, class_clusters
    from kilter.sampling.mixed import SMOTENC
    from kilter.sampling.multilabel import MLSMOTE, LabelPowerset
    from kilter.sampling.neighbors import Neighbors, class_neighbors
    from kilter.sampling.over import RandomOverSampler
    from kilter.sampling.prototypes import ClusterCentroids, InstanceHardnessThreshold, NearMiss
    from kilter.sampling.smote import SMOTE
    from kilter.sampling.svm import SVMSMOTE
    from kilter.sampling.under import RandomUnderSampler

_HOMES = {
    "ADASYN": "adasyn",
    "BalancedBatches": "batches",
    "BorderlineSMOTE": "borderline",
    "ClusterCentroids": "prototypes",
    "EditedNearestNeighbours": "cleaning",
    "InstanceHardnessThreshold": "prototypes",
    "KMeansSMOTE": "kmeans",
    "LabelPowerset": "multilabel",
    "MLSMOTE": "multilabel",
    "NearMiss": "prototypes",
    "Neighbors": "neighbors",
    "RandomOverSampler": "over",
    "RandomUnderSampler": "under",
    "SMOTE": "smote",
    "SMOTEENN": "combined",
    "SMOTENC": "mixed",
    "SMOTETomek": "combined",
    "SVMSMOTE": "svm",
    "TomekLinks": "cleaning",
    "class_clusters": "kmeans",
    "class_neighbors": "neighbors",
}

__all__ = [
    "ADASYN",
    "MLSMOTE",
    "SMOTE",
    "SMOTEENN",
    "SMOTENC",
    "SVMSMOTE",
    "TICKETS",
    "BalancedBatches",
    "BalancedIndices",
    "BaseDraws",
    "BorderlineSMOTE",
    "ClusterCentroids",
    "EditedNearestNeighbours",
    "InstanceHardnessThreshold",
    "KMeansSMOTE",
    "LabelPowerset",
    "Layout",
    "NearMiss",
    "Neighbors",
    "Progressive",
    "Quotas",
    "RandomOverSampler",
    "RandomUnderSampler",
    "SMOTETomek",
    "TomekLinks",
    "apportion",
    "class_clusters",
    "class_neighbors",
    "draw_base",
    "draw_epoch",
    "draw_rows",
    "find_partners",
    "key_words",
    "mix",
    "mix_batch",
    "philox",
    "pick_versions",
    "shuffle_classes",
]


def __getattr__(name: str) -> Any:
    return _lazy.find("kilter.sampling", _HOMES, name)
