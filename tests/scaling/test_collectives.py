"""The cost of exchanges, against a simulated ring and closed forms."""

import pytest

from experiments.scaling.collectives import all_reduce_time, gather_time, scatter_time
from experiments.scaling.hardware import CHIPS, H100, V5E, V5P, Network
from gan_jax.accelerators.chips import GIGA, MICRO


def simulated_ring(chips, size, bandwidth, latency):
    """Chunks handed round until every chip has the sum of all: reduce-scatter, then all-gather."""
    has = [[{chip} for _ in range(chips)] for chip in range(chips)]  # whose addends each chip's chunk holds
    time = 0.0
    for phase in range(2 * (chips - 1)):
        first = phase if phase < chips - 1 else phase - (chips - 1) - 1
        sent = {chip: (chip - first) % chips for chip in range(chips)}
        arriving = {(chip + 1) % chips: (chunk, set(has[chip][chunk])) for chip, chunk in sent.items()}
        for chip, (chunk, addends) in arriving.items():
            has[chip][chunk] |= addends
        time += size / chips / bandwidth + latency
    assert all(chunk == set(range(chips)) for chip in has for chunk in chip)
    return time


@pytest.mark.parametrize("chips", [2, 5, 8])
def test_a_ring_takes_the_time_of_its_steps(chips):
    network = Network(chips, 50e9, chips - 1, 3e-6)
    assert all_reduce_time(4e8, (network,)) == pytest.approx(simulated_ring(chips, 4e8, 50e9, 3e-6))


def test_one_chip_exchanges_nothing():
    assert all_reduce_time(1e9, ()) == gather_time(1e9, ()) == scatter_time(1e9, Network(1, 1.0, 5, 1.0)) == 0


def test_levels():
    """Inside a server, then an eighth of it between servers, then inside again."""
    inner, outer = H100.networks(64)
    assert (inner.size, outer.size) == (8, 8)
    size = 8e8
    expected = 2 * (7 / 8 * size / 370e9 + 3 * 2e-6) + 2 * (7 / 8 * size / 8 / 50e9 + 3 * 5e-6)
    assert all_reduce_time(size, (inner, outer)) == pytest.approx(expected)
    assert gather_time(size, (inner, outer)) == pytest.approx(expected / 2)


def test_shapes_of_slices():
    """A ring sends both ways; at the end of a line there is one way only."""
    (line,), (cube,), (torus,) = V5E.networks(64), V5P.networks(8), V5P.networks(64)
    assert line == Network(64, 2 * 50 * GIGA, 14, MICRO)
    assert cube == Network(8, 3 * 100 * GIGA, 3, MICRO)
    assert torus == Network(64, 6 * 100 * GIGA, 6, MICRO)
    pod, between = V5E.networks(512)
    assert pod == Network(256, 4 * 50 * GIGA, 16, MICRO)
    assert (between.size, between.bandwidth) == (2, 6.4e12 / 8 / 256)


@pytest.mark.parametrize(("name", "chips"), [("v5e", 12), ("v5p", 128), ("h100", 12)])
def test_other_numbers_of_chips_are_refused(name, chips):
    with pytest.raises(ValueError, match=f"{chips} chips"):
        CHIPS[name].networks(chips)
