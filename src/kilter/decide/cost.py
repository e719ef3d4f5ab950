"""Decisions that cost least, where mistakes have known prices."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kilter._errors import ArgumentError, SourceError, did_you_mean
from kilter._types import Label
from kilter.decide.base import check_width, read_json
from kilter.metrics._inputs import check_labels, check_same_rows


@dataclass(frozen=True)
class Costs:
    """The decision of least expected cost.

    Use it where mistakes have prices that differ, such as a missed fraud and a needless
    call. It relies on the probabilities: calibrate them first.

    Attributes
    ----------
    matrix : tuple of tuples of float, shape (classes, classes)
        ``matrix[true][predicted]``, in any unit; an array or lists are taken as well.

    Raises
    ------
    ArgumentError
        If the matrix is not square and finite, or a right decision costs more than a wrong
        one for the same true class.

    References
    ----------
    Elkan: The foundations of cost-sensitive learning, IJCAI 2001.

    Examples
    --------
    >>> from kilter.decide import Costs
    >>> costs = Costs([[0, 1], [9, 0]])
    >>> costs.apply([[0.95, 0.05], [0.8, 0.2]]).tolist()
    [0, 1]
    >>> costs.expected_cost([1, 1], [0, 1])
    4.5
    """

    matrix: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        array = _square(self.matrix)
        dear = np.flatnonzero(np.diag(array) > array.min(axis=1))
        if len(dear):
            raise ArgumentError(
                f"`matrix` must not make a right decision dearer than a wrong one; row {dear[0]} "
                f"is {array[dear[0]].tolist()}. Rows are true classes, columns predicted ones."
            )
        object.__setattr__(self, "matrix", tuple(tuple(row) for row in array.tolist()))

    def apply(self, probabilities: Any) -> np.ndarray:
        """Return the predicted class of each row, int64 of shape (rows,)."""
        given = check_width(probabilities, len(self.matrix))
        predicted: np.ndarray = np.argmin(given @ np.array(self.matrix), axis=1)
        return predicted

    def expected_cost(self, labels: Any, predicted: Any) -> float:
        """Return the mean cost a row of decisions whose truth is known."""
        labels = check_labels(labels, len(self.matrix))
        predicted = check_labels(predicted, len(self.matrix), "predicted")
        check_same_rows(labels, predicted, "predicted")
        return float(np.mean(np.array(self.matrix)[labels, predicted]))

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON can hold it."""
        return {"matrix": [list(row) for row in self.matrix]}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> Costs:
        """Make the rule again."""
        (matrix,) = read_json(plain, ("matrix",), "Costs")
        return cls(matrix.tolist())


def read_costs(path: str | Path, classes: Sequence[Label]) -> Costs:
    r"""Read costs from a JSON or CSV file that names the classes.

    Use it for ``--cost FILE``. A right decision costs 0 unless the file says otherwise;
    every wrong one must be there.

    Parameters
    ----------
    path : str or Path
        ``.json``: ``{"true label": {"predicted label": cost}}``. Any other name is read as
        CSV: a header of an empty cell and the predicted labels, then a row for each true
        label that starts with it. Without row names, the rows are in the order of the header.
    classes : sequence
        The labels of the data, in their sorted order.

    Raises
    ------
    SourceError
        If the file cannot be read or is not JSON or CSV.
    ArgumentError
        If it names a label that the data has not, lacks a cost, or has one that is no number.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from kilter.decide import read_costs
    >>> path = Path(tempfile.mkdtemp()) / "costs.csv"
    >>> _ = path.write_text(",fine,fraud\nfine,0,1\nfraud,50,0\n")
    >>> read_costs(path, ["fine", "fraud"]).matrix
    ((0.0, 1.0), (50.0, 0.0))
    """
    text = _read_text(Path(path))
    table = _parse_json(text, path) if Path(path).suffix == ".json" else _parse_csv(text, path)
    names = [str(label) for label in classes]
    for name in [*table, *(inner for row in table.values() for inner in row)]:
        if name not in names:
            raise ArgumentError(
                f"`cost` file {path} names `{name}`, which is no label of the data."
                f"{did_you_mean(name, names)} The labels are {', '.join(names)}."
            )
    return Costs(tuple(tuple(_cost(table, i, j, path) for j in names) for i in names))


def _square(matrix: Any) -> np.ndarray:
    try:
        array = np.array(matrix, dtype=float)
    except (TypeError, ValueError):
        raise ArgumentError(f"`matrix` must hold numbers in equal rows; got {matrix!r}.") from None
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) < 2:
        raise ArgumentError(
            f"`matrix` must have one row and one column a class; got the shape {array.shape}."
        )
    if not np.all(np.isfinite(array)):
        raise ArgumentError("`matrix` must hold finite costs; got NaN or infinity.")
    return array


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(
            f"`cost` must be a JSON or CSV file; {path} cannot be read: {error}. Check the path."
        ) from error


Table = dict[str, dict[str, Any]]


def _parse_json(text: str, path: str | Path) -> Table:
    try:
        table = json.loads(text)
    except json.JSONDecodeError as error:
        raise SourceError(f"`cost` file {path} is not JSON: {error}. Correct it there.") from error
    if not isinstance(table, dict) or not all(isinstance(row, dict) for row in table.values()):
        raise SourceError(
            f'`cost` file {path} must be {{"true label": {{"predicted label": cost}}}}; '
            f"got {text.strip():.60}. Nest the labels so."
        )
    return table


def _parse_csv(text: str, path: str | Path) -> Table:
    lines = [[cell.strip() for cell in line] for line in csv.reader(io.StringIO(text)) if line]
    widths = {len(line) for line in lines}
    if len(lines) < 3 or len(widths) > 1 or len(lines[0]) - len(lines) not in (-1, 0):
        raise SourceError(
            f"`cost` file {path} must be a square table with a header of labels; got "
            f"{len(lines)} lines of {sorted(widths)} cells. Write one row a true label."
        )
    if len(lines[0]) == len(lines):
        return {line[0]: dict(zip(lines[0][1:], line[1:], strict=True)) for line in lines[1:]}
    rows = zip(lines[0], lines[1:], strict=True)
    return {name: dict(zip(lines[0], line, strict=True)) for name, line in rows}


def _cost(table: Table, true: str, predicted: str, path: str | Path) -> float:
    value = table.get(true, {}).get(predicted, 0 if true == predicted else None)
    if value is None:
        raise ArgumentError(
            f"`cost` file {path} must say what it costs to take `{true}` for `{predicted}`; "
            "nothing is there. Add it, 0 if it costs nothing."
        )
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ArgumentError(
            f"`cost` file {path} must hold numbers; got `{value}` for `{true}` taken for "
            f"`{predicted}`."
        ) from None
