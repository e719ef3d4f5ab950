"""The encoder of texts: words as whole numbers, by a vocabulary of the training part."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np

from kilter._types import Schema, Texts, Train, require_part
from kilter.data.base import Encoder, whole_json
from kilter.data.words import words_of

PADDING, UNKNOWN = 0, 1
RESERVED = 2
FEWEST = 2  # times that a word is there; what is there once would be learned by heart
MOST_WORDS = 20_000
MOST_LENGTH = 200
READ_WHOLE = 0.95  # share of the texts that are read to their end


@dataclass(frozen=True)
class TextEncoder(Encoder):
    """Texts as rows of word numbers, cut or padded to one length.

    0 is no word, 1 one that is not in the vocabulary; the most frequent word is 2. Words are those
    of `words_of` that are in the training part at least twice, 20,000 at most.

    Attributes
    ----------
    length : int
        Words of a text that are read.
    words : tuple of str
        The vocabulary, the most frequent word first.

    Examples
    --------
    >>> encoder = TextEncoder(4, ("free", "entry"))
    >>> encoder.transform(Texts(np.array(["Free entry now", "entry"], object))).tolist()
    [[2, 3, 1, 0], [3, 0, 0, 0]]
    """

    FILE: ClassVar = "words.json"

    length: int
    words: tuple[str, ...]

    @classmethod
    def fit(cls, train: Train, schema: Schema, *, length: int | None = None) -> Self:
        """Count the words of the training part, and nothing else.

        Parameters
        ----------
        train : Train
            Of texts.
        schema : Schema
            Theirs.
        length : int, optional
            Words of a text to read; if not given as many as 95% of the texts have, at most 200.

        Raises
        ------
        ArgumentTypeError
            ``train`` is not the training part of a split.
        """
        require_part(train, Train, "Encoder.fit")
        texts = [words_of(text) for text in train.features.texts]
        if length is None:
            usual = np.quantile([len(words) for words in texts], READ_WHOLE)
            length = int(np.clip(np.ceil(usual), 1, MOST_LENGTH))
        counts = Counter(word for words in texts for word in words[:length])
        # Equally frequent words by the alphabet, so that the order of rows changes nothing.
        ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        return cls(
            int(length), tuple(word for word, times in ordered if times >= FEWEST)[:MOST_WORDS]
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Of a row of word numbers."""
        return (self.length,)

    @property
    def vocabulary(self) -> int:
        """How many different numbers there are."""
        return len(self.words) + RESERVED

    @property
    def blendable(self) -> np.ndarray:
        """Nowhere: between the numbers of two words stands any other word."""
        return np.zeros(self.length, bool)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, RESERVED)}

    def transform(self, features: Texts) -> np.ndarray:
        """Return word numbers, int32 of shape (rows, length)."""
        encoded = np.zeros((len(features), self.length), np.int32)
        for row, text in zip(encoded, features.texts, strict=True):
            words = words_of(text)[: self.length]
            row[: len(words)] = [self._numbers.get(word, UNKNOWN) for word in words]
        return encoded

    def require_fit(self, schema: Schema) -> None:
        """Raise a `ValueError` unless the schema is one of texts."""
        if schema.kind != "text":
            raise ValueError(f"rows are a {schema.kind}, and the encoder is of texts")

    def dumps(self) -> bytes:
        """Return the encoder as JSON."""
        return json.dumps({"length": self.length, "words": self.words}).encode()

    @classmethod
    def loads(cls, content: bytes) -> Self:
        """Return the encoder that `dumps` wrote.

        Raises
        ------
        ArtifactError
            The bytes are no such encoder.
        """
        with whole_json():
            plain = json.loads(content)
            length, words = plain["length"], plain["words"]
            if type(length) is not int or length < 1 or type(words) is not list:
                raise ValueError
            if not all(isinstance(word, str) for word in words):
                raise ValueError
            return cls(length, tuple(words))
