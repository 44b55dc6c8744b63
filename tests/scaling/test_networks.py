"""The networks that are written down, against numbers that their authors' programs print."""

import pytest

from experiments.scaling import r3gan, stylegan2
from experiments.scaling.layers import convolution, forward_flops, parameters, strided
from experiments.scaling.published import compare, sizes
from experiments.scaling.workloads import r3gan_256, stylegan2_of


def test_stylegan2_has_the_parameters_of_nvidias_training_log():
    """1024x1024, two mapping layers: "Total 28794124" and "Total 29012513"."""
    assert sizes(1024, 32768, 2)[:2] == (28_794_124, 29_012_513)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("4.1", 2_622_465),
        ("64.0", 2_622_465),
        ("128.0", 1_442_561),
        ("128.1", 721_409),
        ("256.0", 426_369),
        ("256.1", 213_249),
        ("256.rgb", 66_051),
        ("1024.1", 25_665),
    ],
)
def test_a_layer_has_the_parameters_of_that_log(name, expected):
    """There a style belongs to its convolution."""
    layers = stylegan2.synthesis(1024)
    assert parameters(x for x in layers if x.name in (name, f"{name}.style")) == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("256.0", 147_584), ("256.1", 295_168), ("256.skip", 32_768), ("4", 2_364_416)]
)
def test_a_layer_of_the_discriminator_too(name, expected):
    assert parameters(x for x in stylegan2.discriminator(1024) if x.name == name) == expected


def test_r3gan_has_the_parameters_of_its_paper():
    """Table 2: 23.058 M and 23.010 M; there StyleGAN2 with half the features has 24.767 M and 24.001 M."""
    found = parameters(r3gan.generator()), parameters(r3gan.discriminator())
    assert [round(x / 1e6, 3) for x in found] == [23.058, 23.010]
    assert [round(x / 1e6, 3) for x in sizes(256, 16384, 8)[:2]] == [24.767, 24.001]


def test_layers_by_hand():
    layer = convolution("", 8, 3, 5, 3, extra=2)
    assert (layer.flops, layer.parameters) == (2 * 22 * 22 * 3 * 5, 9 * 3 * 5 + 2)
    assert (layer.seen, layer.made) == (64 * 3, 64 * 5)
    up, down = (strided("", 4, 3, 5, 3, up=up) for up in (True, False))
    assert up.flops == down.flops == 2 * 16 * 9 * 3 * 5
    assert (up.seen, up.made) == (down.made, down.seen) == (16 * 5, 64 * 3)
    grouped = convolution("", 8, 32, 32, 3, groups=4)
    assert grouped.flops * 4 == convolution("", 8, 32, 32, 3).flops
    assert grouped.weights == 9 * 8 * 32
    assert layer.passes(3.5).at(2) == (2 * layer.flops, layer.weights + 2 * (layer.seen + layer.made))


def test_a_step_is_so_many_passes():
    g = forward_flops(stylegan2.synthesis(256))
    m, d = forward_flops(stylegan2.mapping()), forward_flops(stylegan2.discriminator(256))
    assert stylegan2_of(256).flops(1.0) == pytest.approx(4.75 * g + 4.375 * m + 8.25 * d)
    g, d = forward_flops(r3gan.generator()), forward_flops(r3gan.discriminator())
    assert r3gan_256().flops(1.0) == pytest.approx(4 * g + 15 * d)


def test_no_published_time_is_below_the_ideal():
    """What the model calls the least time is no more than what was measured."""
    found = compare()
    assert len(found) == 12
    assert all(x.ideal < x.predicted < x.measured for x in found)
