"""The diffusion method: its loss, dropped labels, guidance, and samples that do not depend on the layout."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.algorithms.diffusion import NO_LABEL
from gan_jax.algorithms.solvers import DDIM, Ancestral, Heun
from gan_jax.config.build import build_algorithm
from gan_jax.core.execution import Execution
from gan_jax.core.randomness import example_keys
from gan_jax.data.spec import DataSpec, Field
from gan_jax.inference.sample import make_sampler
from gan_jax.inference.samplers import SamplerChoice, with_sampler
from gan_jax.utils.errors import UserError
from tests.variants import CLASSES, KEY, SHAPE, VARIANTS, config_of, first_state, steps_of

SPEC = DataSpec({"image": Field(SHAPE)}, CLASSES)


def variant(name) -> Any:
    return VARIANTS[name]()


def random_state(name):
    """A state whose network answers something: at the start it answers next to nothing."""
    state = first_state(name)
    numbers = np.random.default_rng(0)
    moved = jax.tree.map(lambda x: x + 0.3 * numbers.normal(size=x.shape).astype(x.dtype), state.ema)
    return state.replace(ema=moved)


@pytest.mark.slow
def test_loss_of_a_network_that_says_nothing_is_the_variance_of_the_target():
    algorithm, state = variant("ddpm"), first_state("ddpm")
    batch = {"image": jnp.zeros((256, *SHAPE)), "label": jnp.zeros(256, jnp.int32)}
    loss, _ = jax.jit(algorithm.denoising)(state.generator.params, state, batch, KEY)
    assert loss == pytest.approx(1.0, abs=0.02)


def test_a_share_of_the_labels_is_dropped():
    algorithm = variant("ddpm")
    dropped = algorithm.dropped(jnp.ones(2000, jnp.int32), example_keys(KEY, 2000))
    assert set(np.unique(dropped)) == {NO_LABEL, 1}
    assert np.mean(dropped == NO_LABEL) == pytest.approx(0.3, abs=0.05)
    assert algorithm.dropped(None, example_keys(KEY, 2)) is None


@pytest.mark.slow
def test_guidance_of_1_is_none_and_of_0_needs_no_label():
    algorithm, state = variant("ddpm"), random_state("ddpm")
    x, sigma = jax.random.normal(KEY, (4, *SHAPE)), jnp.float32(1.0)
    label, free = jnp.arange(4) % CLASSES, jnp.full(4, NO_LABEL)

    def guided(weight, label):
        sampler = dataclasses.replace(algorithm.sampler, guidance=weight)
        return dataclasses.replace(algorithm, sampler=sampler).denoiser(state, label)(x, sigma)

    plain = guided(1.0, label)
    assert np.abs(plain - guided(1.0, free)).max() > 1e-3
    np.testing.assert_allclose(guided(1.0 + 1e-7, label), plain, atol=1e-5)
    np.testing.assert_allclose(guided(0.0, label), guided(1.0, free), atol=1e-5)


def test_images_do_not_depend_on_how_many_there_are():
    algorithm = with_sampler(variant("ddpm"), SamplerChoice("ddim", 2))
    sampler, state = make_sampler(algorithm, SPEC), random_state("ddpm")
    labels = np.arange(70, dtype=np.int32) % CLASSES
    many, few = sampler(state, 70, KEY, labels), sampler(state, 3, KEY, labels[:3])
    np.testing.assert_array_equal(many[:3], few)
    assert np.abs(many).max() <= 1.0
    assert np.abs(many[:3] - many[64:67]).max() > 1e-3


def test_samples_on_eight_devices_are_those_of_one():
    algorithm, state = variant("edm"), random_state("edm")
    mesh = jax.make_mesh((8,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    split = jax.NamedSharding(mesh, jax.P("x"))
    batch = {"image": jnp.zeros((16, *SHAPE)), "label": jnp.zeros(16, jnp.int32)}
    one = jax.jit(algorithm.sample)(state, batch, KEY)
    whole = jax.device_put(state, jax.NamedSharding(mesh, jax.P()))
    eight = jax.jit(algorithm.sample, out_shardings=split)(whole, jax.device_put(batch, split), KEY)
    np.testing.assert_allclose(eight, one, atol=1e-3)


def test_a_step_in_parts_is_the_step():
    algorithm = variant("edm")
    batches = jax.tree.map(lambda x: x[0], steps_of(algorithm))
    parts = dataclasses.replace(algorithm, execution=Execution(accumulation=4))
    one, other = (jax.jit(a.step)(first_state("edm"), batches) for a in (algorithm, parts))
    np.testing.assert_allclose(one[1]["generator_loss"], other[1]["generator_loss"], rtol=1e-5)
    for a, b in zip(*(jax.tree.leaves(s.generator.params) for s, _ in (one, other)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_another_sampler():
    algorithm = variant("ddpm")  # ancestral, 3 steps, guidance 2

    def chosen(*choice) -> Any:
        return with_sampler(algorithm, SamplerChoice(*choice))

    assert chosen() is algorithm
    assert chosen(None, 7).sampler == Ancestral(steps=7, guidance=2.0)
    assert chosen("heun").sampler == Heun(guidance=2.0)
    found = chosen("ddim", 4, 1.0)
    assert (found.sampler, found.evaluations) == (DDIM(steps=4), 4)
    assert algorithm.evaluations == 6
    assert found.drawing == "ddim, 4 steps, eta 0"


@pytest.mark.parametrize(
    ("name", "choice", "says"),
    [
        ("wgan_gp", SamplerChoice(steps=20), "--steps=20: only diffusion models"),
        ("ddpm", SamplerChoice("euler"), "--solver=euler: it is not one of ancestral, ddim, heun"),
        ("ddpm", SamplerChoice(steps=21), "noise_steps=20 at most"),
        ("edm", SamplerChoice(guidance=2.0), "--guidance=2.0: guidance=2 is towards a label"),
    ],
)
def test_what_cannot_be_sampled_is_refused_in_a_line(name, choice, says):
    with pytest.raises(UserError) as caught:
        with_sampler(variant(name), choice)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_guidance_needs_dropped_labels():
    config = config_of("ddpm")
    config.algorithm.label_dropout = 0.0
    with pytest.raises(UserError, match=r"set algorithm\.label_dropout"):
        build_algorithm(config, SPEC)


@pytest.mark.parametrize(
    ("algorithm", "generator"),
    [("diffusion", "mlp_generator"), ("gan", "diffusion_unet")],
)
def test_networks_of_another_kind_are_refused(algorithm, generator):
    config = config_of("ddpm" if algorithm == "diffusion" else "wgan_gp")
    config.generator = dict(name=generator)
    config.sampler = dict(name="heun")
    with pytest.raises(UserError, match="do not fit together"):
        build_algorithm(config, SPEC)
