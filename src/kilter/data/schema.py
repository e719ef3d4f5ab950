"""Name the columns of a schema, write it as JSON, and read it back."""

from __future__ import annotations

from typing import Any

from kilter._errors import ArtifactError
from kilter._types import WHOLE, Column, Schema
from kilter.data.columns import DATE_PARTS

_KINDS = ("number", "date", "boolean", "category", "embedding", *WHOLE)


def schema_to_json(schema: Schema) -> dict[str, Any]:
    """Return the schema as a dict that JSON can hold.

    Examples
    --------
    >>> schema_to_json(Schema((Column("age", "number"),), "fraud", (0, 1)))["classes"]
    [0, 1]
    """
    return {
        "columns": [_column_to_json(column) for column in schema.columns],
        "target": schema.target,
        "classes": list(schema.classes),
        "ignored": [list(pair) for pair in schema.ignored],
    }


def schema_from_json(data: dict[str, Any]) -> Schema:
    """Return the schema that `schema_to_json` wrote, exactly.

    Raises
    ------
    ArtifactError
        The dict is not a schema.

    Examples
    --------
    >>> schema = Schema((Column("city", "category", ("Oslo", "Rome")),), "fraud", (False, True))
    >>> schema_from_json(schema_to_json(schema)) == schema
    True
    """
    try:
        columns = tuple(_column(entry) for entry in data["columns"])
        _refuse_beside(columns)
        ignored = tuple((str(name), str(reason)) for name, reason in data["ignored"])
        return Schema(columns, str(data["target"]), tuple(data["classes"]), ignored)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ArtifactError(
            f"`schema` must be what `schema_to_json` wrote; reading it failed at {error}. Save the "
            "model again."
        ) from None


def _column_to_json(column: Column) -> dict[str, Any]:
    plain = {"name": column.name, "kind": column.kind, "vocabulary": list(column.vocabulary)}
    return plain | ({"shape": list(column.shape)} if column.shape else {})


def _column(entry: dict[str, Any]) -> Column:
    if entry["kind"] not in _KINDS:
        raise ValueError(f"the kind `{entry['kind']}`")
    shape = tuple(int(side) for side in entry.get("shape", ()))
    if entry["kind"] == "embedding" and (len(shape) != 1 or len(entry["vocabulary"]) != 1):
        raise ValueError(f"an embedding of the shape {shape}")
    if entry["kind"] == "image" and (len(shape) != 3 or min(shape) < 1):
        raise ValueError(f"an image of the shape {shape}")
    return Column(str(entry["name"]), entry["kind"], tuple(entry["vocabulary"]), shape)


def _refuse_beside(columns: tuple[Column, ...]) -> None:
    whole = [column.kind for column in columns if column.kind in WHOLE]
    if whole and len(columns) > 1:
        raise ValueError(f"columns beside that of kind `{whole[0]}`")


def number_names(schema: Schema) -> list[str]:
    """Return what each column of ``features.numbers`` is, in order.

    An embedded text gives as many as its model does, a date four: days since 1970, month, weekday
    (Monday is 0) and hour, in UTC where it has a time zone.

    Examples
    --------
    >>> number_names(Schema((Column("born", "date"), Column("age", "number")), "y", (0, 1)))
    ['born.days', 'born.month', 'born.weekday', 'born.hour', 'age']
    """
    names: list[str] = []
    for column in schema.columns:
        if column.kind == "date":
            names += [f"{column.name}.{part}" for part in DATE_PARTS]
        elif column.kind == "embedding":
            names += [f"{column.name}.{number}" for number in range(column.shape[0])]
        elif column.kind == "number":
            names.append(column.name)
    return names
