"""Maps against what numpy does to the pixels; what is drawn stays within its limits."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from kilter._errors import ArgumentError
from kilter.augment.affine import RandomAffine

pytestmark = pytest.mark.backend


def changed(layer: RandomAffine, images: np.ndarray) -> np.ndarray:
    return keras.ops.convert_to_numpy(layer(images, training=True))


def noise(rows: int = 64, height: int = 9, width: int = 12) -> np.ndarray:
    return np.random.default_rng(0).random((rows, height, width, 3)).astype(np.float32)


@pytest.mark.parametrize(
    ("flip", "ways"),
    [
        ("horizontal", [(1, 1), (1, -1)]),
        ("vertical", [(1, 1), (-1, 1)]),
        ("both", [(1, 1), (1, -1), (-1, 1), (-1, -1)]),
    ],
)
def test_half_of_the_images_are_mirrored_each_way(flip: str, ways: list[tuple[int, int]]) -> None:
    images = noise(400)
    found = changed(RandomAffine(flip=flip, seed=0), images)
    rows = {way: images[:, :: way[0], :: way[1]] for way in ways}
    same = {way: np.abs(found - one).max(axis=(1, 2, 3)) < 1e-4 for way, one in rows.items()}
    counts = [int(one.sum()) for one in same.values()]
    assert sum(counts) == len(images)
    assert min(counts) > len(images) / len(ways) * 0.7


def test_nothing_to_do_changes_nothing() -> None:
    images = noise()
    np.testing.assert_allclose(changed(RandomAffine(seed=0), images), images, atol=1e-4)


def test_nothing_happens_outside_training() -> None:
    images = noise()
    layer = RandomAffine(rotation=90, shift=0.5, flip="both", seed=0)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(layer(images)), images)


def spots(rows: int, side: int, y: int, x: int) -> np.ndarray:
    """Images that are black but for one pixel."""
    images = np.zeros((rows, side, side, 1), np.float32)
    images[:, y, x] = 1
    return images


def places(images: np.ndarray) -> np.ndarray:
    """Where the light of each image lies on average, (rows, 2): down and across."""
    side = images.shape[1]
    light = images[..., 0]
    total = light.sum(axis=(1, 2))
    down = (light.sum(axis=2) @ np.arange(side)) / total
    across = (light.sum(axis=1) @ np.arange(side)) / total
    return np.column_stack([down, across])


def test_a_shift_moves_by_its_share_at_most() -> None:
    found = places(changed(RandomAffine(shift=0.2, seed=1), spots(300, 41, 20, 20))) - 20
    assert np.abs(found).max() <= 0.2 * 41 + 0.01
    assert np.abs(found).max() > 0.18 * 41
    assert np.abs(found.mean(axis=0)).max() < 0.6


def test_a_rotation_keeps_the_distance_to_the_middle() -> None:
    moved = places(changed(RandomAffine(rotation=30, seed=1), spots(300, 41, 20, 32))) - 20
    np.testing.assert_allclose(np.hypot(*moved.T), 12, atol=0.3)
    angles = np.degrees(np.arctan2(moved[:, 0], moved[:, 1]))
    assert 27 < np.abs(angles).max() < 31


def test_a_zoom_scales_the_distance_to_the_middle() -> None:
    moved = places(changed(RandomAffine(zoom=0.25, seed=1), spots(300, 41, 20, 28))) - 20
    assert np.abs(moved[:, 0]).max() < 0.05
    assert 8 * 0.74 < moved[:, 1].min() < 8 * 0.8
    assert 8 * 1.2 < moved[:, 1].max() < 8 * 1.26


def test_a_shear_moves_rows_by_their_distance_to_the_middle() -> None:
    moved = places(changed(RandomAffine(shear=20, seed=1), spots(300, 41, 30, 20))) - [30, 20]
    # By the tangent of the angle: the inverse of a small shear moves a little down as well.
    assert np.abs(moved[:, 1]).max() < 10 * np.tan(np.radians(20)) / (1 - np.tan(0.35) ** 2) + 0.3
    assert np.abs(moved[:, 1]).max() > 2.5


def test_images_differ_and_seeds_repeat() -> None:
    images = np.repeat(noise(1), 8, axis=0)
    once, again = (changed(RandomAffine(rotation=40, seed=3), images) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert len(np.unique(once.reshape(8, -1), axis=0)) == 8
    assert np.abs(changed(RandomAffine(rotation=40, seed=4), images) - once).max() > 0.1


def test_pixels_may_be_whole_numbers() -> None:
    images = (255 * noise()).astype(np.uint8)
    found = changed(RandomAffine(seed=0), images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, images, atol=0.05)


def test_the_layer_can_be_made_again() -> None:
    layer = RandomAffine(10, 0.1, 5, 0.2, "both", "reflect", seed=7)
    plain = keras.saving.serialize_keras_object(layer)
    again = keras.saving.deserialize_keras_object(plain)
    np.testing.assert_array_equal(changed(again, noise()), changed(layer, noise()))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"flip": "left"}, "`flip` must be horizontal, vertical, both or empty; got 'left'"),
        ({"fill": "black"}, "`fill` must be one of constant, nearest, reflect, wrap; got 'black'"),
        ({"zoom": 1}, "`zoom` must be at least 0 and below 1; got 1"),
        ({"shift": -0.1}, "`shift` must be at least 0 and below 1; got -0.1"),
        ({"shear": 90}, "`shear` must be at least 0 and below 90; got 90"),
    ],
)
def test_errors(given: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        RandomAffine(**given)
