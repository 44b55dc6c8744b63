"""What is read from the text of a compiled program, from texts small enough to count by hand."""

from typing import Any

import pytest

from gan_jax.accelerators import hlo, measure, thunks
from gan_jax.accelerators.bound import bound
from gan_jax.accelerators.chips import GPUS, TPUS
from gan_jax.accelerators.measure import Measured
from gan_jax.accelerators.report import advice, lines
from gan_jax.core.execution import Execution

PROGRAM = """HloModule jit_call, is_scheduled=true

%cut (p0: f32[25,8], p1: s32[]) -> f32[8] {
  %p0 = f32[25,8]{1,0} parameter(0)
  %p1 = s32[] parameter(1)
  ROOT %part = f32[1,8]{1,0} dynamic-slice(%p0, %p1), dynamic_slice_sizes={1,8}
}

%written (p0: f32[25], p1: f32[1], p2: s32[]) -> f32[25] {
  %p0 = f32[25]{0} parameter(0)
  %p1 = f32[1]{0} parameter(1)
  %p2 = s32[] parameter(2)
  ROOT %new = f32[25]{0} dynamic-update-slice(%p0, %p1, %p2)
}

%critic (p: (f32[4])) -> (f32[4]) {
  %p = (f32[4]{0}) parameter(0)
  %x = f32[4]{0} get-tuple-element(%p), index=0
  %y = f32[4]{0} custom-call(%x), custom_call_target="__cudnn$convForward"
  ROOT %t = (f32[4]{0}) tuple(%y)
}

%lazy (p: f32[2]) -> f32[2] {
  %p = f32[2]{0} parameter(0)
  ROOT %c = f32[2]{0} copy(%p)
}

%skipped (p: f32[2]) -> f32[2] {
  ROOT %p = f32[2]{0} parameter(0)
}

%step (p: (f32[25,8], f32[25], f32[4], f32[2], s32[])) -> (f32[25,8], f32[25], f32[4], f32[2], s32[]) {
  %p = (f32[25,8]{1,0}, f32[25]{0}, f32[4]{0}, f32[2]{0}, s32[]) parameter(0)
  %items = f32[25,8]{1,0} get-tuple-element(%p), index=0
  %metrics = f32[25]{0} get-tuple-element(%p), index=1
  %i = s32[] get-tuple-element(%p), index=4
  %one = f32[1]{0} constant({1})
  %f = f32[8]{0} fusion(%items, %i), kind=kLoop, calls=%cut
  %m = f32[25]{0} fusion(%metrics, %one, %i), kind=kLoop, calls=%written
  %w = (f32[4]{0}) while(%t), condition=%c, body=%critic, backend_config={"known_trip_count":{"n":"5"}}
  %l = f32[2]{0} conditional(%q, %a, %b), true_computation=%lazy, false_computation=%skipped
  %s = f32[4]{0:T(128)S(1)} copy(%z)
  %r = (f32[8]{0}, f32[]) all-reduce-start(%f, %k), to_apply=%sum, metadata={op_name="jit(call)/grads"}
  ROOT %t = (f32[25,8]{1,0}) tuple(%items)
}

ENTRY %main (p: (s32[])) -> (s32[]) {
  %p = (s32[]) parameter(0)
  ROOT %w = (s32[]) while(%p), condition=%c, body=%step
}
"""
THUNKS = """001: kCopy  [source       | next=003 (2)] kCopy
003: kWhile [prev=002 (1) | sink        ]
condition:
    004: kCustomKernel [source | sink] wrapped_compare grid: [1, 1, 1]
  body:
    000: kCommandBuffer [source       | next=016 (1)]
        005: kCustomKernel [source       | sink        ] loop_add_fusion grid: [1, 1, 1]
        006: kCustomKernel [source       | sink        ] loop_broadcast_fusion grid: [1, 1, 1]
    016: kConvolution   [prev=000 (1) | sink        ] kConvolution
    017: kWhile [prev=016 (1) | sink        ]
condition:
        018: kCustomKernel [source | sink] wrapped_compare grid: [1, 1, 1]
      body:
        019: kCustomKernel [source       | sink        ] loop_add_fusion grid: [1, 1, 1]
020: kCopy  [source       | sink] kCopy
"""


def test_a_step_is_what_the_loop_over_steps_runs():
    module = hlo.parsed(PROGRAM)
    run = [(one.kind, times) for _, one, times in module.step()]
    assert run == [
        ("fusion", 1),
        ("fusion", 1),
        ("custom-call", 5),
        ("copy", 1),
        ("copy", 1),
        ("all-reduce-start", 1),
    ]


def test_bytes_are_those_that_are_read_and_written():
    module = hlo.parsed(PROGRAM)
    moved = {one.name: module.moved_bytes(where, one) for where, one, _ in module.step()}
    assert moved["f"] == 4 * 8 + 4 * 8 + 4  # a row of the items, the result, the index
    assert moved["m"] == 2 * 4 + 4 + 4  # one number is read and written in place
    assert moved["y"] == 2 * 4 * 4
    assert moved["s"] == 0  # to a TPU's scratch memory, from what is not known here


def test_collectives_of_a_step():
    found = hlo.exchanged(hlo.parsed(PROGRAM).step())
    assert found == [hlo.Collective("all-reduce", ((8,), ()), 1, 36.0, "jit(call)/grads")]


def test_what_is_in_command_buffers():
    assert thunks.launches(THUNKS) == thunks.Launches(1, 2, {"Convolution": 1, "CustomKernel": 1})


def measured(**changes):
    fields: dict[str, Any] = dict(
        arguments=100,
        aliased=80,
        results=10,
        temporaries=50,
        code=0,
        kernels=4,
        kinds={"fusion": 3, "cudnn": 1},
        moved=3350e9 / 1e6,
        collectives=(),
        launches=thunks.Launches(1, 2, {"Convolution": 1, "CustomKernel": 1}),
        flops=0.0,
        cycles=0,
        arithmetic=None,
        seconds=1.0,
        text="f32[2]",
    )
    return Measured(**fields | changes)


def test_the_bound_is_the_largest_part():
    found = bound(measured(), flops=494.7e6, chip=GPUS["h100"], chips=1, precision="float32")
    assert found.arithmetic == pytest.approx(1e-6)
    assert found.memory == pytest.approx(1e-6)
    assert found.launches == pytest.approx(2 * 2e-6 + 2 * 4e-6)
    assert (found.by, found.step) == ("launches", found.launches)


def test_an_all_reduce_moves_each_byte_twice():
    one = hlo.Collective("all-reduce", ((),), 3, 200e9 * 1e-3)
    found = bound(measured(collectives=(one,), launches=None), 1.0, TPUS["v5e"], 4, "float32")
    assert found.exchange == pytest.approx(3 * (5e-6 + 2 * 3 / 4 * 1e-3))


@pytest.mark.parametrize(
    ("state", "chips", "words"),
    [(90, 4, "execution.sharding=sharded"), (10, 1, "batch_size below 8, execution.remat=True")],
)
def test_what_to_change_where_it_does_not_fit(state, chips, words):
    assert words in advice(state, 100, chips, Execution(), 8)


def test_the_report_says_what_fits():
    chip, found = GPUS["h100"], measured()
    limit = bound(found, 1e9, chip, 1, "float32")
    text = "\n".join(lines(found, limit, chip, 1, 80, 1e9, Execution(), 8))
    assert "it fits" in text
    assert "4 a step (3 fusion, 1 cudnn)" in text
    assert "collectives: none" in text
    too_large = measured(temporaries=10**12)
    assert "it does not fit; try" in "\n".join(lines(too_large, limit, chip, 1, 80, 1e9, Execution(), 8))


@pytest.mark.parametrize(
    "told",
    [
        "Used 20.1G of 15.75G hbm",
        "the total memory required for HLO temporaries (52.24G) exceeds available HBM (15.75G)",
    ],
)
def test_what_the_compiler_says_of_the_memory(told):
    message = f"RESOURCE_EXHAUSTED: Ran out of memory on HBM, {told}.\nMore lines"
    assert measure._words(message) == told


def test_doubles_and_callbacks_are_seen():
    assert not measured().has_float64
    assert measured(text="x = f64[2]{0} add(").has_float64
    assert measured(text='custom_call_target="xla_python_cpu_callback"').has_callback
