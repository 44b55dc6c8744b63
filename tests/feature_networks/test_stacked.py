"""Three digits in one picture, judged one by one."""

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from gan_jax.feature_networks.stacked import stacked
from tests.metrics import toy


def test_channels_are_judged_alone_and_the_logits_are_joint():
    grey = toy.network(classes=4)
    pixels = toy.images(6, shape=(4, 4, 3))
    found = stacked(grey).apply(grey.params, jnp.asarray(pixels))
    channels = [grey.apply(grey.params, jnp.asarray(pixels[..., c : c + 1])) for c in range(3)]
    np.testing.assert_array_equal(found.features, np.concatenate([c.features for c in channels], axis=1))
    a, b, c = (scipy.special.softmax(np.float64(x.logits), axis=1) for x in channels)
    expected = np.einsum("na,nb,nc->nabc", a, b, c).reshape(6, 64)
    np.testing.assert_allclose(scipy.special.softmax(found.logits, axis=1), expected, rtol=1e-5)
    digits = [np.argmax(np.asarray(x.logits), axis=1) for x in channels]
    np.testing.assert_array_equal(
        np.argmax(np.asarray(found.logits), axis=1), 16 * digits[0] + 4 * digits[1] + digits[2]
    )


def test_it_says_what_it_is():
    network = stacked(toy.network(classes=4))
    assert (network.num_classes, network.num_features, network.image_shape) == (64, 48, (None, None, 3))
    assert network.digest != toy.network().digest


def test_it_needs_a_classifier_of_grey_images():
    with pytest.raises(ValueError, match="classifier of grey"):
        stacked(toy.network(classes=None))
    with pytest.raises(ValueError, match="classifier of grey"):
        stacked(stacked(toy.network()))
