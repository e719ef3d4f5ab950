"""The encoder of texts: its vocabulary, its rows of numbers, and its bytes."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilter._errors import ArgumentTypeError, ArtifactError
from kilter._types import Dataset, Part, Test, Train, Validation
from kilter.data import TextEncoder, tokens
from made_data import make_dataset
from made_images import make_images
from made_texts import as_texts, make_texts


def part_of(texts: list[str], part: type[Part] = Train) -> Part:
    data = make_texts(np.arange(len(texts)) % 2, texts)
    return part.of(data, np.arange(len(texts)))


def fit(texts: list[str], length: int | None = None) -> TextEncoder:
    train = part_of(texts)
    assert isinstance(train, Train)
    return TextEncoder.fit(train, make_texts([0, 1]).schema, length=length)


@pytest.fixture
def data() -> Dataset:
    """Return texts of which the last two have words that no other has."""
    texts = ["Free entry", "free ENTRY now", "see you now", "you free?", "zebra zebra", "zebra"]
    return make_texts([0, 1, 0, 1, 0, 1], texts)


@pytest.fixture
def encoder(data: Dataset) -> TextEncoder:
    return TextEncoder.fit(Train.of(data, np.arange(4)), data.schema)


words = st.text("abcd", min_size=1, max_size=2)
some_texts = st.lists(st.lists(words, max_size=8).map(" ".join), min_size=1, max_size=30)


class TestFit:
    def test_by_hand(self, encoder: TextEncoder) -> None:
        # free 3; entry, now and you 2, by the alphabet; see and ? once
        assert encoder.words == ("free", "entry", "now", "you")
        assert encoder.vocabulary == 6
        assert encoder.length == 3
        assert encoder.shape == (3,)

    @given(some_texts, st.integers(1, 6))
    def test_the_vocabulary_as_a_counter_has_it(self, texts: list[str], length: int) -> None:
        counts = Counter(word for text in texts for word in text.split()[:length])
        often = [word for word in counts if counts[word] >= 2]
        found = fit(texts, length).words
        assert sorted(found) == sorted(often)
        for one, other in pairwise(found):
            assert counts[one] > counts[other] or (counts[one] == counts[other] and one < other)

    @given(some_texts)
    def test_the_order_of_rows_changes_nothing(self, texts: list[str]) -> None:
        assert fit(texts[::-1]) == fit(texts)

    def test_words_of_other_parts_are_unknown(self, data: Dataset, encoder: TextEncoder) -> None:
        assert "zebra" not in encoder.words
        assert encoder.transform(data.features)[4:].tolist() == [[1, 1, 0], [1, 0, 0]]

    @pytest.mark.parametrize("part", [Validation, Test, Part])
    def test_only_a_training_part_will_do(self, data: Dataset, part: type[Part]) -> None:
        with pytest.raises(ArgumentTypeError, match=r"`Encoder\.fit` is fitted on a `Train` only"):
            TextEncoder.fit(part.of(data, np.arange(4)), data.schema)  # type: ignore[arg-type]

    @given(st.lists(st.integers(0, 300), min_size=1, max_size=40))
    def test_the_length_is_that_of_most(self, lengths: list[int]) -> None:
        place = 0.95 * (len(lengths) - 1)  # between two sorted lengths, in a line
        low, high = sorted(lengths)[int(place)], sorted(lengths)[ceil(place)]
        usual = low + (place - int(place)) * (high - low)
        found = fit(["a " * length for length in lengths]).length
        assert found in {min(max(ceil(usual + slack), 1), 200) for slack in (-1e-9, 1e-9)}

    def test_one_long_text_of_many_does_not_count(self) -> None:
        assert fit(["a b c"] * 99 + ["a " * 150]).length == 3
        assert fit(["a b c"] * 9 + ["a " * 150]).length > 3
        assert fit(["a " * 500] * 3).length == 200

    def test_a_length_that_is_given(self) -> None:
        encoder = fit(["a a b b", "c a d d"], length=2)
        assert (encoder.length, encoder.words) == (2, ("a",))
        assert fit(["a"] * 3, length=500).length == 500

    def test_only_the_most_frequent_words_are_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tokens, "MOST_WORDS", 2)
        assert fit(["a b c", "a b c", "c d d"]).words == ("c", "a")

    def test_texts_without_words(self) -> None:
        encoder = fit(["", " ", "\n"])
        assert (encoder.length, encoder.words, encoder.vocabulary) == (1, (), 2)
        assert encoder.transform(as_texts(["", "a"])).tolist() == [[0], [1]]


class TestTransform:
    encoder = TextEncoder(3, ("free", "entry", "'", "00"))

    @pytest.mark.parametrize(
        ("text", "row"),
        [
            ("", [0, 0, 0]),
            (" \n", [0, 0, 0]),
            ("entry", [3, 0, 0]),
            ("FREE Entry", [2, 3, 0]),
            ("free-entry", [2, 1, 3]),
            ("free free free entry", [2, 2, 2]),
            ("47 470 ’", [5, 1, 4]),
            ("😀 مرحبا 東", [1, 1, 1]),
        ],
    )
    def test_by_hand(self, text: str, row: list[int]) -> None:
        assert self.encoder.transform(as_texts([text])).tolist() == [row]

    @given(some_texts, some_texts)
    def test_numbers_are_those_of_the_words(self, texts: list[str], others: list[str]) -> None:
        encoder = fit(texts)
        encoded = encoder.transform(as_texts(others))
        assert encoded.shape == (len(others), encoder.length)
        assert encoded.dtype == np.int32
        assert encoded.max(initial=0) < encoder.vocabulary
        meaning = [None, "?", *encoder.words]
        for text, row in zip(others, encoded, strict=True):
            read = text.split()[: encoder.length]
            known = [word if word in encoder.words else "?" for word in read]
            padded = known + [None] * (encoder.length - len(known))
            assert [meaning[number] for number in row] == padded

    def test_no_rows(self) -> None:
        assert self.encoder.transform(as_texts([])).shape == (0, 3)

    def test_a_long_text_is_cut(self) -> None:
        assert self.encoder.transform(as_texts(["entry " * 200_000])).tolist() == [[3, 3, 3]]

    def test_nothing_is_blended(self) -> None:
        assert self.encoder.blendable.tolist() == [False] * 3

    def test_the_schema_must_be_of_texts(self) -> None:
        self.encoder.require_fit(make_texts([0, 1]).schema)
        with pytest.raises(ValueError, match="rows are a table, and the encoder is of texts"):
            self.encoder.require_fit(make_dataset(np.array([0, 1])).schema)
        with pytest.raises(ValueError, match="rows are a image, and the encoder is of texts"):
            self.encoder.require_fit(make_images(np.array([0, 1])).schema)


class TestBytes:
    @given(st.integers(1, 300), st.lists(st.text(min_size=1), unique=True))
    def test_round_trip(self, length: int, words: list[str]) -> None:
        encoder = TextEncoder(length, tuple(words))
        again = TextEncoder.loads(encoder.dumps())
        assert again == encoder
        texts = as_texts(["a b", *words])
        np.testing.assert_array_equal(again.transform(texts), encoder.transform(texts))

    def test_they_are_json(self, encoder: TextEncoder) -> None:
        plain = {"length": 3, "words": ["free", "entry", "now", "you"]}
        assert json.loads(encoder.dumps()) == plain

    def test_a_length_of_numpy_is_written(self) -> None:
        assert json.loads(fit(["a", "a"], length=np.int64(3)).dumps())["length"] == 3  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "content",
        [
            *(b"", b"no json", b"\xff\xfe", b"[]", b"3", b"null", b'"x"', b"{}"),
            b'{"length": 3}',
            b'{"words": ["a"]}',
            b'{"length": 0, "words": ["a"]}',
            b'{"length": -1, "words": ["a"]}',
            b'{"length": 2.0, "words": ["a"]}',
            b'{"length": NaN, "words": ["a"]}',
            b'{"length": 1e999, "words": ["a"]}',
            b'{"length": "3", "words": ["a"]}',
            b'{"length": null, "words": ["a"]}',
            b'{"length": 3, "words": null}',
            b'{"length": 3, "words": 3}',
            b'{"length": 3, "words": ["a", 3]}',
            b'{"length": 3, "words": [["a"]]}',
            b'{"length": 3, "words": ["a"',
            b'{"length": ' + b"9" * 5000 + b', "words": ["a"]}',
        ],
    )
    def test_anything_else_is_refused(self, content: bytes) -> None:
        with pytest.raises(
            ArtifactError, match=r"the encoder cannot be read .* Save the model again"
        ):
            TextEncoder.loads(content)

    @pytest.mark.parametrize(
        "content",
        [
            b'{"length": true, "words": ["a"]}',
            b'{"length": 3, "words": "abc"}',
            b'{"length": 3, "words": {"a": 1}}',
            pytest.param(b"[" * 100_000, id="nested"),
        ],
    )
    def test_what_only_looks_like_one_is_refused(self, content: bytes) -> None:
        with pytest.raises(ArtifactError, match="the encoder cannot be read"):
            TextEncoder.loads(content)
