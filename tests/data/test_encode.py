import io
import pickle

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import norm, rankdata
from sklearn.preprocessing import FunctionTransformer

from kilter._errors import ArgumentTypeError, ArtifactError, SchemaError
from kilter._types import Features, Test, Train
from kilter.data import TableEncoder, load, split
from made_data import make_dataset


def train_on(numbers: np.ndarray | None = None, codes: np.ndarray | None = None):
    given = numbers if numbers is not None else codes
    rows = len(given)
    if numbers is None:
        numbers = np.empty((rows, 0))
    data = make_dataset(np.arange(rows) % 2, numbers, codes)
    return Train.of(data, np.arange(rows)), data.schema


def fit(numbers: np.ndarray | None = None, codes: np.ndarray | None = None) -> TableEncoder:
    return TableEncoder.fit(*train_on(numbers, codes))


def features(numbers: np.ndarray | None = None, codes: np.ndarray | None = None) -> Features:
    return train_on(numbers, codes)[0].features


@pytest.fixture
def mixed() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(300, 3))
    numbers[::5, 1] = np.nan
    codes = np.column_stack([rng.integers(-1, 4, 300), rng.integers(0, 2, 300)]).astype(np.int32)
    return numbers, codes


def test_layout_and_what_can_be_blended(mixed):
    encoder = fit(*mixed)
    assert encoder.width == 2 * 3 + 1 + 5 + 2
    assert encoder.blendable.tolist() == [True] * 6 + [False] * 8
    encoded = encoder.transform(features(*mixed))
    assert (encoded.shape, encoded.dtype) == ((300, 14), np.float32)
    np.testing.assert_array_equal(encoded[:, 6], np.isnan(mixed[0][:, 1]))
    np.testing.assert_array_equal(encoded[:, 7:12].argmax(1), mixed[1][:, 0] + 1)
    np.testing.assert_array_equal(encoded[:, 12:].argmax(1), mixed[1][:, 1])
    assert set(np.unique(encoded[:, 6:])) == {0, 1}


def test_numbers_get_their_normal_scores():
    values = np.random.default_rng(0).exponential(size=500)[:, None]
    encoded = fit(values).transform(features(values))[:, 0]
    expected = norm.ppf((rankdata(values[:, 0]) - 0.5) / 500)
    middle = np.abs(expected) < 2
    np.testing.assert_allclose(encoded[middle], expected[middle], atol=0.05)
    assert (np.argsort(encoded) == np.argsort(values[:, 0])).all()


def test_and_their_distance_to_the_median():
    values = np.random.default_rng(0).exponential(size=500)[:, None]
    quarter, median, three = np.quantile(values, (0.25, 0.5, 0.75))
    distances = (values[:, 0] - median) / (three - quarter)
    encoded = fit(values).transform(features(values))[:, 1]
    np.testing.assert_allclose(encoded, distances / np.sqrt(1 + (distances / 3) ** 2), rtol=1e-5)


def test_where_half_the_rows_are_equal_the_range_is_the_unit():
    values = np.append(np.zeros(99), 8.0)[:, None]
    encoded = fit(values).transform(features(np.array([[0.0], [4.0], [1e30]])))[:, 1]
    np.testing.assert_allclose(encoded, [0, 1 / np.sqrt(1 + 1 / 9), 3], rtol=1e-6)


def test_two_values_are_not_blown_up():
    values = np.repeat([[0.0], [1.0]], 500, axis=0)
    encoded = fit(values).transform(features(values))[:, 0]
    np.testing.assert_allclose(np.unique(encoded), norm.ppf([0.25, 0.75]), atol=0.01)


def test_the_common_value_of_a_column_stays_near_zero():
    values = np.zeros((2000, 1))
    values[:100, 0] = np.arange(1, 101)
    encoded = fit(values).transform(features(values))[:, 0]
    assert abs(encoded[-1]) < 0.1
    assert len(np.unique(encoded)) == 101


def test_a_column_that_is_constant_in_training_is_zero():
    encoded = fit(np.full((50, 1), 7.0)).transform(features(np.array([[7.0], [7.0]])))
    np.testing.assert_array_equal(encoded, 0)


def test_missing_is_filled_with_the_median():
    values = np.array([[1.0], [2.0], [3.0], [np.nan]] * 20)
    encoded = fit(values).transform(features(np.array([[2.0], [np.nan]])))
    assert encoded[0, 0] == encoded[1, 0]
    assert encoded[:, 2].tolist() == [0, 1]


def test_missing_only_after_training():
    encoder = fit(np.arange(20.0)[:, None])
    assert encoder.transform(features(np.array([[np.nan]]))).shape == (1, 2)


def test_all_missing_in_training():
    values = np.column_stack([np.full(20, np.nan), np.arange(20.0)])
    encoded = fit(values).transform(features(np.array([[5.0, 1.0], [np.nan, np.nan]])))
    assert np.isfinite(encoded).all()


def test_unseen_and_missing_categories():
    codes = np.array([[0], [1], [2]] * 10, np.int32)
    encoded = fit(codes=codes).transform(features(codes=np.array([[-2], [-1], [1]], np.int32)))
    assert encoded.tolist() == [[0, 0, 0], [0, 0, 0], [0, 1, 0]]


def test_rare_and_unseen_categories_share_a_column():
    codes = np.concatenate([np.repeat(np.arange(49), 5), np.arange(49, 80)])[:, None]
    encoder = fit(codes=codes.astype(np.int32))
    assert encoder.width == 50
    encoded = encoder.transform(features(codes=np.array([[79], [-2], [0]], np.int32)))
    assert encoded[:, -1].tolist() == [1, 1, 0]


def test_either_block_may_be_empty(mixed):
    numbers, codes = mixed
    assert fit(numbers).transform(features(numbers)).shape == (300, 7)
    assert fit(codes=codes).transform(features(codes=codes)).shape == (300, 7)
    assert not fit(codes=codes).blendable.any()


def test_no_rows(mixed):
    encoder = fit(*mixed)
    none = Features(np.empty((0, 3)), np.empty((0, 2), np.int32))
    assert encoder.transform(none).shape == (0, encoder.width)


def test_fitted_on_training_rows_only(mixed):
    train, schema = train_on(*mixed)
    test = Test(train.rows, train.features, train.labels)
    with pytest.raises(ArgumentTypeError, match="fitted on a `Train` only"):
        TableEncoder.fit(test, schema)


def test_a_number_whose_classes_change_in_steps_is_in_bins_too(mixed):
    numbers, codes = mixed
    labels = (np.abs(numbers[:, 0]) < 0.5).astype(int)
    data = make_dataset(labels, numbers, codes)
    train = Train.of(data, np.arange(300))
    encoder = TableEncoder.fit(train, data.schema)
    assert encoder.width == 14 + 3
    assert encoder.blendable.tolist() == [True] * 6 + [False] * 11
    encoded = encoder.transform(data.features)
    np.testing.assert_array_equal(encoded[:, 7:10].argmax(1) == 1, labels)
    np.testing.assert_array_equal(encoded[:, 7:10].sum(1), 0.25)
    plain = TableEncoder.fit(train, data.schema, bins=False)
    np.testing.assert_array_equal(plain.transform(data.features), np.delete(encoded, [7, 8, 9], 1))
    again = TableEncoder.loads(encoder.dumps())
    assert again.transform(data.features).tobytes() == encoded.tobytes()


def test_other_rows_change_nothing(mixed):
    data = make_dataset(np.arange(300) % 2, *mixed)
    train = split(data)[0].train
    again = make_dataset(np.arange(300) % 2, mixed[0].copy(), mixed[1].copy())
    others = np.setdiff1d(np.arange(300), train.rows)
    again.features.numbers[others] *= 1000
    same = Train.of(again, train.rows)
    a, b = TableEncoder.fit(train, data.schema), TableEncoder.fit(same, data.schema)
    np.testing.assert_array_equal(a.transform(data.features), b.transform(data.features))


def test_features_of_another_shape(mixed):
    with pytest.raises(SchemaError, match="must have 3 number and 2 category columns"):
        fit(*mixed).transform(features(mixed[0]))


def test_long_tables_are_encoded_row_by_row_the_same(mixed):
    encoder = fit(*mixed)
    rows = features(*mixed).take(np.tile(np.arange(300), 500))
    encoded = encoder.transform(rows)
    np.testing.assert_array_equal(encoded, np.tile(encoded[:300], (500, 1)))


floats = st.floats(allow_nan=True, allow_infinity=False, width=64)


@settings(max_examples=60, deadline=None)
@given(
    train=hnp.arrays(np.float64, (12, 2), elements=floats),
    rows=hnp.arrays(np.float64, (5, 2), elements=floats),
)
def test_always_finite_and_bounded(train, rows):
    encoded = fit(train).transform(features(rows))
    assert np.isfinite(encoded).all()
    assert np.abs(encoded).max() < 5.3


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e9, 1e29, 1e300, 1.7e308])
def test_any_scale(scale):
    values = np.random.default_rng(0).uniform(-1, 1, (100, 1)) * scale
    assert np.isfinite(fit(values).transform(features(values))).all()


class TestBytes:
    def test_round_trip_is_the_same_to_the_bit(self, mixed):
        encoder = fit(*mixed)
        again = TableEncoder.loads(encoder.dumps())
        rows = features(*mixed)
        assert again.transform(rows).tobytes() == encoder.transform(rows).tobytes()
        np.testing.assert_array_equal(again.blendable, encoder.blendable)

    @pytest.mark.parametrize("empty", [0, 1])
    def test_round_trip_of_an_empty_block(self, mixed, empty):
        blocks = [None if place == empty else block for place, block in enumerate(mixed)]
        encoder, rows = fit(*blocks), features(*blocks)
        again = TableEncoder.loads(encoder.dumps())
        assert again.transform(rows).tobytes() == encoder.transform(rows).tobytes()

    def test_only_the_listed_types_are_needed(self, mixed):
        content = fit(*mixed).dumps()
        assert skops.io.get_untrusted_types(data=content) == ["numpy.dtype"]

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"not a zip",
            pickle.dumps({"numbers": 1}),
            skops.io.dumps({"numbers": 1}),
            skops.io.dumps([1, 2]),
            skops.io.dumps(FunctionTransformer(io.open)),
        ],
    )
    def test_anything_else_is_refused(self, content):
        with pytest.raises(ArtifactError, match="Save the model again"):
            TableEncoder.loads(content)

    def test_parts_of_another_type_are_refused(self, mixed):
        state = {**vars(fit(*mixed)), "scaler": FunctionTransformer()}
        with pytest.raises(ArtifactError, match="`scaler` must be"):
            TableEncoder.loads(skops.io.dumps(state))

    def test_truncated(self, mixed):
        with pytest.raises(ArtifactError):
            TableEncoder.loads(fit(*mixed).dumps()[:-50])


@pytest.mark.parametrize("name", ["adult", "sick", "page-blocks", "satimage-2"])
def test_real_tables(table_path, name):
    data = load(table_path(name), "target")
    cut = split(data)[0]
    encoder = TableEncoder.fit(cut.train, data.schema)
    again = TableEncoder.loads(encoder.dumps())
    for part in (cut.train, cut.validation, cut.test):
        encoded = encoder.transform(part.features)
        assert encoded.shape == (len(part), encoder.width)
        assert np.isfinite(encoded).all()
        assert encoded.tobytes() == again.transform(part.features).tobytes()
