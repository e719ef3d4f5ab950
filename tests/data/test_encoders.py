import numpy as np
import pytest

from kilter._errors import ArgumentTypeError
from kilter._types import WHOLE, Test, Train
from kilter.data import ENCODERS, ImageEncoder, TableEncoder, TextEncoder, fit_encoder
from made_data import make_dataset
from made_images import make_images
from made_texts import make_texts

MAKERS = {"table": make_dataset, "image": make_images, "text": make_texts}
LABELS = np.arange(40) % 2


@pytest.fixture(params=ENCODERS)
def data(request):
    return MAKERS[request.param](LABELS)


def test_every_kind_of_rows_has_an_encoder():
    assert ENCODERS.keys() == {"table", *WHOLE} == MAKERS.keys()


def test_the_kind_of_rows_chooses(data):
    encoder = fit_encoder(Train.of(data, np.arange(30)), data.schema)
    assert type(encoder) is ENCODERS[data.schema.kind]
    assert isinstance(encoder, TableEncoder | ImageEncoder | TextEncoder)


def test_what_all_of_them_share(data):
    encoder = fit_encoder(Train.of(data, np.arange(30)), data.schema)
    encoded = encoder.transform(data.features)
    assert encoded.shape == (40, *encoder.shape)
    assert encoder.blendable.shape == encoder.shape
    assert encoder.blendable.dtype == bool
    encoder.require_fit(data.schema)
    again = type(encoder).loads(encoder.dumps())
    assert again.shape == encoder.shape
    np.testing.assert_array_equal(again.transform(data.features), encoded)
    np.testing.assert_array_equal(again.blendable, encoder.blendable)


def test_only_a_training_part_will_do(data):
    with pytest.raises(ArgumentTypeError, match="is fitted on a `Train` only"):
        fit_encoder(Test.of(data, np.arange(30)), data.schema)


def test_bins_are_left_out_if_asked():
    numbers = np.random.default_rng(0).normal(size=(300, 1))
    data = make_dataset(np.abs(numbers[:, 0]) < 0.5, numbers)
    train = Train.of(data, np.arange(300))
    assert fit_encoder(train, data.schema).shape > fit_encoder(train, data.schema, bins=False).shape


def test_each_refuses_the_schema_of_the_other():
    table, images = make_dataset(LABELS), make_images(LABELS)
    encoder = fit_encoder(Train.of(images, np.arange(30)), images.schema)
    with pytest.raises(ValueError, match="the encoder of"):
        encoder.require_fit(table.schema)
    encoder = fit_encoder(Train.of(table, np.arange(30)), table.schema)
    with pytest.raises(ValueError, match="other columns"):
        encoder.require_fit(images.schema)
