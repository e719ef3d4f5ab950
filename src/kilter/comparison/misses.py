"""Examples of what the chosen remedy gets wrong, for people to look at."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np

from kilter._types import AnyFeatures, Dataset, Images, Texts
from kilter.data.decode import as_image
from kilter.data.units import twins

CLASSES = 10  # the rarest ones
EXAMPLES = 6  # of each
SIGNS = 400  # of a text


def misses(
    dataset: Dataset, rows: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray
) -> list[dict[str, Any]]:
    """Return the surest mistakes of each class, the rarest class first; of twins one.

    Of a table there are none: a row of numbers says little to the eye.

    Parameters
    ----------
    dataset : Dataset
        Of images or texts.
    rows : array of shape (tested,)
        Positions of the tested rows in it.
    predicted : array of shape (tested,)
        Positions of the classes that they were taken for.
    probabilities : array of shape (tested, classes)
        Calibrated ones.
    """
    if not isinstance(dataset.features, Images | Texts):
        return []
    codes = twins(dataset.features)
    labels, names = dataset.labels[rows], [str(label) for label in dataset.schema.classes]
    order = np.argsort(np.bincount(dataset.learned_labels, minlength=len(names)), kind="stable")
    found = []
    for label in order[:CLASSES]:
        wrong = np.flatnonzero((labels == label) & (predicted != label))
        sure = probabilities[wrong, predicted[wrong]]
        worst = _different(codes[rows], wrong[np.argsort(-sure, kind="stable")])[:EXAMPLES]
        examples = [
            {
                "predicted": names[predicted[place]],
                "probability": float(probabilities[place, predicted[place]]),
                **_shown(dataset.features, rows[place]),
            }
            for place in worst
        ]
        about = {"class": names[label], "count": len(wrong), "of": int((labels == label).sum())}
        found.append({**about, "examples": examples})
    return [one for one in found if one["count"]]


def _different(codes: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the places without those whose twin stands before them."""
    _, first = np.unique(codes[places], return_index=True)
    return places[np.sort(first)]


def _shown(features: AnyFeatures, row: int) -> dict[str, str]:
    if isinstance(features, Texts):
        return {"text": shorten(features.texts[row])}
    return {"file": str(features.files[row]), "image": to_uri(features.pixels[row])}


def shorten(text: str) -> str:
    """Return a text, or its beginning with a sign that it goes on.

    Examples
    --------
    >>> shorten("a" * 1000)[-3:]
    'aa…'
    """
    return text if len(text) <= SIGNS else f"{text[:SIGNS].rstrip()}…"


def to_uri(pixels: np.ndarray) -> str:
    """Return an image as a PNG that can stand in a page.

    Examples
    --------
    >>> to_uri(np.zeros((2, 2, 1), np.uint8))[:22]
    'data:image/png;base64,'
    """
    file = io.BytesIO()
    as_image(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
