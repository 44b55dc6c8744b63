"""Mini-batches in parts: the numbers of the whole, in less memory; what cannot be cut is refused."""

import dataclasses
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
import pytest

from gan_jax.algorithms import ALGORITHMS
from gan_jax.algorithms.gan import GAN
from gan_jax.augment import AUGMENTS
from gan_jax.config.build import base_config, build_algorithm
from gan_jax.core.accumulation import Microbatches, average, take
from gan_jax.core.execution import Execution
from gan_jax.core.games import GAMES
from gan_jax.core.randomness import Microbatch, example_keys, within
from gan_jax.core.update import LossOut, Update, compute_gradients
from gan_jax.data.spec import DataSpec, Field
from gan_jax.distributed import many_runs, parallel
from gan_jax.losses.adversarial import LOSSES
from gan_jax.losses.penalties import PENALTIES
from gan_jax.models import MODELS
from gan_jax.utils.errors import UserError
from tests.devices import AXIS, WAYS, assert_close, split_run
from tests.shipped import SPEC, config_with, no_compiler
from tests.variants import BASE, CLASSES, FROM_IMAGES, KEY, OF_SOUNDS, SGD, SHAPE, fetch, plain, slow_but

BATCH = 32


# Which examples are in a part


def indices(count, group, batch=24):
    rows = np.arange(batch)
    return [np.asarray(take(rows, Microbatches(count, group), jnp.int32(p))) for p in range(count)]


def test_parts_take_turns_and_keep_groups_together():
    np.testing.assert_array_equal(indices(3, 1, 6), [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(indices(2, 3, 12), [[0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]])


@pytest.mark.parametrize("way", ["whole", *WAYS])
@pytest.mark.parametrize("group", [1, 3])
def test_the_keys_of_a_part_are_those_of_its_examples(way, group):
    """Of its groups too, which packing makes one example of."""
    microbatches = Microbatches(2, group)
    rows = 48 if way == "whole" else 48 // 8

    def local(key, image):
        def of(index):
            piece = take({"image": image}, microbatches, index)["image"]
            with within(Microbatch(index, microbatches.count, microbatches.group, len(piece))):
                axis_name = None if way == "whole" else AXIS
                examples = example_keys(key, len(piece), axis_name)
                groups = example_keys(key, len(piece) // group, axis_name)
            return piece, jax.random.key_data(examples), jax.random.key_data(groups)

        return jax.lax.map(of, jnp.arange(2))

    image = np.arange(48)
    if way == "whole":
        found = jax.tree.map(lambda x: [np.asarray(x)], local(KEY, image))
    else:
        (pieces, *keys), _ = split_run(
            way, lambda key, x: (jax.tree.map(lambda y: y[None], local(key, x)), 0.0), KEY, image
        )
        found = (pieces, *keys)
    every = np.asarray(jax.random.key_data(example_keys(KEY, 48)))
    assert len(image) == 48 == rows * (1 if way == "whole" else 8)
    for pieces, examples, groups in zip(*found, strict=True):
        for piece, of_examples, of_groups in zip(pieces, examples, groups, strict=True):
            np.testing.assert_array_equal(of_examples, every[piece])
            np.testing.assert_array_equal(of_groups, every[piece[::group] // group])


def test_keys_are_those_of_the_whole_batch_again_once_a_part_is_left():
    whole = jax.random.key_data(example_keys(KEY, 6))
    with within(Microbatch(jnp.int32(1), 2, 1, 6)):
        assert not np.array_equal(jax.random.key_data(example_keys(KEY, 6)), whole)
        with pytest.raises(ValueError, match="4 rows"):
            example_keys(KEY, 4)
    np.testing.assert_array_equal(jax.random.key_data(example_keys(KEY, 6)), whole)


def test_an_example_and_its_fake_have_keys_beside_each_other():
    """Two rows for each example, wherever it is."""
    whole = jax.random.key_data(example_keys(KEY, 12)).reshape(6, 2, -1)
    for index in range(3):
        with within(Microbatch(jnp.int32(index), 3, 1, 2)):
            found = jax.random.key_data(example_keys(KEY, 4)).reshape(2, 2, -1)
        np.testing.assert_array_equal(found, whole[index::3])


@pytest.mark.parametrize("count", [4, 2, 13, 1])
def test_groups_with_unequal_numbers_of_rows_are_refused(count):
    with (
        within(Microbatch(jnp.int32(0), 2, 2, 6)),
        pytest.raises(ValueError, match=f"{count} rows .* 6 examples"),
    ):
        example_keys(KEY, count)


def test_what_the_parts_do_not_divide_is_refused():
    with pytest.raises(
        ValueError, match=r"10 examples on a device cannot be cut into 4 equal parts: .* 4 is"
    ):
        take(np.zeros(10), Microbatches(4), jnp.int32(0))
    with pytest.raises(ValueError, match=r"into 4 equal parts of groups of 3: .* 12 is"):
        take(np.zeros(16), Microbatches(4, 3), jnp.int32(0))


# The same numbers

FAMILIES: dict[str, dict[str, Any]] = {
    "packed": dict(
        game=dict(name="simultaneous"),
        **plain(algorithm=dict(packing=2, instance_noise=0.1), generator=dict(norm="none")),
        loss=dict(name="relativistic_paired"),
        penalties=dict(r1=dict(weight=0.1, every=2), r2=dict(weight=0.1)),
    ),
    "wgan_gp": dict(
        **plain(
            algorithm=dict(discriminator_steps=2),
            generator=dict(condition="embedding", embedding_size=3, norm="layer"),
            discriminator=dict(condition="projection", spectral_norm=True),
        ),
        loss=dict(name="wasserstein"),
        penalties=dict(wgan_gp=dict(weight=1.0)),
    ),
    "acgan": dict(
        game=dict(name="extragradient"),
        **plain(
            algorithm=dict(name="acgan", class_weight=0.5),
            generator=dict(condition="one_hot", norm="layer"),
            discriminator=dict(auxiliary=CLASSES),
        ),
        loss=dict(name="hinge"),
        generator_optimizer=dict(SGD, momentum=0.5),
    ),
    "infogan": dict(
        game=dict(name="consensus", weight=0.1),
        **plain(
            algorithm=dict(name="infogan", categories=3, continuous=2),
            generator=dict(norm="none"),
            discriminator=dict(auxiliary=5),
        ),
        loss=dict(name="least_squares"),
        penalties=dict(r1=dict(weight=0.1)),
    ),
    "dcgan": dict(
        generator=dict(name="dcgan_generator", widths=(6, 4), norm="group"),
        discriminator=dict(name="dcgan_discriminator", widths=(4, 6), dropout=0.4, norm="instance"),
        augment=dict(name="ada", p=0.3, adjust_images=0, groups=("color",)),
        loss=dict(name="minimax"),
    ),
    "sngan": dict(
        generator=dict(name="resnet_generator", widths=(6, 4), norm="layer", spectral_norm=True),
        discriminator=dict(name="resnet_discriminator", widths=(6,), downsamplings=1),
        **plain(algorithm=dict(name="unrolled", unrolled_steps=0)),
        augment=dict(name="diffaugment"),
        penalties=dict(consistency=dict(weight=1.0)),
    ),
    "growing": dict(
        algorithm=dict(name="growing", latent_size=5, fade_steps=3),
        loss=dict(name="wasserstein"),
        penalties=dict(drift=dict(weight=0.1)),
        generator=dict(name="progan_generator", width_base=16, width_max=4),
        discriminator=dict(name="progan_discriminator", width_base=16, width_max=4, minibatch="none"),
    ),
    "r3gan": dict(
        algorithm=dict(name="gan", latent_size=5),
        loss=dict(name="relativistic_paired"),
        generator=dict(name="r3gan_generator", widths=(6, 4), cardinality=(2, 2), blocks=1),
        discriminator=dict(name="r3gan_discriminator", widths=(4, 6), cardinality=(2, 2), blocks=1),
        penalties=dict(r1=dict(weight=0.1)),
    ),
    # Without a discriminator, or with one beside an autoencoder
    "ddpm": dict(
        algorithm=dict(name="diffusion", label_dropout=0.3),
        process=dict(name="ddpm", noise_steps=20),
        sampler=dict(name="ancestral", steps=3),
        generator=dict(
            name="diffusion_unet",
            width=4,
            multipliers=(1,),
            depth=1,
            attention_sizes=(),
            dropout=0.2,
            condition="one_hot",
        ),
    ),
    "edm": dict(
        algorithm=dict(name="diffusion"),
        process=dict(name="edm"),
        sampler=dict(name="heun", steps=3),
        generator=dict(name="mlp_denoiser", widths=(6, 4), embedding_size=8),
        generator_optimizer=dict(SGD, learning_rate=0.5),  # its output starts near zero
    ),
    "vae": dict(
        algorithm=dict(name="vae", latent_size=5),
        likelihood=dict(name="discretised_logistic"),
        generator=dict(name="conv_autoencoder", widths=(4, 6), hidden=8, condition="one_hot"),
    ),
    "vae_of_densities": dict(
        algorithm=dict(name="vae", latent_size=5),
        likelihood=dict(name="gaussian"),
        generator=dict(name="mlp_autoencoder", widths=(8,)),
    ),
    "vae_gan": dict(
        algorithm=dict(name="vae_gan", latent_size=5, layer="dropout_0"),
        generator=dict(name="conv_autoencoder", widths=(4,), hidden=8),
    ),
    "flow": dict(
        algorithm=dict(name="flow", latent_size=96),
        generator=dict(name="glow", levels=2, steps=1, width=4),
    ),
    "flow_of_densities": dict(
        algorithm=dict(name="flow", latent_size=96),
        generator=dict(name="mlp_flow", steps=1, widths=(4,)),
    ),
    "autoregressive": dict(
        algorithm=dict(name="autoregressive"),
        generator=dict(name="pixelcnn", width=4, layers=2, kernel_size=3, components=2),
    ),
    # Holes are drawn by example, patches are judged beside the source.
    "inpainting": dict(
        algorithm=dict(name="translator"),
        source=dict(name="masked", hole=0.4),
        contents=dict(l1=dict(weight=40.0), tv=dict(weight=0.1)),
        generator=dict(name="unet_generator", width=4, downs=1),
        discriminator=dict(name="patchgan_discriminator", width=4, layers=1, norm="instance"),
        penalties=dict(r1=dict(weight=0.1)),
    ),
}


def config_of(changes, accumulation):
    config = base_config()
    config.batch_size = BATCH
    for where, fields in {**BASE, **changes}.items():
        config[where] = ml_collections.ConfigDict(fields)
    config.execution.accumulation = accumulation
    return config


def built(name, accumulation):
    spec = DataSpec({"image": Field(SHAPE), "source": Field(SHAPE)}, CLASSES)
    return build_algorithm(config_of(FAMILIES[name], accumulation), spec)


def batches_of(algorithm):
    numbers, lead = np.random.default_rng(0), (algorithm.minibatches, BATCH)
    return {
        "image": numbers.uniform(-1, 1, (*lead, *SHAPE)).astype(np.float32),
        "label": numbers.integers(0, CLASSES, lead).astype(np.int32),
        "source": numbers.uniform(-1, 1, (*lead, *SHAPE)).astype(np.float32),
    }


def first_state(algorithm, batches):
    return jax.jit(algorithm.init)(KEY, jax.tree.map(lambda x: x[0], batches))


def told(state, metrics):
    """What must be the same; the key is no number."""
    return state.replace(key=()), metrics


@cache
def whole(name):
    """Batches, the first state, and what a step on the whole mini-batch makes of it."""
    algorithm = built(name, 1)
    batches = batches_of(algorithm)
    first = first_state(algorithm, batches)
    return batches, first, told(*stepped(algorithm, first, batches))


def stepped(algorithm, state, batches):
    return jax.jit(algorithm.step)(state, batches)


def assert_same_step(found, expected):
    """All optimizers are SGD: the parameters tell the gradients."""
    assert_close(found, expected, 2e-6)


@pytest.mark.parametrize(
    "name", slow_but("packed", "wgan_gp", "acgan", "dcgan", "inpainting", among=FAMILIES)
)
def test_a_step_in_parts_is_the_step(name):
    batches, first, expected = whole(name)
    found = told(*stepped(built(name, 4), first, batches))
    assert_same_step(found, expected)
    for player in first.players:
        before, after = (jax.tree.leaves(getattr(s, player).params) for s in (first, found[0]))
        assert max(np.abs(a - b).max() for a, b in zip(before, after, strict=True)) > 1e-3


def on_eight_devices(algorithm, first, batches, way):
    mesh = parallel.make_mesh()
    if way == "pmap":
        states = jax.tree.map(lambda x: jnp.stack([x] * 8), first)
        divided = {
            name: np.moveaxis(x.reshape(len(x), 8, BATCH // 8, *x.shape[2:]), 1, 0)
            for name, x in batches.items()
        }
        return told(*jax.tree.map(lambda x: x[0], parallel.pmap_step(algorithm)(states, divided)))
    if way == "shard_map":
        return told(*parallel.shard_map_step(algorithm, mesh)(first, batches))
    call: Any = parallel.compile_step(algorithm, fetch, mesh, 1)
    items = parallel.place({name: x[None] for name, x in batches.items()}, parallel.split_on(mesh, 2))
    fresh = jax.tree.map(lambda x: jax.device_put(jnp.copy(x), parallel.replicated(mesh)), first)
    program = call.lower(fresh, {}, items, jnp.int32(1)).compile()
    assert_nothing_but_sums_is_exchanged(program.as_text())
    state, metrics = program(fresh, {}, items, jnp.int32(1))
    return told(state, {name: values[0] for name, values in metrics.items()})


def assert_nothing_but_sums_is_exchanged(program):
    """A device's rows of every part are among its own, and nobody holds the whole mini-batch."""
    assert "all-reduce" in program
    for name in ("all-gather", "all-to-all", "collective-permute", f"f32[{BATCH},", f"f32[{BATCH // 2},8,12"):
        assert name not in program


def test_a_step_in_parts_that_keeps_only_the_blocks_values_is_the_step():
    batches, first, expected = whole("packed")
    algorithm = built("packed", 2)
    both = dataclasses.replace(algorithm, execution=Execution(accumulation=2, remat=True))
    assert_same_step(told(*stepped(both, first, batches)), expected)


@pytest.mark.parametrize("way", ["jit", *WAYS])
def test_a_step_in_parts_on_eight_devices_is_the_step(way):
    batches, first, expected = whole("packed")
    assert_same_step(on_eight_devices(built("packed", 2), first, batches, way), expected)


@pytest.mark.slow  # what is vmapped is the step of the tests before
def test_runs_trained_together_may_be_cut():
    algorithm = built("packed", 4)
    batches, first, expected = whole("packed")
    states = jax.tree.map(lambda x: jnp.stack([x] * 2), first).replace(step=first.step)
    states = states.replace(key=jnp.stack([KEY, jax.random.key(1)]))
    items = jax.tree.map(lambda x: np.stack([x[None]] * 2), batches)
    mesh = parallel.make_mesh(jax.devices()[:1])
    call = many_runs.compile_runs(lambda numbers: algorithm, fetch, mesh, 1, "vmap")
    states, metrics = call(states, {}, {}, items, jnp.int32(1))
    one = jax.tree.map(lambda x: x[0], states.replace(step=None)).replace(step=states.step)
    assert_same_step(told(one, jax.tree.map(lambda x: x[0, 0], metrics)), expected)


def test_one_part_is_the_program_without_parts():
    algorithm = built("packed", 1)
    batches, state, _ = whole("packed")
    batch = jax.tree.map(lambda x: x[0], batches)
    update = algorithm.updates()[0]

    def by_hand(state, batch, key):
        gradient = jax.value_and_grad(update.loss, has_aux=True)
        return gradient(state.discriminator.params, state, batch, key)[1]

    def found(state, batch, key):
        return compute_gradients(update, state, batch, key, None, algorithm.microbatches).grads

    programs = {jax.jit(f).lower(state, batch, KEY).as_text() for f in (by_hand, found)}
    first, second = (text.split("\n", 1)[1] for text in sorted(programs))  # but for the program's name
    assert first == second


# Less memory


def temporary_bytes(accumulation):
    """Of a step of a small DCGAN, whose activations outweigh its parameters."""
    changes = dict(
        generator=dict(name="dcgan_generator", widths=(16, 8), norm="layer"),
        discriminator=dict(name="dcgan_discriminator", widths=(8, 16)),
    )
    config = config_of(changes, accumulation)
    algorithm = build_algorithm(config, DataSpec({"image": Field((16, 16, 1))}, None))
    batch = {"image": jax.ShapeDtypeStruct((64, 16, 16, 1), jnp.float32)}
    state = jax.eval_shape(algorithm.init, KEY, batch)
    batches = {"image": jax.ShapeDtypeStruct((1, 64, 16, 16, 1), jnp.float32)}
    compiled: Any = jax.jit(algorithm.step, donate_argnums=0).lower(state, batches).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_memory_falls_with_the_parts():
    assert temporary_bytes(4) < 0.4 * temporary_bytes(1)


# What cannot be cut

DCGAN = dict(name="dcgan_discriminator")
UNCUTTABLE: dict[str, dict[str, Any]] = {
    "batch": dict(generator=dict(name="dcgan_generator", norm="batch")),
    "batch_of_the_discriminator": dict(discriminator=DCGAN | {"norm": "batch"}),
    "discrimination": dict(discriminator=DCGAN | {"minibatch": "discrimination"}),
    "stddev": dict(discriminator=DCGAN | {"minibatch": "stddev"}),
    "relativistic_average": dict(loss=dict(name="relativistic_average")),
    "dragan": dict(penalties=dict(dragan=dict(weight=1.0))),
    "lecam": dict(penalties=dict(lecam=dict(weight=1.0))),
    "ada": dict(augment=dict(name="ada")),
    "flipping": dict(algorithm=dict(name="gan", label_flipping=0.1)),
    "pool": dict(algorithm=dict(name="gan", pool_size=64)),
    "top_k": dict(algorithm=dict(name="gan", top_k=0.5)),
    "feature_matching": dict(algorithm=dict(name="feature_matching", layers=("dropout_1",))),
    "unrolled": dict(
        algorithm=dict(name="unrolled", unrolled_steps=2),
        discriminator_optimizer=dict(name="sgd", learning_rate=0.1),
    ),
    "styles": dict(
        generator=dict(name="stylegan2_generator", width_max=4, style_size=4),
        discriminator=dict(name="stylegan2_discriminator", width_max=4),
    ),
    "grown_styles": dict(
        algorithm=dict(name="growing"),
        generator=dict(name="stylegan_generator", width_max=4, style_size=4),
        discriminator=dict(name="progan_discriminator", width_max=4, minibatch="none"),
    ),
    "cyclegan": dict(
        algorithm=dict(name="cyclegan", pool_size=0),
        generator=dict(name="unet_generator_pair", width=4, downs=1),
        discriminator=dict(name="patchgan_discriminator_pair", width=4, layers=0, norm="none"),
    ),
}
SAID = {
    "batch": ("generator.norm=batch", "statistics", "generator.norm=layer"),
    "batch_of_the_discriminator": ("discriminator.norm=batch", "discriminator.norm=layer"),
    "discrimination": ("discriminator.minibatch=discrimination", "set discriminator.minibatch=none"),
    "stddev": ("discriminator.minibatch=stddev", "set discriminator.minibatch=none"),
    "relativistic_average": ("loss=relativistic_average", "use relativistic_paired"),
    "dragan": ("the penalty dragan", "standard deviation", "another penalty"),
    "lecam": ("the penalty lecam", "mean logits", "another penalty"),
    "ada": ("augment counts signs", "augment.adjust_images=0"),
    "flipping": ("label_flipping is drawn", "label_flipping=0.0"),
    "pool": ("the pool exchanges", "pool_size=0"),
    "top_k": ("top_k ranks", "top_k=1.0"),
    "feature_matching": ("feature_matching compares the means", "another algorithm"),
    "unrolled": ("the steps ahead of unrolled", "unrolled_steps=0"),
    "styles": ("generator remembers the mean style", "a generator without styles"),
    "grown_styles": ("generator remembers the mean style", "a generator without styles"),
    "cyclegan": ("cyclegan keeps the fakes of the whole mini-batch", "another algorithm"),
}


def uncut(**changes):
    """A shipped config that can be cut, with these changes."""
    return config_with(**({"generator__norm": "layer"} | changes))


def in_parts(config, accumulation=2):
    with config.unlocked():
        config.execution.accumulation = accumulation
    return config


@pytest.mark.parametrize("name", UNCUTTABLE)
def test_what_needs_the_whole_minibatch_is_refused(name):
    changes = UNCUTTABLE[name]
    spec = DataSpec({**SPEC.fields, "source": SPEC.fields["image"]}, SPEC.num_classes)
    build_algorithm(uncut(**changes), spec)
    with no_compiler(), pytest.raises(UserError, match=r"^the config contradicts itself: exec") as caught:
        build_algorithm(in_parts(uncut(**changes)), spec)
    message = str(caught.value)
    for word in ("execution.accumulation=2", *SAID[name], "or execution.accumulation=1"):
        assert word in message


@pytest.mark.parametrize(
    ("batch_size", "algorithm", "words"),
    [
        (30, {}, "accumulation=4 does not divide batch_size=30: choose a multiple of 4, such as 32"),
        (20, dict(packing=2), "accumulation=4 parts of packing=2 .* a multiple of 8, such as 16"),
    ],
)
def test_batch_sizes_that_the_parts_do_not_divide_are_refused(batch_size, algorithm, words):
    config = uncut(batch_size=batch_size, algorithm=dict(name="gan", **algorithm))
    with no_compiler(), pytest.raises(UserError, match=words):
        build_algorithm(in_parts(config, 4), SPEC)


def test_batch_sizes_that_devices_and_parts_do_not_divide_are_refused():
    mesh = parallel.make_mesh()
    parallel.check_batch(48, mesh, 3)
    with pytest.raises(
        UserError, match=r"batch_size=40 .* 8 devices in 3 parts each \(execution.acc.*=24 or 48"
    ):
        parallel.check_batch(40, mesh, 3)


def test_every_choice_is_compared_or_refused():
    """A new loss, penalty, ... must be put into one of the two lists above."""

    def names(where):
        return {changes[where]["name"] for changes in tried if where in changes}

    tried = [*({**BASE, **changes} for changes in FAMILIES.values()), *UNCUTTABLE.values()]
    for where, table in (("algorithm", ALGORITHMS), ("augment", AUGMENTS), ("game", GAMES)):
        assert names(where) == set(table), where
    assert names("loss") | {"non_saturating"} == set(LOSSES)
    assert names("generator") | names("discriminator") >= set(MODELS) - FROM_IMAGES - OF_SOUNDS
    assert {name for changes in tried for name in changes.get("penalties", {})} == set(PENALTIES)


def test_an_algorithm_that_no_config_made_refuses_too():
    batches = {"image": jnp.zeros((1, 8, 1, 1, 1))}
    algorithm = built("dcgan", 2)
    fields = {name: getattr(algorithm, name) for name in ("generator", "discriminator", "ema_decay")}
    sgd = dict(generator_tx=optax.sgd(0.1), discriminator_tx=optax.sgd(0.1))
    made = GAN(**fields, **sgd, top_k=0.5, execution=Execution(accumulation=2), latent_size=5)
    state = jax.eval_shape(made.init, KEY, {"image": jnp.zeros((8, *SHAPE))})
    with pytest.raises(ValueError, match="accumulation=2: top_k ranks"):
        made.step(state, batches)


def test_memories_of_the_whole_minibatch_are_refused():
    """Those that no list of obstacles names."""
    batches, state, _ = whole("packed")
    batch = jax.tree.map(lambda x: x[0], batches)
    for out in (dict(stats={"batch_stats": jnp.ones(2)}), dict(extra={"mean": jnp.ones(())})):

        def loss(params, state, batch, key, out=out):
            return jnp.mean(batch["image"]), LossOut(metrics={}, **out)

        compute_gradients(Update("generator", loss), state, batch, KEY, None)
        with pytest.raises(ValueError, match=f"accumulation: {next(iter(next(iter(out.values()))))} would"):
            compute_gradients(Update("generator", loss), state, batch, KEY, None, Microbatches(2))


def test_parts_are_averaged_and_what_is_the_same_is_kept():
    def compute(x):
        return {"sum": jnp.mean(x)}, jnp.max(x), jnp.float32(3)

    large, small, same = average(compute, jnp.arange(12.0), Microbatches(3), {"sum": jnp.float32(100)})
    assert large["sum"] == pytest.approx(5.5)
    assert small == pytest.approx((9 + 10 + 11) / 3)
    assert same == 3
    assert average(compute, jnp.arange(12.0), Microbatches(), None)[1] == 11
