"""A network of the user's own."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from scipy.special import softmax

from kilter._errors import ArgumentError, ArgumentTypeError, SourceError
from kilter.models import MemberDense, Members, find_build, own_network, warn_if_lost

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).normal(size=(20, 5)).astype("float32")


def ends_in(units: int, activation: str | None = None, width: int = 5) -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((width,)), layers.Dense(8, "relu"), layers.Dense(units, activation)]
    )


def test_logits_of_each_class_stay_as_they_are():
    model = ends_in(3)
    found = own_network(lambda width, n_classes: model, (5,), 3, seed=0)
    np.testing.assert_allclose(found.predict(X, verbose=0), model.predict(X, verbose=0))
    assert (found.input_shape, found.output_shape) == ((None, 5), (None, 3))


class Subclass(keras.Model):
    """A model that is neither Sequential nor functional, and makes its weights when called."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return self.dense(x)


def test_a_subclassed_model_has_shapes_and_repeats_its_weights():
    one, same = (own_network(lambda w, n: Subclass(), (5,), 2, seed=3) for _ in range(2))
    assert (one.input_shape, one.output_shape) == ((None, 5), (None, 2))
    np.testing.assert_array_equal(one.get_weights()[0], same.get_weights()[0])


def test_logits_of_members_are_trained_as_members():
    def build(width, n_classes):
        rows = keras.Input((width,))
        return keras.Model(rows, MemberDense(n_classes, members=3, apart=True)(rows))

    model = own_network(build, (5,), 2, seed=0)
    assert isinstance(model, Members)
    assert model.predict(X, verbose=0).shape == (20, 2)


def test_the_same_model_twice_is_refused():
    model = ends_in(2)
    own_network(lambda width, n_classes: model, (5,), 2, seed=0)
    with pytest.raises(ArgumentError, match="`build` must return a new model each time"):
        own_network(lambda width, n_classes: model, (5,), 2, seed=1)


class Unregistered(keras.layers.Layer):
    def call(self, x):
        return x


def test_what_cannot_be_opened_again_is_warned_of():
    warn_if_lost(own_network(lambda w, n: ends_in(2), (5,), 2, seed=0))
    lost = keras.Sequential([keras.Input((5,)), Unregistered(), keras.layers.Dense(2)])
    with pytest.warns(UserWarning, match="register_keras_serializable"):
        warn_if_lost(lost)


@pytest.mark.parametrize(
    ("units", "activation"), [(3, "softmax"), (2, "softmax"), (1, "sigmoid"), (1, None)]
)
def test_every_end_becomes_logits(units, activation):
    model = ends_in(units, activation)
    wrapped = own_network(lambda width, n_classes: model, (5,), max(2, units), seed=0)
    p = model.predict(X, verbose=0).astype(float)
    if activation is None:
        p = 1 / (1 + np.exp(-p))
    expected = p if units > 1 else np.hstack([1 - p, p])
    found = softmax(wrapped.predict(X, verbose=0).astype(float), axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_head_that_begins_at_zero_gives_logits():
    head = keras.layers.Dense(1, kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((5,)), head])
    wrapped = own_network(lambda width, n_classes: model, (5,), 2, seed=0)
    np.testing.assert_allclose(wrapped.predict(X, verbose=0), 0)


def test_a_seed_gives_the_same_weights_and_leaves_other_random_numbers_alone():
    random.seed(1)
    expected = random.random()
    random.seed(1)
    made = [own_network(lambda w, n: ends_in(2), (5,), 2, seed=seed) for seed in (3, 3, 4)]
    assert random.random() == expected
    one, same, other = (model.get_weights()[0] for model in made)
    np.testing.assert_array_equal(one, same)
    assert not np.allclose(one, other)


def test_threads_draw_the_same_weights():
    def build(width, n_classes):
        time.sleep(0.002)  # another thread begins meanwhile
        return ends_in(2)

    def weights(seed):
        return own_network(build, (5,), 2, seed=seed).get_weights()[0]

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(weights, range(12)))
    for seed, found in enumerate(together):
        np.testing.assert_array_equal(found, weights(seed))


def test_of_a_model_the_architecture_is_taken():
    model = ends_in(2)
    one, other = (own_network(model, (5,), 2, seed=seed) for seed in (0, 1))
    weights = [m.get_weights()[0] for m in (model, one, other)]
    assert not np.allclose(weights[0], weights[1])
    assert not np.allclose(weights[1], weights[2])


def test_it_is_saved_and_opened(tmp_path):
    model = own_network(ends_in(1, "sigmoid"), (5,), 2, seed=0)
    model.save(tmp_path / "own.keras")
    again = keras.saving.load_model(tmp_path / "own.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), model.predict(X, verbose=0))


@pytest.mark.parametrize("build", [7, lambda width: ends_in(2)])
def test_what_is_no_function_of_two(build):
    with pytest.raises(ArgumentTypeError, match="`build` must be a Keras model, or a function"):
        own_network(build, (5,), 2, seed=0)


def test_what_returns_no_model_or_raises():
    with pytest.raises(ArgumentTypeError, match="returned a NoneType"):
        own_network(lambda width, n_classes: None, (5,), 2, seed=0)
    with pytest.raises(ArgumentError, match="5 columns and 2 classes, and raised ZeroDivision"):
        own_network(lambda width, n_classes: 1 / 0, (5,), 2, seed=0)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ends_in(2, width=4), "for rows of 5 columns"),
        (ends_in(5), "ends in 3 columns, one a class; got the shape"),
        (ends_in(1), "ends in 3 columns"),
    ],
)
def test_other_shapes(model, message):
    with pytest.raises(ArgumentError, match=message):
        own_network(model, (5,), 3, seed=0)


SOURCE = """
import keras

def build(width, n_classes):
    return keras.Sequential([keras.Input((width,)), keras.layers.Dense(n_classes)])

def wide(width, n_classes):
    return build(width, n_classes)
"""


def test_files_are_found(tmp_path):
    (tmp_path / "net.py").write_text(SOURCE)
    assert find_build(f"{tmp_path / 'net.py'}").__name__ == "build"
    assert find_build(f"{tmp_path / 'net.py'}:wide")(3, 2).output_shape == (None, 2)
    ends_in(2).save(tmp_path / "net.keras")
    assert find_build(str(tmp_path / "net.keras")).output_shape == (None, 2)
    with pytest.raises(SourceError, match="finds no function `deep`"):
        find_build(f"{tmp_path / 'net.py'}:deep")
    with pytest.raises(SourceError, match="names no file"):
        find_build("none.py:deep")
    (tmp_path / "net.h5").write_text("no")
    (tmp_path / "bad.keras").write_text("no")
    (tmp_path / "bad.py").write_text("import not_there")
    with pytest.raises(SourceError, match=r"must name a .py or a .keras file"):
        find_build(str(tmp_path / "net.h5"))
    for name in ("bad.keras", "bad.py"):
        with pytest.raises(SourceError, match="`build` cannot be opened"):
            find_build(str(tmp_path / name))


IMAGES = np.random.default_rng(0).integers(0, 256, (6, 4, 3, 1)).astype("uint8")


def of_images(units: int, activation: str | None = None, shape=(4, 3, 1)) -> keras.Model:
    flat = [keras.Input(shape), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    return keras.Sequential([*flat, keras.layers.Dense(units, activation)])


@pytest.mark.parametrize(("units", "activation"), [(3, None), (3, "softmax"), (1, "sigmoid")])
def test_images_have_networks_of_their_shape(units, activation):
    given = []

    def build(*arguments):
        given.append(arguments)
        return of_images(units, activation)

    wrapped = own_network(lambda shape, n: build(shape, n), (4, 3, 1), max(2, units), seed=0)
    assert given == [((4, 3, 1), max(2, units))]
    assert (wrapped.input_shape, wrapped.output_shape) == ((None, 4, 3, 1), (None, max(2, units)))
    inner = next(one for one in wrapped.layers if isinstance(one, keras.Sequential))
    kernel, bias = inner.get_weights()
    z = (IMAGES.reshape(6, -1) / 255) @ kernel + bias
    z = z if units > 1 else np.hstack([0 * z, z])
    found = wrapped.predict(IMAGES, verbose=0).astype(float)
    np.testing.assert_allclose(softmax(found, axis=1), softmax(z, axis=1), atol=1e-5)


def test_logits_of_images_that_begin_large_are_no_probabilities():
    large = keras.initializers.RandomNormal(stddev=50.0, seed=0)
    flat = [keras.Input((4, 3, 1)), keras.layers.Flatten()]
    model = keras.Sequential([*flat, keras.layers.Dense(2, kernel_initializer=large)])
    wrapped = own_network(lambda shape, n: model, (4, 3, 1), 2, seed=0)
    np.testing.assert_allclose(
        wrapped.predict(IMAGES, verbose=0), model.predict(IMAGES, verbose=0), rtol=1e-4
    )


def test_a_network_for_other_images_is_told_what_comes():
    with pytest.raises(ArgumentError) as info:
        own_network(of_images(2, shape=(8, 8, 3)), (4, 3, 1), 2, seed=0)
    message = str(info.value)
    assert "`build` must give a model for images of 4 x 3 x 1, pixels from 0 to 255." in message
    assert message.endswith("`keras.Input(shape)`; `size` changes height and width.")
    with pytest.raises(ArgumentError, match="images of 4 x 3 x 1 and 2 classes, and raised Zero"):
        own_network(lambda shape, n_classes: 1 / 0, (4, 3, 1), 2, seed=0)
    with pytest.raises(ArgumentTypeError, match=r"Write `def build\(shape, n_classes\):`"):
        own_network(7, (4, 3, 1), 2, seed=0)


# -- texts -------------------------------------------------------------------------------


def test_it_may_take_word_numbers() -> None:
    def build(shape: tuple[int, int], n_classes: int) -> keras.Model:
        length, vocabulary = shape
        words = [keras.layers.Embedding(vocabulary, 3), keras.layers.Flatten()]
        end = keras.layers.Dense(n_classes, "softmax")
        return keras.Sequential([keras.Input((length,)), *words, end])

    network = own_network(build, (4,), 2, seed=0, vocabulary=9)
    assert network.inputs[0].dtype == "int32"
    logits = keras.ops.convert_to_numpy(network(np.full((5, 4), 8, np.int32)))
    assert logits.shape == (5, 2)
    np.testing.assert_allclose(np.exp(logits).sum(axis=1), 1, rtol=1e-5)  # logs of probabilities


def test_a_network_of_columns_is_none_of_texts() -> None:
    model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(2)])
    with pytest.raises(ArgumentError, match=r"texts of 4 word numbers below 9, 0 for none\."):
        own_network(model, (4,), 2, seed=0, vocabulary=9)
