import os
from pathlib import Path

import joblib
import numpy as np
import PIL
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kilter._errors import ArgumentError, SourceError
from kilter.data import decode as module
from kilter.data.decode import (
    Header,
    as_text,
    check_broken,
    common_shape,
    decode,
    named,
    refuse_broken,
)
from made_images import draw, save

GREY, COLOUR = draw(8, 6), draw(8, 6, 3)
TURNS = {  # what EXIF says of how a camera was held: how to put it right
    1: lambda image: image,
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).T,
    8: np.rot90,
}


def decode_one(path: Path, shape=None, size=None) -> np.ndarray:
    pixels, faults = decode([path], shape, size)
    assert not faults
    return pixels[0]


class TestFormats:
    @pytest.mark.parametrize("name", ["a.png", "a.PNG", "a.bmp", "a.tif", "a.tiff"])
    @pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
    def test_lossless_pixels_come_back_exactly(self, tmp_path, name, image):
        pixels = decode_one(save(tmp_path / name, image))
        np.testing.assert_array_equal(pixels, image.reshape(8, 6, -1))
        assert pixels.dtype == np.uint8

    def test_webp(self, tmp_path):
        pixels = decode_one(save(tmp_path / "a.webp", COLOUR, lossless=True))
        np.testing.assert_array_equal(pixels, COLOUR)

    @pytest.mark.parametrize("image", [GREY, COLOUR], ids=["grey", "colour"])
    def test_jpeg_as_pillow_decodes_it(self, tmp_path, image):
        path = save(tmp_path / "a.jpg", image)
        np.testing.assert_array_equal(
            decode_one(path), np.asarray(Image.open(path)).reshape(8, 6, -1)
        )

    def test_sixteen_bits_keep_the_upper_half(self, tmp_path):
        deep = np.random.default_rng(0).integers(0, 2**16, (8, 6), np.uint16)
        path = save(tmp_path / "a.png", deep)
        np.testing.assert_array_equal(decode_one(path)[..., 0], deep // 256)
        np.testing.assert_array_equal(
            decode_one(path, (8, 6, 3)), np.repeat(deep[..., None] // 256, 3, axis=2)
        )

    def test_a_dark_image_of_sixteen_bits_has_the_scale_of_a_bright_one(self, tmp_path):
        path = save(tmp_path / "a.png", GREY.astype(np.uint16))
        assert not decode_one(path).any()

    def test_more_than_sixteen_bits_are_clipped_and_do_not_wrap(self, tmp_path):
        deep = np.array([[-5, 2**8, 2**16, 2**17 + 5, 2**31 - 1]], np.int32)
        path = save(tmp_path / "a.tif", deep)
        assert decode_one(path).ravel().tolist() == [0, 1, 255, 255, 255]

    def test_fractions_up_to_255(self, tmp_path):
        path = save(tmp_path / "a.tif", GREY.astype(np.float32))
        np.testing.assert_array_equal(decode_one(path)[..., 0], GREY)

    def test_black_and_white(self, tmp_path):
        path = save(tmp_path / "a.png", GREY > 99)
        np.testing.assert_array_equal(decode_one(path)[..., 0], np.where(GREY > 99, 255, 0))

    @pytest.mark.parametrize("channels", [2, 4])
    def test_transparency_is_left_out(self, tmp_path, channels):
        image = draw(8, 6, channels)
        pixels = decode_one(save(tmp_path / "a.png", image))
        np.testing.assert_array_equal(pixels, image[..., : channels - 1])

    @pytest.mark.parametrize("transparency", [None, 3, bytes(range(16))])
    def test_palette(self, tmp_path, transparency):
        image = Image.fromarray(COLOUR).quantize(16)
        extra = {} if transparency is None else {"transparency": transparency}
        image.save(tmp_path / "a.png", **extra)
        colours = np.array(image.getpalette()).reshape(-1, 3)
        np.testing.assert_array_equal(decode_one(tmp_path / "a.png"), colours[np.asarray(image)])

    def test_inks_become_light(self, tmp_path):
        inks = np.zeros((16, 16, 4), np.uint8)
        inks[..., 0] = 255  # cyan
        Image.fromarray(inks, "CMYK").save(tmp_path / "a.jpg")
        assert np.abs(decode_one(tmp_path / "a.jpg").astype(int) - [0, 255, 255]).max() <= 3

    def test_the_first_picture_of_an_animation(self, tmp_path):
        pictures = [Image.fromarray(draw(8, 6, seed=seed)) for seed in range(3)]
        pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
        pixels = decode_one(tmp_path / "a.gif", (8, 6, 1))
        np.testing.assert_array_equal(pixels[..., 0], np.asarray(pictures[0]))

    @pytest.mark.parametrize("name", ["a.png", "a.tif", "a.webp"])
    @pytest.mark.parametrize("turn", TURNS)
    def test_a_camera_that_was_turned(self, tmp_path, name, turn):
        exif = Image.Exif()
        exif[0x0112] = turn
        lossless = {"lossless": True} if name == "a.webp" else {}
        path = save(tmp_path / name, GREY, exif=exif, **lossless)
        np.testing.assert_array_equal(
            decode_one(path, (*TURNS[turn](GREY).shape, 1))[..., 0], TURNS[turn](GREY)
        )
        assert decode_one(path).shape[:2] == TURNS[turn](GREY).shape

    def test_a_turned_jpeg_is_not_decoded_too_small(self, tmp_path):
        exif = Image.Exif()
        exif[0x0112] = 6
        smooth = np.add.outer(np.arange(128), np.arange(2048) / 16).clip(0, 255).astype(np.uint8)
        path = save(tmp_path / "a.jpg", smooth, exif=exif, quality=95)
        expected = Image.fromarray(np.rot90(smooth, -1)).resize((60, 90), Image.Resampling.BILINEAR)
        pixels = decode_one(path, (90, 60, 1))[..., 0]
        assert np.abs(pixels.astype(int) - np.asarray(expected)).max() <= 3

    def test_odd_metadata_is_no_fault(self, tmp_path):
        bad = b"Exif\0\0II*\0\xff\xff\xff\xff"
        assert decode_one(save(tmp_path / "a.jpg", COLOUR, exif=bad)).shape == (8, 6, 3)


class TestShape:
    def test_colour_becomes_grey_by_luminance(self, tmp_path):
        pixels = decode_one(save(tmp_path / "a.png", COLOUR), (8, 6, 1))[..., 0]
        assert np.abs(pixels - COLOUR @ [0.299, 0.587, 0.114]).max() <= 0.51

    def test_grey_is_repeated_where_others_have_colour(self, tmp_path):
        paths = [save(tmp_path / "a.png", GREY), save(tmp_path / "b.png", COLOUR)]
        pixels, _ = decode(paths)
        assert pixels.shape == (2, 8, 6, 3)
        np.testing.assert_array_equal(pixels[0], np.repeat(GREY[..., None], 3, axis=2))
        np.testing.assert_array_equal(pixels[1], COLOUR)

    def test_half_the_size_is_a_weighed_mean(self, tmp_path):
        image = draw(32, 32)
        halved = decode_one(save(tmp_path / "a.png", image), size=16)[..., 0]
        weights = np.array([1, 3, 3, 1]) / 8
        for y, x in np.ndindex(14, 14):
            around = image[2 * y + 1 : 2 * y + 5, 2 * x + 1 : 2 * x + 5]
            assert abs(halved[y + 1, x + 1] - weights @ around @ weights) <= 1.5

    def test_the_median_of_mixed_sizes(self, tmp_path):
        sizes = [(10, 8), (12, 8), (50, 20)]
        paths = [save(tmp_path / f"{size}.png", draw(*size)) for size in sizes]
        assert decode(paths).pixels.shape == (3, 12, 8, 1)

    @pytest.mark.parametrize(
        ("sizes", "expected"),
        [
            ([(300, 200)], (64, 43)),
            ([(64, 64)], (64, 64)),
            ([(65, 64)], (64, 63)),
            ([(1, 20000)], (1, 64)),
            ([(10, 10), (20, 10)], (15, 10)),
            ([], (1, 1)),
        ],
    )
    def test_common_shape(self, sizes, expected):
        headers = [Header(*size, grey=False) for size in sizes]
        assert common_shape(headers) == (*expected, 3)

    @given(st.lists(st.tuples(st.integers(1, 9000), st.integers(1, 9000)), min_size=1, max_size=9))
    def test_images_never_grow_beyond_the_median(self, sizes):
        height, width, _ = common_shape([Header(*size, grey=True) for size in sizes])
        medians = np.median(sizes, axis=0)
        assert 1 <= height <= min(64, medians[0] + 0.5)
        assert 1 <= width <= min(64, medians[1] + 0.5)
        if max(medians) > 64:
            assert max(height, width) == 64

    @pytest.mark.parametrize("size", [5, np.int64(5), (5, 5), [5, 5], np.array([5, 5])])
    def test_a_size_that_is_asked_for(self, tmp_path, size):
        assert decode_one(save(tmp_path / "a.png", COLOUR), size=size).shape == (5, 5, 3)

    def test_a_pair_is_height_and_width(self, tmp_path):
        assert decode_one(save(tmp_path / "a.png", COLOUR), size=(100, 7)).shape == (100, 7, 3)

    @pytest.mark.parametrize(
        "size", [0, -1, True, 6.5, 64.0, "64", "ab", (8,), (8, 0), (8, 8, 3), (8.0, 8), object()]
    )
    def test_no_size(self, tmp_path, size):
        with pytest.raises(ArgumentError, match=r"^`size` must be a number of pixels, or height"):
            decode([tmp_path / "absent.png"], size=size)

    @pytest.mark.parametrize("size", [10**9, 10**11])
    def test_more_than_the_memory_holds(self, tmp_path, size):
        with pytest.raises(ArgumentError, match=r"^`size` must leave room in the memory, which 1"):
            decode([save(tmp_path / "a.png")], size=size)

    def test_no_files(self):
        assert decode([], (8, 6, 1)).pixels.shape == (0, 8, 6, 1)
        assert len(decode([]).pixels) == 0

    def test_order_is_kept(self, tmp_path):
        paths = [save(tmp_path / f"{at}.png", np.full((2, 2), at, np.uint8)) for at in range(99)]
        assert decode(paths[::-1]).pixels[:, 0, 0, 0].tolist() == list(range(99))[::-1]


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class TestFaults:
    def fault(self, path: Path) -> str:
        whole = save(path.parent / "whole.png", draw(64, 48))
        pixels, faults = decode([whole, path, whole])
        assert list(faults) == [1]
        assert not pixels[1].any()
        np.testing.assert_array_equal(pixels[0, ..., 0], draw(64, 48))
        np.testing.assert_array_equal(pixels[2], pixels[0])
        return faults[1]

    def test_empty(self, tmp_path):
        (tmp_path / "a.png").touch()
        assert self.fault(tmp_path / "a.png") == "empty"

    @pytest.mark.parametrize("suffix", ["png", "jpg", "bmp"])
    def test_cut_off(self, tmp_path, suffix):
        path = save(tmp_path / f"a.{suffix}", draw(64, 48))
        cut_in_half(path)
        assert self.fault(path) == "cut off"

    def test_text(self, tmp_path):
        (tmp_path / "a.png").write_text("not a picture")
        assert self.fault(tmp_path / "a.png") == "not an image, or damaged"

    def test_a_folder(self, tmp_path):
        (tmp_path / "a.png").mkdir()
        assert self.fault(tmp_path / "a.png") == "not an image, or damaged"

    def test_no_pixels(self, tmp_path):
        header = b"BM" + bytes([54, 0, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40, 0, 0, 0])
        (tmp_path / "a.bmp").write_bytes(
            header + bytes(4) + bytes([5, 0, 0, 0, 1, 0, 24]) + bytes(25)
        )
        assert self.fault(tmp_path / "a.bmp") == "not an image, or damaged"

    def test_not_there(self, tmp_path):
        assert self.fault(tmp_path / "a.png") == "not there"

    def test_a_link_to_nothing(self, tmp_path):
        (tmp_path / "a.png").symlink_to(tmp_path / "nothing.png")
        assert self.fault(tmp_path / "a.png") == "not there"

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_may_not_be_read(self, tmp_path):
        save(tmp_path / "a.png").chmod(0)
        assert self.fault(tmp_path / "a.png") == "may not be read"

    def test_may_not_be_read_by_anyone(self, tmp_path, monkeypatch):
        path, real = save(tmp_path / "a.png"), Path.open

        def refuse(wanted, mode):
            if wanted == path:
                raise PermissionError(13, "Permission denied")
            return real(wanted, mode)

        monkeypatch.setattr(Path, "open", refuse)
        assert self.fault(path) == "may not be read"

    def test_far_too_large(self, tmp_path):
        Image.new("1", (20_000, 10_000)).save(tmp_path / "a.png")
        assert self.fault(tmp_path / "a.png") == "too large"

    def test_large_is_no_fault(self, tmp_path, monkeypatch):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
        assert decode_one(save(tmp_path / "a.png", GREY)).shape == (8, 6, 1)

    def test_fractions_up_to_one_would_be_black(self, tmp_path):
        path = save(tmp_path / "a.tif", (GREY / 255).astype(np.float32))
        assert self.fault(path) == "its pixels lie between 0 and 1, not 255"

    def test_what_is_cut_off_still_has_a_size(self, tmp_path):
        path = save(tmp_path / "a.png", draw(60, 40))
        cut_in_half(path)
        assert decode([path]).pixels.shape == (1, 60, 40, 1)


@pytest.fixture
def kept(monkeypatch, tmp_path):
    """Keep all that is decoded, and return the files that are."""
    decoded, real = [], module._pixels
    monkeypatch.setattr(module, "KEPT_FROM", 1)
    monkeypatch.setattr(
        module, "_pixels", lambda path, shape: decoded.append(path) or real(path, shape)
    )
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return decoded


class TestCache:
    @pytest.fixture
    def paths(self, tmp_path):
        return [save(tmp_path / f"{at}.png", draw(8, 6, seed=at)) for at in range(3)]

    @pytest.fixture
    def expected(self):
        return np.stack([draw(8, 6, 1, seed=at) for at in range(3)])

    def test_a_file_is_decoded_once(self, kept, paths, expected):
        for _ in range(3):
            pixels, faults = decode(paths)
            np.testing.assert_array_equal(pixels, expected)
            assert faults == {}
            assert len(kept) == 3

    def test_a_size_has_one_entry_however_it_is_written(self, kept, paths):
        for size in (5, np.int64(5), (5, 5), [5, 5]):
            assert decode(paths, size=size).pixels.shape == (3, 5, 5, 1)
        assert len(kept) == 3

    def test_another_shape_order_or_version_is_decoded_anew(self, kept, paths, monkeypatch):
        decode(paths)
        assert decode(paths, (4, 4, 3)).pixels.shape == (3, 4, 4, 3)
        assert len(kept) == 6
        decode(paths[::-1])
        assert len(kept) == 9
        monkeypatch.setattr(module, "MAKE", (*module.MAKE, "other"))
        decode(paths)
        assert len(kept) == 12

    def test_another_pillow_or_limit_is_another_version(self):
        assert {PIL.__version__, module.LARGEST} < set(module.MAKE)

    def test_a_changed_file_is_decoded_anew(self, kept, paths):
        decode(paths)
        changed = draw(8, 6, seed=9)
        save(paths[1], changed)
        np.testing.assert_array_equal(decode(paths).pixels[1, ..., 0], changed)
        assert len(kept) == 6

    def test_even_if_its_time_and_size_are_the_same(self, kept, tmp_path):
        path = save(tmp_path / "a.bmp", GREY)
        before = path.stat()
        decode([path])
        save(path, GREY[::-1])
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert path.stat().st_size == before.st_size
        np.testing.assert_array_equal(decode([path]).pixels[0, ..., 0], GREY[::-1])

    def test_faults_are_kept_until_the_file_or_its_mode_changes(self, kept, paths):
        paths[2].write_text("text")
        for _ in range(2):
            assert decode(paths).faults == {2: "not an image, or damaged"}
        assert len(kept) == 2
        paths[2].chmod(0o640)
        decode(paths)
        assert len(kept) == 4

    def test_what_is_not_there_is_not_kept(self, kept, paths):
        paths[0].unlink()
        for _ in range(2):
            assert decode(paths, (8, 6, 1)).faults == {0: "not there"}
        assert len(kept) == 6

    def test_kept_pixels_do_not_change(self, kept, paths):
        pixels = decode(paths).pixels
        with pytest.raises(ValueError, match="read-only"):
            pixels[0] = 0

    def test_few_files_are_not_kept(self, paths, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        decode(paths)
        assert not (tmp_path / "cache").exists()

    def test_a_cache_that_cannot_be_made(self, kept, paths, expected, tmp_path, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", str(paths[0]))
        np.testing.assert_array_equal(decode(paths).pixels, expected)

    def test_no_home(self, kept, paths, expected, monkeypatch):
        def lost():
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.delenv("XDG_CACHE_HOME")
        monkeypatch.setattr(Path, "home", lost)
        np.testing.assert_array_equal(decode(paths).pixels, expected)

    @pytest.mark.filterwarnings("ignore:Unable to cache to disk")
    def test_a_full_disk(self, kept, paths, expected, monkeypatch):
        def full(*_, **__):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(joblib.numpy_pickle, "dump", full)
        np.testing.assert_array_equal(decode(paths).pixels, expected)

    def test_the_cache_stays_small(self, kept, paths, expected, monkeypatch):
        monkeypatch.setattr(module, "CACHE_BYTES", 0)
        np.testing.assert_array_equal(decode(paths).pixels, expected)
        assert not list(module.cache_folder().rglob("*.pkl"))

    def test_where_it_is(self, monkeypatch, tmp_path):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert module.cache_folder() == tmp_path / "kilter" / "images"
        monkeypatch.setenv("XDG_CACHE_HOME", "")
        monkeypatch.setattr(Path, "home", lambda: tmp_path)
        assert module.cache_folder() == tmp_path / ".cache" / "kilter" / "images"


class TestBroken:
    def test_the_first_few_are_named(self):
        names = [f"{at}.png (empty)" for at in range(1207)]
        with pytest.raises(SourceError) as info:
            refuse_broken(names[::-1], "`pictures`", ", or burn it")
        assert str(info.value) == (
            "`pictures` has 1,207 files that cannot be read as an image: 0.png (empty), 1.png "
            "(empty), 10.png (empty), 100.png (empty), 1000.png (empty) and 1,202 more. Remove or "
            "mend what is broken, or burn it."
        )

    def test_one_is_singular_and_none_is_fine(self):
        with pytest.raises(SourceError, match=r"^x has 1 file that .* is broken\.$"):
            refuse_broken(["a"], "x")
        refuse_broken([], "x")

    @pytest.mark.parametrize("broken", ["skipp", None, 3, ["skip"]])
    def test_what_to_do_about_them(self, broken):
        with pytest.raises(ArgumentError, match=r"^`broken` must be one of refuse, skip; got `"):
            check_broken(broken)
        check_broken("skip")

    def test_a_typing_error(self):
        with pytest.raises(ArgumentError, match=r"Did you mean `refuse`\?"):
            check_broken("refus")


@pytest.mark.parametrize("name", ["plain", "ünder 猫 (1)", "日本"])
def test_names_are_as_they_are(name):
    assert as_text(name) == name
    assert named(Path("root", "deep", name), Path("root")) == f"deep/{name}"
    assert named(Path("/else", name), Path("root")) == f"/else/{name}"


def test_names_that_are_no_text_can_be_written():
    assert as_text(os.fsdecode(b"caf\xe9")) == r"caf\xe9"
