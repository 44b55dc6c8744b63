"""Flows: the likelihood of known densities, the start from data in every layout, and a run of one."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.algorithms.flow import Flow
from gan_jax.core.execution import Execution
from gan_jax.data.codecs import Pixels, Points, Tiles
from gan_jax.data.spec import Field
from gan_jax.densities import DENSITIES
from gan_jax.evaluation.protocol import from_row
from gan_jax.models import MODELS
from gan_jax.models.flow import Glow, MLPFlow
from gan_jax.models.layers.flows import START
from gan_jax.summaries.logs import read_metrics
from tests.toys.common import Toy, ToyData, check_alone, check_many, squares, toy_config
from tests.variants import VARIANTS, steps_of

KEY = jax.random.key(0)


def flow(generator, **changes):
    given = dict(
        generator=generator,
        generator_tx=optax.adam(1e-3),
        ema_decay=lambda step: 0.9,
        latent_size=math.prod(generator.image_shape),
    )
    return Flow(**{**given, **changes})


def test_bits_are_those_of_a_standard_normal_where_nothing_was_learned():
    """A new flow of points rotates: its density is the normal one."""
    algorithm = flow(MLPFlow((1, 1, 3), steps=2, widths=(4,)), image_codec=Points())
    batch = {"image": jax.random.normal(KEY, (5, 1, 1, 3))}
    state = jax.jit(algorithm.init)(KEY, batch)
    squares = np.sum(np.square(batch["image"]).reshape(5, 3), axis=1)
    expected = (0.5 * squares / 3 + 0.5 * math.log(2 * math.pi)) / math.log(2)
    np.testing.assert_allclose(jax.jit(algorithm.bits)(state, batch, KEY), expected, rtol=1e-4)
    assert algorithm.bits_kind == "exact, of the density"
    assert "dequantised" in flow(Glow((4, 4, 1))).bits_kind


@pytest.mark.slow
def test_the_first_step_starts_actnorm_from_the_data_also_in_the_average():
    algorithm = VARIANTS["glow"]()
    batches = jax.tree.map(lambda x: x[0], steps_of(algorithm))
    state = jax.jit(algorithm.init)(KEY, jax.tree.map(lambda x: x[0], batches))
    state, metrics = jax.jit(algorithm.step)(state, batches)
    started = state.generator.stats[START]
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(started)) > 0.1
    averaged = state.ema["stats"][START]
    for a, b in zip(jax.tree.leaves(averaged), jax.tree.leaves(started), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    # Uniform pixels of unit deviation: what is not yet learned costs the bits of a normal density.
    assert 7.9 < float(metrics["bits_per_dim"]) < 9.5
    after, _ = jax.jit(algorithm.step)(state, jax.tree.map(lambda x: 2 * x, batches))
    for a, b in zip(jax.tree.leaves(after.generator.stats[START]), jax.tree.leaves(started), strict=True):
        np.testing.assert_array_equal(a, b)


def test_in_bfloat16_only_the_insides_of_couplings_are_rounded():
    """So the inverse stays what it is."""
    algorithm = flow(Glow((4, 4, 1), steps=1, width=4), execution=Execution(precision="bfloat16"))
    batch = {"image": jax.random.uniform(KEY, (3, 4, 4, 1), minval=-1)}
    state = jax.jit(algorithm.init)(KEY, batch)
    params = jax.tree.map(lambda a: a + 0.1, state.ema["params"])
    state = state.replace(ema={**state.ema, "params": params})
    encode = lambda algorithm: jax.jit(algorithm.encode)(state, batch["image"], None)
    latent = encode(algorithm)
    np.testing.assert_allclose(jax.jit(algorithm.draw)(state, latent, None), batch["image"], atol=1e-4)
    exact = encode(flow(Glow((4, 4, 1), steps=1, width=4)))
    assert 1e-6 < np.abs(latent - exact).max() < 0.1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": MODELS["mlp_generator"]((2, 2, 1))}, "a flow takes glow"),
        ({"latent": "uniform"}, "latent='uniform': the latents of a flow are 'normal'"),
        ({"image_codec": Tiles(np.zeros((3, 3), np.uint8))}, "tiles have probabilities and no density"),
    ],
)
def test_what_it_is_not_made_for_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        flow(**{"generator": Glow((4, 4, 1)), **changes})


def test_there_are_as_many_latents_as_values():
    with pytest.raises(ValueError, match=r"latent_size=100: .* set algorithm.latent_size=48"):
        flow(Glow((4, 4, 3)), latent_size=100).check_fields({"image": Field((4, 4, 3), Pixels())})


@pytest.mark.slow
@pytest.mark.parametrize(("name", "options"), [("ring", dict(modes=4, radius=1.0, std=0.3))])
def test_its_likelihood_approaches_the_entropy_of_a_known_density(name, options):
    density = DENSITIES[name](**options)
    algorithm = flow(MLPFlow((1, 1, 2), steps=6, widths=(32, 32)), image_codec=Points())
    drawn = density.sample(jax.random.key(1), 60_000)
    points = jnp.asarray(drawn, jnp.float32).reshape(-1, 1, 1, 2)
    held_out, points = points[:10_000], points[10_000:]
    log_prob = np.asarray(density.log_prob(held_out.reshape(-1, 2)))
    entropy = -log_prob.mean() / (2 * math.log(2))

    @jax.jit
    def steps(state, first):
        def step(state, number):
            rows = (number * 256 + jnp.arange(256)) % len(points)
            return algorithm.step(state, {"image": points[rows][None]})[0], None

        return jax.lax.scan(step, state, first + jnp.arange(500))[0]

    state = algorithm.init(KEY, {"image": points[:256]})
    for first in range(0, 2_000, 500):
        state = steps(state, first)
    bits = float(jnp.mean(algorithm.bits(state, {"image": held_out}, KEY)))
    assert entropy - 0.01 < bits < entropy + 0.05, (bits, entropy)


TOY = Toy(
    config=toy_config(
        {"name": "flow", "latent_size": 64}, {"name": "glow", "levels": 1, "steps": 1, "width": 4}
    ),
    data=ToyData({"image": Field((8, 8, 1), Pixels())}, lambda count, rng: {"image": squares(count, rng)}),
)
TOY.config.evaluation.metrics = "bits_per_dim,reconstruction"


@pytest.mark.slow
def test_it_trains_resumes_and_is_scored(monkeypatch, tmp_path):
    check_alone(TOY, monkeypatch, tmp_path, [1])
    (record,) = [record for record in map(from_row, read_metrics(tmp_path / "whole")) if record]
    assert record.scores["reconstruction_l1"].value < 1e-4
    assert "uniformly dequantised" in record.scores["bits_per_dim"].protocol


@pytest.mark.slow
def test_on_eight_devices_and_in_a_study(monkeypatch, tmp_path):
    TOY.config.evaluation.metrics = "fid"
    check_many(TOY, monkeypatch, tmp_path)
