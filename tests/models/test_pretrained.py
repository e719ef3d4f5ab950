"""Weights to begin with: what is taken from a file, what is not, and what is no such file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from kilter._errors import ArgumentError, SourceError
from kilter.models import load_pretrained, mlp, own_network, textnet
from made_data import write

pytestmark = pytest.mark.backend

FILES = ("old.weights.h5", "old.keras", "old.h5")


def net(n_classes: int = 3, width: int = 4, hidden: tuple[int, ...] = (6, 5)) -> keras.Model:
    """Build a network; no two have a weight in common, and none is 0."""
    model = mlp(width, n_classes, hidden=hidden)
    rng = np.random.default_rng()
    model.set_weights([rng.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def save(model: keras.Model, path: Path) -> Path:
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
    return path


def taken(new: keras.Model, old: keras.Model, path: Path | str) -> list[bool]:
    """Load the file and say which weights are the old ones now; the others must have stayed."""
    before = new.get_weights()
    load_pretrained(new, path)
    found = []
    for mine, its, now in zip(before, old.get_weights(), new.get_weights(), strict=True):
        found.append(its.shape == now.shape and bool(np.array_equal(its, now)))
        np.testing.assert_array_equal(now, its if found[-1] else mine)
    return found


@pytest.mark.parametrize("name", FILES)
def test_all_weights_of_a_network_of_its_kind(tmp_path: Path, name: str) -> None:
    old = net()
    path = save(old, tmp_path / name)
    assert taken(net(), old, path) == [True] * 6
    assert taken(net(), old, str(path)) == [True] * 6


@pytest.mark.parametrize("name", FILES)
def test_with_another_number_of_classes_all_but_the_last_layer(tmp_path: Path, name: str) -> None:
    old = net(n_classes=9)
    path = save(old, tmp_path / name)
    assert taken(net(n_classes=2), old, path) == [True] * 4 + [False] * 2


@pytest.mark.parametrize("name", FILES)
def test_what_it_predicts_is_made_of_the_old_layers(tmp_path: Path, name: str) -> None:
    old, new = net(n_classes=9), net(n_classes=2)
    load_pretrained(new, save(old, tmp_path / name))
    x = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
    *shared, _, _ = old.get_weights()
    for kernel, bias in (shared[:2], shared[2:], new.get_weights()[4:]):
        x, z = np.maximum(x @ kernel + bias, 0), x @ kernel + bias
    given = np.random.default_rng(0).normal(size=(7, 4)).astype("float32")
    np.testing.assert_allclose(new.predict(given, verbose=0), z, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", FILES)
def test_layers_of_another_shape_keep_their_own(tmp_path: Path, name: str) -> None:
    old = net(hidden=(6, 5))
    path = save(old, tmp_path / name)
    assert taken(net(hidden=(6, 8)), old, path) == [True] * 2 + [False] * 4
    assert taken(net(width=7), old, path) == [False] * 2 + [True] * 4


def test_another_vocabulary_has_words_of_its_own(tmp_path: Path) -> None:
    old = textnet(5, 20, 2, seed=0)
    path = save(old, tmp_path / "old.weights.h5")
    assert taken(textnet(5, 30, 2, seed=1), old, path)[0] is False


def test_a_network_of_ones_own_begins_with_them(tmp_path: Path) -> None:
    old = net(n_classes=9)
    path = save(old, tmp_path / "old.weights.h5")
    new = own_network(lambda width, n: net(n), (4,), 2, seed=0, pretrained=str(path))
    for its, now in zip(old.get_weights()[:4], new.get_weights()[:4], strict=True):
        np.testing.assert_array_equal(now, its)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_which_nothing_fits(tmp_path: Path, name: str) -> None:
    path = save(net(), tmp_path / name)
    new = net(width=7, hidden=(2, 3), n_classes=2)
    before = new.get_weights()
    with pytest.raises(ArgumentError, match=f"`pretrained` has nothing for this network.*`{path}`"):
        load_pretrained(new, path)
    for mine, now in zip(before, new.get_weights(), strict=True):
        np.testing.assert_array_equal(now, mine)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_the_very_same_weights_is_fine(tmp_path: Path, name: str) -> None:
    model = net()
    load_pretrained(model, save(model, tmp_path / name))


@pytest.mark.parametrize("name", ["absent.keras", "absent.weights.h5", "folder.keras", "absent"])
def test_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.keras").mkdir()
    path = tmp_path / name
    with pytest.raises(SourceError, match=f"^`pretrained` names no file `{path}`. Check the path"):
        load_pretrained(net(), path)


@pytest.mark.parametrize("name", ["old.npz", "old.pt", "old", "old.keras.zip", "old.weights"])
def test_a_suffix_that_keras_does_not_write(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        SourceError, match=r"`pretrained` must end in \.weights\.h5, \.h5, \.keras, as Keras writes"
    ):
        load_pretrained(net(), write(tmp_path, "no", name))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0, 0.5], ids=["empty", "cut off"])
def test_a_broken_file(tmp_path: Path, name: str, share: float) -> None:
    path = save(net(), tmp_path / name)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(SourceError, match=f"`pretrained` cannot be read: `{path}` raises "):
        load_pretrained(net(), path)


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_something_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="`pretrained` cannot be read"):
        load_pretrained(net(), write(tmp_path, "no weights", name))
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("notes.txt", "no weights")
    with pytest.raises(SourceError, match="`pretrained` cannot be read"):
        load_pretrained(net(), tmp_path / name)
