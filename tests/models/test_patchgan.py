"""PatchGANs: their parameters, what one of their logits sees, and what they refuse."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.models.patchgan import PatchGANDiscriminator
from tests.models.test_models import shapes

KEY = jax.random.key(0)
# What the official code counts, with BatchNorm and six channels; of the 1x1 one, whose logits have
# no bias there, one more.
PUBLISHED = (9_024 + 1, 139_585, 666_433, 2_768_705, 6_964_033, 11_159_361)
FIELDS = (1, 16, 34, 70, 142, 286)


@pytest.mark.parametrize(("layers", "expected"), list(enumerate(PUBLISHED)))
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_published_networks_have_as_many_parameters(layers, expected, norm):
    found = shapes(PatchGANDiscriminator(layers=layers, norm=norm), jnp.zeros((1, 256, 256, 6)))
    assert sum(x.size for x in jax.tree.leaves(found["params"])) == expected


def test_cyclegans_discriminator_has_as_many_parameters():
    """With norms without gain and bias 2,764,737 there, which have a bias before each instead."""
    image = jnp.zeros((1, 256, 256, 3))
    for affine, expected in ((True, 2_765_633), (False, 2_764_737 - 128 - 256 - 512)):
        found = shapes(PatchGANDiscriminator(affine=affine), image)
        assert sum(x.size for x in jax.tree.leaves(found["params"])) == expected


@pytest.mark.parametrize(("layers", "side"), list(enumerate(FIELDS)))
def test_a_logit_sees_its_patch_and_no_more(layers, side):
    """The gradient of one logit with respect to the image; without a norm, which sees all of it."""
    network = PatchGANDiscriminator(width=1, layers=layers, norm="none", initializer="glorot_uniform")
    size = max(side + 4 * 2**layers, 8)
    image = jax.random.normal(KEY, (1, size, size, 1))

    @jax.jit
    def slope(image):
        variables = jax.tree.map(jnp.ones_like, network.init(KEY, image, None, train=False))
        middle = lambda x: network.apply(variables, x, None, train=False)[0]
        return jax.grad(lambda x: middle(x)[middle(x).shape[0] // 2, middle(x).shape[1] // 2])(image)

    seen = np.argwhere(np.asarray(slope(image))[0, :, :, 0])
    assert (np.ptp(seen, axis=0) + 1).tolist() == [side, side]
    assert len(seen) == side**2


@pytest.mark.parametrize("layers", range(6))
def test_logits_are_of_patches(layers):
    network = PatchGANDiscriminator(width=4, layers=layers)
    for size in (96, 100, 255):
        image = jnp.zeros((2, size, size + 1, 3))
        logits = jax.eval_shape(lambda x: network.init_with_output(KEY, x, None, train=False)[0], image)
        less = 2 if layers else 0
        assert logits.shape == (2, size // 2**layers - less, (size + 1) // 2**layers - less)
        assert logits.dtype == jnp.float32


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(layers=3), r"layers=3 takes images .* of at least 24x24 pixels, not .* \(1, 16, 16, 3\)"),
        (dict(layers=-1), "layers=-1: it must be a number from 0 to 12"),
        (dict(layers=True), "layers=True"),
        (dict(width=0), "width=0"),
        (dict(norm="bath", layers=1), "norm='bath' is not one of none, batch"),
        (dict(initializer="he", layers=1), "initializer='he'"),
    ],
)
def test_what_makes_no_patchgan_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        shapes(PatchGANDiscriminator(**fields), jnp.zeros((1, 16, 16, 3)))


def test_the_smallest_image_has_one_patch():
    for layers in range(1, 6):
        side = 3 * 2**layers
        network = PatchGANDiscriminator(width=1, layers=layers)
        image = jnp.zeros((1, side, side, 1))
        logits = jax.eval_shape(lambda x, net=network: net.init_with_output(KEY, x, None, False)[0], image)
        assert logits.shape == (1, 1, 1)
