"""Operations, channels and precision of a TPU's program, from a text that can be counted by hand."""

import pytest

from experiments.accelerators.tables import half_busy
from gan_jax.accelerators import hlo, products
from gan_jax.accelerators.bound import bound
from gan_jax.accelerators.chips import TPUS
from gan_jax.accelerators.report import lines, matrix_units_busy
from gan_jax.core.execution import Execution
from tests.accelerators.test_programs import measured

# One step: a padded convolution in a fusion that upcasts, a product run five times, a transposed convolution.
PROGRAM = """HloModule jit_call

%block (p0: bf16[2,4,4,3], p1: bf16[3,3,3,16]) -> f32[2,4,4,16] {
  %p0 = bf16[2,4,4,3]{3,2,1,0} parameter(0)
  %p1 = bf16[3,3,3,16]{3,2,1,0} parameter(1)
  %c = bf16[2,4,4,16]{3,2,1,0} convolution(%p0, %p1), window={size=3x3 pad=1_1x1_1}, dim_labels=b01f_01io->b01f
  %f = f32[2,4,4,16]{3,2,1,0} convert(%c)
  ROOT %t = f32[2,4,4,16]{3,2,1,0} tanh(%f)
}

%again (p: (f32[8,100], f32[100,256])) -> (f32[8,100], f32[100,256]) {
  %p = (f32[8,100]{1,0}, f32[100,256]{1,0}) parameter(0)
  %x = f32[8,100]{1,0} get-tuple-element(%p), index=0
  %w = f32[100,256]{1,0} get-tuple-element(%p), index=1
  %y = f32[8,256]{1,0} convolution(%x, %w), dim_labels=bf_io->bf, metadata={op_name="jit(call)/transpose(jvp(Critic))/dense/dot_general"}
  ROOT %t = (f32[8,100]{1,0}, f32[100,256]{1,0}) tuple(%x, %w)
}

ENTRY %main (a: bf16[2,4,4,3], b: bf16[3,3,3,16], c: f32[1,2,2,128], d: f32[2,2,64,128]) -> f32[] {
  %a = bf16[2,4,4,3]{3,2,1,0} parameter(0)
  %b = bf16[3,3,3,16]{3,2,1,0} parameter(1)
  %c = f32[1,2,2,128]{3,2,1,0} parameter(2)
  %d = f32[2,2,64,128]{3,2,1,0} parameter(3)
  %h = f32[2,4,4,16]{3,2,1,0} fusion(%a, %b), kind=kOutput, calls=%block, metadata={op_name="jit(call)/while/body/jvp(Generator)/conv_0/tanh"}, backend_config={"window_config":{"estimated_cycles":"500"}}
  %w = (f32[8,100]{1,0}, f32[100,256]{1,0}) while(%t), condition=%k, body=%again, backend_config={"known_trip_count":{"n":"5"}}
  %u = f32[1,4,4,64]{3,2,1,0} convolution(%c, %d), window={size=2x2 pad=1_1x1_1 lhs_dilate=2x2 rhs_reversal=1x1}, dim_labels=b01f_01oi->b01f, metadata={op_name="jit(call)/jvp(Generator)/up_1/conv"}
  ROOT %s = f32[] reduce(%h, %z), dimensions={0,1,2,3}, to_apply=%sum
}
"""  # noqa: E501
PADDED = 2 * 2 * 16 * 3 * 10**2  # of 4 outputs and 3 taps along a side, two pairs meet padding
DENSE = 5 * 2 * 8 * 100 * 256
UP = 2 * 64 * 128 * 4**2  # of 4 outputs and 2 taps along a side, one tap each meets a number


def test_operations_are_those_that_meet_numbers():
    found = products.arithmetic(hlo.parsed(PROGRAM))
    assert [one.flops for one in found.products] == [PADDED, DENSE, UP]
    assert found.elsewhere == 512 + 512  # tanh, and the sum
    assert found.share == pytest.approx((PADDED + DENSE + UP) / (PADDED + DENSE + UP + 1024))
    assert found.cycles == 500
    assert found.networks == ["Critic", "Generator"]


def test_lanes_are_filled_by_channels():
    found = products.arithmetic(hlo.parsed(PROGRAM)).products
    assert [(one.contracted, one.features) for one in found] == [(3, 16), (100, 256), (128, 64)]
    assert products.filled(found[:1], "features") == 16 / 128
    assert products.filled(found[1:2], "contracted") == 100 / 128
    mean = (PADDED * 3 / 128 + UP) / (PADDED + UP)
    assert products.filled([found[0], found[2]], "contracted") == pytest.approx(mean)


def test_channels_of_one_group_count():
    text = """ENTRY %main (a: f32[1,8,64], b: f32[1,16,64]) -> f32[1,8,64] {
  %a = f32[1,8,64]{2,1,0} parameter(0)
  %b = f32[1,16,64]{2,1,0} parameter(1)
  ROOT %c = f32[1,8,64] convolution(%a, %b), window={size=1}, dim_labels=b0f_0io->b0f, feature_group_count=4
}
"""
    [one] = products.arithmetic(hlo.parsed(text)).products
    assert (one.contracted, one.features, one.flops) == (16, 16, 2 * 8 * 64 * 16)


def test_what_is_bfloat16_and_what_upcasts():
    found = products.arithmetic(hlo.parsed(PROGRAM))
    assert (found.read_bfloat16, found.write_bfloat16) == (1, 1)
    assert found.upcasts == {"Generator/conv_0": 1}


def test_a_chip_is_half_busy_where_work_equals_what_is_always_there():
    assert half_busy({8: 1e6, 32: 1_000 + 50 * 32, 128: 1_000 + 50 * 128}) == pytest.approx(20)
    assert half_busy({1: 50, 2: 100}) == 0


def test_the_report_of_a_tpu():
    chip = TPUS["v5e"]
    one = measured(launches=None, cycles=1500, arithmetic=products.arithmetic(hlo.parsed(PROGRAM)))
    assert matrix_units_busy(one, chip) == pytest.approx((PADDED + DENSE + UP) / (1e-6 * 197e12))
    text = "\n".join(lines(one, bound(one, 1e9, chip, 1, "float32"), chip, 1, 80, 1e9, Execution(), 8))
    assert "in 3 convolutions and products" in text
    assert "Critic 78 and 100 %, Generator 93 and 47 %" in text
    assert "1,500 cycles a step, one instruction after the other: 1 us" in text
    assert "1 of 3 convolutions and products read it and 1 hand it on" in text
    assert "1 fusions upcast to float32: 1 Generator/conv_0" in text
    assert "matrix units" not in "\n".join(
        lines(measured(), bound(one, 1e9, chip, 1, "float32"), chip, 1, 80, 1e9, Execution(), 8)
    )
