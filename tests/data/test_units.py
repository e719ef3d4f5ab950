import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilter.data import load
from kilter.data.units import twins, units
from made_data import make_dataset
from made_images import draw, make_images
from made_texts import as_texts, make_texts


def test_twins_look_at_the_values_only():
    numbers = np.array([[0.0, np.nan], [-0.0, -np.nan], [0.0, 1.0], [0.0, np.nan]])
    codes = np.array([[1], [1], [1], [2]], np.int32)
    codes_of = twins(make_dataset(np.array([0, 1, 0, 1]), numbers, codes).features)
    assert codes_of[0] == codes_of[1]
    assert len(set(codes_of[1:])) == 3


@pytest.mark.parametrize("name", ["page-blocks", "adult", "car", "mammography"])
def test_twins_as_numpy_finds_them(table_path, name):
    features = load(table_path(name), "target").features
    rows = np.column_stack([np.nan_to_num(features.numbers, nan=-1e9), features.codes])
    assert twins(features).max() + 1 == len(np.unique(rows, axis=0))


def test_groups_that_share_a_twin_are_one_unit():
    numbers = np.array([[1.0], [1.0], [2.0], [3.0], [4.0]])
    groups = np.array([7, 9, 9, 7, 8])
    ids = units(make_dataset(np.array([0, 1, 0, 1, 0]), numbers, groups=groups))
    assert len(set(ids[:4])) == 1
    assert ids[4] != ids[0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=25))
def test_units_are_what_can_be_reached_by_ties(rows):
    numbers, groups = np.array(rows).T
    labels = np.arange(len(rows)) % 2
    ids = units(make_dataset(labels, numbers[:, None].astype(float), groups=groups))
    tied = (numbers[:, None] == numbers) | (groups[:, None] == groups)
    for _ in rows:
        tied = tied @ tied
    np.testing.assert_array_equal(ids[:, None] == ids, tied)


def test_twins_of_images_have_the_same_pixels():
    pixels = draw(6, 4, 5, 3)
    pixels[3], pixels[5] = pixels[1], pixels[1]
    pixels[4] = pixels[0]
    pixels[4, 3, 4, 2] ^= 1
    codes = twins(make_images(np.arange(6) % 2, pixels).features)
    assert codes.tolist() == [0, 1, 2, 1, 3, 1]
    assert codes.dtype == np.int64


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6), rows=st.integers(2, 40))
def test_twins_of_images_as_numpy_finds_them(seed, rows):
    pixels = np.random.default_rng(seed).integers(0, 2, (rows, 2, 2, 1), np.uint8)
    codes = twins(make_images(np.arange(rows) % 2, pixels).features)
    flat = pixels.reshape(rows, -1)
    same = (flat[:, None] == flat).all(axis=2)
    np.testing.assert_array_equal(codes[:, None] == codes, same)


def test_no_images_have_no_twins():
    features = make_images([0, 1]).features.take(np.array([], int))
    assert twins(features).tolist() == []


def test_twins_of_texts_have_the_same_words() -> None:
    texts = [
        *("Free entry!", "free  ENTRY !\n", "free entry", "entry free !", "Ｆｒｅｅ entry!"),
        *("call 123", "Call 456", "call 12", "call 1 23"),
        *("", " \t", "don't", "DON’T", "dont"),
    ]
    codes = twins(as_texts(texts))
    assert codes.tolist() == [0, 0, 1, 2, 0, 3, 3, 4, 5, 6, 6, 7, 7, 8]
    assert codes.dtype == np.int64


@settings(max_examples=50)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "ab", "!"]), max_size=3), max_size=20))
def test_twins_of_texts_as_comparing_each_two_finds_them(texts: list[list[str]]) -> None:
    codes = twins(as_texts([" ".join(words) for words in texts]))
    assert codes.shape == (len(texts),)
    for one, words in zip(codes, texts, strict=True):
        for other, others in zip(codes, texts, strict=True):
            assert (one == other) == (words == others)


def test_texts_of_one_group_and_their_twins_are_one_unit() -> None:
    texts = ["see you", "See you", "ok", "free", "late"]
    ids = units(make_texts([0, 1, 0, 1, 0], texts, groups=np.array([7, 9, 9, 7, 8])))
    assert len(set(ids[:4].tolist())) == 1
    assert ids[4] != ids[0]


def test_no_texts_have_no_twins() -> None:
    assert twins(as_texts([])).tolist() == []
