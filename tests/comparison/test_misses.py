"""Examples of mistakes: whose, which, and how they are shown."""

from __future__ import annotations

import base64
import io

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from kilter.comparison.misses import CLASSES, EXAMPLES, SIGNS, misses, shorten, to_uri
from made_data import make_dataset
from made_images import draw, make_images
from made_texts import make_texts


def pixels_of(uri: str) -> np.ndarray:
    head, _, data = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))


shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from([1, 3]))


@given(shapes.flatmap(lambda shape: arrays(np.uint8, shape)))
def test_an_image_comes_back_from_its_address(pixels: np.ndarray) -> None:
    found = pixels_of(to_uri(pixels))
    np.testing.assert_array_equal(found.reshape(pixels.shape), pixels)


def test_mistakes_are_told_of_each_class_the_rarest_first() -> None:
    labels = [0] * 6 + [1] * 2 + [2] * 4
    dataset = make_images(labels, draw(12, 4, 5, 3))
    rows = np.array([0, 7, 1, 6, 8, 9])  # that were tested, in no order
    predicted = np.array([2, 0, 0, 2, 2, 0])
    p = np.array(
        [[0.1, 0.2, 0.7], [0.6, 0.3, 0.1], [0.8, 0.1, 0.1],
         [0.1, 0.1, 0.8], [0.2, 0.2, 0.6], [0.5, 0.1, 0.4]]
    )  # fmt: skip
    found = misses(dataset, rows, predicted, p)
    told = [(one["class"], one["count"], one["of"]) for one in found]
    assert told == [("class1", 2, 2), ("class2", 1, 2), ("class0", 1, 2)]
    first, *_ = found
    files = [
        (each["file"], each["predicted"], each["probability"]) for each in first["examples"]
    ]  # the surest first
    assert files == [("6.png", "class2", 0.8), ("7.png", "class0", 0.6)]
    for each, row in zip(first["examples"], (6, 7), strict=True):
        np.testing.assert_array_equal(pixels_of(each["image"]), dataset.features.pixels[row])


def test_what_is_right_is_not_told() -> None:
    dataset, rows = make_images([0, 0, 1, 1]), np.arange(4)
    assert misses(dataset, rows, dataset.labels, np.full((4, 2), 0.5)) == []


def test_only_some_classes_and_examples_are_shown() -> None:
    labels = np.repeat(np.arange(12), np.arange(12)[::-1] + 2)  # class 11 is the rarest
    dataset = make_images(labels)
    rows, predicted = np.arange(len(labels)), (labels + 1) % 12
    found = misses(dataset, rows, predicted, np.full((len(labels), 12), 1 / 12))
    assert [one["class"] for one in found] == [f"class{k}" for k in range(11, 11 - CLASSES, -1)]
    assert [one["count"] for one in found] == [2 + k for k in range(CLASSES)]
    assert max(len(one["examples"]) for one in found) == EXAMPLES
    assert [each["file"] for each in found[-1]["examples"]] == [
        f"{row}.png" for row in np.flatnonzero(labels == 2)[:EXAMPLES]
    ]


def test_rare_is_what_there_is_little_of_to_learn_from() -> None:
    labels = np.array([0, 0, 0, 1, 1, 0, 1, 1, 1])
    dataset = make_images(labels, held_out=np.arange(9) > 4)
    rows = np.arange(5, 9)
    found = misses(dataset, rows, 1 - labels[rows], np.full((4, 2), 0.5))
    assert [(one["class"], one["count"]) for one in found] == [("class1", 3), ("class0", 1)]


def test_rows_of_a_table_are_not_shown() -> None:
    dataset = make_dataset(np.array([0, 1, 0, 1]))
    assert misses(dataset, np.arange(4), 1 - dataset.labels, np.full((4, 2), 0.5)) == []


def test_texts_are_shown_as_they_stand() -> None:
    texts = ["see you", "ok", "Free <b>entry</b>!\n٤ 😀", "win", "late", ""]
    dataset = make_texts([0, 0, 1, 1, 0, 0], texts)
    rows = np.array([5, 2, 3, 0])
    p = np.array([[0.1, 0.9], [0.7, 0.3], [0.95, 0.05], [0.8, 0.2]])
    first, second = misses(dataset, rows, np.array([1, 0, 0, 0]), p)
    assert first == {
        "class": "class1",
        "count": 2,
        "of": 2,
        "examples": [
            {"predicted": "class0", "probability": 0.95, "text": "win"},
            {"predicted": "class0", "probability": 0.7, "text": "Free <b>entry</b>!\n٤ 😀"},
        ],
    }
    assert second == {
        "class": "class0",
        "count": 1,
        "of": 2,
        "examples": [{"predicted": "class1", "probability": 0.9, "text": ""}],
    }


def test_of_twins_one_is_shown() -> None:
    dataset = make_texts([0, 0, 0, 1, 1], ["Win!", "ok", "WIN !", "see", "you"])
    p = np.array([[0.3, 0.7], [0.4, 0.6], [0.1, 0.9]])
    (found,) = misses(dataset, np.arange(3), np.ones(3, int), p)
    assert (found["count"], found["of"]) == (3, 3)
    assert [each["text"] for each in found["examples"]] == ["WIN !", "ok"]


def test_of_a_long_text_the_beginning_is_shown() -> None:
    dataset = make_texts([0, 1], ["word " * 1000, "ok"])
    (found,) = misses(dataset, np.arange(2), np.array([1, 1]), np.full((2, 2), 0.5))
    assert found["examples"][0]["text"] == ("word " * 80).rstrip() + "…"


@given(st.text(), st.integers(0, 2 * SIGNS))
def test_a_shown_text_is_whole_or_its_beginning(text: str, times: int) -> None:
    text = text + "ab " * times
    shown = shorten(text)
    if len(text) <= SIGNS:
        assert shown == text
    else:
        assert shown[-1] == "…"
        assert len(shown) <= SIGNS + 1
        assert text.startswith(shown[:-1])
        assert text[len(shown) - 1 : SIGNS].strip() == ""  # but for blanks at its end
