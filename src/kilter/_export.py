"""One decorator for Keras classes that must survive a save and a load."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=type)


def register(cls: T) -> T:
    """Register a Keras class under kilter's name, so that a saved model finds it again."""
    import keras

    decorate: Callable[[T], T] = keras.saving.register_keras_serializable(package="kilter")
    return decorate(cls)
