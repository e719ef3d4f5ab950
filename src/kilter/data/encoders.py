"""Which encoder is for which kind of rows."""

from __future__ import annotations

from kilter._types import Schema, Train
from kilter.data.base import Encoder
from kilter.data.encode import TableEncoder
from kilter.data.pixels import ImageEncoder

ENCODERS: dict[str, type[Encoder]] = {"table": TableEncoder, "image": ImageEncoder}


def fit_encoder(train: Train, schema: Schema, *, bins: bool = True) -> Encoder:
    """Fit the encoder of this kind of rows on a training part."""
    return ENCODERS[schema.kind].fit(train, schema, bins=bins)
