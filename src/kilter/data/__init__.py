"""Data: tables are read, conformed, audited, split without a leak, and encoded."""

from kilter.data.audit import audit, inspect, rarest_class
from kilter.data.conform import conform
from kilter.data.encode import Encoder
from kilter.data.read import read
from kilter.data.schema import number_names, schema_from_json, schema_to_json
from kilter.data.split import split
from kilter.data.table import load
from kilter.data.warn import audit_lines

__all__ = [
    "Encoder",
    "audit",
    "audit_lines",
    "conform",
    "inspect",
    "load",
    "number_names",
    "rarest_class",
    "read",
    "schema_from_json",
    "schema_to_json",
    "split",
]
