"""Default networks."""

from kilter.models.average import average_networks
from kilter.models.embed import NumberEmbedding
from kilter.models.images import convnet
from kilter.models.members import (
    MemberDense,
    MemberHeads,
    Members,
    average_members,
    each_member,
)
from kilter.models.own import find_build, own_network, warn_if_lost
from kilter.models.pretrained import load_pretrained
from kilter.models.regularise import regularise
from kilter.models.tabular import mlp, tabm
from kilter.models.text import WindowMax, WordMean, textnet

__all__ = [
    "MemberDense",
    "MemberHeads",
    "Members",
    "NumberEmbedding",
    "WindowMax",
    "WordMean",
    "average_members",
    "average_networks",
    "convnet",
    "each_member",
    "find_build",
    "load_pretrained",
    "mlp",
    "own_network",
    "regularise",
    "tabm",
    "textnet",
    "warn_if_lost",
]
