import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kilter._errors import ArgumentError, DataError, SourceError
from kilter._types import Column, Schema
from kilter.data.images import load_images
from made_images import draw, save, save_folder


def names(root: Path, **options) -> list[str]:
    return load_images(root, **options).features.files.tolist()


class TestLoad:
    def test_a_folder_of_class_folders(self, tmp_path):
        pixels = {name: draw(8, 6, seed=at) for at, name in enumerate(["cat/2", "cat/10", "ant/1"])}
        for name, image in pixels.items():
            save(tmp_path / "pets" / f"{name}.png", image)
        data = load_images(tmp_path / "pets")
        assert data.name == "pets"
        assert data.schema == Schema(
            (Column("image", "image", shape=(8, 6, 1)),), "folder", ("ant", "cat")
        )
        assert data.labels.tolist() == [0, 1, 1]
        assert data.labels.dtype == np.int64
        assert data.features.files.tolist() == ["ant/1.png", "cat/10.png", "cat/2.png"]
        assert data.held_out is data.groups is data.times is None
        for file, image in zip(data.features.files, data.features.pixels, strict=True):
            np.testing.assert_array_equal(image[..., 0], pixels[file.removesuffix(".png")])

    def test_name_and_size(self, tmp_path):
        data = load_images(str(save_folder(tmp_path, "a", "b")), name="mine", size=(5, 7))
        assert data.name == "mine"
        assert data.features.pixels.shape == (6, 5, 7, 1)
        assert data.schema.columns[0].shape == (5, 7, 1)

    def test_the_folder_one_is_in_has_a_name(self, tmp_path, monkeypatch):
        monkeypatch.chdir(save_folder(tmp_path / "pets", "a", "b"))
        assert load_images(".").name == "pets"
        assert load_images("").features.files[0] == "a/0.png"

    def test_one_image_in_colour_makes_all_so(self, tmp_path):
        save_folder(tmp_path, "a", "b")
        save(tmp_path / "b" / "colour.png", draw(8, 6, 3))
        assert load_images(tmp_path).features.pixels.shape == (7, 8, 6, 3)

    def test_folders_in_a_class_are_of_the_class(self, tmp_path):
        save_folder(tmp_path, "a", "b")
        save(tmp_path / "b" / "deep" / "deeper" / "9.png")
        data = load_images(tmp_path)
        assert data.features.files[-1] == "b/deep/deeper/9.png"
        assert data.labels[-1] == 1

    @pytest.mark.parametrize(
        "name", ["9.PNG", "9.Jpeg", "9.jpg", "9.bmp", "9.gif", "9.TIFF", "9.webp"]
    )
    def test_suffixes(self, tmp_path, name):
        save_folder(tmp_path, "a", "b")
        save(tmp_path / "a" / name)
        assert f"a/{name}" in names(tmp_path)

    def test_what_is_hidden_or_no_image_is_passed_over(self, tmp_path):
        save_folder(tmp_path, "a", "b")
        expected = names(tmp_path)
        for hidden in (
            ".git/c/1.png",
            "__MACOSX/a/1.png",
            "a/.ipynb_checkpoints/0-checkpoint.png",
            "a/__MACOSX/1.png",
            "a/._0.png",
            "loose.png",
        ):
            save(tmp_path / hidden)
        (tmp_path / "a" / "notes.txt").write_text("no image")
        (tmp_path / "labels.csv").write_text("a,b")
        (tmp_path / "empty").mkdir()
        assert names(tmp_path) == expected

    @pytest.mark.parametrize("folder", [".pictures", "ünder 猫 (1)", "a b'c"])
    def test_the_folder_itself_may_be_called_anything(self, tmp_path, folder):
        data = load_images(save_folder(tmp_path / folder, "ünd", "猫 (2)"))
        assert data.name == folder
        assert data.schema.classes == ("ünd", "猫 (2)")
        assert data.features.files[-1] == "猫 (2)/2.png"

    @pytest.mark.skipif(os.name != "posix", reason="names are text elsewhere")
    def test_names_that_are_no_text(self, tmp_path):
        save_folder(tmp_path, "a", "b")
        (tmp_path / "a").rename(tmp_path / os.fsdecode(b"caf\xe9"))
        data = load_images(tmp_path)
        assert data.schema.classes == ("b", r"caf\xe9")
        assert "".join(data.features.files).encode()

    def test_links_to_folders_and_files(self, tmp_path):
        root = save_folder(tmp_path / "root", "a")
        save_folder(tmp_path / "else", "far")
        (root / "b").symlink_to(tmp_path / "else" / "far", target_is_directory=True)
        (root / "a" / "link.png").symlink_to(tmp_path / "else" / "far" / "0.png")
        data = load_images(root)
        assert data.features.files.tolist() == [
            *("a/0.png", "a/1.png", "a/2.png", "a/link.png"),
            *("b/0.png", "b/1.png", "b/2.png"),
        ]
        np.testing.assert_array_equal(data.features.pixels[3], data.features.pixels[4])

    def test_the_same_image_in_two_classes_is_in_both(self, tmp_path):
        for label in ("a", "b"):
            save(tmp_path / label / "1.png", draw(8, 6))
        assert load_images(tmp_path).labels.tolist() == [0, 1]


class TestParts:
    @pytest.mark.parametrize(
        ("train", "test"), [("train", "test"), ("Training", "TESTING"), ("valid", "test")]
    )
    def test_what_is_in_test_is_held_out(self, tmp_path, train, test):
        save_folder(tmp_path / train, "a", "b", count=3)
        save_folder(tmp_path / test, "a", "b", count=2)
        data = load_images(tmp_path)
        assert data.schema.classes == ("a", "b")
        assert data.held_out.dtype == bool
        for file, tested, label in zip(
            data.features.files, data.held_out, data.labels, strict=True
        ):
            part, folder, _ = file.split("/")
            assert tested == (part == test)
            assert folder == "ab"[label]
        assert data.held_out.sum() == 4

    @pytest.mark.parametrize("held_back", ["val", "valid", "validation", "VAL"])
    def test_what_others_validate_on_is_learned_from(self, tmp_path, held_back):
        for part in ("train", held_back, "test"):
            save_folder(tmp_path / part, "a", "b")
        data = load_images(tmp_path)
        assert len(data) == 18
        assert data.held_out.sum() == 6
        assert not any(file.startswith(held_back) for file in data.features.files[data.held_out])

    def test_parts_without_a_test_are_pooled(self, tmp_path):
        for part in ("train", "val"):
            save_folder(tmp_path / part, "a", "b")
        data = load_images(tmp_path)
        assert data.schema.classes == ("a", "b")
        assert data.held_out is None
        assert len(data) == 12

    def test_parts_that_differ_in_case_are_both_taken(self, tmp_path):
        for part in ("train", "Train", "test"):
            save_folder(tmp_path / part, "a", "b")
        if len(list(tmp_path.iterdir())) < 3:
            pytest.skip("this file system has one name for both")
        assert len(load_images(tmp_path)) == 18

    def test_other_folders_beside_parts_are_passed_over(self, tmp_path):
        for part in ("train", "test", "more"):
            save_folder(tmp_path / part, "a", "b")
        assert not any(name.startswith("more") for name in names(tmp_path))

    def test_classes_may_be_called_like_parts(self, tmp_path):
        data = load_images(save_folder(tmp_path, "train", "test", "val"))
        assert data.schema.classes == ("test", "train", "val")
        assert data.held_out is None

    def test_one_part_alone_is_a_class(self, tmp_path):
        save_folder(tmp_path, "car")
        save(tmp_path / "train" / "old" / "1.png")
        assert load_images(tmp_path).schema.classes == ("car", "train")

    @pytest.mark.parametrize("part", ["test", "val"])
    def test_a_part_without_classes_is_refused(self, tmp_path, part):
        save_folder(tmp_path / "train", "a", "b")
        save(tmp_path / part / "1.png")
        with pytest.raises(DataError, match=rf"has `{part}` with images in no folder of a class"):
            load_images(tmp_path)

    def test_an_empty_part_is_passed_over(self, tmp_path):
        save_folder(tmp_path / "train", "a", "b")
        (tmp_path / "test").mkdir()
        data = load_images(tmp_path)
        assert data.schema.classes == ("a", "b")
        assert data.held_out is None

    def test_a_class_to_test_on_must_be_learned(self, tmp_path):
        save_folder(tmp_path / "train", "a", "b")
        save_folder(tmp_path / "test", "a", "b", "c")
        with pytest.raises(
            DataError, match=r"classes to test on that there .* to learn of: `c`\. "
        ):
            load_images(tmp_path)

    def test_a_class_need_not_be_tested(self, tmp_path):
        save_folder(tmp_path / "train", "a", "b", "c")
        save_folder(tmp_path / "test", "a", "b")
        assert load_images(tmp_path).schema.classes == ("a", "b", "c")


class TestBroken:
    @pytest.fixture
    def folder(self, tmp_path):
        save_folder(tmp_path, "a", "b")
        (tmp_path / "a" / "bad (1).png").write_text("not an image")
        (tmp_path / "b" / "0.png").write_bytes(b"")
        return tmp_path

    def test_refused_by_name_and_reason(self, folder):
        with pytest.raises(SourceError) as info:
            load_images(folder)
        assert str(info.value) == (
            f"`{folder}` has 2 files that cannot be read as an image: a/bad (1).png (not an image, "
            "or damaged), b/0.png (empty). Remove or mend what is broken, or leave it out with "
            "`broken='skip'` (`--broken skip`)."
        )

    def test_skipped_and_named(self, folder):
        data = load_images(folder, broken="skip")
        assert data.schema.ignored == (("a/bad (1).png", "broken"), ("b/0.png", "broken"))
        assert data.features.files.tolist() == [
            *("a/0.png", "a/1.png", "a/2.png"),
            *("b/1.png", "b/2.png"),
        ]
        assert data.labels.tolist() == [0, 0, 0, 1, 1]
        for file, image in zip(data.features.files, data.features.pixels, strict=True):
            np.testing.assert_array_equal(image[..., 0], np.asarray(Image.open(folder / file)))

    def test_a_typing_error_is_found_before_anything_is_read(self, tmp_path):
        with pytest.raises(ArgumentError, match=r"`broken` must be .* Did you mean `skip`\?"):
            load_images(tmp_path / "absent", broken="skp")

    def test_held_out_rows_stay_in_step(self, tmp_path):
        for part in ("train", "test"):
            save_folder(tmp_path / part, "a", "b")
        (tmp_path / "train" / "a" / "1.png").write_bytes(b"")
        (tmp_path / "test" / "b" / "2.png").write_bytes(b"")
        data = load_images(tmp_path, broken="skip")
        tested = [file.startswith("test") for file in data.features.files]
        assert data.held_out.tolist() == tested
        assert sum(tested) == 5

    def test_all_are_broken(self, tmp_path):
        for path in save_folder(tmp_path, "a", "b").rglob("*.png"):
            path.write_bytes(b"")
        with pytest.raises(DataError, match=r"has no image that can be read\. Check"):
            load_images(tmp_path, broken="skip")

    def test_a_class_of_which_all_are_broken(self, tmp_path):
        for path in (save_folder(tmp_path, "a", "b") / "b").iterdir():
            path.write_bytes(b"")
        with pytest.raises(DataError, match="its images are all in `a`"):
            load_images(tmp_path, broken="skip")

    def test_all_to_learn_a_class_of_are_broken(self, tmp_path):
        for part in ("train", "test"):
            save_folder(tmp_path / part, "a", "b")
        for path in (tmp_path / "train" / "b").iterdir():
            path.write_bytes(b"")
        with pytest.raises(DataError, match="classes to test on that there is nothing to learn of"):
            load_images(tmp_path, broken="skip")

    def test_a_link_to_nothing(self, tmp_path):
        save_folder(tmp_path, "a", "b")
        (tmp_path / "a" / "9.png").symlink_to(tmp_path / "gone.png")
        with pytest.raises(SourceError, match=r"a/9\.png \(not there\)"):
            load_images(tmp_path)


class TestRefused:
    def test_no_folder(self, tmp_path):
        for path in (tmp_path / "absent", save(tmp_path / "a.png")):
            with pytest.raises(SourceError, match=r"` is no folder\. Check the path"):
                load_images(path)

    def test_no_images(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "b.csv").write_text("1,2")
        with pytest.raises(
            DataError, match=r"must have a folder of images for .*, and it has none"
        ):
            load_images(tmp_path)

    def test_images_in_no_class(self, tmp_path):
        for number in range(1200):
            (tmp_path / f"{number}.png").touch()
        with pytest.raises(DataError, match="it has 1,200 images in no folder of a class"):
            load_images(tmp_path)

    def test_one_class(self, tmp_path):
        with pytest.raises(DataError, match=r"two classes or more; its images are all in `a`\."):
            load_images(save_folder(tmp_path, "a"))

    def test_a_size_that_is_none(self, tmp_path):
        with pytest.raises(ArgumentError, match="`size` must be a number of pixels"):
            load_images(save_folder(tmp_path, "a", "b"), size="large")

    @pytest.mark.parametrize("closed", [".", "a", "a/deep"])
    def test_a_folder_that_may_not_be_read(self, tmp_path, monkeypatch, closed):
        save_folder(tmp_path, "a", "b")
        save(tmp_path / "a" / "deep" / "1.png")
        for module, name in ((os, "scandir"), (os, "listdir")):
            monkeypatch.setattr(module, name, closing(tmp_path / closed, getattr(module, name)))
        with pytest.raises(SourceError, match=r"` cannot be read: Permission denied\. Change its"):
            load_images(tmp_path)


def closing(closed, real):
    def look(path="."):
        if Path(path) == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    return look
