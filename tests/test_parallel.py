"""One step, six ways to run it, the same numbers: every method on one device, on eight, and over seeds."""

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import parallel
from gan_jax.algorithms import ALGORITHMS
from gan_jax.errors import UserError
from gan_jax.models import MODELS

BATCH, STEPS, CALL = 16, 3, 4
SHAPE = (8, 6, 1)
KEY = jax.random.key(0)
MINI = {
    "image": jax.ShapeDtypeStruct((BATCH, *SHAPE), jnp.float32),
    "label": jax.ShapeDtypeStruct((BATCH,), jnp.int32),
}
METHODS: dict[str, dict[str, Any]] = {
    "gan": {"discriminator_steps": 2}
}  # fields under test; the defaults where none are named
KINDS = ("dcgan-sgd", "mlp-adam")  # SGD shows a wrong scale of a gradient, which Adam hides


@pytest.fixture(scope="module")
def quick_compiler():
    """Half the compile time; how well the code is optimised is not what is tested with it."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


def make(name, kind):
    """Dropout and BatchNorm: what differs if a device sees only its own part of the batch."""
    if kind == "dcgan-sgd":
        generator = MODELS["dcgan_generator"](SHAPE, widths=(6, 4))
        discriminator = MODELS["dcgan_discriminator"](widths=(4, 6), dropout=0.4, batch_norm=True)
        tx = optax.sgd(0.05)
    else:
        generator = MODELS["mlp_generator"](SHAPE, widths=(6, 4))
        discriminator = MODELS["mlp_discriminator"](widths=(6, 4), dropout=0.4)
        tx = optax.adam(1e-3)
    return ALGORITHMS[name](
        generator=generator,
        discriminator=discriminator,
        generator_tx=tx,
        discriminator_tx=tx,
        ema_decay=optax.constant_schedule(0.9),
        latent_size=5,
        **METHODS.get(name, {}),
    )


def steps_of(algorithm, seed=0):
    """Other batches in every step: leaves [CALL, minibatches, B, ...], NumPy."""
    numbers = np.random.default_rng(seed)
    lead = (CALL, algorithm.minibatches, BATCH)
    return {
        "image": numbers.uniform(-1, 1, (*lead, *SHAPE)).astype(np.float32),
        "label": numbers.integers(0, 10, lead).astype(np.int32),
    }


def at(batches, index):
    return jax.tree.map(lambda x: x[index], batches)


def on_host(tree):
    """NumPy leaves; keys as their data."""

    def fetch(leaf):
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    return jax.tree.map(fetch, tree)


def assert_close(found, expected, tolerance=1e-5):
    paths = jax.tree_util.tree_leaves_with_path(on_host(expected))
    for a, (path, b) in zip(jax.tree.leaves(on_host(found)), paths, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=jax.tree_util.keystr(path))


def assert_same(found, expected):
    jax.tree.map(np.testing.assert_array_equal, on_host(found), on_host(expected))


def each_step(step, state, batches, steps=STEPS):
    for index in range(steps):
        state, metrics = step(state, at(batches, index))
    return on_host(state), on_host(metrics)


def identity(constants, item, key):
    return item


def fresh(state, sharding):
    """A copy that may be donated (`device_put` alone may share the original's buffers)."""
    return jax.tree.map(lambda x: jax.device_put(jnp.copy(x), sharding), state)


@pytest.fixture(scope="module", params=[(n, k) for n in ALGORITHMS for k in KINDS], ids="-".join)
def game(request, quick_compiler):
    """A method, its batches, its first state, and state and metrics after STEPS plain jitted steps."""
    algorithm = make(*request.param)
    batches = steps_of(algorithm)
    state = parallel.initial_state(algorithm, KEY, MINI, parallel.make_mesh(jax.devices()[:1]))
    return algorithm, batches, state, each_step(jax.jit(algorithm.step), state, batches)


@pytest.mark.parametrize("devices", [1, 8])
def test_compile_step_agrees(game, devices):
    algorithm, batches, first, (expected, metrics) = game
    mesh = parallel.make_mesh(jax.devices()[:devices])
    assert mesh.size == devices
    call = parallel.compile_step(algorithm, identity, mesh, CALL)
    state = fresh(first, parallel.replicated(mesh))
    items = parallel.place(batches, parallel.split_on(mesh, 2))
    state, found = call(state, {}, items, jnp.int32(STEPS))
    assert_close(state, expected)
    assert_close(at(found, STEPS - 1), metrics)
    for name, values in found.items():
        assert values.shape == (CALL,), name
        assert np.isfinite(values[:STEPS]).all(), name
        assert np.isnan(values[STEPS:]).all(), name
    for leaf in jax.tree.leaves(state):
        assert leaf.sharding.is_fully_replicated
        assert leaf.sharding.device_set == set(mesh.devices.flat)


def test_shard_map_agrees(game):
    algorithm, batches, first, (expected, metrics) = game
    mesh = parallel.make_mesh()
    state = fresh(first, parallel.replicated(mesh))
    state, found = each_step(parallel.shard_map_step(algorithm, mesh), state, batches)
    assert_close(state, expected)
    assert_close(found, metrics)


def test_pmap_agrees(game):
    algorithm, batches, first, (expected, metrics) = game
    split = parallel.split_on(parallel.make_mesh(), 0)
    state = jax.tree.map(lambda x: jax.device_put(jnp.stack([x] * 8), split), first)

    def divide(x):  # [steps, minibatches, B, ...] -> [steps, devices, minibatches, B / devices, ...]
        return np.moveaxis(x.reshape(*x.shape[:2], 8, BATCH // 8, *x.shape[3:]), 2, 1)

    state, found = each_step(parallel.pmap_step(algorithm), state, jax.tree.map(divide, batches))
    for device in (0, 7):
        assert_close(at(state, device), expected)
        assert_close(at(found, device), metrics)


def test_seeds_agree(game):
    """Seed number 1 of three, each with its own key and its own batches, is the run alone."""
    algorithm, batches, _, (expected, metrics) = game
    keys = jnp.stack([jax.random.key(5), KEY, jax.random.key(6)])
    state = parallel.seeds_init(algorithm, keys, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), MINI))
    assert state.step.shape == ()
    others = steps_of(algorithm, 1), batches, steps_of(algorithm, 2)
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves, axis=1), *others)
    state, found = each_step(parallel.seeds_step(algorithm), state, stacked)
    assert state.step.shape == ()
    one = at(state.replace(step=np.stack([state.step] * 3)), 1)
    assert_close(one, expected)
    assert_close(at(found, 1), metrics)
    for leaf in jax.tree.leaves(state.generator.params):
        assert leaf.shape[0] == 3
        assert not np.array_equal(leaf[0], leaf[1]) or leaf[1].size == 1


def test_every_device_works_on_its_own_part_of_the_batch(quick_compiler):
    """Fakes too, whose latents are drawn inside the program; only gradients and moments are exchanged."""
    algorithm = make("gan", "dcgan-sgd")
    mesh = parallel.make_mesh()
    items = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), steps_of(algorithm))
    call: Any = parallel.compile_step(algorithm, identity, mesh, CALL)
    count = jax.ShapeDtypeStruct((), jnp.int32)
    program = call.lower(parallel.abstract_state(algorithm, MINI, mesh), {}, items, count).compile().as_text()
    whole, part = (re.findall(rf"= f32\[{size},\d+,\d+,\d+\]\S* convolution\(", program) for size in (16, 2))
    assert whole == []
    assert len(part) >= 6
    assert not re.search("all-gather|all-to-all|collective-permute", program)


# Several steps in one call


@pytest.fixture(scope="module", params=[("dcgan-sgd", 1), ("mlp-adam", 8)], ids=["one", "eight"])
def grouped(request):
    """run(steps_per_call, groups): state and metrics after these numbers of steps, call by call."""
    kind, devices = request.param
    algorithm = make("gan", kind)
    mesh = parallel.make_mesh(jax.devices()[:devices])
    batches, first = steps_of(algorithm), parallel.initial_state(algorithm, KEY, MINI, mesh)

    def fetch(constants, item, key):  # what the training loop does: gather, and draw from the step's key
        noise = jax.random.uniform(key, item["image"].shape, minval=-0.1, maxval=0.1)
        return {**item, "image": constants["scale"] * item["image"] + noise}

    constants = parallel.place({"scale": np.float32(0.5)}, parallel.replicated(mesh))
    calls = {size: parallel.compile_step(algorithm, fetch, mesh, size) for size in (1, CALL)}

    def run(size, groups):
        state, done, found = fresh(first, parallel.replicated(mesh)), 0, []
        for count in groups:
            part = {
                name: np.zeros((size, *values.shape[1:]), values.dtype) for name, values in batches.items()
            }
            for name, values in batches.items():
                part[name][:count] = values[done : done + count]
            items = parallel.place(part, parallel.split_on(mesh, 2))
            state, metrics = calls[size](state, constants, items, jnp.int32(count))
            found.append(on_host(at(metrics, slice(0, count))))
            done += count
        return on_host(state), jax.tree.map(lambda *leaves: np.concatenate(leaves), *found)

    return run


@pytest.mark.parametrize("groups", [[1, 1, 1, 1], [3, 1], [1, 3], [2, 2]], ids=str)
def test_grouping_of_steps_changes_no_bit(grouped, groups):
    expected = grouped(CALL, [4])
    assert int(expected[0].step) == 4
    assert_same(grouped(CALL, groups), expected)


def test_another_steps_per_call_changes_no_bit(grouped):
    assert_same(grouped(1, [1, 1, 1, 1]), grouped(CALL, [4]))


def test_no_steps_change_nothing(grouped):
    state, metrics = grouped(CALL, [0])
    assert int(state.step) == 0
    for values in metrics.values():
        assert values.shape == (0,)


# Placement


@pytest.mark.parametrize("devices", [1, 8])
def test_initial_state_fits_its_abstract_state(devices):
    algorithm = make("gan", "mlp-adam")
    mesh = parallel.make_mesh(jax.devices()[:devices])
    state = parallel.initial_state(algorithm, KEY, MINI, mesh)
    abstract = parallel.abstract_state(algorithm, MINI, mesh)
    for leaf, shape in zip(jax.tree.leaves(state), jax.tree.leaves(abstract), strict=True):
        assert leaf.shape == shape.shape
        assert leaf.dtype == shape.dtype
        assert leaf.sharding.is_equivalent_to(shape.sharding, leaf.ndim)
    alone = jax.jit(algorithm.init)(KEY, jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), MINI))
    assert_same(state, alone)


def test_split_puts_an_equal_part_on_every_device():
    mesh = parallel.make_mesh()
    placed = parallel.place({"image": np.arange(2 * 16 * 3).reshape(2, 16, 3)}, parallel.split_on(mesh, 1))
    shards = placed["image"].addressable_shards
    assert len({shard.device for shard in shards}) == 8
    for shard in shards:
        assert shard.data.shape == (2, 2, 3)
    whole = parallel.place(np.arange(6), parallel.replicated(mesh))
    assert {shard.data.shape for shard in whole.addressable_shards} == {(6,)}


def test_mesh_is_over_all_devices_or_those_asked_for():
    assert parallel.make_mesh().size == len(jax.devices()) == 8
    assert list(parallel.make_mesh(jax.devices()[2:5]).devices) == jax.devices()[2:5]


@pytest.mark.parametrize(
    ("batch_size", "choices"),
    [(12, "batch_size=8 or 16,"), (17, "batch_size=16 or 24,"), (3, "batch_size=8,")],
)
def test_batches_that_the_devices_do_not_divide_are_refused(batch_size, choices):
    with pytest.raises(UserError, match=f"batch_size={batch_size} cannot be split over 8.*{choices}"):
        parallel.check_batch(batch_size, parallel.make_mesh())


def test_batches_that_the_devices_divide_are_fine():
    parallel.check_batch(64, parallel.make_mesh())
    parallel.check_batch(7, parallel.make_mesh(jax.devices()[:1]))
