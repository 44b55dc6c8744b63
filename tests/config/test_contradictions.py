"""Options that exclude each other are refused before anything is compiled; their neighbours are not."""

import numpy as np
import pytest

from gan_jax.config import build, components
from gan_jax.data.codecs import Lab, Pixels, Points, Tiles, Wave
from gan_jax.data.spec import DataSpec, Field
from gan_jax.utils.errors import UserError
from tests.shipped import SPEC, config_with, no_compiler

CLIPPED = dict(name="rmsprop", learning_rate=1e-3, weight_clip=0.01)
ADAM = dict(name="adam", learning_rate=1e-3)
SGD = dict(name="sgd", learning_rate=1e-3)
UNROLLED = dict(name="unrolled", unrolled_steps=2)
ADA = dict(name="ada")
DCGAN = dict(name="dcgan_discriminator")
RESNET = dict(name="resnet_discriminator", widths=(8, 8))


def penalty(name, **fields):
    return {name: {"weight": 1.0, **fields}}


def algorithm(**fields):
    return {"name": "gan", **fields}


REFUSED = [
    # a slope that is bounded twice
    *(
        (
            dict(discriminator_optimizer=CLIPPED, penalties=penalty(name)),
            (r"discriminator_optimizer.weight_clip=0.01", f"the penalty {name}", "use one of them"),
        )
        for name in ("r1", "r2", "wgan_gp", "dragan")
    ),
    (
        dict(discriminator_optimizer=CLIPPED, discriminator=DCGAN | {"spectral_norm": True}),
        ("discriminator_optimizer.weight_clip=0.01", "discriminator.spectral_norm", "use one of them"),
    ),
    (  # the default of this network
        dict(discriminator_optimizer=CLIPPED, discriminator=RESNET),
        ("discriminator_optimizer.weight_clip=0.01", "discriminator.spectral_norm", "use one of them"),
    ),
    (
        dict(generator_optimizer=CLIPPED),
        ("generator_optimizer.weight_clip", "discriminator_optimizer.weight_c"),
    ),
    (
        dict(penalties=penalty("wgan_gp"), discriminator=DCGAN | {"norm": "batch"}),
        ("the penalty wgan_gp", "discriminator.norm=batch", "set discriminator.norm=layer"),
    ),
    # signs that mean nothing
    *(
        (
            dict(augment=ADA, loss=dict(name=loss)),
            ("augment=ada", f"loss={loss}", "augment.adjust_images=0", "or use another loss"),
        )
        for loss in ("wasserstein", "relativistic_average", "relativistic_paired")
    ),
    # sizes
    (dict(algorithm=algorithm(packing=3)), ("packing=3 does not divide batch_size=32", "choose a divisor")),
    (
        dict(algorithm=algorithm(pool_size=50)),
        ("pool_size=50 is not a multiple of batch_size=32", "such as 64"),
    ),
    (
        dict(algorithm=algorithm(pool_size=8)),
        ("pool_size=8 is not a multiple of batch_size=32", "such as 32"),
    ),
    # derivatives of optimizers
    *(
        (
            dict(algorithm=UNROLLED, discriminator_optimizer=dict(name=name, learning_rate=1e-3)),
            ("algorithm=unrolled", f"{name}'s root", "use sgd, or adam with eps_root=1e-8"),
        )
        for name in ("adam", "optimistic_adam", "rmsprop")
    ),
    # games and lists of updates
    *(
        (
            dict(game=dict(name=game), algorithm=algorithm(discriminator_steps=2)),
            (f"the game {game}", "several discriminator steps", "the game alternating"),
        )
        for game in ("simultaneous", "extragradient", "consensus")
    ),
    (
        dict(game=dict(name="consensus"), penalties=penalty("r1", every=4)),
        ("the game consensus", "a lazy one", "set every=1"),
    ),
]

ALLOWED = [
    dict(discriminator_optimizer=CLIPPED, penalties=penalty("consistency")),
    dict(discriminator_optimizer=CLIPPED, penalties=penalty("lecam")),
    dict(discriminator_optimizer=CLIPPED, discriminator=RESNET | {"spectral_norm": False}),
    dict(discriminator_optimizer=CLIPPED | {"weight_clip": 0.0}, penalties=penalty("r1")),
    dict(generator_optimizer=CLIPPED | {"weight_clip": 0.0}, discriminator_optimizer=CLIPPED),
    dict(discriminator=DCGAN | {"spectral_norm": True}, penalties=penalty("r1")),
    dict(penalties=penalty("wgan_gp"), discriminator=DCGAN | {"norm": "layer"}),
    dict(penalties=penalty("r1"), discriminator=DCGAN | {"norm": "batch"}),
    dict(penalties=penalty("wgan_gp"), generator=dict(name="dcgan_generator", norm="batch")),
    *(dict(augment=ADA, loss=dict(name=name)) for name in ("non_saturating", "hinge", "least_squares")),
    dict(augment=ADA | {"adjust_images": 0, "p": 0.2}, loss=dict(name="wasserstein")),
    dict(augment=dict(name="diffaugment"), loss=dict(name="relativistic_paired")),
    dict(algorithm=algorithm(packing=4)),
    dict(algorithm=algorithm(pool_size=64)),
    dict(algorithm=UNROLLED, discriminator_optimizer=SGD),
    dict(algorithm=UNROLLED, discriminator_optimizer=ADAM | {"eps_root": 1e-8}),
    dict(algorithm=UNROLLED, discriminator_optimizer=SGD, generator_optimizer=ADAM),
    dict(algorithm=UNROLLED | {"unrolled_steps": 0}, discriminator_optimizer=ADAM),
    dict(algorithm=algorithm(discriminator_steps=2)),
    dict(game=dict(name="simultaneous"), penalties=penalty("r1", every=4)),
    dict(game=dict(name="extragradient"), penalties=penalty("r1", every=4)),
    dict(game=dict(name="consensus"), penalties=penalty("r1")),
]


@pytest.mark.parametrize("completed", [False, True], ids=["as_written", "completed"])
@pytest.mark.parametrize(("changes", "words"), REFUSED, ids=str)
def test_contradictions_are_refused_with_both_sides(changes, words, completed):
    config = config_with(**changes)
    config = components.complete(config) if completed else config
    build.check_fields(config)
    with no_compiler(), pytest.raises(UserError, match=r"^the config contradicts itself: ") as caught:
        build.build_algorithm(config, SPEC)
    message = str(caught.value)
    assert [word for word in words if word not in message] == []
    assert "\n" not in message


@pytest.mark.parametrize("changes", ALLOWED, ids=str)
def test_their_neighbours_are_accepted(changes):
    config = components.complete(config_with(**changes))
    build.check_fields(config)
    build.build_algorithm(config, SPEC)


# Points of a density

POINTS = DataSpec({"image": Field((1, 1, 2), Points())}, None)
PLANE = dict(
    generator=dict(name="mlp_generator", output="linear"),
    discriminator=dict(name="mlp_discriminator"),
)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.flip": True}, "data.flip mirrors images"),
        ({"augment.name": "diffaugment"}, "augment=diffaugment is for images"),
        ({"generator.output": "tanh"}, "reaches no point beyond 1.*generator.output=linear"),
        (
            {"data.random_crop": 8},
            "data.random_crop enlarges images, and shapes holds points: set data.random_crop=0",
        ),
    ],
)
def test_what_is_made_for_images_is_refused_for_points(changes, said):
    config = components.complete(config_with(**PLANE, data__random_crop=0))
    build.build_algorithm(config, POINTS)
    config.update_from_flattened_dict(changes)
    config = components.complete(config)
    with no_compiler(), pytest.raises(UserError, match=said):
        build.build_algorithm(config, POINTS)


TILES = Tiles(np.eye(3, dtype=int))
CHANGES = {
    "data.flip": ("data.flip", True),
    "data.random_crop": ("data.random_crop", 2),
    "augment": ("augment.name", "diffaugment"),
}


@pytest.mark.parametrize(
    ("codec", "shape", "refused"),
    [
        (Pixels(), (12, 10, 3), ()),
        (Lab(), (12, 10, 3), ()),
        (TILES, (12, 10, 3), ("data.random_crop", "augment")),
        (Wave(8_000), (16, 1, 1), ("data.flip", "data.random_crop", "augment")),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
@pytest.mark.parametrize("field", ["data.flip", "data.random_crop", "augment"])
def test_the_codec_says_what_may_be_done_to_images(codec, shape, refused, field):
    spec = DataSpec({"image": Field(shape, codec)}, None)
    config = config_with(
        generator=dict(name="mlp_generator"),
        discriminator=dict(name="mlp_discriminator"),
        data__random_crop=0,
    )
    config.update_from_flattened_dict(dict([CHANGES[field]]))
    if field in refused:
        with no_compiler(), pytest.raises(UserError, match=rf"{field}.* and shapes holds {codec.noun}"):
            build.build_algorithm(components.complete(config), spec)
    else:
        build.build_algorithm(components.complete(config), spec)


def test_a_head_of_tiles_is_refused_for_images():
    config = config_with(generator=dict(name="mlp_generator", output="softmax"))
    with no_compiler(), pytest.raises(UserError, match=r"output=softmax gives shares of kinds of tiles"):
        build.build_algorithm(components.complete(config), DataSpec({"image": Field((12, 10, 3))}, 4))


def test_one_field_that_cannot_be_mirrored_is_enough():
    fields = {"image": Field((12, 10, 3)), "sound": Field((16, 1, 1), Wave(8_000))}
    config = config_with(data__flip=True)
    with no_compiler(), pytest.raises(UserError, match=r"data\.flip mirrors images, and shapes holds sounds"):
        build.build_algorithm(components.complete(config), DataSpec(fields, 4))
