"""The model file: the same answers after a save and a load, and an error for anything else."""

from __future__ import annotations

import io
import json
import shutil
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from scipy.special import softmax

import kilter
from kilter._errors import (
    ArgumentError,
    ArtifactError,
    KilterError,
    OutputError,
    SchemaError,
    SourceError,
)
from kilter._types import Column, Schema
from kilter.artifact import Model, load, write_predictions
from kilter.data import TableEncoder, split
from kilter.data import load as load_table
from kilter.data.pixels import ImageEncoder
from kilter.decide import Calibrator, Costs, Threshold
from kilter.models import average_networks, mlp, tabm
from made_images import draw, save

ROWS = 90


def made(rows: int = ROWS, classes: tuple[Any, ...] = ("fine", "fraud")) -> pa.Table:
    """Return a table with a number, a date, a boolean and a category, each partly missing."""
    rng = np.random.default_rng(0)
    days = np.datetime64("2024-01-01") + rng.integers(0, 300, rows)
    table = {
        "amount": rng.normal(size=rows),
        "day": days.astype("datetime64[us]"),
        "card": rng.random(rows) < 0.5,
        "city": rng.choice(["Oslo", "Rome", "Bonn"], rows),
    }
    columns = {
        name: pa.array(values, mask=rng.random(rows) < 0.1) for name, values in table.items()
    }
    labels = np.resize(np.arange(len(classes)), rows)
    return pa.table({**columns, "label": pa.array(np.array(classes)[labels])})


def make_model(classes: tuple[Any, ...] = ("fine", "fraud"), decision: Any = None) -> Model:
    """Return a model of two networks that have learned nothing."""
    dataset = load_table(made(classes=classes), "label")
    encoder = TableEncoder.fit(split(dataset, 2)[0].train, dataset.schema)
    shape = {"numbers": 5, "scales": 2, "members": 2, "hidden": (5,)}
    networks = [tabm(encoder.width, len(classes), seed=seed, **shape) for seed in range(2)]
    calibrator = Calibrator(0.75, tuple(np.linspace(-0.5, 0.5, len(classes)).tolist()))
    offsets = Threshold(tuple(np.linspace(0, 0.3, len(classes)).tolist()))
    about = {"remedy": "focal", "verdict": "Use focal."}
    network = average_networks(networks)
    return Model(dataset.schema, encoder, network, calibrator, decision or offsets, about)


@pytest.fixture(scope="module")
def model() -> Model:
    return make_model()


@pytest.fixture(scope="module")
def saved(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.kilter"
    model.save(path)
    return path


@pytest.fixture
def rows() -> pa.Table:
    return made(50).drop_columns("label")


@pytest.fixture
def rewritten(saved: Path, tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the file again with other members, check sums included."""

    def write(change: Callable[[dict[str, bytes]], None], sums: bool = True) -> Path:
        with zipfile.ZipFile(saved) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        change(members)
        if sums and "manifest.json" in members:
            correct_sums(members)
        path = tmp_path / "changed.kilter"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path

    return write


def correct_sums(members: dict[str, bytes]) -> None:
    from hashlib import sha256

    manifest = json.loads(members["manifest.json"])
    others = {name: value for name, value in members.items() if name != "manifest.json"}
    manifest["sha256"] = {name: sha256(value).hexdigest() for name, value in others.items()}
    members["manifest.json"] = json.dumps(manifest).encode()


def refused(path: Path, error: type[KilterError] = ArtifactError) -> str:
    """Load, which must fail with that error and one line; return the line."""
    with pytest.raises(KilterError) as info:
        load(path)
    assert type(info.value) is error
    said = str(info.value)
    assert f"`{path}`" in said
    assert "\n" not in said
    return said


# -- what comes back ---------------------------------------------------------------------


@pytest.mark.backend
@pytest.mark.parametrize(
    ("classes", "decision"),
    [
        (("fine", "fraud"), None),
        ((False, True), None),
        ((1, 2, 5), None),
        (("fine", "fraud"), Costs(((0.0, 1.0), (9.0, 0.0)))),
    ],
)
def test_a_loaded_model_answers_the_same(
    tmp_path: Path, rows: pa.Table, classes: tuple[Any, ...], decision: Any
) -> None:
    one = make_model(classes, decision)
    one.save(tmp_path / "model.kilter")
    again = kilter.load(str(tmp_path / "model.kilter"))
    np.testing.assert_array_equal(again.predict_proba(rows), one.predict_proba(rows))
    np.testing.assert_array_equal(again.predict(rows), one.predict(rows))
    assert again.predict_table(rows).equals(one.predict_table(rows))
    for name in ("schema", "calibrator", "decision", "about"):
        assert getattr(again, name) == getattr(one, name)
    assert again.classes_.tolist() == list(classes)
    assert again.classes_.dtype == one.classes_.dtype


@pytest.mark.backend
def test_probabilities_are_averaged_then_calibrated(model: Model) -> None:
    x = model.encoder.transform(load_table(made(), "label").features)
    networks = (model.network.get_layer(f"network_{number}") for number in range(2))
    each = [softmax(network.predict(x, verbose=0).astype(float), axis=1) for network in networks]
    expected = softmax(0.75 * np.log(np.mean(each, axis=0)) + [-0.5, 0.5], axis=1)
    found = model.predict_proba(made())
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    # the offset of .3 on the second class
    labels = np.where(expected[:, 1] * np.exp(0.3) > expected[:, 0], "fraud", "fine")
    assert model.predict(made()).tolist() == labels.tolist()
    table = model.predict_table(made())
    assert table.column_names == ["prediction", "p_fine", "p_fraud"]
    np.testing.assert_array_equal(table["p_fraud"], found[:, 1])


def test_what_is_in_the_file(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        names = archive.namelist()
        manifest = json.loads(archive.read("manifest.json"))
    assert names == ["manifest.json", "network.keras", "encoder.skops"]
    assert (manifest["format"], manifest["version"]) == ("kilter-model", 2)
    assert manifest["about"] == {"remedy": "focal", "verdict": "Use focal."}


def members_within(content: bytes, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield a member, and what is in it if it is an archive itself."""
    yield name, content
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for inner in archive.namelist():
                yield from members_within(archive.read(inner), f"{name}/{inner}")


def test_nothing_in_the_file_is_a_pickle(saved: Path) -> None:
    kinds = {"kilter", "json", "keras", "h5", "skops", "npy"}
    seen = set()
    for name, content in members_within(saved.read_bytes(), "model.kilter"):
        suffix = name.rsplit(".", 1)[-1]
        seen.add(suffix)
        assert suffix in kinds, name
        if suffix == "json":
            json.loads(content)
        if suffix == "npy":
            np.load(io.BytesIO(content), allow_pickle=False)
    assert seen == kinds


# -- damaged, foreign, missing -----------------------------------------------------------


def test_a_missing_file(tmp_path: Path) -> None:
    assert "there is no model file" in refused(tmp_path / "none.kilter", SourceError)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "cannot read the model file" in refused(tmp_path, SourceError)


@pytest.mark.parametrize("content", [b"", b"hello\n", b"PK\x03\x04", b"\x80\x04N.", b"PK" * 5000])
def test_another_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.kilter"
    path.write_bytes(content)
    assert "cut off or not a kilter model" in refused(path)


def test_a_truncated_file(saved: Path, tmp_path: Path) -> None:
    content = saved.read_bytes()
    path = tmp_path / "short.kilter"
    for length in [1, 30, 100, *np.linspace(200, len(content) - 1, 40).astype(int), -22, -21, -1]:
        path.write_bytes(content[:length])
        refused(path)


@pytest.mark.parametrize("member", ["manifest.json", "network.keras", "encoder.skops"])
def test_a_flipped_byte_in_a_member(saved: Path, tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(saved) as archive:
        info, whole = archive.getinfo(member), archive.read(member)
    first = info.header_offset + 30 + len(member)
    path = tmp_path / "flipped.kilter"
    # the last bytes of a compressed stream say that it ends, which the length does as well
    for at in np.linspace(first, first + info.compress_size - 10, 25).astype(int):
        content = bytearray(saved.read_bytes())
        content[at] ^= 0x10
        path.write_bytes(content)
        # a compressed stream can say the same in two ways: then nothing was changed
        if unpacked(path, member) != whole:
            refused(path)


def unpacked(path: Path, member: str) -> bytes | None:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(member)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return None


def test_a_flipped_byte_in_the_table_of_contents(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flags for passwords, unknown methods and so on; some bytes, such as dates, do not matter."""
    monkeypatch.setattr("kilter.artifact._assemble", lambda manifest, members: None)
    content = saved.read_bytes()
    with zipfile.ZipFile(saved) as archive:
        start = archive.start_dir
    path = tmp_path / "flipped.kilter"
    for at in range(start, len(content)):
        for bits in (0x01, 0xFF):
            changed = bytearray(content)
            changed[at] ^= bits
            path.write_bytes(changed)
            try:
                load(path)
            except ArtifactError as error:
                assert f"`{path}`" in str(error)  # noqa: PT017 - it may also load


def test_a_changed_member_with_a_good_zip_around_it(rewritten: Callable) -> None:
    def change(members: dict[str, bytes]) -> None:
        members["encoder.skops"] = members["network.keras"]

    assert "changed after it was written" in refused(rewritten(change, sums=False))


@pytest.mark.parametrize("extra", ["evil.py", "encoders/0.skops", "network.pkl"])
def test_a_member_too_many(rewritten: Callable, extra: str) -> None:
    path = rewritten(lambda members: members.update({extra: b"x"}), sums=False)
    assert "changed after it was written" in refused(path)


@pytest.mark.parametrize("name", ["manifest.json", "network.keras", "encoder.skops"])
def test_a_member_too_few(rewritten: Callable, name: str) -> None:
    refused(rewritten(lambda members: members.pop(name), sums=True))


def test_a_foreign_zip(tmp_path: Path) -> None:
    path = tmp_path / "foreign.kilter"
    for members in ({}, {"a.txt": "hi"}, {"manifest.json": "{}"}, {"manifest.json": "[1]"}):
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        assert "no kilter manifest" in refused(path)


def test_a_file_of_keras(tmp_path: Path) -> None:
    path = tmp_path / "network.keras"
    mlp(3, 2, hidden=()).save(path)
    assert "no kilter manifest" in refused(path)


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another format": lambda m: m.update(format="other"),
    "another version": lambda m: m.update(version=1),
    "no schema": lambda m: m.pop("schema"),
    "no classes": lambda m: m["schema"].pop("classes"),
    "a class too many": lambda m: m["schema"]["classes"].append("third"),
    "a class too few": lambda m: m["schema"]["classes"].pop(),
    "a column too few": lambda m: m["schema"]["columns"].pop(0),
    "a column of another kind": lambda m: m["schema"]["columns"][0].update(kind="category"),
    "a column of no kind": lambda m: m["schema"]["columns"][0].update(kind="image"),
    "columns as text": lambda m: m["schema"].update(columns="abc"),
    "a scale of zero": lambda m: m["calibrator"].update(scale=0),
    "a scale of words": lambda m: m["calibrator"].update(scale="big"),
    "a bias too many": lambda m: m["calibrator"].update(bias=[0.0, 0.0, 0.0]),
    "no bias": lambda m: m["calibrator"].pop("bias"),
    "a calibrator as a number": lambda m: m.update(calibrator=3),
    "an offset too many": lambda m: m["decision"].update(offsets=[0.0, 0.0, 0.0]),
    "offsets that are missing": lambda m: m["decision"].update(offsets=[None, None]),
    "a decision of no kind": lambda m: m["decision"].update(kind="vote"),
    "a decision as a list": lambda m: m.update(decision=[1, 2]),
    "costs of another size": lambda m: m.update(
        decision={"kind": "costs", "matrix": [[0, 1, 1], [1, 0, 1], [1, 1, 0]]}
    ),
    "nothing about it": lambda m: m.pop("about"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_manifest(rewritten: Callable, edit: str) -> None:
    def change(members: dict[str, bytes]) -> None:
        manifest = json.loads(members["manifest.json"])
        EDITS[edit](manifest)
        members["manifest.json"] = json.dumps(manifest).encode()

    refused(rewritten(change))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"null", b'"text"', b"3"])
def test_a_manifest_that_is_none(rewritten: Callable, content: bytes) -> None:
    def change(members: dict[str, bytes]) -> None:
        members["manifest.json"] = content

    assert "no kilter manifest" in refused(rewritten(change, sums=False))


@pytest.mark.parametrize("member", ["network.keras", "encoder.skops"])
@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_a_part_that_is_none_with_sums_that_fit(
    rewritten: Callable, member: str, content: bytes
) -> None:
    refused(rewritten(lambda members: members.update({member: content})))


def network_bytes(network: keras.Model, folder: Path) -> bytes:
    network.save(folder / "network.keras")
    return (folder / "network.keras").read_bytes()


@pytest.mark.parametrize(
    "network",
    [
        lambda width: mlp(width + 1, 2, hidden=()),
        lambda width: mlp(width, 4, hidden=()),  # 4 classes
    ],
)
def test_a_network_of_another_model(
    model: Model, rewritten: Callable, tmp_path: Path, network: Callable[[int], keras.Model]
) -> None:
    content = network_bytes(network(model.encoder.width), tmp_path)
    refused(rewritten(lambda members: members.update({"network.keras": content})))


def test_code_in_a_network_is_not_run(rewritten: Callable, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    path = str(mark)
    layer = keras.layers.Lambda(lambda x: [open(path, "w"), x][1], output_shape=(2,))  # noqa: SIM115
    rows = keras.Input((2,))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = keras.Model(rows, layer(rows))
        content = network_bytes(network, tmp_path)
    mark.unlink(missing_ok=True)
    refused(rewritten(lambda members: members.update({"network.keras": content})))
    assert not mark.exists()


# -- writing -----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["nowhere/model.kilter", "."])
def test_a_place_that_cannot_be_written(model: Model, tmp_path: Path, place: str) -> None:
    with pytest.raises(OutputError, match=r"^cannot write the model to `.*`: .*\.$"):
        model.save(tmp_path / place)


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_predictions_are_written_by_the_files_name(tmp_path: Path, name: str) -> None:
    table = pa.table({"prediction": ["fine", "fraud"], "p_fraud": [0.25, 0.75]})
    path = write_predictions(table, tmp_path / name)
    read = pa.csv.read_csv if name.endswith("csv") else pa.parquet.read_table
    assert read(path).equals(table)


def test_predictions_go_to_the_screen(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert write_predictions(pa.table({"prediction": [1]}), None) is None
    sys.stdout.flush()
    assert capfdbinary.readouterr().out.split() == [b'"prediction"', b"1"]


def test_predictions_that_cannot_be_written(tmp_path: Path) -> None:
    table = pa.table({"prediction": [1]})
    with pytest.raises(ArgumentError, match=r"`out` must end in \.csv or \.parquet"):
        write_predictions(table, tmp_path / "p.xlsx")
    (tmp_path / "folder.csv").mkdir()
    for place in (tmp_path / "nowhere" / "p.csv", tmp_path / "folder.csv"):
        with pytest.raises(OutputError, match=place.name) as info:
            write_predictions(table, place)
        assert "\n" not in str(info.value)


# -- rows to predict ---------------------------------------------------------------------


def test_columns_are_found_by_name_and_the_target_may_be_there(
    model: Model, rows: pa.Table
) -> None:
    expected = model.predict_proba(rows)
    np.testing.assert_array_equal(
        model.predict_proba(rows.select(rows.column_names[::-1])), expected
    )
    np.testing.assert_array_equal(model.predict_proba(made(50)), model.predict_proba(rows))


def test_rows_come_as_a_dataframe_or_from_a_file(
    model: Model, rows: pa.Table, tmp_path: Path
) -> None:
    expected = model.predict_proba(rows)
    pa.parquet.write_table(rows, tmp_path / "rows.parquet")
    pa.csv.write_csv(rows, tmp_path / "rows.csv")
    forms = (rows.to_pandas(), tmp_path / "rows.parquet", str(tmp_path / "rows.csv"))
    for data in forms:
        np.testing.assert_allclose(model.predict_proba(data), expected, rtol=1e-6)


def set_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop_columns("city"), "`city` is not there"),
        (lambda t: t.rename_columns(["amount", "day", "card", "town"]), "`city` is not there"),
        (lambda t: t.append_column("extra", pa.array([1] * 50)), "`extra` was not in it"),
        (lambda t: set_column(t, "amount", ["1"] * 50), "`amount` must hold numbers"),
        (lambda t: set_column(t, "city", [1.5] * 50), "`city` must hold text"),
        (lambda t: set_column(t, "card", [1] * 50), "`card` must hold booleans"),
        (lambda t: set_column(t, "day", [1] * 50), "`day` must hold dates"),
    ],
)
def test_rows_that_do_not_fit(
    model: Model, rows: pa.Table, change: Callable[[pa.Table], pa.Table], message: str
) -> None:
    for method in (model.predict, model.predict_proba, model.predict_table):
        with pytest.raises(SchemaError, match=message):
            method(change(rows))


def test_categories_never_seen_and_values_that_are_missing(model: Model, rows: pa.Table) -> None:
    odd = set_column(rows, "city", ["Lima"] * 50)
    empty = pa.table({name: pa.nulls(50) for name in rows.column_names})
    for table in (odd, empty):
        p = model.predict_proba(table)
        assert p.shape == (50, 2)
        assert np.isfinite(p).all()
        np.testing.assert_allclose(p.sum(axis=1), 1)
    assert np.ptp(model.predict_proba(empty), axis=0).max() < 1e-6
    assert np.ptp(model.predict_proba(odd), axis=0).max() > 0


@pytest.mark.parametrize("classes", [("fine", "fraud"), (1, 2, 5)])
@pytest.mark.parametrize("form", [pa.table, pd.DataFrame])
def test_no_rows_are_no_predictions(classes: tuple[Any, ...], form: Callable) -> None:
    model = make_model(classes)
    none = made(0).drop_columns("label")
    data = none if form is pa.table else none.to_pandas()
    assert model.predict_proba(data).shape == (0, len(classes))
    assert model.predict(data).shape == (0,)
    assert model.predict(data).dtype == model.classes_.dtype
    assert model.predict_table(data).num_rows == 0


def test_one_row_is_answered_as_among_many(model: Model, rows: pa.Table) -> None:
    one = model.predict_proba(rows.slice(7, 1))
    np.testing.assert_allclose(one, model.predict_proba(rows)[7:8], rtol=1e-5)


def test_python_does_nothing_for_each_row(model: Model) -> None:
    """A million rows take a second if all is done in arrays: count calls, not seconds."""

    def calls(table: pa.Table) -> int:
        model.predict(table)  # what is compiled for this shape is compiled now
        count = 0

        def counted(frame: Any, event: str, argument: Any) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(counted)
        try:
            model.predict(table)
        finally:
            sys.setprofile(None)
        return count

    few, many = calls(made(1_000)), calls(made(8_000))  # both one batch of the network
    assert many - few < 1_000


def test_a_model_can_be_moved(saved: Path, tmp_path: Path, rows: pa.Table, model: Model) -> None:
    path = Path(shutil.copy(saved, tmp_path / "any name.zip"))
    np.testing.assert_array_equal(load(path).predict_proba(rows), model.predict_proba(rows))


# -- a model for images ------------------------------------------------------------------


def make_image_model(channels: int = 1) -> Model:
    """Return a model of images of 6 by 5 pixels that has learned nothing."""
    shape = (6, 5, channels)
    column = Column("image", "image", shape=shape)
    schema = Schema((column,), "folder", ("bolt", "nut"))
    layers = keras.layers
    flat = [layers.Rescaling(1 / 255), layers.Flatten(), layers.Dense(2)]
    network = average_networks([keras.Sequential([keras.Input(shape), *flat])])
    calibrator = Calibrator(0.75, (-0.5, 0.5))
    return Model(schema, ImageEncoder(shape), network, calibrator, Threshold((0.0, 0.3)))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    for number in range(4):
        save(root / f"{number}.png", draw(6, 5, seed=number))
    return root


@pytest.fixture(scope="module")
def saved_image_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "images.kilter"
    make_image_model().save(path)
    return path


@pytest.mark.backend
def test_images_are_answered_the_same_after_loading(
    saved_image_model: Path, pictures: Path
) -> None:
    model = load(saved_image_model)
    kernel, bias = model.network.get_weights()
    pixels = np.array([draw(6, 5, seed=number) for number in range(4)])
    z = (pixels.reshape(4, -1) / 255) @ kernel + bias
    p = softmax(0.75 * np.log(softmax(z, axis=1)) + [-0.5, 0.5], axis=1)
    found = model.predict_table(pictures)
    assert found.column_names == ["file", "prediction", "p_bolt", "p_nut"]
    assert found["file"].to_pylist() == [f"{number}.png" for number in range(4)]
    np.testing.assert_allclose(found["p_nut"], p[:, 1], rtol=1e-4)
    labels = np.where(p[:, 1] * np.exp(0.3) > p[:, 0], "nut", "bolt")
    assert found["prediction"].to_pylist() == labels.tolist()
    for given in (pixels, pixels[..., None], [pictures / f"{number}.png" for number in range(4)]):
        np.testing.assert_allclose(model.predict_proba(given), p, rtol=1e-4)
    assert model.predict(pixels[:0]).shape == (0,)


def test_what_is_in_a_file_for_images(saved_image_model: Path) -> None:
    with zipfile.ZipFile(saved_image_model) as archive:
        assert archive.namelist() == ["manifest.json", "network.keras", "encoder.json"]
        assert json.loads(archive.read("encoder.json")) == {"shape": [6, 5, 1]}


def changed_image_model(path: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    correct_sums(members)
    return write_zip(path.with_name("changed.kilter"), members)


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda members: members.update({"encoder.json": b"{}"}),
        lambda members: members.update({"encoder.json": b'{"shape": [5, 6, 1]}'}),
        lambda members: members.update({"encoder.json": b'{"shape": [6, 5, 3]}'}),
        lambda members: members.update({"encoder.json": b"not JSON"}),
        lambda members: members.update({"encoder.skops": members.pop("encoder.json")}),
        lambda members: members.pop("encoder.json"),
    ],
)
def test_an_encoder_of_other_images(saved_image_model: Path, change: Callable) -> None:
    said = refused(changed_image_model(saved_image_model, change))
    assert "its manifest does not fit its parts" in said


def test_a_table_is_no_image_and_an_image_no_table(
    model: Model, pictures: Path, tmp_path: Path
) -> None:
    images = make_image_model()
    with pytest.raises(KilterError, match=r"images must come as a folder.* got a `DataFrame`"):
        images.predict(pd.DataFrame({"amount": [1.0]}))
    pyarrow.csv.write_csv(made(), tmp_path / "t.csv")
    with pytest.raises(SourceError, match="1 file that cannot be read as an image"):
        images.predict(tmp_path / "t.csv")
    with pytest.raises(KilterError, match="is a folder, where a table in one file was expected"):
        model.predict(pictures)


def test_images_of_another_size_are_brought_to_it(pictures: Path) -> None:
    model = make_image_model(channels=3)
    assert model.predict_proba(pictures).shape == (4, 2)
    assert model.predict_proba(draw(2, 12, 10, 3)).shape == (2, 2)


def test_large_images_are_predicted_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    model, sizes = make_image_model(), []
    pixels = draw(7, 6, 5, 1)
    expected = model.predict_proba(pixels)
    whole = model.network.predict

    def watched(x: np.ndarray, batch_size: int, verbose: int) -> np.ndarray:
        sizes.append(batch_size)
        return whole(x, batch_size=batch_size, verbose=verbose)

    monkeypatch.setattr(model.network, "predict", watched)
    monkeypatch.setattr("kilter.artifact.BATCH_NUMBERS", 3 * 30)
    np.testing.assert_allclose(model.predict_proba(pixels), expected, rtol=1e-5)
    assert sizes == [3]
