"""Read a CSV file, a Parquet file or any dataframe into a pyarrow table."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import narwhals as nw
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from narwhals.exceptions import DuplicateError

from kilter._errors import ArgumentTypeError, DataError, SourceError, did_you_mean

_DELIMITERS = ",;\t|"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_SNIFFED_LINES, _LONGEST_LINE = 50, 100_000
_LARGEST_BLOCK = 2**31 - 1  # pyarrow's own limit, in bytes


def read(source: Any, *, text: Iterable[str] = ()) -> pa.Table:
    """Read a table from a file or a dataframe.

    Use it to look at what kilter sees; `load` and `conform` call it themselves.

    Parameters
    ----------
    source
        A path to a ``.csv``, ``.tsv``, ``.txt`` or ``.parquet`` file, or a dataframe of
        any library that narwhals knows (pandas, polars, pyarrow, modin, ...). In text
        files the delimiter is found in the header line, and an empty field, ``?``, ``NA``,
        ``NaN`` and ``null`` are missing values.
    text
        Columns of a text file to keep as text, where numbers would be recognised.

    Returns
    -------
    pyarrow.Table
        All rows and columns; a pandas index is left behind.

    Raises
    ------
    SourceError
        The file is not there, cannot be opened, or is damaged.
    DataError
        The content is not a table: ragged rows, repeated names, mixed types.

    Examples
    --------
    >>> import pyarrow
    >>> read(pyarrow.table({"age": [31, 54], "fraud": ["no", "yes"]})).column_names
    ['age', 'fraud']
    """
    if isinstance(source, str | os.PathLike):
        table = _read_file(Path(source), list(text))
    else:
        table = _read_frame(source)
    _refuse_repeated_names(table.column_names)
    return without_index(table)


def without_index(table: pa.Table) -> pa.Table:
    """Drop the columns as which pandas has written an index that is not a plain range."""
    told = (table.schema.pandas_metadata or {}).get("index_columns", ())
    unnamed = r"__index_level_\d+__"  # other libraries keep the column without what pandas told
    names = table.column_names
    return table.drop_columns([n for n in names if n in told or re.fullmatch(unnamed, n)])


def _read_file(path: Path, text: list[str]) -> pa.Table:
    try:
        _refuse_absent(path)
        return _reader(path)(path, text)
    except PermissionError:
        raise SourceError(f"`{path}` may not be read by this user. Change its mode.") from None


def _reader(path: Path) -> Callable[[Path, list[str]], pa.Table]:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise SourceError(
            f"`{path}` must end in {', '.join(_READERS)}, so that its format is known; got "
            f"`{path.suffix or 'no extension'}`. Rename or convert it."
        )
    return reader


def _refuse_absent(path: Path) -> None:
    if path.is_dir():
        raise SourceError(
            f"`{path}` is a folder, where a table in one file was expected. Name a file in it."
        )
    if not path.exists():
        folder = path.parent
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        hint = did_you_mean(path.name, names, cutoff=0.75) or " Check the path."
        raise SourceError(f"`{path}` does not exist.{hint}")
    if path.stat().st_size == 0:
        raise SourceError(f"`{path}` is an empty file. Write a header and rows to it.")


def _read_csv(path: Path, text: list[str]) -> pa.Table:
    try:
        table = _parse_csv(path, text)
        table.column_names  # noqa: B018 - decodes them
    except UnicodeDecodeError:
        raise _encoding_error(path) from None
    except pa.ArrowInvalid as error:
        raise _parse_error(path, str(error)) from None
    # pyarrow falls back to bytes where a column is not UTF-8
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        raise _encoding_error(path)
    return table


def _parse_csv(path: Path, text: list[str], threads: bool = True) -> pa.Table:
    defaults = pa.csv.ConvertOptions().null_values
    return pa.csv.read_csv(
        path,
        # one block: a type is inferred from the whole column, not from its first megabyte
        pa.csv.ReadOptions(
            block_size=min(path.stat().st_size + 1, _LARGEST_BLOCK), use_threads=threads
        ),
        pa.csv.ParseOptions(delimiter=_delimiter(path), newlines_in_values=True),
        pa.csv.ConvertOptions(
            strings_can_be_null=True,
            null_values=[*defaults, "?"],
            column_types=dict.fromkeys(text, pa.string()),
        ),
    )


def _delimiter(path: Path) -> str:
    """Return a tab for ``.tsv``, else the delimiter that fits the first lines best."""
    if path.suffix.lower() == ".tsv":
        return "\t"
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        head = [file.readline(_LONGEST_LINE) for _ in range(_SNIFFED_LINES)]
    return max(_DELIMITERS, key=lambda sign: _fit(head, sign))


def _fit(head: list[str], sign: str) -> tuple[bool, int]:
    """Return whether all records have as many fields as the header, and how many that is."""
    widths = [len(record) for record in csv.reader(head, delimiter=sign) if record]
    width = widths[0] if widths else 0
    # where the file goes on, the last record may be cut off within quotes
    whole = widths[:-1] if head[-1] else widths
    return width > 1 and set(whole) <= {width}, width


def _encoding_error(path: Path) -> SourceError:
    content = path.read_bytes()
    if content[:2] in _UTF16:
        where, encoding = "it is UTF-16", "UTF-16"
    else:
        where, encoding = f"line {_first_bad_line(content)} is not", "LATIN1"
    return SourceError(
        f"`{path}` must be UTF-8 text, and {where}. Convert it, for example with "
        f"`iconv -f {encoding} -t UTF-8 {path.name} > utf8-{path.name}`."
    )


def _first_bad_line(content: bytes) -> int:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return content.count(b"\n", 0, error.start) + 1
    return 1


def _parse_error(path: Path, message: str) -> SourceError | DataError:
    if path.read_bytes()[:2] in _UTF16:
        return _encoding_error(path)
    if "Empty CSV" in message:
        return DataError(f"`{path}` has a header at most, and no rows. Add rows to it.")
    ragged = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", _locate(path, message))
    if ragged is None:
        return SourceError(f"`{path}` cannot be read as a table: {message.splitlines()[0]}.")
    row, expected, got = ragged.groups()
    return DataError(
        f"`{path}`: row {row} (the header is row 1) has {got} fields, and the header has "
        f"{expected}. Quote fields that hold the delimiter, or mend that row."
    )


def _locate(path: Path, message: str) -> str:
    """Return the message of a second, single-threaded reading, which knows the row."""
    try:
        _parse_csv(path, [], threads=False)
    except pa.ArrowInvalid as error:
        return str(error)
    return message


def _read_parquet(path: Path, text: list[str]) -> pa.Table:
    try:
        # not `read_table`, which adds columns for folders that are called `name=value`
        return pq.ParquetFile(path).read()
    except PermissionError:
        raise
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(
            f"`{path}` is not a whole Parquet file ({reason}). Write or download it again."
        ) from None


_READERS: dict[str, Callable[[Path, list[str]], pa.Table]] = {
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".txt": _read_csv,
    ".parquet": _read_parquet,
}


def _read_frame(source: Any) -> pa.Table:
    try:
        frame = nw.from_native(source)
        if isinstance(frame, nw.LazyFrame):
            frame = frame.collect("pyarrow")
        return frame.to_arrow()
    except DuplicateError:
        names = getattr(source, "column_names", None) or source.columns
        raise _repeated(list(map(str, names))) from None
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise _mixed(error) from None
    except TypeError:
        raise ArgumentTypeError(
            "`source` must be a path to a CSV or Parquet file, or a dataframe (pandas, polars, "
            f"pyarrow, ...); got a `{type(source).__name__}`."
        ) from None


def _mixed(error: Exception) -> DataError:
    found = re.search(r"Conversion failed for column (.+) with type", str(error))
    column = f"`{found[1]}`" if found else "a column"
    return DataError(
        f"{column} must hold values of one type, and mixes several. Convert it to text or to "
        "numbers before."
    )


def _refuse_repeated_names(names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise _repeated(names)


def _repeated(names: list[str]) -> DataError:
    repeated = ", ".join(f"`{name}`" for name, times in Counter(names).items() if times > 1)
    return DataError(f"column names must differ; {repeated} is there more than once. Rename it.")
