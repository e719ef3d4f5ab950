"""Every error that kilter raises on purpose.

::

    KilterError
    ├── ArgumentError      (ValueError)    an argument has a value that cannot be used
    ├── ArgumentTypeError  (TypeError)     an argument is of the wrong type
    ├── DataError          (ValueError)    the table cannot be used as it is
    │   ├── SchemaError                    rows to predict do not look like the training table
    │   └── TooFewRowsError                a class is too rare for the folds that were asked for
    ├── SourceError        (OSError)       a file cannot be read
    ├── OutputError        (OSError)       a file or folder cannot be written
    ├── ArtifactError      (ValueError)    a model file is damaged or not kilter's
    └── BackendError       (RuntimeError)  the Keras backend cannot do what was asked

A message names the argument or column in backticks, says what it must be, what came
instead, and what to do next. The command line prints it and exits with code 2.
"""

import difflib
from collections.abc import Iterable


class KilterError(Exception):
    """The root of the tree: ``except kilter.KilterError`` catches all of them."""


class ArgumentError(KilterError, ValueError):
    """An argument has a value that cannot be used."""


class ArgumentTypeError(KilterError, TypeError):
    """An argument is of the wrong type."""


class DataError(KilterError, ValueError):
    """The table cannot be used as it is."""


class SchemaError(DataError):
    """Rows to predict do not look like the table that the model was trained on."""


class TooFewRowsError(DataError):
    """A class is too rare for the folds that were asked for."""


class SourceError(KilterError, OSError):
    """A file cannot be read."""


class OutputError(KilterError, OSError):
    """A file or folder cannot be written."""


class ArtifactError(KilterError, ValueError):
    """A model file is damaged, or was not written by kilter."""


class BackendError(KilterError, RuntimeError):
    """The Keras backend cannot do what was asked."""


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """Return ``" Did you mean `x`?"`` for the nearest known name, or an empty string."""
    names = list(known)
    near = difflib.get_close_matches(name.lower(), map(str.lower, names), n=1, cutoff=cutoff)
    alike = [one for one in names if one.lower() in near]  # several may differ in case only
    return f" Did you mean `{difflib.get_close_matches(name, alike, 1, 0.0)[0]}`?" if near else ""
