from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kilter._errors import ArgumentTypeError, SchemaError, SourceError
from kilter._types import Column, Images, Schema
from kilter.data.conform_images import conform_images
from kilter.data.images import load_images
from made_images import draw, save, save_folder


class TestConform:
    @pytest.fixture
    def schema(self):
        return Schema((Column("image", "image", shape=(8, 6, 1)),), "folder", ("a", "b"))

    @pytest.fixture
    def colour(self):
        return Schema((Column("image", "image", shape=(8, 6, 3)),), "folder", ("a", "b"))

    def test_the_training_images_come_back(self, tmp_path):
        data = load_images(save_folder(tmp_path, "a", "b"), size=5)
        features = conform_images(tmp_path, data.schema)
        assert features.files.tolist() == data.features.files.tolist()
        np.testing.assert_array_equal(features.pixels, data.features.pixels)
        assert features.pixels.dtype == np.uint8

    def test_a_folder_of_loose_images(self, tmp_path, schema):
        for name in ("b.png", "a.PNG", "deep/c.png", ".d.png", "__MACOSX/e.png"):
            save(tmp_path / name)
        assert conform_images(str(tmp_path), schema).files.tolist() == [
            "a.PNG",
            "b.png",
            "deep/c.png",
        ]

    def test_a_file(self, tmp_path, schema):
        path = save(tmp_path / "odd.name", draw(8, 6), format="png")
        features = conform_images(path, schema)
        assert features.files.tolist() == ["odd.name"]
        np.testing.assert_array_equal(features.pixels[0, ..., 0], draw(8, 6))

    def test_files_in_the_order_that_they_come_in(self, tmp_path, schema, monkeypatch):
        monkeypatch.chdir(tmp_path)
        near, far = save(Path("in/near.png")), save(tmp_path / "far.png")
        expected = ["in/near.png", str(far), "in/near.png"]
        paths = [near, far, near]
        for given in (
            paths,
            tuple(paths),
            np.array(paths),
            np.array([str(path) for path in paths]),
        ):
            features = conform_images(given, schema)
            assert features.files.tolist() == expected
            for path, image in zip(paths, features.pixels, strict=True):
                np.testing.assert_array_equal(image[..., 0], np.asarray(Image.open(path)))

    def test_no_files(self, tmp_path, schema):
        for nothing in ([], tmp_path, np.zeros((0, 9, 9), np.uint8)):
            features = conform_images(nothing, schema)
            assert features.pixels.shape == (0, 8, 6, 1)
            assert features.pixels.dtype == np.uint8
            assert features.files.dtype.kind == "U"

    def test_the_shape_is_that_of_training(self, tmp_path, schema, colour):
        save(tmp_path / "grey.png", draw(20, 30))
        save(tmp_path / "colour.png", draw(30, 20, 3))
        for given, shape in ((schema, (2, 8, 6, 1)), (colour, (2, 8, 6, 3))):
            assert conform_images(tmp_path, given).pixels.shape == shape

    def test_broken_files_are_refused_without_advice_that_is_not_for_them(self, tmp_path, schema):
        path = tmp_path / "a.png"
        path.write_bytes(b"")
        told = (
            "has 1 file that cannot be read as an image: {} (empty). Remove or mend what is broken."
        )
        for source, where, name in (
            (tmp_path, f"`{tmp_path}`", "a.png"),
            (path, f"`{tmp_path}`", "a.png"),
            ([path], "the list", str(path)),
        ):
            with pytest.raises(SourceError) as info:
                conform_images(source, schema)
            assert str(info.value) == f"{where} {told.format(name)}"

    def test_files_that_are_not_there(self, tmp_path, schema):
        with pytest.raises(SourceError, match="does not exist"):
            conform_images(tmp_path / "absent.png", schema)
        with pytest.raises(SourceError, match=r"the list has 1 file .*absent\.png \(not there\)"):
            conform_images([save(tmp_path / "a.png"), "absent.png"], schema)

    @pytest.mark.parametrize(
        ("source", "got"),
        [
            (None, "a `NoneType`"),
            (5, "a `int`"),
            (b"a.png", "a `bytes`"),
            ({"a.png"}, "a `set`"),
            (iter(["a.png"]), "a `list_iterator`"),
            (pd.DataFrame({"a": [1]}), "a `DataFrame`"),
            ([np.zeros((8, 6))], "a list with a `ndarray`"),
            (["a.png", None], "a list with a `NoneType`"),
            (np.array([["a.png"]]), "a list with a `list`"),
            (np.array([b"a.png"]), "a list with a `bytes`"),
        ],
    )
    def test_something_else(self, schema, source, got):
        with pytest.raises(ArgumentTypeError, match=rf"^images must come as .*; got {got}\. Use"):
            conform_images(source, schema)


class TestArrays:
    @pytest.fixture
    def schema(self):
        return Schema((Column("image", "image", shape=(8, 6, 1)),), "folder", ("a", "b"))

    @pytest.mark.parametrize("kind", [np.uint8, np.int64, np.uint16, np.float32, np.float64])
    @pytest.mark.parametrize("shape", [(5, 8, 6), (5, 8, 6, 1)])
    def test_pixels_up_to_255(self, schema, kind, shape):
        features = conform_images(draw(*shape).astype(kind), schema)
        assert isinstance(features, Images)
        np.testing.assert_array_equal(features.pixels, draw(5, 8, 6, 1))
        assert features.pixels.dtype == np.uint8
        assert features.files.tolist() == ["0", "1", "2", "3", "4"]

    def test_fractions_are_rounded(self, schema):
        pixels = np.full((1, 8, 6), 254.7)
        assert (conform_images(pixels, schema).pixels == 255).all()

    def test_darkness_has_no_scale(self, schema):
        assert not conform_images(np.zeros((2, 8, 6)), schema).pixels.any()

    @pytest.mark.parametrize(
        ("pixels", "got"),
        [
            (np.linspace(0, 1, 48), "0.0 to 1.0"),
            (np.linspace(-1, 1, 48), "-1.0 to 1.0"),
            (np.linspace(0, 65535, 48), "0.0 to 65535.0"),
            (np.full(48, np.nan), "nan to nan"),
            (np.append(np.full(47, 9.0), np.inf), "9.0 to inf"),
            (np.arange(48) % 2, "0 to 1"),
            (np.arange(48) > 5, "False to True"),
            (np.ones(48) * 1j, "1j to 1j"),
        ],
    )
    def test_another_scale(self, schema, pixels, got):
        with pytest.raises(
            SchemaError, match=rf"must hold numbers from 0 to 255; got {got}\. Multiply by 255"
        ):
            conform_images(pixels.reshape(1, 8, 6), schema)

    @pytest.mark.parametrize(
        "shape", [(8,), (8, 6), (2, 8, 6, 2), (2, 8, 6, 4), (1, 2, 8, 6, 1), (2, 0, 6), (2, 8, 0)]
    )
    def test_another_shape(self, schema, shape):
        with pytest.raises(SchemaError, match=r"shape \(images, height, width\), or .*; got \("):
            conform_images(np.zeros(shape, np.uint8), schema)

    @pytest.mark.parametrize("channels", [1, 3])
    def test_one_image_is_not_taken_for_many(self, schema, channels):
        with pytest.raises(
            SchemaError, match=r"One image needs an axis in front: `pixels\[None\]`"
        ):
            conform_images(draw(8, 6, channels), schema)

    def test_another_size_is_brought_to_that_of_training(self, schema):
        pixels = draw(3, 20, 10)
        features = conform_images(pixels, schema)
        for given, image in zip(pixels, features.pixels[..., 0], strict=True):
            by_pillow = Image.fromarray(given).resize((6, 8), Image.Resampling.BILINEAR)
            np.testing.assert_array_equal(image, np.asarray(by_pillow))

    def test_colours_and_grey(self, schema):
        pixels = draw(3, 8, 6, 3)
        grey = conform_images(pixels, schema).pixels[..., 0]
        assert np.abs(grey - pixels @ [0.299, 0.587, 0.114]).max() <= 0.51
        colour = Schema((Column("image", "image", shape=(8, 6, 3)),), "folder", ("a", "b"))
        np.testing.assert_array_equal(
            conform_images(draw(3, 8, 6), colour).pixels, np.stack([draw(3, 8, 6)] * 3, axis=-1)
        )

    def test_as_files_of_the_same_pixels(self, tmp_path, schema):
        pixels = draw(3, 21, 13)
        paths = [save(tmp_path / f"{at}.png", image) for at, image in enumerate(pixels)]
        np.testing.assert_array_equal(
            conform_images(paths, schema).pixels, conform_images(pixels, schema).pixels
        )
