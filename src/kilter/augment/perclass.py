"""Any augmentation layer, more often for the rows of rarer classes."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from kilter._errors import ArgumentError
from kilter._export import register
from kilter.augment.base import Augmentation, check_batch, graph_library, on_host, to_shares
from kilter.sampling.labels import to_positions
from kilter.weights import as_counts


@register
class PerClass(Augmentation):
    """A Keras augmentation layer that changes rows with a probability by class.

    Balanced batches show a row of class k ``n_max / n_k`` times as often as one of the largest
    class. A row of class k is changed with probability ``1 - n_k / n_max``: as itself it is
    seen as often as one of the largest class, and each repetition beyond that is a new
    version. Use it around one layer or a `keras.Sequential` of them where rare rows are
    repeated: rotation, shift, shear, zoom, flip, noise. It works in any data pipeline:
    ``dataset.map(per_class)``, ``augment`` of `kilter.sampling.BalancedBatches`, or a call on
    the batches of any other loader.

    Parameters
    ----------
    layer : keras.layers.Layer
        Takes the inputs of a batch and changes each row on its own, without its label.
    counts : sequence of shape (classes,), optional
        Training rows of each class, from `kilter.class_counts`.
    least : float
        No class has a smaller probability than this.
    probabilities : sequence of shape (classes,), optional
        Probability that a row of each class is changed, in place of ``counts``.
    seed : int
        Decides which rows are changed; how is drawn by the layer's own seed.

    Raises
    ------
    ArgumentError
        If not exactly one of ``counts`` and ``probabilities`` is given, a probability is
        outside [0, 1], or labels do not fit the classes.

    Examples
    --------
    >>> import keras, numpy as np
    >>> flip = PerClass(keras.layers.RandomFlip("horizontal"), counts=[90, 10])
    >>> flip.probabilities.round(2).tolist()
    [0.0, 0.89]
    >>> x, y = flip(np.zeros((2, 4, 4, 1), "float32"), np.array([0, 1]))
    >>> x.shape, y.tolist()
    ((2, 4, 4, 1), [0, 1])
    """

    def __init__(
        self,
        layer: keras.layers.Layer,
        counts: Sequence[int] | np.ndarray | None = None,
        least: float = 0.0,
        probabilities: Sequence[float] | np.ndarray | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        if (counts is None) == (probabilities is None):
            raise ArgumentError("`counts` or `probabilities` must be given, and not both.")
        if counts is not None:
            probabilities = np.maximum(_repeated(as_counts(counts)), least)
        self.layer = layer
        self.probabilities = _to_probabilities(probabilities)

    def __call__(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Change rows of a batch.

        Parameters
        ----------
        x : array or tensor of shape (rows, ...), or what else the layer takes
            Inputs.
        y : array or tensor of shape (rows,), (rows, 1) or (rows, classes)
            Positions of the classes, or one-hot or soft rows.

        Returns
        -------
        x, y
            ``x`` in float32, tensors where tensors came, else arrays; ``y`` as it came.
        """
        y = y if hasattr(y, "shape") else np.asarray(y)
        check_batch(y)
        tf = graph_library()
        if tf is not None and self._fits_graph():
            return self._in_graph(tf, x, y), y
        flat = tree.flatten(x)

        def apply(*arrays: np.ndarray) -> list[np.ndarray]:
            return self._apply(tree.pack_sequence_as(x, list(arrays[:-1])), arrays[-1])

        changed = on_host(apply, [*flat, y], [array.shape for array in flat])
        return tree.pack_sequence_as(x, changed), y

    def for_batch(self, epoch: int, index: int) -> Augmentation:
        """Return the same with numbers of its own for a batch, whatever was drawn before.

        The layers are the same too: their seeds are set for the call that follows.
        """
        for layer in self._layers():
            for seeds in vars(layer).values():
                if isinstance(seeds, keras.random.SeedGenerator):
                    own = np.random.SeedSequence([seeds.get_config()["seed"], epoch, index])
                    seeds.state.assign(own.generate_state(2))
        return super().for_batch(epoch, index)

    def _choose(self, y: np.ndarray) -> list[np.ndarray]:
        """Draw which rows are changed: 1 or 0 of shape (rows,)."""
        labels = to_positions(to_shares(y, len(self.probabilities)))
        chosen = self._generator.random(len(labels)) < self.probabilities[labels]
        return [chosen.astype(np.float32)]

    def _apply(self, x: Any, y: np.ndarray) -> list[np.ndarray]:
        (chosen,) = self._choose(y)
        pairs = zip(tree.flatten(self._change(x)), tree.flatten(x), strict=True)
        return [_pick(chosen, ops.convert_to_numpy(new), old) for new, old in pairs]

    def _in_graph(self, tf: Any, x: Any, y: Any) -> Any:
        """Change rows by TensorFlow's own operations, which is faster than on the host."""
        (chosen,) = on_host(self._choose, [y], [y.shape[:1]])

        def pick(new: Any, old: Any) -> Any:
            rows = tf.reshape(chosen > 0, [-1] + [1] * (len(old.shape) - 1))
            return tf.where(rows, tf.cast(new, "float32"), tf.cast(old, "float32"))

        return tree.map_structure(pick, self._change(x), x)

    def _fits_graph(self) -> bool:
        """Say whether all layers work in a graph; Keras's image layers do on any backend."""
        on_tensorflow = keras.backend.backend() == "tensorflow"
        return on_tensorflow or all(hasattr(layer, "backend") for layer in self._layers())

    def _change(self, x: Any) -> Any:
        """Call the layers; some only do something in training, some have no such argument."""
        for layer in self._layers():
            training = "training" in inspect.signature(layer.call).parameters
            x = layer(x, training=True) if training else layer(x)
        return x

    def _layers(self) -> list[keras.layers.Layer]:
        many = isinstance(self.layer, keras.Sequential | keras.layers.Pipeline)
        return self.layer.layers if many else [self.layer]

    def get_config(self) -> dict[str, Any]:
        """Return everything that makes the augmentation again."""
        layer = keras.saving.serialize_keras_object(self.layer)
        probabilities = self.probabilities.tolist()
        return {**super().get_config(), "layer": layer, "probabilities": probabilities}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> PerClass:
        """Make the augmentation again."""
        layer = keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": layer})


def _repeated(counts: np.ndarray) -> np.ndarray:
    return 1 - counts / counts.max()


def _to_probabilities(values: Any) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or len(array) < 2 or not ((array >= 0) & (array <= 1)).all():
        raise ArgumentError(
            f"`probabilities` and `least` must lie in [0, 1], one a class; got {values!r}."
        )
    return array


def _pick(chosen: np.ndarray, new: np.ndarray, old: np.ndarray) -> np.ndarray:
    rows = chosen.reshape(-1, *(1,) * (old.ndim - 1)) > 0
    return np.where(rows, new.astype(np.float32), old.astype(np.float32))
