"""The step's time of a work with one operation, by hand."""

from dataclasses import replace

import pytest

from experiments.scaling.counting import Operation
from experiments.scaling.hardware import GpuServer
from experiments.scaling.prediction import (
    Setting,
    efficiency,
    hiding_batch,
    images_per_second,
    optimizer_bytes,
    predict,
    resident_bytes,
)
from experiments.scaling.workloads import Reduction, Workload

CHIP = GpuServer("a chip", 200.0, 100.0, 1e6, 40.0, 0.25, 8, 16.0, 2.0, 0.0, 0.0)
WORK = Workload(
    title="a work",
    batch=8,
    operations=(Operation((0.0, 30.0), (4.0, 6.0), times=2),),
    backward=0.5,
    generator=3,
    discriminator=5,
    updates=(1, 2),
    gradients=(Reduction(5, 2), Reduction(3, 1)),
    statistics=(Reduction(2, 3),),
    kept=7.0,
)
SETTING = Setting(CHIP, 8, precision="float32", utilisation=0.5, bandwidth_share=0.5)


def test_the_parts_of_a_step():
    step = predict(WORK, SETTING, 10)
    optimizers = 4 * (7 * (3 + 2 * 5) + 3 * 3) / 20
    assert optimizer_bytes(WORK, SETTING) == 20 * optimizers
    assert step.arithmetic == pytest.approx(2 * 300 / 50)
    assert step.memory == pytest.approx(2 * 4 * 64 / 20 + optimizers)
    assert step.floor == pytest.approx(2 * 3 * 0.25)
    assert step.device == pytest.approx(2 * 4 * 64 / 20 + optimizers)  # memory is the slowest
    assert step.gradients == pytest.approx(2 * 7 / 8 * 4 * (2 * 5 + 3) / 16)
    assert step.statistics == pytest.approx(2 * 7 / 8 * 4 * 3 * 2 / 16)
    assert step.hidden == step.gradients
    assert step.serial == pytest.approx(step.device + step.gradients + step.statistics)
    assert step.overlapped == pytest.approx(step.device + step.statistics)
    assert images_per_second(WORK, SETTING, 10) == pytest.approx(80 / step.overlapped)
    assert efficiency(WORK, SETTING, 10) == pytest.approx(
        (step.device / step.serial, step.device / step.overlapped)
    )


def test_what_limits_an_operation():
    """Launches for small batches, memory or arithmetic for large ones; products launch one kernel."""
    compute = replace(WORK, operations=(Operation((0.0, 90.0), (0.0, 1.0)),))
    optimizers = optimizer_bytes(WORK, SETTING) / 20
    assert predict(compute, SETTING, 0.1).device == pytest.approx(0.75 + optimizers)
    assert predict(compute, SETTING, 10).device == pytest.approx(18 + optimizers)
    assert predict(compute, replace(SETTING, precision="bfloat16"), 10).device == pytest.approx(
        9 + optimizers
    )
    product = replace(compute, operations=(replace(compute.operations[0], convolution=False),))
    assert predict(product, SETTING, 0.1).device == pytest.approx(0.25 + optimizers)


def test_the_batch_that_hides_the_exchange():
    work = replace(WORK, operations=(Operation((0.0, 50.0), (0.0, 0.0)),), gradients=(Reduction(160, 1),))
    seconds = 2 * 7 / 8 * 640 / 16
    optimizers = optimizer_bytes(work, SETTING) / 20
    expected = -(-(2 * seconds - optimizers) // 1)
    found = hiding_batch(work, SETTING)
    assert found == expected
    assert predict(work, SETTING, found).hidden == pytest.approx(seconds)
    assert predict(work, SETTING, found - 1).hidden < seconds
    assert hiding_batch(replace(work, backward=0.0), SETTING) is None
    assert hiding_batch(work, replace(SETTING, chips=1)) == 1


def test_sharding_exchanges_more_and_keeps_less():
    """Gradients scattered for each update; both players gathered for each of the three updates."""
    sharded = replace(SETTING, sharded=True)
    step = predict(WORK, sharded, 10)
    assert step.gradients == pytest.approx(7 / 8 * 4 / 16 * ((2 * 5 + 3) + 3 * (3 + 5)))
    assert optimizer_bytes(WORK, sharded) == optimizer_bytes(WORK, SETTING) / 8
    state = 4 * (4 * 3 + 3 * 5)
    assert resident_bytes(WORK, SETTING, 2) == state + 4 * 5 + 4 * 7 * 2
    assert resident_bytes(WORK, sharded, 2) == state / 8 + 4 * 5 + 4 * 7 * 2
