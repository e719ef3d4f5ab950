"""Data: tables, texts and images are read, audited, split without a leak, and encoded."""

from kilter.data.audit import audit, inspect, rarest_class
from kilter.data.base import Encoder
from kilter.data.conform import conform
from kilter.data.encode import TableEncoder
from kilter.data.encoders import ENCODERS, fit_encoder
from kilter.data.images import load_images
from kilter.data.load import load
from kilter.data.pixels import ImageEncoder
from kilter.data.read import read
from kilter.data.schema import number_names, schema_from_json, schema_to_json
from kilter.data.split import split
from kilter.data.table import load_table
from kilter.data.texts import load_texts
from kilter.data.tokens import TextEncoder
from kilter.data.warn import audit_lines

__all__ = [
    "ENCODERS",
    "Encoder",
    "ImageEncoder",
    "TableEncoder",
    "TextEncoder",
    "audit",
    "audit_lines",
    "conform",
    "fit_encoder",
    "inspect",
    "load",
    "load_images",
    "load_table",
    "load_texts",
    "number_names",
    "rarest_class",
    "read",
    "schema_from_json",
    "schema_to_json",
    "split",
]
