"""The same augmentations on any layout of the batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.augment import ADA, DiffAugment
from gan_jax.core.randomness import example_keys
from tests.augment.cases import EVERYTHING, STEP, compiled, keys_of, pictures
from tests.devices import WAYS

AUGMENTATIONS = [ADA(adjust_images=0, p=0.6, groups=EVERYTHING), DiffAugment()]


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_an_example_depends_on_its_own_key_alone(augment):
    x, keys = pictures(8, 12, 12, 3), keys_of(8)
    call = compiled(augment)
    whole = np.asarray(call(x, keys))
    order = np.array([5, 2, 7, 0, 1, 3, 6, 4])
    np.testing.assert_allclose(call(x[order], keys[order]), whole[order], atol=1e-5)
    same = np.asarray(call(x[:1].repeat(8, 0), keys))
    assert len({image.tobytes() for image in same}) == 8


@pytest.mark.parametrize("augment", AUGMENTATIONS)
@pytest.mark.parametrize("mapped", WAYS)
def test_eight_devices_agree_with_one(augment, mapped):
    x, key = pictures(16, 12, 12, 3), jax.random.key(3)

    def step(x, axis_name=None):
        def loss(x):
            return jnp.sum(jnp.tanh(augment(x, example_keys(key, len(x), axis_name), {}, STEP)))

        return jax.grad(loss)(x)

    expected = jax.jit(step)(x)
    if mapped == "pmap":
        found = jax.pmap(lambda x: step(x, "batch"), "batch")(x.reshape(8, 2, 12, 12, 3))
    else:
        split = jax.sharding.PartitionSpec("batch")
        mesh = jax.make_mesh((8,), ("batch",), axis_types=(jax.sharding.AxisType.Auto,))
        local = jax.shard_map(lambda x: step(x, "batch"), mesh=mesh, in_specs=split, out_specs=split)
        found = jax.jit(local)(x)
    np.testing.assert_allclose(np.reshape(found, x.shape), expected, atol=2e-5)


@pytest.mark.parametrize("augment", AUGMENTATIONS)
def test_vmapped_seeds_agree_with_one_at_a_time(augment):
    x = pictures(8, 12, 12, 3)
    keys = jnp.stack([keys_of(8, seed) for seed in range(2)])
    found = jax.jit(jax.vmap(lambda k: augment(x, k, {}, STEP)))(keys)
    for seed in range(2):
        np.testing.assert_allclose(found[seed], compiled(augment)(x, keys[seed]), atol=2e-5)
