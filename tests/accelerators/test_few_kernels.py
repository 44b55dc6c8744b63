"""The step that accelerators run, run on a CPU: the numbers of the step that CPUs run."""

from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.accelerators.lowering import expected_data, method, stored_items
from gan_jax.config.build import example_batch
from gan_jax.config.components import complete
from gan_jax.config.phases import phase_configs
from gan_jax.core import launches
from gan_jax.data.feed import StreamFeed
from gan_jax.distributed import parallel
from gan_jax.training.input import make_fetch
from tests.shipped import config_with

STEPS = 3
SMALL: dict[str, Any] = dict(batch_size=4, steps_per_call=STEPS, ema=dict(name="decay", decay=0.9))
DCGAN: dict[str, Any] = dict(generator__widths=(4, 3), discriminator__widths=(3, 4))
CASES = [
    # dropout, batch norms on both sides
    pytest.param("dcgan_fashion_mnist", DCGAN | dict(discriminator__norm="batch"), marks=pytest.mark.slow),
    # a loop of critics, a gradient penalty
    pytest.param("wgan_gp_mnist", DCGAN, marks=pytest.mark.slow),
    ("gan_ring", {}),
    ("gan_ring", dict(algorithm__discriminator_steps=3)),  # a loop of discriminators
]


@pytest.mark.parametrize(("name", "changes"), CASES)
def test_the_numbers_are_the_same(name, changes, monkeypatch):
    config = complete(config_with(name, **SMALL, **changes))
    spec = expected_data(config)
    phase = phase_configs(config)[0]
    algorithm, mesh = method(phase, spec), parallel.make_mesh(jax.devices()[:1])
    feed: Any = SimpleNamespace(fields=spec.fields, fetch=StreamFeed.fetch)
    random = np.random.default_rng(0)
    items = jax.tree.map(
        lambda x: random.integers(0, 3, x.shape).astype(x.dtype), stored_items(algorithm, spec, 4, STEPS)
    )
    batch, results = example_batch(spec, 4), []
    for platform in ("cpu", "gpu"):
        monkeypatch.setattr(parallel, "on", lambda _, platform=platform: launches.on(platform))
        call = parallel.compile_step(algorithm, make_fetch(feed, ()), mesh, STEPS)
        state = parallel.initial_state(algorithm, jax.random.key(0), batch, mesh)
        results.append(call(state, {}, items, jnp.int32(2)))
    for a, b in zip(*map(jax.tree.leaves, results), strict=True):
        if jax.dtypes.issubdtype(a.dtype, jax.dtypes.prng_key):
            a, b = jax.random.key_data(a), jax.random.key_data(b)
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
