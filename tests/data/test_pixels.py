import json

import numpy as np
import pytest

from kilter._errors import ArgumentTypeError, ArtifactError, SchemaError
from kilter._types import Images, Train, Validation
from kilter.data import ImageEncoder
from made_images import draw, make_images

LABELS = np.arange(10) % 2


@pytest.fixture
def data():
    return make_images(LABELS, draw(10, 8, 6, 3))


@pytest.fixture
def encoder(data):
    return ImageEncoder.fit(Train.of(data, np.arange(5)), data.schema)


def test_pixels_stay_as_they_are(data, encoder):
    assert encoder.shape == (8, 6, 3)
    encoded = encoder.transform(data.features)
    np.testing.assert_array_equal(encoded, draw(10, 8, 6, 3))
    assert encoded.dtype == np.uint8
    assert np.shares_memory(encoded, data.features.pixels)


def test_nothing_is_blended(encoder):
    assert encoder.blendable.shape == (8, 6, 3)
    assert not encoder.blendable.any()


def test_nothing_is_learned_from_the_rows(data, encoder):
    other = Train(np.arange(5), Images(draw(5, 8, 6, 3, seed=1), data.features.files), LABELS[:5])
    assert ImageEncoder.fit(other, data.schema) == encoder


def test_fitted_on_training_rows_only(data):
    with pytest.raises(ArgumentTypeError, match=r"`Encoder\.fit` is fitted on a `Train` only"):
        ImageEncoder.fit(Validation.of(data, np.arange(5)), data.schema)


@pytest.mark.parametrize("shape", [(2, 8, 6, 1), (2, 6, 8, 3), (2, 9, 6, 3)])
def test_another_shape(encoder, shape):
    images = Images(draw(*shape), np.array(["a", "b"]))
    with pytest.raises(SchemaError, match=r"must be images of shape \(8, 6, 3\); got .*conform`"):
        encoder.transform(images)


def test_no_rows(encoder):
    none = Images(np.zeros((0, 8, 6, 3), np.uint8), np.array([], str))
    assert encoder.transform(none).shape == (0, 8, 6, 3)


def test_the_schema_must_be_of_such_images(data, encoder):
    encoder.require_fit(data.schema)
    with pytest.raises(ValueError, match=r"images of \(4, 5, 1\), and the encoder of \(8, 6, 3\)"):
        encoder.require_fit(make_images(LABELS).schema)


class TestBytes:
    def test_round_trip(self, encoder):
        again = ImageEncoder.loads(encoder.dumps())
        assert again == encoder
        assert json.loads(encoder.dumps()) == {"shape": [8, 6, 3]}

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"no json",
            b"\xff\xfe",
            b"[]",
            b"3",
            b"{}",
            b'{"shape": null}',
            b'{"shape": 3}',
            b'{"shape": ["x"]}',
            b'{"shape": [1e999, 1, 1]}',
            b'{"shape": [NaN, 1, 1]}',
            b'{"shape": [[8], 6, 3]}',
        ],
    )
    def test_anything_else_is_refused(self, content):
        with pytest.raises(
            ArtifactError, match=r"the encoder cannot be read .* Save the model again"
        ):
            ImageEncoder.loads(content)
