"""R3GAN's networks: the published counts, the forward passes written anew in NumPy, any size, mistakes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.config.build import build_algorithm
from gan_jax.config.config_file import run_config_file
from gan_jax.data.spec import DataSpec, Field
from gan_jax.models.r3gan import R3GANDiscriminator, R3GANGenerator
from gan_jax.utils.errors import UserError
from tests.models.test_conv import slide
from tests.models.test_conv_groups import by_group
from tests.models.test_fir import upfirdn
from tests.shipped import FOLDER

KEY = jax.random.key(0)
TAPS = (1, 3, 3, 1)


def networks(shape, widths, cardinality, **more):
    """Generator and discriminator; widths and cardinalities from the lowest level up."""
    generator = R3GANGenerator(image_shape=shape, widths=widths, cardinality=cardinality, **more)
    more.pop("embedding_size", None)
    more = more | ({"condition": "projection"} if "condition" in more else {})
    return generator, R3GANDiscriminator(widths=widths[::-1], cardinality=cardinality[::-1], **more)


def shapes_of(network, x, label=None):
    return jax.eval_shape(lambda: network.init(KEY, x, label, train=False))


def size_of(shapes):
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


# Parameters of both networks as counted in the official code, by preset and number of classes.
PUBLISHED = {
    ("cifar10", 10): (20_781_952, 21_280_512),
    ("cifar10", None): (20_732_160, 20_683_776),
    ("ffhq64", None): (22_429_824, 22_381_440),
    ("ffhq256", None): (23_057_952, 23_009_568),
    ("imagenet32", 1000): (82_914_304, 86_548_992),
    ("imagenet64", 1000): (103_570_432, 107_205_120),
}


@pytest.mark.parametrize(("preset", "classes"), PUBLISHED)
def test_the_presets_have_the_published_counts(preset, classes):
    config = run_config_file(f"{FOLDER / 'r3gan_paper.py'}:{preset}")
    side = config.data.height
    algorithm = build_algorithm(config, DataSpec({"image": Field((side, side, 3))}, classes))
    pair = (algorithm.generator, jnp.zeros((1, 64))), (algorithm.discriminator, jnp.zeros((1, side, side, 3)))
    shapes = [shapes_of(network, x, jnp.zeros(1, jnp.int32)) for network, x in pair]
    assert tuple(map(size_of, shapes)) == PUBLISHED[preset, classes]


def test_the_presets_are_the_official_codes():
    """Its schedules, at their ends, in images."""
    config = run_config_file(f"{FOLDER / 'r3gan_paper.py'}:ffhq256")
    assert config.generator_optimizer.learning_rate.steps * config.batch_size == 20_000_000
    ends = {
        "rate": config.discriminator_optimizer.learning_rate,
        "beta2": config.generator_optimizer.b2,
        "gamma": config.penalties.r2.weight,
        "p": config.augment.p,
        "half-life": config.ema.images,
    }
    assert {name: (s.start, s.end) for name, s in ends.items()} == {
        "rate": (2e-4, 5e-5),
        "beta2": (0.9, 0.99),
        "gamma": (150.0, 15.0),
        "p": (0.0, 0.3),
        "half-life": (0.0, 5e5),
    }
    assert {schedule.name for schedule in ends.values()} == {"cosine"}


def test_an_unknown_preset_lists_the_choices():
    with pytest.raises(UserError, match="celeba: choose one of cifar10, ffhq64"):
        run_config_file(f"{FOLDER / 'r3gan_paper.py'}:celeba")


@pytest.mark.parametrize(
    ("width", "blocks", "counts"), [(96, 2, (527_136, 521_088)), (64, 1, (145_600, 141_568))]
)
def test_small_networks_have_the_official_codes_counts(width, blocks, counts):
    pair = networks((32, 32, 3), (width,) * 4, (width // 8,) * 4, blocks=blocks)
    inputs = (jnp.zeros((1, 64)), jnp.zeros((1, 32, 32, 3)))
    found = [size_of(shapes_of(network, x)) for network, x in zip(pair, inputs, strict=True)]
    assert tuple(found) == counts


# Forward passes in NumPy


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def pointwise(x, layer):
    return slide(x, layer["kernel"], 1, ((0, 0), (0, 0))) + layer.get("bias", 0)


def block(x, p, groups):
    y = leaky(pointwise(x, p["conv_0"]))
    y = by_group(y, np.float64(p["conv_1"]["kernel"]), groups, 1, ((1, 1), (1, 1))) + p["conv_1"]["bias"]
    return x + pointwise(leaky(y), p["conv_2"])


def images_of(p, latent, label, cardinality):
    z = np.concatenate([np.float64(latent), p["embedding"]["embedding"][label]], -1)
    x = np.float64(p["basis"]) * (z @ p["dense"]["kernel"])[:, None, None]
    for level, groups in enumerate(cardinality):
        height = x.shape[1]
        if level > 0:
            height = 2 * height
            x = pointwise(x, p[f"up_{height}"]) if f"up_{height}" in p else x
            x = upfirdn(x, TAPS, 2, 1, (2, 1), 4)
        for index in range(2):
            x = block(x, p[f"block_{height}_{index}"], groups)
    return pointwise(x, p["output"])


def logits_of(p, image, label, cardinality):
    x = pointwise(image, p["input"])
    for level, groups in enumerate(cardinality):
        height = x.shape[1]
        for index in range(2):
            x = block(x, p[f"block_{height}_{index}"], groups)
        if level + 1 < len(cardinality):
            x = upfirdn(x, TAPS, 1, 2, (1, 1), 1)
            x = pointwise(x, p[f"down_{height}"]) if f"down_{height}" in p else x
    x = (x * p["basis"]).sum((1, 2)) @ p["dense"]["kernel"]
    return (x * p["projection"]["embedding"][label]).sum(-1)


def random_like(variables):
    numbers = np.random.default_rng(0)

    def draw(leaf):
        scale = 0.3 if leaf.ndim == 1 else (leaf.shape[-1] / leaf.size) ** 0.5
        return (scale * numbers.standard_normal(leaf.shape)).astype(np.float32)

    return jax.tree.map(draw, variables)


def test_both_networks_are_their_formulas():
    """On 16x24: one level with a change of width, one without."""
    shape, cardinality = (16, 24, 2), (4, 2, 2)
    fields: dict[str, Any] = dict(condition="embedding", num_classes=3, embedding_size=5)
    generator, discriminator = networks(shape, (8, 8, 6), cardinality, **fields)
    numbers = np.random.default_rng(1)
    latent = numbers.standard_normal((3, 4)).astype(np.float32)
    image = numbers.uniform(-1, 1, (3, *shape)).astype(np.float32)
    label = np.array([0, 2, 1], np.int32)
    for network, x, written, groups in (
        (generator, latent, images_of, cardinality),
        (discriminator, image, logits_of, cardinality[::-1]),
    ):
        variables = random_like(shapes_of(network, x, label))
        found: Any = jax.jit(lambda v, x, n=network: n.apply(v, x, label, train=False))(variables, x)
        expected = written(variables["params"], x, label, groups)
        assert found.dtype == np.float32
        assert np.std(expected) > 0.01
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())


def test_weights_start_as_the_paper_has_them():
    """Section 4 and Fixup's idea: gain sqrt(2 / 1.04) blocks^(-1/4), and blocks are the identity."""
    fields: dict[str, Any] = dict(condition="embedding", num_classes=10)
    for network, x in zip(
        networks((4, 4, 3), (64,), (4,), **fields),
        (jnp.zeros((1, 64)), jnp.zeros((1, 4, 4, 3))),
        strict=True,
    ):
        params = jax.jit(lambda n=network, x=x: n.init(KEY, x, jnp.zeros(1, jnp.int32), train=False))()[
            "params"
        ]
        gain = (2 / 1.04) ** 0.5 * 2**-0.25
        for name in ("block_4_0", "block_4_1"):
            inner = params[name]
            np.testing.assert_allclose(np.std(inner["conv_0"]["kernel"]), gain / 64**0.5, rtol=0.05)
            np.testing.assert_allclose(np.std(inner["conv_1"]["kernel"]), gain / (9 * 32) ** 0.5, rtol=0.05)
            assert not np.any(inner["conv_2"]["kernel"])
        assert set(params["block_4_0"]["conv_2"]) == {"kernel"}
        deviation = 1.0 if "embedding" in params else 1 / 4
        np.testing.assert_allclose(np.std(params["basis"]), deviation, rtol=0.1)
        scale = 10**-0.5 if "embedding" in params else (10 * 64) ** -0.5
        table = params["embedding" if "embedding" in params else "projection"]["embedding"]
        np.testing.assert_allclose(np.std(table), scale, rtol=0.15)


@pytest.mark.parametrize(("size", "levels"), [((28, 28), 3), ((14, 28), 2), ((9, 5), 1)])
def test_any_size_has_its_levels(size, levels):
    generator, discriminator = networks((*size, 1), (8,) * levels, (2,) * levels, blocks=1)
    images = jax.eval_shape(generator.init_with_output, KEY, jnp.zeros((2, 4)), None, False)[0]
    assert images.shape == (2, *size, 1)
    logits = jax.eval_shape(discriminator.init_with_output, KEY, jnp.zeros((2, *size, 1)), None, False)[0]
    assert logits.shape == (2,)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(), r"widths=\(8, 8\): images of 32x32 have 4 levels \(4x4, 8x8, 16x16, 32x32\)"),
        (dict(widths=(8,) * 4), r"cardinality=\(2, 2\): images of 32x32 have 4 levels"),
        (dict(widths=(8,) * 4, cardinality=(3,) * 4), "groups=3: the convolution has 16 channels"),
        (dict(widths=(8,) * 4, cardinality=(1,) * 4, blocks=0), "blocks=0"),
        (dict(widths=(8,) * 4, cardinality=(1,) * 4, condition="one_hot"), "condition='one_hot' is not"),
    ],
)
def test_mistakes_are_refused(fields, message):
    fields = dict(widths=(8, 8), cardinality=(2, 2)) | fields
    for network, x in (
        (R3GANGenerator(image_shape=(32, 32, 1), num_classes=3, **fields), jnp.zeros((1, 4))),
        (R3GANDiscriminator(num_classes=3, **fields), jnp.zeros((1, 32, 32, 1))),
    ):
        with pytest.raises(ValueError, match=message):
            shapes_of(network, x)
