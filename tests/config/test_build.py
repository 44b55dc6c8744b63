"""Reading a config: what is wrong is said with the choices, before anything is compiled."""

from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax
import pytest

from gan_jax import data
from gan_jax.augment import NoAugment
from gan_jax.augment.diffaugment import DiffAugment
from gan_jax.config import build, components
from gan_jax.config.build import build_algorithm
from gan_jax.config.components import complete
from gan_jax.core.games import GAMES
from gan_jax.data.codecs import Tiles
from gan_jax.data.spec import DataSpec, Field
from gan_jax.losses.penalties import R1, R2, LeCam
from gan_jax.optim.schedules import SCHEDULES
from gan_jax.utils.errors import UserError
from tests.shipped import SPEC, config_with, dataset, get_config, no_compiler

RAMP = dict(name="cosine", start=1e-3, end=0.0, steps=10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        # names, with the choices
        (
            {"algorithm__name": "gna"},
            "algorithm.name='gna' is not one of acgan, autoregressive, cyclegan, diffusion, feature_ma",
        ),
        ({"generator__name": "unet"}, "generator.name='unet' is not one of conv_auto.*mlp_generator"),
        ({"generator_optimizer__name": "adamm"}, "generator_optimizer.name='adamm' is not one of adam, opti"),
        ({"loss__name": "hinge?"}, "loss.name='hinge.' is not one of hinge, least_squares, minimax, non_sat"),
        ({"loss": {}}, "loss.name=None is not one of hinge"),
        ({"augment__name": "adda"}, "augment.name='adda' is not one of ada, diffaugment, none"),
        ({"game__name": "chess"}, "game.name='chess' is not one of alternating, consensus, extragradient, s"),
        ({"ema__name": "mean"}, "ema.name='mean' is not one of decay, half_life, none"),
        ({"discriminator": {"widths": (8, 8)}}, "discriminator.name=None is not one of"),
        # fields, with the choices
        (
            {"generator__width": (8,)},
            r"generator \(dcgan_generator\) has no field width; its fields are act.*wid",
        ),
        ({"discriminator__axis": "batch"}, "discriminator .* has no field axis"),
        ({"generator__image_shape": (8, 8, 1)}, "generator .* has no field image_shape"),
        ({"algorithm__penalty": 1.0}, r"algorithm \(gan\) has no field penalty; its fields are adv.*top_k$"),
        (
            {"loss__a": 1.0},
            r"loss \(non_saturating\) has no field a; its fields are fake_target, real_target",
        ),
        ({"loss": {"name": "hinge", "a": 1.0}}, r"loss \(hinge\) has no field a; its fields are none"),
        (
            {"discriminator_optimizer": {"name": "adam"}},
            r"discriminator_optimizer \(adam\) lacks learning_rate; its fields are b1, b2, eps,",
        ),
        ({"ema": {"name": "half_life"}}, r"ema \(half_life\) lacks images; its fields are images, ramp_up"),
        # values
        ({"loss__real_target": 1.5}, r"loss \(non_saturating\): real_target=1.5: .*in \[0, 1\]"),
        ({"loss": {"name": "least_squares", "a": 1.0}}, "a=1.0, b=1.0: they must differ"),
        ({"algorithm__latent": "gauss"}, "latent='gauss' is not one of normal, uniform"),
        ({"algorithm__latent_size": 0}, "latent_size=0: it must be a positive integer"),
        ({"algorithm__discriminator_steps": 0}, "discriminator_steps=0: it must be a positive integer"),
        ({"algorithm__discriminator_steps": 1.5}, "discriminator_steps=1.5: it must be a positive"),
        ({"ema__decay": 1.0}, r"ema \(decay\): decay=1.0: it must be in \[0, 1\)"),
        ({"ema__decay": -0.1}, "decay=-0.1"),
        ({"ema__decay": "0.9"}, "decay='0.9'"),
        ({"ema": {"name": "half_life", "images": -3}}, r"ema \(half_life\): images=-3: it must be positive"),
        ({"game": {"name": "consensus", "weight": -1.0}}, r"game \(consensus\): weight=-1.0: it must be in"),
        (
            {"augment": {"name": "diffaugment", "policy": ("colour",)}},
            r"augment \(diffaugment\): policy=\('colour',\): .*color, translation, cutout",
        ),
        ({"algorithm__packing": 0}, "packing=0: it must be a positive integer"),
        ({"algorithm__top_k": 0.0}, "top_k=0.0: it must be in"),
        ({"generator__activation": "reul"}, "activation='reul' is not one of elu, leaky_relu, relu"),
        ({"discriminator__activation": "reul"}, "activation='reul' is not one of elu"),
        ({"generator__upsampling": "cubic"}, "upsampling='cubic' is not one of transpose, nearest, bil"),
        ({"generator__initializer": "he"}, "initializer='he' is not one of glorot_uniform, normal"),
        ({"generator__widths": ()}, "widths=.*: it must be a tuple of positive integers"),
        ({"generator__widths": (8, -1)}, "widths=.*: it must be a tuple of positive integers"),
        ({"discriminator__widths": 8}, "widths=8: it must be a tuple of positive integers"),
        ({"discriminator__widths": (8, 2.5)}, "widths=.*: it must be a tuple of positive integers"),
        ({"generator__kernel_size": 0}, "kernel_size=0: it must be a positive integer"),
        ({"generator__momentum": 1.5}, "momentum=1.5: it must be in"),
        ({"discriminator__dropout": 1.0}, "dropout rate 1.0: it must be at least 0 and below"),
        ({"discriminator__dropout": -0.1}, "dropout rate -0.1"),
        ({"generator_optimizer__learning_rate": 0.0}, "learning_rate=0.0: it must be positive"),
        ({"discriminator_optimizer__learning_rate": -1e-3}, r"learning_rate=-0.001: it must be in \[0, inf"),
        ({"discriminator_optimizer__learning_rate": "1e-3"}, "discriminator_optimizer .adam.: "),
        ({"generator_optimizer__b1": 1.0}, r"b1=1.0: it must be in \[0, 1\)"),
        # networks that do not fit
        ({"generator": {"name": "dcgan_discriminator"}}, "do not fit .*a convolution takes images"),
        (
            {"generator": {"name": "mlp_discriminator"}},
            r"generator \(mlp_discriminator\) makes arrays \(\)",
        ),
        ({"discriminator": {"name": "mlp_generator"}}, r"discriminator \(mlp_generator\): .*image_shape"),
        (
            {
                "algorithm": {"name": "translator", "paired": False},
                "source": {"name": "field", "field": "image"},
            },
            r"generator \(dcgan_generator\) makes 240 arrays of a batch of 2: algorithm.name=translator has",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_bad_components_are_refused_before_anything_is_compiled(changes, message):
    refused(message, **changes)


def read(config, spec=SPEC) -> Any:
    """What `build` does with a config but for the data."""
    build.check_fields(config)
    return build_algorithm(config, spec)


def built(**changes) -> Any:
    """The embedded default's algorithm with these changes."""
    return read(config_with(**changes))


def refused(message, spec=SPEC, /, **changes):
    """What `build` says of the embedded default with these changes, in one line."""
    config = config_with(**changes)
    with no_compiler(), pytest.raises(UserError, match=message) as caught:
        read(config, spec)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["algorithm", "generator", "discriminator_optimizer", "ema"])
@pytest.mark.parametrize(
    "field",
    ["lazy_regularization_scale", "batch_size", "num_classes", "image_shape", "axis_name", "penalties"],
)
def test_what_build_itself_decides_is_no_field(place, field):
    name = get_config()[place].name
    refused(rf"{place} \({name}\) has no field {field}; its fields are", **{f"{place}__{field}": 1})


def test_other_components_are_no_fields_of_the_algorithm():
    for field in ("loss", "augment", "game", "ema_decay", "generator_tx"):
        refused(f"has no field {field}; its fields are", **{f"algorithm__{field}": "x"})


# Penalties


@pytest.mark.parametrize(
    ("penalties", "message"),
    [
        (
            {"r3": {"weight": 1.0}},
            "penalties.r3: 'r3' is not one of consistency, dragan, drift, lecam, r1, r2, wgan_gp",
        ),
        ({"r1": {}}, r"penalties \(r1\) lacks weight; its fields are every, weight"),
        ({"r1": {"every": 16}}, r"penalties \(r1\) lacks weight"),
        ({"r1": 1.0}, r"penalties.r1=1.0: it must be dict\(weight=...\)"),
        ("r1", "penalties='r1': it must be dict"),
        ({"r1": {"weight": -1.0}}, r"penalties \(r1\): weight=-1.0: it must be in \[0, inf\)"),
        ({"r1": {"weight": 1.0, "every": 0}}, r"penalties \(r1\): every=0: it must be a positive integer"),
        (
            {"r1": {"weight": 1.0, "gamma": 1.0}},
            r"penalties \(r1\) has no field gamma; its fields are every, w",
        ),
        (
            {"lecam": {"weight": 1.0, "every": 2}},
            r"penalties \(lecam\) has no field every; .* decay, start_step, weight",
        ),
        ({"r1": {"weight": {"name": "step"}}}, "penalties.weight.name='step' is not one of constant, cosine"),
    ],
    ids=str,
)
def test_bad_penalties_are_refused(penalties, message):
    refused(message, penalties=penalties)


def test_penalties_come_in_the_order_of_their_table_and_hold_what_the_config_says():
    gamma = dict(name="linear", start=2.0, end=1.0, steps=5)
    chosen = dict(r2=dict(weight=gamma, every=4), lecam=dict(weight=0.5, decay=0.9), r1=dict(weight=3.0))
    made = built(penalties=chosen).penalties
    assert [penalty.name for penalty in made] == ["r1", "r2", "lecam"]
    assert made == (
        R1(weight=3.0),
        R2(weight=SCHEDULES["linear"](2.0, 1.0, 5), every=4),
        LeCam(weight=0.5, decay=0.9),
    )
    assert built().penalties == ()


def adam_sizes(**changes):
    """How far the first two updates move a parameter of each player whose gradients are 1 and 0."""
    algorithm = built(**changes)
    sizes = []
    for tx in (algorithm.generator_tx, algorithm.discriminator_tx):
        tx, theta = optax.with_extra_args_support(tx), jnp.zeros(())
        first, state = tx.update(jnp.ones(()), tx.init(theta), theta, step=jnp.int32(0))
        second, _ = tx.update(jnp.zeros(()), state, theta, step=jnp.int32(1))
        sizes.append([-float(first), -float(second)])
    return sizes


def adam_by_hand(lazy_regularization_scale, rate=1e-3, b1=0.5, b2=0.999):
    """With m1 = (1 - b1) g, v1 = (1 - b2) g^2 and the correction 1 - b^t, for g = 1 and then 0."""
    b1, b2 = b1**lazy_regularization_scale, b2**lazy_regularization_scale
    return [
        rate * lazy_regularization_scale,
        rate * lazy_regularization_scale * (b1 / (1 + b1)) / np.sqrt(b2 / (1 + b2)),
    ]


@pytest.mark.parametrize(
    ("intervals", "steps", "lazy_regularization_scale"),
    [
        ({}, 1, 1),
        ({"r1": 1}, 1, 1),  # part of the main loss: no descent of its own
        ({"r1": 16}, 1, 16 / 17),
        ({"r1": 16}, 2, 32 / 33),  # 32 of its own descents to one lazy one
        ({"r1": 16, "r2": 8, "dragan": 1}, 1, 16 / 19),
    ],
)
def test_a_lazy_penalty_slows_the_discriminators_optimizer(intervals, steps, lazy_regularization_scale):
    """Karras et al. 2020, arXiv:1912.04958, appendix B."""
    penalties = {name: dict(weight=1.0, every=every) for name, every in intervals.items()}
    generator, discriminator = adam_sizes(penalties=penalties, algorithm__discriminator_steps=steps)
    np.testing.assert_allclose(generator, adam_by_hand(1), rtol=1e-4)
    np.testing.assert_allclose(discriminator, adam_by_hand(lazy_regularization_scale), rtol=1e-4)


def test_bad_steps_beside_a_lazy_penalty_are_the_algorithms_error():
    for steps in (0, -1, "a"):
        message = rf"algorithm \(gan\): discriminator_steps={steps!r}: it must be a positive integer"
        lazy = dict(r1=dict(weight=1.0, every=2))
        refused(message, penalties=lazy, algorithm__discriminator_steps=steps)


# Schedules and the other components


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            RAMP | {"name": "cosin"},
            "learning_rate.name='cosin' is not one of constant, cosine, exponential, lin",
        ),
        ({"start": 1e-3}, "generator_optimizer.learning_rate.name=None is not one of"),
        (
            RAMP | {"step": 1},
            r"learning_rate \(cosine\) has no field step; its fields are delay, end, start, st",
        ),
        ({"name": "cosine", "start": 1e-3, "end": 0.0}, r"learning_rate \(cosine\) lacks steps; its fields"),
        (RAMP | {"steps": 0}, r"learning_rate \(cosine\): steps=0: it must be a positive integer"),
        (
            RAMP | {"end": -1.0},
            r"generator_optimizer \(adam\): learning_rate: its extremes are \(-1.0, 0.001\)",
        ),
        (RAMP | {"start": "1"}, r"learning_rate \(cosine\): start='1': it must be a finite number"),
        (RAMP | {"start": 0.0}, r"generator_optimizer \(adam\): learning_rate=.*it must be positive"),
    ],
    ids=str,
)
def test_bad_schedules_are_refused(value, message):
    refused(message, generator_optimizer__learning_rate=value)


def test_a_field_can_be_a_schedule():
    sgd = dict(name="sgd", learning_rate=dict(name="linear", start=1.0, end=0.0, steps=4, delay=2))
    noise = dict(name="linear", start=0.5, end=0.0, steps=7)
    pull = dict(name="consensus", weight=noise)
    algorithm = built(generator_optimizer=sgd, algorithm__instance_noise=noise, game=pull)
    tx = optax.with_extra_args_support(algorithm.generator_tx)
    for step, rate in ((0, 1.0), (2, 1.0), (3, 0.75), (5, 0.25), (9, 0.0)):
        moved, _ = tx.update(jnp.ones(()), tx.init(jnp.ones(())), jnp.ones(()), step=jnp.int32(step))
        np.testing.assert_allclose(moved, -rate, atol=1e-7)
    ramp = SCHEDULES["linear"](0.5, 0.0, 7)
    assert algorithm.instance_noise == ramp
    assert algorithm.game == GAMES["consensus"](weight=ramp)


def test_augment_and_game_are_what_the_config_says():
    chosen = dict(name="diffaugment", policy=["color", "cutout"])  # a list, as in a record
    algorithm = built(augment=chosen, game=dict(name="extragradient"))
    assert algorithm.augment == DiffAugment(policy=("color", "cutout"))
    assert algorithm.game == GAMES["extragradient"]()
    assert algorithm.minibatches == 2
    default = built()
    assert (default.augment, default.game) == (NoAugment(), GAMES["alternating"]())


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (dict(name="none"), 0.0),
        (dict(name="decay", decay=0.9), 0.9),
        (dict(name="half_life", images=320, ramp_up=0.0), 0.5 ** (32 / 320)),  # batches of 32
    ],
)
def test_the_average_is_what_the_config_says(chosen, expected):
    algorithm = built(ema=chosen)
    np.testing.assert_allclose(algorithm.ema_decay(jnp.int32(10**6)), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"generator__condition": "embedding"},
        {"generator__condition": "batch_norm"},
        {"discriminator__condition": "one_hot"},
        {"discriminator__condition": "projection"},
    ],
    ids=str,
)
def test_labels_that_the_data_do_not_have_are_refused(changes):
    built(**changes)
    (condition,) = changes.values()
    message = f"condition='{condition}' needs labels, and the data have none; use condition='none'"
    refused(message, DataSpec({"image": Field(SPEC.image_shape)}, None), **changes)


def test_the_number_of_classes_comes_from_the_data():
    algorithm = built(generator__condition="embedding")
    assert algorithm.num_classes == 4
    assert built(discriminator__condition="projection").num_classes is None
    state = jax.eval_shape(algorithm.init, jax.random.key(0), build.example_batch(SPEC, 2))
    assert state.generator.params["label"]["embedding"]["embedding"].shape[0] == 4


# Whole configs


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_stepz": 3}, "has no use for num_stepz; its fields are algorithm, augment, batch_size"),
        *(({name: 0}, f"{name}=0: it must be at least 1") for name in build.COUNTS),
        ({"batch_size": "64"}, "batch_size='64': it must be at least 1"),
        ({"num_steps": 1.5}, "num_steps=1.5: it must be at least 1"),
        ({"seed": -1}, "seed=-1: it must be from 0"),
        ({"seed": 2**32}, "seed=4294967296: it must be from 0"),
        ({"seed": "a"}, "seed='a': it must be from 0"),
        ({"generator": "dcgan_generator"}, "generator='dcgan_generator': it must be dict"),
        ({"data": {"name": "shapes"}}, "the config lacks data.dir, data.split"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_bad_configs_are_refused_before_the_data_are_opened(changes, message, monkeypatch):
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: pytest.fail("opened the data"))
    config = ml_collections.ConfigDict(get_config().to_dict() | changes)
    with pytest.raises(UserError, match=message):
        build.build(config)


@pytest.mark.parametrize("name", ["seed", "num_steps", "data", "generator_optimizer"])
def test_missing_fields_are_named(name):
    fields = get_config().to_dict()
    del fields[name]
    with pytest.raises(
        UserError, match=f"the config lacks {name}; its fields are algorithm, augment, batch_size"
    ):
        build.check_fields(ml_collections.ConfigDict(fields))


def test_a_plan_is_what_the_config_says(monkeypatch):
    asked: dict[str, Any] = {}

    def load(name, **options):
        asked.update(options, name=name)
        return dataset()

    monkeypatch.setattr(data, "load", load)
    config = config_with(batch_size=16, num_steps=7, seed=5, algorithm__discriminator_steps=3)
    config.update(log_every_steps=50, checkpoint_every_steps=400, sample_every_steps=500)
    config.data.update(resolution=40, channels=3)
    plan = build.build(config)
    assert asked == dict(
        name="shapes",
        data_dir=None,
        split="train",
        codec="",
        direction="a_to_b",
        per_class=0,
        imbalance=1,
        oversample=False,
        resolution=40,
        channels=3,
        num_examples=20_000,
        seed=0,
    )
    assert (plan.batch_size, plan.num_steps, plan.phases[0].steps_per_call) == (16, 7, 25)
    assert (plan.log_every_steps, plan.checkpoint_every_steps, plan.sample_every_steps) == (50, 400, 500)
    assert plan.phases[0].sampler.indices(0, 2).shape == (2, 3, 16)
    assert (plan.placement, plan.transforms) == ("auto", ())
    assert jax.random.key_data(plan.key).tolist() == jax.random.key_data(jax.random.key(5)).tolist()
    assert float(plan.algorithm.ema_decay(10**6)) == pytest.approx(0.99)
    assert plan.algorithm.generator.image_shape == SPEC.image_shape


def test_the_transforms_are_those_of_the_config():
    assert build.data_transforms(config_with(), SPEC) == ()
    assert len(build.data_transforms(config_with(data__flip=True), SPEC)) == 1
    batch = {"image": jnp.ones((3, *SPEC.image_shape))}
    config = config_with(data__flip=True, data__random_crop=4)
    keys = jax.random.split(jax.random.key(0), 3)
    for transform in (transforms := build.data_transforms(config, SPEC)):
        np.testing.assert_allclose(transform(batch, keys)["image"], batch["image"], atol=1e-6)
    assert len(transforms) == 2


@pytest.mark.parametrize("pixels", [-1, 1.5, "8", True])
def test_a_crop_is_a_number_of_pixels(pixels):
    with pytest.raises(UserError, match=r"data\.random_crop=.*: it must be a number of pixels, 0 or more"):
        build.data_transforms(config_with(data__random_crop=pixels), SPEC)


def test_a_crop_of_fields_of_several_sizes_is_refused():
    fields = {"image": Field((8, 8, 3)), "source": Field((4, 4, 3))}
    config = config_with(data__random_crop=2)
    with pytest.raises(UserError, match=r"and shapes has image 8x8, source 4x4: set data.random_crop=0"):
        build.data_transforms(config, DataSpec(fields, None))
    other = {"image": fields["image"], "source": Field((4, 4, 3), aligned=False)}
    assert len(build.data_transforms(config, DataSpec(other, None))) == 1


def test_an_example_batch_has_every_field():
    fields = {"image": Field((12, 10, 3)), "level": Field((4, 5, 2), Tiles(np.eye(2, 3, dtype=int)))}
    batch = build.example_batch(DataSpec(fields, 4), 6)
    assert {name: (x.shape, x.dtype) for name, x in batch.items()} == {
        "image": ((6, 12, 10, 3), np.float32),
        "level": ((6, 4, 5, 2), np.float32),
        "label": ((6,), np.int32),
    }


def test_a_batch_larger_than_the_data_is_refused(monkeypatch):
    monkeypatch.setattr(data, "load", lambda *args, **kwargs: dataset())
    with pytest.raises(UserError, match=r"batch size is 65.* only 64 examples"):
        build.build(config_with(batch_size=65))


# Defaults


EVERY_KIND = dict(
    algorithm=dict(name="unrolled"),
    loss=dict(name="least_squares", a=-1.0),
    augment=dict(name="ada"),
    game=dict(name="consensus"),
    ema=dict(name="half_life", images=500),
    generator=dict(name="mlp_generator"),
    discriminator=dict(name="resnet_discriminator", widths=(8,)),
    generator_optimizer=dict(name="rmsprop", learning_rate=RAMP),
    discriminator_optimizer=dict(name="sgd", learning_rate=0.1),
    penalties=dict(wgan_gp=dict(weight=RAMP), lecam=dict(weight=0.1)),
)


def test_a_complete_config_says_it_all():
    config = complete(config_with(**EVERY_KIND))
    for where, table in components.TABLES.items():
        if where in components.refused(config):
            continue
        assert set(config[where]) == components.choices(table[config[where].name]) | {"name"}, where
    assert config.loss.to_dict() == dict(name="least_squares", a=-1.0, b=1.0, c=1.0)
    assert config.augment.target == 0.6
    assert config.algorithm.unrolled_steps == 5
    assert config.ema.to_dict() == dict(name="half_life", images=500, ramp_up=0.05)
    assert config.generator_optimizer.learning_rate.to_dict() == RAMP | {"delay": 0}
    assert config.penalties.wgan_gp.to_dict() == dict(weight=RAMP | {"delay": 0}, every=1, target=1.0)
    assert config.penalties.lecam.to_dict() == dict(weight=0.1, decay=0.99, start_step=1000)
    said = {field for where in set(components.TABLES) & set(config) for field in config[where]}
    assert not components.INJECTED & said - {"name"}


def test_completing_keeps_what_the_file_says_and_the_file():
    config = config_with(**EVERY_KIND)
    for where in components.refused(config):
        del config[where]
    before = config.to_dict()
    after = complete(config).to_dict()
    assert config.to_dict() == before

    def kept(said, found):
        if isinstance(said, dict):
            return all(kept(value, found[name]) for name, value in said.items())
        return said == found

    assert kept(before, after)
    assert complete(complete(config)).to_dict() == after


def test_what_follows_another_field_still_does_when_completed():
    config = complete(get_config("dcgan_fashion_mnist"))
    assert (config.num_steps, config.checkpoint_every_steps) == (20 * 1875, 1875)
    config.batch_size = 60
    assert (config.num_steps, config.checkpoint_every_steps) == (20_000, 1_000)


@pytest.mark.parametrize(
    "changes",
    [
        {"generator": {"name": "unet", "depth": 3}},
        {"generator": {"widths": (8,)}},
        {"generator": "unet"},
        {"generator": 3},
        {"penalties": {"r1": 1.0}},
        {"penalties": {"r3": {"weight": 1.0}}},
        {"penalties": "r1"},
        {"ema": {"name": "half_life"}},
        {"generator_optimizer__learning_rate": {"name": "step"}},
    ],
    ids=str,
)
def test_what_is_wrong_is_left_to_build(changes):
    config = config_with(**changes)
    done = complete(config)
    (name,) = changes
    if "__" not in name and name != "ema":
        assert str(done[name]) == str(config[name])
    with pytest.raises(UserError):
        read(done)


def test_a_complete_config_builds_the_same_algorithm():
    config = config_with(generator={"name": "mlp_generator"}, loss={"name": "hinge"})
    one, two = build_algorithm(config, SPEC), build_algorithm(complete(config), SPEC)
    for field in ("generator", "discriminator", "augment", "game", "penalties", "latent_size", "packing"):
        assert getattr(one, field) == getattr(two, field)


@pytest.mark.parametrize("classes", [None, 4])
def test_example_batch(classes):
    batch = build.example_batch(DataSpec({"image": Field((12, 10, 3))}, classes), 6)
    assert batch["image"].shape == (6, 12, 10, 3)
    assert ("label" in batch) == (classes is not None)
