"""Joined Keras models: the same numbers as the joint gives, one file, one `predict`."""

import keras
import numpy as np
import pytest

from kilter._errors import ArgumentError, ArgumentTypeError
from kilter._types import ValidationScores
from kilter.ensemble import JOINTS, Average, join, join_networks
from kilter.models import tabm

pytestmark = pytest.mark.backend

X = np.random.default_rng(0).normal(size=(120, 3)).astype("float32")
Y = (X[:, 0] > 0.8).astype(int)


def network(units: int = 2, activation: str | None = "softmax", seed: int = 0) -> keras.Model:
    initial = keras.initializers.RandomNormal(seed=seed)
    dense = keras.layers.Dense(units, activation, kernel_initializer=initial)
    return keras.Sequential([keras.Input((3,)), dense])


def scores(model: keras.Model) -> ValidationScores:
    p = np.asarray(model.predict(X, verbose=0), np.float64)
    return ValidationScores(Y, p if p.shape[1] > 1 else np.hstack([1 - p, p]))


@pytest.mark.parametrize("how", JOINTS)
def test_a_joined_model_is_its_joint(how, tmp_path):
    models = [network(seed=seed) for seed in (1, 2, 3)]
    joint = JOINTS[how].fit([scores(model) for model in models])
    expected = joint.apply([scores(model).probabilities for model in models])
    joined = join(models, how, X, Y)
    found = joined.predict(X, verbose=0)
    # Where a probability lies at a threshold, a vote hangs on rounding.
    close = np.isclose(found, expected, atol=1e-4).all(axis=1)
    assert close.mean() > (0.98 if how == "vote" else 0.999)
    joined.save(tmp_path / "joined.keras")
    again = keras.saving.load_model(tmp_path / "joined.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), found, atol=1e-6)


@pytest.mark.parametrize("how", JOINTS)
def test_one_column_in_is_one_column_out(how):
    models = [network(1, "sigmoid", seed) for seed in (1, 2)]
    expected = JOINTS[how].fit([scores(model) for model in models])
    joined = join(models, how, X, Y[:, None])
    assert joined.output_shape == (None, 1)
    p = expected.apply([scores(model).probabilities for model in models])[:, 1]
    assert np.isclose(joined.predict(X, verbose=0)[:, 0], p, atol=1e-4).mean() > 0.98


def test_logits_and_one_hot_labels():
    models = [network(2, None, seed) for seed in (1, 2)]
    ends = [keras.Sequential([model, keras.layers.Softmax()]) for model in models]
    from_logits = join(models, "stack", X, np.eye(2)[Y], from_logits=True).predict(X, verbose=0)
    np.testing.assert_allclose(
        from_logits, join(ends, "stack", X, Y).predict(X, verbose=0), atol=1e-5
    )


def test_networks_of_many_members_join_too():
    models = [tabm(3, 2, members=2, hidden=(4,), seed=seed) for seed in (1, 2)]
    joined = join(models, from_logits=True).predict(X, verbose=0)
    each = [np.exp(model.predict(X, verbose=0)) for model in models]  # logs of probabilities
    np.testing.assert_allclose(joined, np.mean(each, axis=0), atol=1e-5)


def test_several_inputs():
    parts = keras.Input((1,), name="one"), keras.Input((2,), name="two")
    dense = keras.layers.Dense(2, "softmax")(keras.layers.Concatenate()(list(parts)))
    model = keras.Model({"one": parts[0], "two": parts[1]}, dense)
    other = keras.models.clone_model(model)
    given = {"one": X[:, :1], "two": X[:, 1:]}
    expected = np.mean([one.predict(given, verbose=0) for one in (model, other)], axis=0)
    joined = join([model, other])
    np.testing.assert_allclose(joined.predict(given, verbose=0), expected, atol=1e-5)


def test_names_do_not_matter_and_stay():
    models = [network(seed=seed) for seed in (1, 2, 3)]
    for model, name in zip(models, ("same", "same", "same_1"), strict=True):
        model.name = name
    join_networks(models, Average.plain(3, 2))
    assert [model.name for model in models] == ["same", "same", "same_1"]


@pytest.mark.parametrize("other", [network(3), network(1, "sigmoid")])
def test_models_of_other_classes_are_refused(other):
    with pytest.raises(ArgumentError, match="`models` must take the same inputs"):
        join([network(), other])


def test_logits_and_names_instead_of_positions_are_told():
    with pytest.raises(ArgumentError, match="pass `from_logits=True`"):
        join([network(2, None)], "average", X, Y)
    with pytest.raises(ArgumentTypeError, match="`y` must be positions"):
        join([network()], "average", X, np.where(Y, "fraud", "fine"))


class Unbuilt(keras.Model):
    pass


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"models": []}, "`models` must be a sequence of one model at least"),
        ({"models": [Unbuilt()]}, "`models` must be Sequential or functional"),
        ({"models": [network()] * 2}, "`models` must be different ones; the same model is there"),
        ({"how": "avrage"}, "`how` must be one of .*Did you mean"),
        ({"x": X}, "`x` and `y` belong together"),
        ({"how": "stack"}, "`x` and `y` must be validation rows where `how` is stack"),
    ],
)
def test_errors(given, message):
    with pytest.raises(ArgumentError, match=message):
        join(**{"models": [network()], **given})
