"""The exchanges of compiled steps on eight devices are those that the model counts."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from experiments.scaling import ours
from experiments.scaling.workloads import gradient_reductions, statistic_reductions
from gan_jax.accelerators.hlo import Collective, collectives, reduced_elements
from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.data.spec import DataSpec, Field
from gan_jax.distributed import parallel
from tests.shipped import config_with

PROGRAM = """HloModule jit_call, is_scheduled=true

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[] parameter(0)
  %b = f32[] parameter(1)
  ROOT %sum = f32[] add(%a, %b)
}

%inner (p: (s32[], f32[3,2]{1,0})) -> (s32[], f32[3,2]{1,0}) {
  %p = (s32[], f32[3,2]{1,0}) parameter(0)
  %r = f32[3,2]{1,0} all-reduce(%x), channel_id=1, to_apply=%add
  ROOT %t = (s32[], f32[3,2]{1,0}) tuple(%i, %r)
}

%outer (p: (s32[], f32[3,2]{1,0})) -> (s32[], f32[3,2]{1,0}) {
  %w = (s32[], f32[3,2]{1,0}) while(%p), condition=%c, body=%inner, config={"known_trip_count":{"n":"5"}}
  %r = (f32[4]{0}, /*index=1*/f32[]) all-reduce-start(%y, %z), channel_id=2, to_apply=%add
  ROOT %t = (s32[], f32[3,2]{1,0}) tuple(%i, %w)
}

ENTRY %main (p: (s32[], f32[3,2]{1,0})) -> (s32[], f32[3,2]{1,0}) {
  %g = f32[8]{0} all-gather(%q), dimensions={0}
  ROOT %w = (s32[], f32[3,2]{1,0}) while(%p), condition=%c, body=%outer
}
"""


def test_loops_and_tuples_of_a_program():
    assert collectives(PROGRAM) == [
        Collective("all-gather", ((8,),), 1, 32.0),
        Collective("all-reduce", ((3, 2),), 5, 24.0),
        Collective("all-reduce", ((4,), ()), 1, 20.0),
    ]
    assert reduced_elements(PROGRAM) == 5 * 6 + 5
    with pytest.raises(ValueError, match="no entry"):
        collectives("nothing")


DCGAN = config_with(
    "dcgan_fashion_mnist",
    generator__widths=(12, 10),
    discriminator__widths=(8, 14),
    discriminator__norm="batch",
)
UNITED = config_with("dcgan_fashion_mnist", generator__widths=(12, 10), discriminator__widths=(8, 14))
SNGAN = config_with(
    "sngan_mnist",
    generator__widths=(12, 10),
    discriminator__widths=(8, 14),
    discriminator__downsamplings=1,
    algorithm__discriminator_steps=3,
)


SPEC = DataSpec({"image": Field((12, 12, 1))}, None)


@pytest.mark.parametrize("config", [DCGAN, UNITED, SNGAN], ids=["two_batches", "one_batch", "sngan"])
def test_a_step_on_eight_devices_adds_up_what_was_counted(config):
    """Gradients and BatchNorm's sums, to the number; the scalars besides are losses and metrics.

    On a CPU the discriminator's gradients on reals and on fakes are added up over the devices one by one
    where it judges them as two batches; the model counts them once.
    """
    algorithm = build_algorithm(config, SPEC)
    sizes, batch = ours.sizes(algorithm, SPEC), example_batch(SPEC, 16)
    mesh = parallel.make_mesh()
    call: Any = parallel.compile_step(algorithm, lambda constants, item, key: item, mesh, 2)
    items = {"image": jax.ShapeDtypeStruct((2, algorithm.minibatches, 16, *SPEC.image_shape), jnp.float32)}
    state = parallel.abstract_state(algorithm, batch, mesh)
    lowered = call.lower(state, {}, items, jax.ShapeDtypeStruct((), jnp.int32))
    discriminator, generator = gradient_reductions(sizes)
    batches = 1 if config is UNITED else 2
    expected = batches * discriminator.times * discriminator.elements + generator.times * generator.elements
    expected += sum(x.times * x.elements for x in statistic_reductions(sizes))
    found = [x for x in collectives(lowered.compile().as_text()) if x.kind == "all-reduce"]
    assert sum(x.times * math.prod(shape) for x in found for shape in x.shapes if shape) == expected
    assert sizes.generator_norms
    assert bool(sizes.discriminator_norms) == (config is DCGAN)


@pytest.mark.parametrize(
    ("config", "generator", "discriminator"),
    [(DCGAN, 0, 0), (SNGAN, 7 * 12 * 10, 7 * 8 * 8)],
    ids=["dcgan", "sngan"],
)
def test_kernels_in_one_with_a_resampling_count_with_16_taps(config, generator, discriminator):
    """Of 3x3 x 12 x 10 in the generator's block_1 and 3x3 x 8 x 8 in the discriminator's block_0."""
    sizes = ours.sizes(build_algorithm(config, SPEC), SPEC)
    assert sizes.generator_gradient - sizes.generator == generator
    assert sizes.discriminator_gradient - sizes.discriminator == discriminator
