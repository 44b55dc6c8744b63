"""Every config that is shipped: it builds at full size, and trains a step of a smaller self."""

import runpy
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from gan_jax import build, data, parallel
from gan_jax.train import make_fetch

FOLDER = Path(__file__).parent.parent / "configs"
FILES = sorted(FOLDER.glob("*.py"))
BATCH = 4


@pytest.fixture(scope="module", autouse=True)
def quick_compiler():
    """Half the compile time; how well the code is optimised is not what is tested here."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def get_config(path):
    return runpy.run_path(str(path))["get_config"]()


def image_shape(chosen):
    """What the data set that a config names would have, without opening it."""
    if chosen.name == "shapes":
        return chosen.resolution, chosen.resolution, chosen.channels
    if chosen.name == "image_folder":
        return chosen.height, chosen.width or chosen.height, chosen.channels
    assert chosen.name in ("mnist", "fashion_mnist", "kmnist"), f"say here what {chosen.name} holds"
    return 28, 28, 1


def tiny_dataset(shape, count=3 * BATCH):
    numbers = np.random.default_rng(0)
    records = [{"image": numbers.integers(0, 256, shape, np.uint8), "label": i % 10} for i in range(count)]
    return data.Dataset("tiny", "train", records, shape, 10, tuple("0123456789"), "none")


def shrink(config):
    """Narrower layers and a smaller batch; all else as it is."""
    with config.unlocked():
        for role in ("generator", "discriminator"):
            if "widths" in config[role]:
                config[role].widths = tuple(max(2, width // 64) for width in config[role].widths)
        config.batch_size = BATCH
    return config


def load(expected):
    """`data.load` that hands out a tiny set of the expected shape."""

    def fake(name, **options):
        return tiny_dataset(expected)

    return fake


def test_there_are_configs():
    assert len(FILES) >= 2


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_config_is_complete_and_builds_at_full_size(path):
    config = get_config(path)
    assert isinstance(config, ml_collections.ConfigDict)
    assert runpy.run_path(str(path))["__doc__"]
    build.check_fields(config)
    assert set(config) == {"seed", *build.COUNTS, *build.COMPONENTS}
    shape = image_shape(config.data)
    algorithm = build.build_algorithm(config, build.DataSpec(shape, 10))
    batch = build.example_batch(build.DataSpec(shape, 10), 2)
    state = jax.eval_shape(algorithm.init, jax.random.key(0), batch)
    images = jax.eval_shape(algorithm.sample, state, batch, jax.random.key(0))
    assert images.shape == (2, *shape)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_config_names_every_field_of_its_components(path):
    """So that the file says it all, and each can be overridden on the command line."""
    config = get_config(path)
    tables: dict[str, Any] = {
        "generator": build.MODELS,
        "discriminator": build.MODELS,
        "algorithm": build.ALGORITHMS,
    }
    tables |= {"generator_optimizer": build.OPTIMIZERS, "discriminator_optimizer": build.OPTIMIZERS}
    given = {"generator", "discriminator", "generator_tx", "discriminator_tx", "image_shape"}
    for where, table in tables.items():
        allowed = set(build.inspect.signature(table[config[where].name]).parameters)
        assert set(config[where]) == (allowed - given - {"axis", "split", "parent"}) | {"name"}, where


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shrunk_config_trains_a_step(path, monkeypatch):
    config = get_config(path)
    monkeypatch.setattr(data, "load", load(image_shape(config.data)))
    plan = build.build(shrink(config))
    mesh = parallel.make_mesh(jax.devices()[:1])
    feed = data.make_feed(plan.dataset, plan.sampler, steps_per_call=1)
    call = parallel.compile_step(plan.algorithm, make_fetch(feed, plan.flip), mesh, 1)
    batch = build.example_batch(build.DataSpec(plan.dataset.image_shape, 10), BATCH)
    state = parallel.initial_state(plan.algorithm, plan.key, batch, mesh)
    before = jax.tree.map(np.array, (state.generator.params, state.discriminator.params))
    items = parallel.place(feed.get(0, 1), parallel.split_on(mesh, 2))
    state, metrics = call(
        state, parallel.place(feed.constants, parallel.replicated(mesh)), items, jnp.int32(1)
    )
    assert int(state.step) == 1
    for name in ("discriminator_loss", "generator_loss"):
        assert np.isfinite(metrics[name]).all()
    after = (state.generator.params, state.discriminator.params)
    moved = jax.tree.map(lambda a, b: bool(np.any(a != np.asarray(b))), before, after)
    still = [jax.tree_util.keystr(p) for p, moves in jax.tree_util.tree_leaves_with_path(moved) if not moves]
    assert still == []
    for leaf in jax.tree.leaves(after):
        assert np.isfinite(leaf).all()
