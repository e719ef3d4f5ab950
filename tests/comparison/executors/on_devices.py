"""Lanes on four devices and on one, in a process that has four; run by test_lanes.py."""

import jax
import numpy as np

from conftest import make_task
from kilter.comparison.executors.lanes import Lanes
from kilter.comparison.prepare import lanes_of


def main() -> None:
    task = make_task(2, dropout=0.2, remedies=["smote", "focal", "oversample"], epochs=3)
    lanes = lanes_of(task.plan)
    alone, spread = (
        {one.lane: one for one in Lanes(devices=devices).train(task, lanes)}
        for devices in (1, None)
    )
    for lane, one in alone.items():
        assert one.epoch == spread[lane].epoch
        np.testing.assert_allclose(one.test, spread[lane].test, atol=1e-5)
        for weight, other in zip(one.weights, spread[lane].weights, strict=True):
            np.testing.assert_allclose(weight, other, atol=1e-5)
    print(len(jax.devices()), "devices,", len(lanes), "lanes alike")


if __name__ == "__main__":
    main()
