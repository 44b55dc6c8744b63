"""WaveGAN's networks: the published sizes, convolutions as the library's own, and the phase shuffle."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.data.expected import expected_spec
from gan_jax.data.sound_codecs import Wave
from gan_jax.data.spec import DataSpec, Field
from gan_jax.distributed import parallel
from gan_jax.models.layers import conv
from gan_jax.models.layers.phase_shuffle import PhaseShuffle
from gan_jax.models.layers.sounds import convolve_sounds, transpose_sounds
from gan_jax.models.wavegan import WaveGANDiscriminator, WaveGANGenerator
from tests.shipped import get_config

LENGTH = 256


def count(model, *given):
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    variables = jax.eval_shape(lambda: model.init(keys, *given))
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(variables["params"]))


@pytest.mark.parametrize(
    ("dim", "generator", "discriminator"),
    [(64, 19_065_345, 17_427_969), (32, 5_180_673, 4_361_985), (16, 1_502_337, 1_092_993)],
)
def test_the_published_sizes(dim, generator, discriminator):
    assert count(WaveGANGenerator((16_384, 1, 1), dim=dim), jnp.zeros((1, 100)), None, True) == generator
    assert count(WaveGANDiscriminator(dim=dim), jnp.zeros((1, 16_384, 1, 1)), None, True) == discriminator


@pytest.mark.parametrize("name", ["wavegan_paper", "specgan_paper"])
def test_the_published_configs(name):
    config = get_config(name)
    options = {
        name: config.data[name] for name in ("folder", "length", "rate", "form") if name in config.data
    }
    spec = expected_spec("waves", **options)
    algorithm = build_algorithm(config, spec)
    state = jax.eval_shape(algorithm.init, jax.random.key(0), example_batch(spec, 2))
    counts = [
        sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(player.params))
        for player in (state.generator, state.discriminator)
    ]
    assert counts == [19_065_345, 17_427_969]


@pytest.mark.parametrize("shape", [(25, 4, 3, 5, 64), (25, 4, 1, 2, 16), (5, 2, 2, 3, 10), (3, 4, 2, 2, 16)])
def test_products_are_convolutions(shape):
    size, stride, inputs, outputs, length = shape
    rng = np.random.default_rng(0)
    x = jnp.float32(rng.normal(size=(2, length, inputs)))
    kernel = jnp.float32(rng.normal(size=(size, inputs, outputs)))
    geometry = conv.geometry((length, 1), (size, 1), (stride, 1), "SAME")
    expected = conv.convolve(x[:, :, None], kernel[:, None], geometry)[:, :, 0]
    np.testing.assert_allclose(convolve_sounds(x, kernel, stride), expected, atol=2e-5)
    y = jnp.float32(rng.normal(size=expected.shape))
    expected = conv.convolve_transpose(y[:, :, None], kernel[:, None], geometry)[:, :, 0]
    np.testing.assert_allclose(transpose_sounds(y, kernel, stride), expected, atol=2e-5)


def test_the_networks_make_and_judge_sounds():
    generator = WaveGANGenerator((LENGTH, 1, 1), dim=2, layers=3, num_classes=3, condition="embedding")
    latent, label = jnp.zeros((2, 5)), jnp.array([0, 2])
    variables = generator.init(jax.random.key(0), latent, label, True)
    sounds: Any = generator.apply(variables, latent, label, True)
    assert sounds.shape == (2, LENGTH, 1, 1)
    assert variables["params"]["up_2"]["kernel"].shape == (25, 1, 2)
    judge = WaveGANDiscriminator(dim=2, layers=3, num_classes=3, condition="projection")
    keys = {"params": jax.random.key(0), "dropout": jax.random.key(1)}
    assert judge.init_with_output(keys, sounds, label, True)[0].shape == (2,)


def after_two_steps(devices, accumulation=1):
    """Parameters of a tiny WaveGAN with all that is random in it."""
    config = get_config("wavegan_tones")
    config.batch_size = 8
    config.algorithm.discriminator_steps = 1
    for player in ("generator", "discriminator"):
        config[player].update(dim=2, layers=2)
    config.execution.accumulation = accumulation
    spec = DataSpec({"image": Field((64, 1, 1), Wave(8_000))}, None)
    algorithm, mesh = build_algorithm(config, spec), parallel.make_mesh(jax.devices()[:devices])
    batch = example_batch(spec, 8)
    sounds = np.random.default_rng(0).uniform(-1, 1, (2, algorithm.minibatches, *batch["image"].shape))
    items = parallel.place({"image": sounds.astype(np.float32)}, parallel.split_on(mesh, 2))
    state = parallel.initial_state(algorithm, jax.random.key(0), batch, mesh)
    call = parallel.compile_step(algorithm, lambda _, item, key: item, mesh, 2)
    state, _ = call(state, {}, items, jnp.int32(2))
    return jax.device_get([player.params for player in state.players.values()])


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "accumulation"), [(8, 1), (1, 2)])
def test_phase_shuffle_depends_on_the_example_alone(devices, accumulation):
    """Not on the devices, nor on the parts that a mini-batch is computed in."""
    found, expected = after_two_steps(devices, accumulation), after_two_steps(1)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), found, expected)


def test_phase_shuffle_moves_each_example_by_a_few_samples():
    x = jnp.arange(10.0)[None, :, None, None] + jnp.zeros((64, 1, 1, 3))
    layer = PhaseShuffle(2)
    moved: Any = layer.apply({}, x, True, rngs={"dropout": jax.random.key(0)})
    padded = np.pad(np.arange(10.0), 2, mode="reflect")
    choices = [padded[start : start + 10] for start in range(5)]
    seen = set()
    for example in np.asarray(moved):
        matching = [at for at, choice in enumerate(choices) if (example[:, 0, 0] == choice).all()]
        assert len(matching) == 1
        assert (example == example[..., :1]).all()  # all channels alike
        seen.add(matching[0])
    assert seen == set(range(5))
    again = layer.apply({}, x, True, rngs={"dropout": jax.random.key(0)})
    other: Any = layer.apply({}, x, True, rngs={"dropout": jax.random.key(1)})
    np.testing.assert_array_equal(moved, again)
    assert (moved != other).any()
    np.testing.assert_array_equal(layer.apply({}, x, False), x)
    np.testing.assert_array_equal(PhaseShuffle(0).apply({}, x, True), x)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: count(WaveGANGenerator((1_000, 1, 1)), jnp.zeros((1, 9)), None, True), "multiple of 1024"),
        (lambda: count(WaveGANGenerator((8, 8, 1)), jnp.zeros((1, 9)), None, True), "take sounds"),
        (lambda: count(WaveGANGenerator((1_024, 1, 1), dim=0), jnp.zeros((1, 9)), None, True), "dim=0"),
        (lambda: count(WaveGANDiscriminator(), jnp.zeros((1, 96, 1, 1)), None, True), "multiple of 1024"),
        (
            lambda: count(WaveGANDiscriminator(phase_shuffle=4), jnp.zeros((1, 1_024, 1, 1)), None, True),
            "phase_shuffle=4",
        ),
        (lambda: count(WaveGANDiscriminator(norm="batch"), jnp.zeros((1, 1024, 1, 1)), None, True), "norm"),
    ],
)
def test_what_will_not_do_is_said(make, said):
    with pytest.raises(ValueError, match=said):
        make()
