"""Sentence embeddings: texts as rows of numbers, by a model that lies on this machine.

The model runs in a process of its own: what `sentence_transformers` loads, PyTorch and Triton
among it, ends a process that has TensorFlow in it as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
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
    path = Path(folder)
    if not path.is_dir():
        raise SourceError(
            f"`embed` names no folder `{folder}`. Name that of a model that "
            "`sentence_transformers` has saved: `SentenceTransformer(...).save(folder)`."
        )
    try:
        return _process().submit(encode, list(texts), str(path.resolve())).result()
    except BrokenProcessPool as error:
        _process.cache_clear()
        raise SourceError(
            f"`embed` runs the model in `{folder}` in a process of its own, and that has ended. Is "
            "there memory for the model?"
        ) from error


def width(folder: str) -> int:
    """Return how many numbers the model in a folder turns a text into."""
    return int(embed([], folder).shape[1])


@lru_cache(maxsize=1)
def _process() -> Any:
    """Return the process in which models run, begun with the first text."""
    from joblib.externals.loky import ProcessPoolExecutor

    return ProcessPoolExecutor(max_workers=1)


def encode(texts: list[str], folder: str) -> np.ndarray:
    """Turn texts into numbers, in the process in which this is called."""
    model = open_model(folder)
    found = model.encode(texts, batch_size=BATCH, show_progress_bar=False) if texts else []
    size = getattr(model, "get_embedding_dimension", None) or model.get_sentence_embedding_dimension
    return np.asarray(found, np.float64).reshape(len(texts), int(size()))


@lru_cache(maxsize=1)
def open_model(folder: str) -> Any:
    """Open a model, once.

    Raises
    ------
    SourceError
        It cannot be opened, or the library is not installed.
    """
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise SourceError(
            "`embed` needs the package `sentence-transformers`. Install it: `pip install "
            "'kilter[text]'`."
        ) from None
    try:
        return SentenceTransformer(folder, device="cpu", local_files_only=True)
    except Exception as error:  # it refuses a folder in too many ways to list
        raise SourceError(
            f"`embed` cannot open the model in `{folder}` ({type(error).__name__}: {error}). Save "
            "it again."
        ) from None  # a cause may not go from process to process
