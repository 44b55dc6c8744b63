"""Growing: the fade, the reals, what is forgotten, which phases can follow each other, resuming anywhere."""

import dataclasses
import runpy
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import main
from gan_jax.algorithms.growing import Growing
from gan_jax.config.build import base_config, build, build_algorithm, trace_step
from gan_jax.config.components import complete
from gan_jax.config.growing_phases import growing_phases, steps_of
from gan_jax.core.state import Player, TrainState
from gan_jax.data.spec import DataSpec, Field
from gan_jax.losses.gradient_penalties import gradient_norms
from gan_jax.models.mlp import MLPGenerator
from gan_jax.models.progan import ProGANDiscriminator, ProGANGenerator
from gan_jax.optim.optimizers import adam, no_average
from gan_jax.training.train import train
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import Interrupted
from tests.runs import leaves
from tests.shipped import FOLDER
from tests.toys.common import stop_at

SHAPE = (16, 24, 1)  # levels 4x6, 8x12, 16x24
SMALL: dict[str, Any] = dict(width_base=8, width_max=4)
KEY = jax.random.key(0)


def growing(resolution=8, other=None, shape=SHAPE, **options):
    """At a resolution, with another one for the discriminator if it is given."""
    seen = resolution if other is None else other
    return Growing(
        generator=ProGANGenerator(shape, resolution=resolution, **SMALL),
        generator_tx=adam(1e-3, b1=0.0),
        discriminator=ProGANDiscriminator(resolution=seen, **SMALL),
        discriminator_tx=adam(1e-3, b1=0.0),
        ema_decay=no_average(),
        latent_size=4,
        **options,
    )


def state_at(step):
    """A state of which only the step is looked at."""
    empty = Player(params={}, stats={}, opt=())
    return TrainState(jnp.int32(step), KEY, empty, empty, ema={}, extra={})


def test_the_fade_is_a_function_of_the_step_and_ends_with_the_phase():
    fading = growing(fade_steps=4, first_step=10)
    assert [float(fading.fade(state_at(step))) for step in range(10, 16)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert growing().fade(state_at(10)) is None
    told = fading.conditioning({"label": jnp.arange(2)}, state_at(11))
    assert (told["label"].tolist(), float(told["fade"])) == ([0, 1], 0.5)


def test_reals_are_of_the_phases_resolution_and_faded_like_the_fakes():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 3, *SHAPE)).astype(np.float32)
    label = np.zeros((2, 3), np.int32)

    def means(x, size):
        return x.reshape(2, 3, SHAPE[0] // size, size, SHAPE[1] // size, size, 1).mean((3, 5))

    def enlarged(x, size):
        return x.repeat(size, 2).repeat(size, 3)

    whole = growing(resolution=16).prepare({"image": images, "label": label}, state_at(0))
    np.testing.assert_array_equal(whole["image"], images)
    assert whole["label"] is label
    low = growing().prepare({"image": images}, state_at(0))["image"]
    np.testing.assert_allclose(low, enlarged(means(images, 2), 2), atol=1e-6)
    fading = growing(fade_steps=4).prepare({"image": images}, state_at(0))["image"]
    expected = 0.75 * enlarged(means(images, 4), 4) + 0.25 * enlarged(means(images, 2), 2)
    np.testing.assert_allclose(fading, expected, atol=1e-6)


def test_gradients_are_those_of_full_size_pixels():
    """The norm at a low resolution is that of small images over the factor: 16 / 4."""
    image = jax.random.normal(KEY, (3, *SHAPE))
    low = ProGANDiscriminator(resolution=4, **SMALL)
    small = image.reshape(3, 4, 4, 6, 4, 1).mean((2, 4))

    @jax.jit
    def norms():
        variables = low.init(KEY, image, None, train=False)
        critic = lambda network: lambda x: network.apply(variables, x, None, train=False)
        return gradient_norms(critic(low), image), gradient_norms(critic(ProGANDiscriminator(**SMALL)), small)

    full, of_small = norms()
    np.testing.assert_allclose(16 * full, of_small, rtol=1e-4)


@pytest.fixture(scope="module")
def stepped():
    """The states before and after a step at 4x6 of 8x12, after which the optimizers are full."""
    shape = (8, 12, 1)
    algorithm = growing(shape=shape, resolution=4)
    batches = {"image": jax.random.normal(KEY, (1, 4, *shape))}
    before = jax.jit(algorithm.init)(KEY, {"image": batches["image"][0]})
    return algorithm, before, jax.jit(algorithm.step)(before, batches)[0]


def test_only_layers_in_use_move(stepped):
    _, before, after = stepped
    for role in ("generator", "discriminator"):
        old, new = getattr(before, role).params, getattr(after, role).params
        still = {name for name in old if jax.tree.all(jax.tree.map(np.array_equal, old[name], new[name]))}
        assert still == {name for name in old if name.endswith("_8")}


def test_optimizers_forget_when_a_phase_begins(stepped):
    algorithm, _, after = stepped
    entered = algorithm.enter(after)
    for role in ("generator", "discriminator"):
        fresh = optax.tree_utils.tree_get(getattr(entered, role).opt, "mu")
        assert all(np.all(leaf == 0) for leaf in jax.tree.leaves(fresh))
        jax.tree.map(
            np.testing.assert_array_equal, getattr(entered, role).params, getattr(after, role).params
        )
    jax.tree.map(np.testing.assert_array_equal, entered.ema, after.ema)
    assert int(entered.step) == 1


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (dict(other=16), "generator.resolution=8 and discriminator.resolution=16: both networks"),
        (dict(resolution=4, fade_steps=3), "fade_steps=3: 4x6 is the lowest resolution"),
        (dict(fade_steps=-1), "fade_steps=-1"),
        (dict(fade_steps=0.5), "fade_steps=0.5"),
        (dict(other=12), "resolution=12: images of 16x24 have the levels"),
    ],
)
def test_impossible_phases_are_refused(fields, words):
    with pytest.raises(ValueError, match=words):
        growing(**fields)


def test_networks_that_do_not_grow_are_refused():
    with pytest.raises(ValueError, match="the generator MLPGenerator has no resolution: use progan"):
        dataclasses.replace(growing(), generator=MLPGenerator(SHAPE))


@pytest.mark.parametrize(
    ("before", "phase", "is_last", "words"),
    [
        (dict(resolution=4), dict(resolution=16), True, "from 4x6 to 16x24: add a phase at 8x12"),
        (dict(resolution=16), dict(), False, "goes back from 16x24 to 8x12"),
        (dict(), dict(fade_steps=2), False, "would fade in 8x12, which the phase before has trained"),
        (dict(fade_steps=6), dict(first_step=5), False, "5 steps after a fade of fade_steps=6, which is not"),
        (dict(resolution=4), dict(), True, "ends at 8x12, and the images are 16x24: add phases"),
        (None, dict(), True, "ends at 8x12"),
        (None, dict(), False, None),
        (dict(resolution=4), dict(fade_steps=3), False, None),
        (dict(fade_steps=5), dict(first_step=5), False, None),
        (dict(), dict(resolution=16, fade_steps=3), True, None),
    ],
)
def test_phases_follow_each_other_or_are_refused(before, phase, is_last, words):
    previous = None if before is None else growing(**before)
    if words is None:
        growing(**phase).check_place(previous, is_last)
        return
    with pytest.raises(ValueError, match=words):
        growing(**phase).check_place(previous, is_last)


# Configs


def test_phases_from_images():
    found = growing_phases(
        (7, 14), images={7: 100, 14: 50}, fade_images=64, batch_size={7: 32, 14: 16}, learning_rate=0.5
    )
    assert [(one["name"], one["num_steps"], one["batch_size"]) for one in found] == [
        ("r7", 4, 32),
        ("r14_fade", 4, 16),
        ("r14", 4, 16),
    ]
    assert [one["algorithm"]["fade_steps"] for one in found] == [0, 4, 0]
    assert found[1]["generator"] == found[1]["discriminator"] == dict(resolution=14)
    assert found[2]["generator_optimizer"] == dict(learning_rate=0.5)
    assert steps_of(found) == 12
    assert [one["name"] for one in growing_phases((7, 14), images=9, fade_images=0, batch_size=3)] == [
        "r7",
        "r14",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(images={4: 5}), r"images=\{4: 5\}: it has no number for the resolution 8"),
        (dict(images=0), "images=0: it must be a positive"),
        (dict(fade_images=-1), "fade_images=-1"),
        (dict(batch_size=0), "batch_size=0"),
    ],
)
def test_impossible_images_are_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        growing_phases((4, 8), **{**dict(images=5, fade_images=5, batch_size=2), **changes})


def test_phases_of_the_papers():
    """From 4x4 and 8x8 on, to 19 and 25 million images; the batches shrink with the resolution."""
    for name, names, batches, total in (
        ("progan_paper", ["r4", "r8_fade", "r8"], {16, 14}, 19e6),
        ("stylegan_paper", ["r8", "r16_fade", "r16"], {256, 128, 64, 32}, 25e6),
    ):
        config = runpy.run_path(str(FOLDER / f"{name}.py"))["get_config"]("256")
        assert [phase["name"] for phase in config.phases][:3] == names
        assert config.phases[-1]["generator"] == dict(resolution=256)
        assert {phase["batch_size"] for phase in config.phases} == batches
        shown = sum(phase["num_steps"] * phase["batch_size"] for phase in config.phases)
        assert shown == pytest.approx(total, rel=1e-3)
        assert config.num_steps == steps_of(config.phases)


def small_config(folder, sizes=(4, 8, 16), batch_size=2):
    """Shapes of 16x16, three steps for each phase."""
    config = base_config()
    images = 3 * batch_size
    config.phases = growing_phases(sizes, images=images, fade_images=images, batch_size=batch_size)
    config.num_steps = steps_of(config.phases)
    config.update(steps_per_call=2, log_every_steps=1, checkpoint_every_steps=100, sample_every_steps=100)
    config.data.update(name="shapes", dir=str(folder), num_examples=64, resolution=16, channels=1)
    config.algorithm = dict(name="growing", latent_size=4)
    config.loss = dict(name="wasserstein")
    config.penalties = dict(wgan_gp=dict(weight=10.0), drift=dict(weight=1e-3))
    config.generator = dict(name="progan_generator", **SMALL)
    config.discriminator = dict(name="progan_discriminator", **SMALL)
    for role in ("generator", "discriminator"):
        config[f"{role}_optimizer"] = dict(name="adam", learning_rate=1e-3, b1=0.0, b2=0.99)
    return config


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((4, 16), "^phase r16_fade: phases: it goes from 4x4 to 16x16: add a phase at 8x8, which it skips$"),
        ((4, 8), "^phase r8: phases: it is the last one and ends at 8x8, and the images are 16x16"),
        ((4, 12), r"^phase r12_fade: generator \(progan_generator\): resolution=12: images of 16x16 have"),
    ],
)
def test_a_run_says_which_phase_cannot_be(sizes, words, tmp_path):
    with pytest.raises(UserError, match=words):
        build(complete(small_config(tmp_path, sizes)))


@pytest.mark.slow
def test_it_goes_with_every_component_of_a_gan(tmp_path):
    """Adaptive augmentation, another loss, lazy penalties, packing, noise and a pool, in a fade."""
    config = small_config(tmp_path)
    config.batch_size = 4
    config.phases = []
    config.loss = dict(name="hinge")
    config.augment = dict(name="ada", p=0.2, adjust_images=100)
    config.penalties = dict(r1=dict(weight=1.0, every=2), r2=dict(weight=1.0), consistency=dict(weight=1.0))
    config.algorithm = dict(
        name="growing", latent_size=4, fade_steps=2, packing=2, pool_size=4, instance_noise=0.1
    )
    spec = DataSpec({"image": Field((16, 16, 1))}, None)
    trace_step(build_algorithm(complete(config), spec), spec, 4)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 8])
def test_a_run_resumes_at_every_step_and_draws_in_every_phase(devices, tmp_path):
    """Of three phases, three steps each: 8x8, the fade, 16x16."""
    config = small_config(tmp_path, (8, 16), batch_size=8)
    whole = leaves(train(config, tmp_path / "whole", devices=devices))
    folder = tmp_path / "cut"
    for step in range(1, config.num_steps):
        with pytest.raises(Interrupted):
            train(config, folder, devices=devices, callbacks=[stop_at(step)])
        if step % 3 == 2:  # within each phase
            out = str(tmp_path / f"{step}.png")
            assert main.main(["sample", "--workdir", str(folder), "--num", "4", "--out", out]) == 0
    found = leaves(train(config, folder, devices=devices))
    assert found.keys() == whole.keys()
    for path, value in whole.items():
        np.testing.assert_array_equal(found[path], value, err_msg=path)
    scored = ["evaluate", "--fake", str(folder), "--metrics", "fid", "--network", "random", "--num", "32"]
    assert main.main(scored) == 0
