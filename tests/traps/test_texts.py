"""The traps of texts."""

from __future__ import annotations

import sys

import keras
import numpy as np
import pyarrow as pa
import pytest

from kilter.augment import RandomWords
from kilter.data import TextEncoder, load, split

pytestmark = pytest.mark.backend


def test_a02_words_are_replaced_inserted_swapped_and_deleted_in_one_line() -> None:
    texts = ["see you at noon", "tea is ready", "call me later", "free entry now"]
    synonyms = {"free": ["complimentary"], "entry": ["admission"]}
    for name in ("replace", "insert", "swap", "delete"):
        eda = RandomWords(0.3, operations=[name], synonyms=synonyms)
        more, labels = eda.fit_resample(texts, [0, 0, 0, 1])
        assert more[:4].tolist() == texts
        assert labels.tolist() == [0, 0, 0, 1, 1, 1]
        known = {"free", "entry", "now", "complimentary", "admission"}
        assert all(text and set(text.split()) <= known for text in more[4:])
        if name in ("replace", "insert"):
            assert all(text not in texts for text in more[4:])


def test_b22_words_become_numbers_without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    if keras.backend.backend() != "tensorflow":
        monkeypatch.setitem(sys.modules, "tensorflow", None)  # an import of it fails
    rows = {"note": ["free entry now", "see you now"] * 10, "spam": [1, 0] * 10}
    rows["note"] = [f"{text} {'abcdefghijklmnopqrst'[at]}" for at, text in enumerate(rows["note"])]

    data = load(pa.table(rows), "spam", text="note")
    train = split(data, 2)[0].train
    encoder = TextEncoder.fit(train, data.schema)
    numbers = encoder.transform(train.features)
    layer = keras.layers.Embedding(encoder.vocabulary, 3)
    assert layer(numbers).shape == (len(train), *encoder.shape, 3)
    assert encoder.words[0] == "now"
    assert (numbers[:, 2] == 2).all()
    assert np.unique(numbers[:, 3]).tolist() == [1]  # a word that is there once is unknown
