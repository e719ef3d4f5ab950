"""Registered classes are found again when a model is loaded."""

from __future__ import annotations

import keras
import pytest

from kilter._export import register

pytestmark = pytest.mark.backend


def test_a_registered_class_comes_back_from_its_config() -> None:
    @register
    class Doubled(keras.layers.Layer):
        def call(self, x):
            return 2 * x

    assert Doubled.__name__ == "Doubled"
    assert keras.saving.get_registered_name(Doubled) == "kilter>Doubled"
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(Doubled()))
    assert type(again) is Doubled
