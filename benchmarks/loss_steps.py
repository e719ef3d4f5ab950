"""What does each loss cost a step, next to plain cross-entropy?

Batches of 256 rows and 100 classes, on each backend in a process of its own. Two columns a
backend: the loss with its gradient alone (compiled on JAX and TensorFlow, eager on PyTorch,
as Keras trains there), and a whole ``train_on_batch`` of a network 64-256-100. A loss and its
baseline take turns; a ratio is the median over the turns.

    python benchmarks/loss_steps.py [--turns 20]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

ROWS, CLASSES, FEATURES = 256, 100, 64
TURN = 0.04  # seconds, at least one step
BACKENDS = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}


def batch() -> dict[str, np.ndarray]:
    """Draw a batch from a long tail: counts, features, labels of one class and of many."""
    rng = np.random.default_rng(0)
    counts = np.round(5000 * 0.01 ** (np.arange(CLASSES) / (CLASSES - 1)))
    labels = rng.choice(CLASSES, ROWS, p=counts / counts.sum())
    return {
        "counts": counts,
        "x": rng.normal(size=(ROWS, FEATURES)).astype("float32"),
        "logits": (2 * rng.normal(size=(ROWS, CLASSES))).astype("float32"),
        "one": labels.astype("int32"),
        "many": (rng.random((ROWS, CLASSES)) < 0.05).astype("float32"),
    }


def losses(counts: np.ndarray) -> dict[str, tuple[Any, str]]:
    """Return the losses with the kind of labels they are for."""
    from kilter import class_weights
    from kilter import losses as kl

    weights, prior = class_weights(counts=counts), np.log(counts / counts.sum())
    options: dict[str, Any] = {"from_logits": True}
    single = {
        "CrossEntropy": kl.CrossEntropy(**options),
        "CrossEntropy, weights": kl.CrossEntropy(weights, **options),
        "CrossEntropy, weights and margins": kl.CrossEntropy(weights, prior, **options),
        "CrossEntropy, all of it": kl.CrossEntropy(
            weights, np.diag(prior), np.linspace(1, 2, CLASSES), 2.0, **options
        ),
        "Focal": kl.Focal(**options),
        "ClassBalancedFocal": kl.ClassBalancedFocal(counts, **options),
        "LogitAdjusted": kl.LogitAdjusted(counts, **options),
        "BalancedSoftmax": kl.BalancedSoftmax(counts, **options),
        "LDAM": kl.LDAM(counts, **options),
        "VS": kl.VS(counts, **options),
        "GHMC": kl.GHMC(**options),
        "Seesaw": kl.Seesaw(counts, **options),
        "LabelAwareSmoothing": kl.LabelAwareSmoothing(counts, **options),
        "ExpectedCost": kl.ExpectedCost(1 - np.eye(CLASSES), **options),
        "SoftF1": kl.SoftF1(**options),
        "Tversky": kl.Tversky(**options),
        "Dice": kl.Dice(**options),
        "AUCMargin": kl.AUCMargin(**options),
        "SmoothAP": kl.SmoothAP(**options),
    }
    return {
        **{name: (loss, "one") for name, loss in single.items()},
        "Asymmetric": (kl.Asymmetric(**options), "many"),
    }


def baseline(kind: str) -> Any:
    """Return plain cross-entropy for labels of this kind, Keras's own."""
    import keras

    if kind == "one":
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return keras.losses.BinaryCrossentropy(from_logits=True)


def gradient_step(loss: Any, labels: np.ndarray, logits: np.ndarray) -> Callable[[], None]:
    """Return a call that computes the loss and its gradient by the logits."""
    import keras

    y, z = keras.ops.convert_to_tensor(labels), keras.ops.convert_to_tensor(logits)
    if keras.backend.backend() == "jax":
        import jax

        compiled = jax.jit(jax.value_and_grad(lambda at: loss(y, at)))
        return lambda: jax.block_until_ready(compiled(z))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        @tf.function
        def differentiate() -> Any:
            with tf.GradientTape() as tape:
                tape.watch(z)
                value = loss(y, z)
            return value, tape.gradient(value, z)

        return lambda: differentiate()[1].numpy()

    def backward() -> None:
        at = z.detach().requires_grad_(True)
        loss(y, at).backward()

    return backward


def train_step(loss: Any, x: np.ndarray, labels: np.ndarray) -> Callable[[], None]:
    """Return a call that trains a small network on the batch once."""
    import keras

    layers = [keras.layers.Dense(256, "relu"), keras.layers.Dense(CLASSES)]
    model = keras.Sequential([keras.Input((FEATURES,)), *layers])
    model.compile("adam", loss=loss)
    return lambda: model.train_on_batch(x, labels)


def seconds(step: Callable[[], None], steps: int) -> float:
    begin = time.perf_counter()
    for _ in range(steps):
        step()
    return (time.perf_counter() - begin) / steps


def steps_of(step: Callable[[], None]) -> int:
    """Return how many steps fill a turn."""
    step()  # compiles
    return max(1, round(TURN / seconds(step, 2)))


def compare(step: Callable[[], None], plain: Callable[[], None], turns: int) -> list[float]:
    """Return the median ratio of the pairs, and the plain step's microseconds."""
    steps, plain_steps = steps_of(step), steps_of(plain)
    pairs = [(seconds(step, steps), seconds(plain, plain_steps)) for _ in range(turns)]
    return [float(np.median([a / b for a, b in pairs])), float(np.median(pairs, axis=0)[1]) * 1e6]


def measure(turns: int) -> dict[str, list[float]]:
    """Measure every loss on this process's backend."""
    data = batch()
    plain = {
        kind: (
            gradient_step(baseline(kind), data[kind], data["logits"]),
            train_step(baseline(kind), data["x"], data[kind]),
        )
        for kind in ("one", "many")
    }
    found = {}
    for name, (loss, kind) in losses(data["counts"]).items():
        alone = compare(gradient_step(loss, data[kind], data["logits"]), plain[kind][0], turns)
        whole = compare(train_step(loss, data["x"], data[kind]), plain[kind][1], turns)
        found[name] = [*alone, *whole]
    return found


def on_backend(backend: str, turns: int) -> dict[str, list[float]]:
    """Measure in a process of its own."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    call = [sys.executable, __file__, "--turns", str(turns), "--worker"]
    done = subprocess.run(call, env=environment, check=True, capture_output=True, text=True)
    found: dict[str, list[float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options.turns)))
        return
    found = {backend: on_backend(backend, options.turns) for backend in BACKENDS}
    print("# Step time of the losses\n")
    print("Written by `make bench` from `benchmarks/loss_steps.py`; do not edit.\n")
    print(f"{ROWS} rows, {CLASSES} classes; {platform.machine()}, {os.cpu_count()} cores.")
    print("Times are divided by those of Keras's own cross-entropy in the same run (the binary")
    print("one for Asymmetric): of the loss with its gradient, and of a whole training step.\n")
    for backend, title in BACKENDS.items():
        plain = found[backend]["CrossEntropy"]
        print(f"{title}: plain {plain[1]:.0f} µs alone, {plain[3]:.0f} µs a step.", end="  \n")
    print("\n| loss | " + " | ".join(f"{t}, alone | {t}, step" for t in BACKENDS.values()) + " |")
    print("|---|" + "---|" * 2 * len(BACKENDS))
    for name in found["jax"]:
        cells = [f"{found[b][name][i]:.2f}" for b in BACKENDS for i in (0, 2)]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
