"""Sentence embeddings: texts as rows of numbers, by a model that lies on this machine."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from kilter._errors import SourceError

BATCH = 64


def embed(texts: Sequence[str], folder: str) -> np.ndarray:
    """Turn texts into numbers that say what they mean.

    Parameters
    ----------
    texts : sequence of str
    folder : str
        Of a model that ``sentence_transformers`` has saved; nothing is downloaded.

    Returns
    -------
    array of float, shape (texts, numbers)

    Raises
    ------
    SourceError
        There is no such model, or the library to run it is not installed.

    Examples
    --------
    >>> embed(["good morning"], "nowhere")
    Traceback (most recent call last):
    ...
    kilter._errors.SourceError: `embed` names no folder `nowhere`. Name that of a model ...
    """
    model = _open(str(Path(folder).resolve()), folder)
    with contextlib.redirect_stderr(io.StringIO()):  # it draws a bar of its own
        found = model.encode(list(texts), batch_size=BATCH, show_progress_bar=False)
    return np.asarray(found, np.float64).reshape(len(texts), width(folder))


def width(folder: str) -> int:
    """Return how many numbers the model in a folder turns a text into."""
    model = _open(str(Path(folder).resolve()), folder)
    size = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    return int(size())


@lru_cache(maxsize=1)
def _open(resolved: str, named: str) -> Any:
    """Open a model once; ``named`` is what the user called its folder."""
    if not Path(resolved).is_dir():
        raise SourceError(
            f"`embed` names no folder `{named}`. Name that of a model that `sentence_transformers` "
            "has saved: `SentenceTransformer(...).save(folder)`."
        )
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise SourceError(
            "`embed` needs the package `sentence-transformers`. Install it: `pip install "
            "'kilter[text]'`."
        ) from None
    try:
        return SentenceTransformer(resolved, device="cpu", local_files_only=True)
    except Exception as error:  # it refuses a folder in too many ways to list
        raise SourceError(
            f"`embed` cannot open the model in `{named}` ({type(error).__name__}: {error}). Save "
            "it again."
        ) from error
