"""Which encoder is for which kind of rows."""

from __future__ import annotations

from typing import Any

from kilter._types import Schema, Train
from kilter.data.base import Encoder
from kilter.data.encode import TableEncoder
from kilter.data.pixels import ImageEncoder
from kilter.data.tokens import TextEncoder

ENCODERS: dict[str, type[Encoder]] = {
    "table": TableEncoder,
    "image": ImageEncoder,
    "text": TextEncoder,
}


def fit_encoder(train: Train, schema: Schema, **options: Any) -> Encoder:
    """Fit the encoder of this kind of rows on a training part, with options of its own."""
    return ENCODERS[schema.kind].fit(train, schema, **options)
