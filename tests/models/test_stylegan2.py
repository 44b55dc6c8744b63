"""StyleGAN2's networks: the published presets' parameters, any image size, noise, labels, bfloat16."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator

KEY = jax.random.key(0)
SMALL: dict[str, Any] = dict(width_base=128, width_max=8)
SHAPE = (8, 16, 3)
LATENT = jax.random.normal(jax.random.key(1), (4, 6))
IMAGE = jax.random.uniform(jax.random.key(2), (4, *SHAPE), minval=-1.0)
LABEL = jnp.arange(4) % 2


def parameters(shape, base, most, layers, classes=None, residual=True, size=512):
    """Of the generator and of the discriminator."""
    width = dict(width_base=base, width_max=most, num_classes=classes, condition="auto")
    generator = StyleGAN2Generator(
        shape, style_size=size, embedding_size=size, mapping_layers=layers, **width
    )
    discriminator = StyleGAN2Discriminator(residual=residual, **width)
    label = jnp.zeros(1, jnp.int32)
    made = jax.eval_shape(
        lambda: [
            generator.init(KEY, jnp.zeros((1, size)), label, False)["params"],
            discriminator.init(KEY, jnp.zeros((1, *shape)), label, False)["params"],
        ]
    )
    return tuple(sum(leaf.size for leaf in jax.tree.leaves(params)) for params in made)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (dict(shape=(32, 32, 3), base=32_768, most=512, layers=2, residual=False), (19_947_539, 20_720_641)),
        (
            dict(shape=(32, 32, 3), base=32_768, most=512, layers=2, residual=False, classes=10),
            (20_215_315, 23_089_664),
        ),
        (dict(shape=(64, 64, 3), base=16_384, most=512, layers=2), (22_243_608, 23_407_361)),
        (dict(shape=(128, 128, 3), base=16_384, most=512, layers=2), (22_949_277, 23_882_369)),
        (dict(shape=(256, 256, 3), base=16_384, most=512, layers=2), (23_191_522, 24_001_089)),
        (dict(shape=(256, 256, 3), base=16_384, most=512, layers=8), (24_767_458, 24_001_089)),
        (dict(shape=(512, 512, 3), base=32_768, most=512, layers=8), (30_276_583, 28_982_849)),
        (dict(shape=(1024, 1024, 3), base=32_768, most=512, layers=8), (30_370_060, 29_012_513)),
        (dict(shape=(32, 32, 1), base=4_096, most=128, layers=2, size=128), (1_250_315, 1_346_049)),
        (dict(shape=(32, 32, 1), base=2_048, most=64, layers=2, size=64), (313_867, 337_153)),
    ],
)
def test_the_official_presets_have_as_many_parameters(fields, expected):
    """Counted from the official modules; no array is made."""
    assert parameters(**fields) == expected


@pytest.mark.parametrize(
    ("size", "lowest", "levels"), [((28, 28), 7, 3), ((14, 28), 7, 2), ((72, 72), 9, 4), ((5, 4), 5, 1)]
)
def test_images_of_any_size_have_their_levels(size, lowest, levels):
    generator = StyleGAN2Generator((*size, 2), **SMALL, style_size=8, mapping_layers=1)
    assert generator.style_layers == 2 * levels

    def both():
        image, made = generator.init_with_output(KEY, LATENT, None, False)
        discriminator = StyleGAN2Discriminator(**SMALL)
        return image, made["params"], *discriminator.init_with_output(KEY, image, None, False)

    image, made, logits, judge = jax.eval_shape(both)
    assert image.shape == (4, *size, 2)
    assert logits.shape == (4,)
    synthesis, heights = made["synthesis_network"], [lowest * 2**n for n in range(levels)]
    assert synthesis["constant"].shape[0] == lowest
    assert {f"up_{height}" for height in heights[1:]} == {n for n in synthesis if n.startswith("up")}
    assert {f"to_image_{height}" for height in heights} == {n for n in synthesis if n.startswith("to")}
    assert {f"skip_{height}" for height in heights[1:]} == {n for n in judge["params"] if n.startswith("sk")}


@pytest.fixture(scope="module")
def conditional():
    generator = StyleGAN2Generator(
        SHAPE, **SMALL, style_size=5, embedding_size=3, mapping_layers=2, condition="auto", num_classes=2
    )
    return generator, jax.jit(lambda: generator.init(KEY, LATENT, LABEL, False))()


def with_noise(variables):
    """The same with noise, whose weights start at 0."""

    def set_weight(path, x):
        return x + 0.3 if "noise" in jax.tree_util.keystr(path) else x

    return jax.tree_util.tree_map_with_path(set_weight, variables)


def test_images_are_of_the_latent_and_the_label(conditional):
    generator, variables = conditional
    draw = jax.jit(lambda z, label: generator.apply(variables, z, label, False))
    image = np.asarray(draw(LATENT, LABEL))
    assert np.isfinite(image).all()
    assert 0.1 < image.std() < 10
    assert len(np.unique(image[:, 0, 0, 0])) == 4
    other = np.asarray(draw(LATENT, 1 - LABEL))
    assert np.abs(image - other).max() > 1e-3
    np.testing.assert_array_equal(draw(LATENT, LABEL), image)


def test_noise_is_new_in_training_and_fixed_when_pictures_are_drawn(conditional):
    generator, variables = conditional
    noisy = with_noise(variables)
    styles = jnp.ones((4, 4, 5))

    @jax.jit
    def synthesised(rngs):
        return generator.apply(noisy, styles, LABEL, False, method="synthesis", rngs=rngs)

    one, same, other = (synthesised({"noise": jax.random.key(n)}) for n in (0, 0, 1))
    fixed = synthesised({})
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-2
    assert np.abs(one[0] - one[1]).max() > 1e-2  # each example has its own
    np.testing.assert_array_equal(fixed[0], fixed[1])
    assert np.abs(one - fixed).max() > 1e-2


def test_synthesis_refuses_other_numbers_of_styles(conditional):
    generator, variables = conditional
    with pytest.raises(
        ValueError, match=r"images \(8, 16, 3\) are made of styles \[B, 4, D\], not \(2, 6, 5\)"
    ):
        generator.apply(variables, jnp.zeros((2, 6, 5)), LABEL[:2], False, method="synthesis")


def test_logits_are_of_the_image_and_the_label():
    network = StyleGAN2Discriminator(**SMALL, condition="auto", num_classes=2)

    @jax.jit
    def judged(label):
        return network.init_with_output(KEY, IMAGE, label, False)[0]

    logits, other = judged(LABEL), judged(1 - LABEL)
    assert logits.dtype == jnp.float32
    assert (np.abs(logits - other) > 1e-4).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(width_base=7), r"width_base=7: level 1 has none of its channels: set at least 8"),
        (dict(width_max=0), r"width_max=0: it must be a positive integer"),
        (dict(minibatch="discrimination"), r"minibatch='discrimination' is not one of none, stddev"),
        (dict(minibatch_group=3), r"group_size=3 does not divide the batch of 4"),
        (dict(condition="embedding"), r"condition='embedding' is not one of auto, none, projection"),
    ],
)
def test_impossible_fields_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(lambda: StyleGAN2Discriminator(**(SMALL | fields)).init(KEY, IMAGE, None, False))
