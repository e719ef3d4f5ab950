"""Texts as rows of numbers, by a model that lies on this machine."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from kilter._errors import ArgumentError, DataError, SchemaError, SourceError
from kilter.data import audit, conform, load, number_names, schema_from_json, schema_to_json
from kilter.data import embed as module
from kilter.data.embed import embed, width

ROWS = {
    "note": ["free entry", None, "see you at noon", "ok"],
    "hour": [1.0, 2.0, 3.0, 4.0],
    "spam": [1, 0, 0, 0],
}


class Letters:
    """Counts three letters of each text."""

    def encode(self, texts: list[str], **options: Any) -> np.ndarray:
        assert options["show_progress_bar"] is False
        counts = [[text.count(letter) for letter in "eno"] for text in texts]
        return np.array(counts, np.float32)

    def get_sentence_embedding_dimension(self) -> int:
        return 3


class Here:
    """Calls in this process, in which the library is another."""

    def submit(self, function: Any, *given: Any) -> SimpleNamespace:
        found = function(*given)
        return SimpleNamespace(result=lambda: found)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The folder of a model, which a library in place of the real one opens."""

    def opened(path: str, *, device: str, local_files_only: bool) -> Letters:
        assert (Path(path), device, local_files_only) == (tmp_path.resolve(), "cpu", True)
        return Letters()

    library = SimpleNamespace(SentenceTransformer=opened)
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)
    monkeypatch.setattr(module, "_process", Here)
    module.open_model.cache_clear()
    return str(tmp_path)


def test_each_text_becomes_numbers(folder: str) -> None:
    assert embed(["free one", ""], folder).tolist() == [[3, 1, 1], [0, 0, 0]]
    assert embed([], folder).shape == (0, width(folder))


def test_they_stand_beside_other_columns(folder: str) -> None:
    data = load(pa.table(ROWS), "spam", text="note", embed=folder)
    assert data.schema.kind == "table"
    assert number_names(data.schema) == ["note.0", "note.1", "note.2", "hour"]
    counts = [[text.count(letter) for letter in "eno"] for text in map(str, ROWS["note"])]
    counts[1] = [0, 0, 0]  # a missing text is an empty one
    expected = np.column_stack([counts, ROWS["hour"]])
    np.testing.assert_array_equal(data.features.numbers, expected)
    assert audit(data)["columns"] == {"embedding": 1, "number": 1}
    assert schema_from_json(schema_to_json(data.schema)) == data.schema


def test_rows_to_predict_are_embedded_by_the_same_model(folder: str) -> None:
    data = load(pa.table(ROWS), "spam", text="note", embed=folder)
    new = pa.table({"hour": [9.0], "note": ["noon"]})
    assert conform(new, data.schema).numbers.tolist() == [[0, 2, 2, 9]]
    with pytest.raises(SchemaError, match="`note` must hold text, as in the training table; it ho"):
        conform(pa.table({"hour": [9.0], "note": [3.5]}), data.schema)
    with pytest.raises(SchemaError, match="`note` is not there"):
        conform(pa.table({"hour": [9.0]}), data.schema)


def test_what_cannot_be_embedded(folder: str) -> None:
    table = pa.table(ROWS)
    with pytest.raises(ArgumentError, match="`embed` needs `text`"):
        load(table, "spam", embed=folder)
    with pytest.raises(DataError, match="`hour` must hold texts; it holds `double`"):
        load(table, "spam", text="hour", embed=folder)
    with pytest.raises(ArgumentError, match=r"`nota` was named as text.*Did you mean `note`"):
        load(table, "spam", text="nota", embed=folder)


def test_a_model_that_is_not_there(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SourceError, match="`embed` names no folder `nowhere`"):
        embed(["a"], "nowhere")
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(SourceError, match="needs the package `sentence-transformers`"):
        embed(["a"], folder)

    def refuse(*given: Any, **options: Any) -> None:
        raise ValueError("no modules.json")

    library = SimpleNamespace(SentenceTransformer=refuse)
    monkeypatch.setitem(sys.modules, "sentence_transformers", library)
    with pytest.raises(SourceError, match=r"cannot open the model in .*ValueError: no modules"):
        embed(["a"], folder)


def end(*given: Any) -> None:
    """End the process that this is called in."""
    os._exit(1)


def test_a_process_that_ends_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "encode", end)
    with pytest.raises(SourceError, match="in a process of its own, and that has ended"):
        embed(["a"], str(tmp_path))


MADE = """
import sys
import numpy as np
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import StaticEmbedding
from tokenizers import Tokenizer, models, pre_tokenizers

known = {word: place for place, word in enumerate(["free", "entry", "see", "you"])}
tokenizer = Tokenizer(models.WordLevel(known, unk_token="you"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
vectors = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
static = StaticEmbedding(tokenizer, embedding_weights=vectors)
SentenceTransformer(modules=[static], device="cpu").save(sys.argv[1])
"""


@pytest.mark.slow
def test_a_model_of_sentence_transformers(tmp_path: Path) -> None:
    """One that has a vector for each word and takes their mean; made in a process of its own."""
    if importlib.util.find_spec("sentence_transformers") is None:
        pytest.skip("needs sentence_transformers")
    folder = str(tmp_path / "model")
    subprocess.run([sys.executable, "-c", MADE, folder], check=True, capture_output=True)
    vectors = np.random.default_rng(0).normal(size=(4, 8)).astype(np.float32)
    found = embed(["free entry", "see"], folder)
    np.testing.assert_allclose(found, [vectors[:2].mean(axis=0), vectors[2]], rtol=1e-5)
    assert width(folder) == 8
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match="cannot open the model in"):
        embed(["see"], str(tmp_path / "empty"))


def test_texts_are_embedded_in_order(folder: str) -> None:
    texts: Sequence[str] = ["e" * count for count in range(5)]
    assert embed(texts, folder)[:, 0].tolist() == [0, 1, 2, 3, 4]
