"""One step, six ways to run it, the same numbers: every option on one device, on eight, and over seeds."""

import dataclasses
import re
from functools import cache
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.algorithms import ALGORITHMS
from gan_jax.algorithms.processes import PROCESSES
from gan_jax.algorithms.solvers import SAMPLERS
from gan_jax.algorithms.sources import SOURCES
from gan_jax.augment import AUGMENTS
from gan_jax.config.components import choices
from gan_jax.core.games import GAMES
from gan_jax.core.randomness import LATENTS
from gan_jax.distributed import many_runs, parallel
from gan_jax.feature_networks.perceptual import CONTENTS
from gan_jax.losses.adversarial import LOSSES, RELATIVISTIC
from gan_jax.losses.penalties import PENALTIES
from gan_jax.models import MODELS
from gan_jax.models.layers.conditioning import DISCRIMINATOR, GENERATOR, MINIBATCH
from gan_jax.models.layers.norms import NORMS
from gan_jax.optim.optimizers import EMAS, OPTIMIZERS
from gan_jax.optim.schedules import SCHEDULES
from gan_jax.utils.errors import UserError
from tests.variants import (
    BASE,
    BATCH,
    CALL,
    CONFIGS,
    KEY,
    MINI,
    OF_SOUNDS,
    VARIANTS,
    fetch,
    first_state,
    one_device,
    one_device_call,
    slow_but,
    steps_of,
)

STEPS = 3
FOURTHS = {"resnet_translator", "resnet_translator_pair"}  # of sides that four divides
# Whose examples meet in the most ways: batch statistics, a pool and minibatch layers, steps of the other
# player, means of features and a top k.
MEETING = "dcgan", "extragradient", "feature_matching"
# Path length's gradients of gradients take long to compile.
ALL_BUT_THE_LONGEST = slow_but(*set(VARIANTS) - {"stylegan2", "ddpm", "unrolled"})


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


def each_step(step, state, batches):
    """State and metrics [STEPS] after STEPS steps, one call each."""
    found = []
    for index in range(STEPS):
        state, metrics = step(state, at(batches, index))
        found.append(on_host(metrics))
    return on_host(state), jax.tree.map(lambda *values: np.stack(values), *found)


def fresh(state, sharding):
    """A copy that may be donated (`device_put` alone may share the original's buffers)."""
    return jax.tree.map(lambda x: jax.device_put(jnp.copy(x), sharding), state)


def in_one_call(call, first, batches, mesh):
    """State and metrics [CALL] after STEPS steps of `compile_step`."""
    items = parallel.place(batches, parallel.split_on(mesh, 2))
    return call(fresh(first, parallel.replicated(mesh)), {}, items, jnp.int32(STEPS))


# No option is left out


def values_of(field, *components):
    """Every value that some variant gives this field of these components."""
    found = set()
    for config in ({**BASE, **changes} for changes in CONFIGS.values()):
        for component in components:
            fields = config.get(component, {})
            parts = fields.values() if component == "penalties" else [fields]
            found |= {str(part[field]) for part in parts if field in part}
    return found


def schedules(node):
    """The names of all schedules in a config."""
    if not isinstance(node, dict):
        return set()
    own = {node["name"]} if node.get("name") in SCHEDULES else set()
    return own.union(*(schedules(value) for value in node.values()))


@pytest.mark.parametrize(
    ("table", "field", "components"),
    [
        (ALGORITHMS, "name", ["algorithm"]),
        (LOSSES, "name", ["loss"]),
        (GAMES, "name", ["game"]),
        (AUGMENTS, "name", ["augment"]),
        (EMAS, "name", ["ema"]),
        (OPTIMIZERS, "name", ["generator_optimizer", "discriminator_optimizer"]),
        (set(MODELS) - FOURTHS - OF_SOUNDS, "name", ["generator", "discriminator"]),
        (set(NORMS) - {"none"}, "norm", ["generator", "discriminator"]),
        (set(GENERATOR) - {"none"}, "condition", ["generator"]),
        (set(DISCRIMINATOR) - {"none"}, "condition", ["discriminator"]),
        (set(MINIBATCH) - {"none"}, "minibatch", ["discriminator"]),
        (set(LATENTS) - {"normal"}, "latent", ["algorithm"]),
        ({"True"}, "spectral_norm", ["generator"]),
        ({"True"}, "spectral_norm", ["discriminator"]),
        (set(SOURCES) - {"lightness"}, "name", ["source"]),  # which is of three channels
        (PROCESSES, "name", ["process"]),
        (SAMPLERS, "name", ["sampler"]),
    ],
)
def test_every_name_has_a_variant(table, field, components):
    assert values_of(field, *components) >= set(table)


def test_every_penalty_has_a_variant_and_a_lazy_one():
    eager: set[str] = set()
    lazy: set[str] = set()
    for changes in CONFIGS.values():
        for name, fields in changes.get("penalties", {}).items():
            (lazy if fields.get("every", 1) > 1 else eager).add(name)
    assert eager == set(PENALTIES)
    assert lazy == {name for name, kind in PENALTIES.items() if "every" in choices(kind)}


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_option_of_a_method_has_a_variant(name):
    """Beyond what all have: those of the GAN in some variant, those of its children in theirs."""
    own = choices(ALGORITHMS[name]) - (choices(ALGORITHMS["gan"]) if name != "gan" else set())
    for field in own:
        assert values_of(field, "algorithm"), field


def test_every_content_has_a_variant():
    assert {name for changes in CONFIGS.values() for name in changes.get("contents", {})} == {
        name for name, kind in CONTENTS.items() if kind.__module__ == "gan_jax.losses.contents"
    }


def test_every_option_of_the_optimizers_and_every_schedule_has_a_variant():
    players = "generator_optimizer", "discriminator_optimizer"
    for field in ("weight_clip", "historical_averaging", "finite_gradients", "momentum", "eps_root"):
        assert values_of(field, *players), field
    assert schedules(CONFIGS) == set(SCHEDULES)
    assert values_of("kind", "loss") <= set(RELATIVISTIC)
    assert {"True", "False"} & values_of("norm_first", "generator")
    assert values_of("attention_size", "generator")
    assert values_of("attention_size", "discriminator")


# The same numbers


@cache
def played(name):
    """A method, its batches, its first state, and state and metrics after STEPS steps on one device."""
    algorithm, first = VARIANTS[name](), first_state(name)
    batches = steps_of(algorithm)
    state, metrics = in_one_call(one_device_call(name), first, batches, one_device())
    return algorithm, batches, first, (on_host(state), at(on_host(metrics), slice(STEPS)))


@pytest.mark.parametrize("name", ALL_BUT_THE_LONGEST)
def test_all_is_finite_and_moves(name):
    """But for the metrics of lazy updates, which are NaN where these are not due."""
    algorithm, _, first, (state, metrics) = played(name)
    lazy = {penalty.name for penalty in getattr(algorithm, "all_penalties", ()) if penalty.every == 2}
    assert lazy <= set(metrics)
    for name, values in metrics.items():
        assert values.shape == (STEPS,)
        assert np.isfinite(values).tolist() == [True, name not in lazy, True], name
    for before, leaf in zip(jax.tree.leaves(on_host(first)), jax.tree.leaves(state), strict=True):
        assert np.isfinite(leaf).all()
        assert before.shape == leaf.shape
    for player in algorithm.roles:
        old, new = (jax.tree.leaves(getattr(s, player).params) for s in (on_host(first), state))
        assert sum(not np.array_equal(a, b) for a, b in zip(old, new, strict=True)) > len(old) / 2
    assert int(state.step) == STEPS


@pytest.mark.parametrize(
    "name",
    slow_but(*MEETING, "ada", "relativistic", "sagan", "acgan", "cyclegan", "inpainting"),
)
def test_eight_devices_agree(name):
    algorithm, batches, first, (expected, metrics) = played(name)
    mesh = parallel.make_mesh()
    call: Any = parallel.compile_step(algorithm, fetch, mesh, CALL)
    state, found = in_one_call(call, first, batches, mesh)
    assert_close(state, expected)
    assert_close(at(found, slice(STEPS)), metrics)
    for name, values in found.items():
        assert values.shape == (CALL,), name
        assert np.isnan(values[STEPS:]).all(), name
    for leaf in jax.tree.leaves(state):
        assert leaf.sharding.is_fully_replicated
        assert leaf.sharding.device_set == set(mesh.devices.flat)


@pytest.mark.parametrize("name", slow_but(*MEETING, "relativistic"))
def test_shard_map_agrees(name):
    algorithm, batches, first, (expected, metrics) = played(name)
    mesh = parallel.make_mesh()
    state = fresh(first, parallel.replicated(mesh))
    state, found = each_step(parallel.shard_map_step(algorithm, mesh), state, batches)
    assert_close(state, expected)
    assert_close(found, metrics)


@pytest.mark.parametrize("name", slow_but("dcgan", "feature_matching"))
def test_pmap_agrees(name):
    algorithm, batches, first, (expected, metrics) = played(name)
    split = parallel.split_on(parallel.make_mesh(), 0)
    state = jax.tree.map(lambda x: jax.device_put(jnp.stack([x] * 8), split), first)

    def divide(x):  # [steps, minibatches, B, ...] -> [steps, devices, minibatches, B / devices, ...]
        x = np.moveaxis(x.reshape(*x.shape[:2], 8, BATCH // 8, *x.shape[3:]), 2, 1)
        return [jax.device_put(y, split) for y in x]

    divided = jax.tree.map(divide, batches)
    divided = [{name: steps[index] for name, steps in divided.items()} for index in range(STEPS)]
    step, found = parallel.pmap_step(algorithm), []
    for batch in divided:
        state, one = step(state, batch)
        found.append(on_host(one))
    state = on_host(state)
    for device in (0, 7):
        assert_close(at(state, device), expected)
        one = jax.tree.map(lambda *values, d=device: np.stack([value[d] for value in values]), *found)
        assert_close(one, metrics)


@pytest.mark.parametrize("name", slow_but("ada", "relativistic"))
def test_runs_trained_together_agree(name):
    """Run number 1 of three, side by side with others of other keys and batches, is the run alone."""
    assert_run_is_the_one_alone(name, "vmap", one_device())


@pytest.mark.parametrize("how", ["vmap", "map"])
def test_runs_split_over_devices_agree(how):
    assert_run_is_the_one_alone("dcgan", how, parallel.make_mesh(jax.devices()[:3]))


def assert_run_is_the_one_alone(name, how, mesh):
    algorithm, batches, first, (expected, metrics) = played(name)
    keys = jnp.stack([jax.random.key(5), KEY, jax.random.key(6)])
    states = jax.tree.map(lambda x: jnp.stack([x] * 3), first).replace(step=jnp.copy(first.step), key=keys)
    states = jax.tree.map(lambda at, part: fresh(part, at), many_runs.runs_shardings(mesh), states)
    others = steps_of(algorithm, 1), batches, steps_of(algorithm, 2)
    items = jax.tree.map(lambda *leaves: np.stack(leaves), *others)
    call: Any = many_runs.compile_runs(lambda numbers: algorithm, fetch, mesh, CALL, how)
    arguments: Any = (states, {}, {}, parallel.place(items, parallel.split_on(mesh, 0)), jnp.int32(STEPS))
    states, found = call(*arguments)
    assert states.step == STEPS
    one = at(on_host(states).replace(step=np.stack([on_host(states).step] * 3)), 1)
    assert_close(one, expected)
    assert_close(jax.tree.map(lambda x: x[1, :STEPS], on_host(found)), metrics)
    assert all(np.isnan(x[:, STEPS:]).all() for x in jax.tree.leaves(on_host(found)))
    params = jax.tree.leaves(on_host(states.generator.params))
    assert all(leaf.shape[0] == 3 for leaf in params)
    assert any(not np.array_equal(leaf[0], leaf[1]) for leaf in params)


@pytest.mark.parametrize("how", ["vmap", "map"])
def test_lazy_updates_of_many_runs_stay_lazy(how):
    """Their penalty is in a branch of the program: not computed where it is not due."""
    made: dict[str, Any] = {name: make() for name, make in VARIANTS.items()}
    name = next(name for name, one in made.items() if any(p.every > 1 for p in one.penalties))
    algorithm, first = made[name], first_state(name)
    states = jax.tree.map(lambda x: jnp.stack([x] * 2), first).replace(step=first.step)
    items = jax.tree.map(lambda x: np.stack([x] * 2), steps_of(algorithm))
    call: Any = many_runs.compile_runs(lambda numbers: algorithm, fetch, one_device(), CALL, how)
    program = call.lower(states, {}, {}, items, jnp.int32(STEPS)).as_text()
    lazy = [penalty for penalty in algorithm.penalties if penalty.every > 1]
    assert len(re.findall(r"stablehlo\.case", program)) >= len(lazy) > 0


@pytest.mark.parametrize("name", ["dcgan", pytest.param("unrolled", marks=pytest.mark.slow)])
def test_a_plain_jitted_step_agrees(name):
    """And so does the first state of several runs."""
    algorithm, first = VARIANTS[name](), first_state(name)
    batches = steps_of(algorithm)
    state, found = each_step(jax.jit(algorithm.step), first, batches)
    expected, metrics = in_one_call(one_device_call(name), first, batches, one_device())
    assert_close(state, expected)
    assert_close(found, at(metrics, slice(STEPS)))
    keys = jnp.stack([jax.random.key(5), KEY])
    states = many_runs.initial_runs(algorithm, keys, MINI, one_device())
    shapes = many_runs.abstract_runs(algorithm, 2, MINI, one_device())
    assert jax.tree.map(lambda x: (x.shape, x.dtype), states) == jax.tree.map(
        lambda x: (x.shape, x.dtype), shapes
    )
    assert_close(at(states.replace(step=jnp.zeros(2)), 1), first, 1e-6)


@pytest.mark.parametrize(("norm", "judged"), [("batch", "2"), ("none", "4")])
def test_every_device_works_on_its_own_part_of_the_batch(norm, judged):
    """Fakes too, whose latents are drawn inside the program; only gradients and moments are exchanged.

    The discriminator judges reals and fakes as two batches, or as one.
    """
    algorithm = VARIANTS["dcgan"]()
    algorithm = dataclasses.replace(algorithm, discriminator=algorithm.discriminator.clone(norm=norm))
    mesh = parallel.make_mesh()
    call: Any = parallel.compile_step(algorithm, fetch, mesh, CALL)
    count = jax.ShapeDtypeStruct((), jnp.int32)
    state = parallel.abstract_state(algorithm, MINI, mesh)
    program = call.lower(state, {}, steps_of(algorithm), count).compile().as_text()
    sizes = re.findall(r"= f32\[(\d+),\d+,\d+,\d+\]\S* convolution\(.*b01f", program)
    assert set(sizes) <= {"1", "2", "4"}  # "1": gradients of weights
    assert sizes.count(judged) >= 3
    assert not re.search("all-gather|all-to-all|collective-permute", program)


# Several steps in one call


@pytest.fixture(scope="module", params=[("dcgan", 1), ("infogan", 8)], ids=["one", "eight"])
def grouped(request):
    """run(steps_per_call, groups): state and metrics after these numbers of steps, call by call."""
    name, devices = request.param
    algorithm = VARIANTS[name]()
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
    algorithm = VARIANTS["infogan"]()
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


def test_training_takes_as_many_devices_as_are_asked_for():
    assert list(parallel.training_mesh().devices) == jax.devices()
    assert list(parallel.training_mesh(3).devices) == jax.devices()[:3]


@pytest.mark.parametrize("devices", [-1, 9])
def test_more_devices_than_there_are_are_refused(devices):
    with pytest.raises(UserError, match=f"devices={devices}: there are 8 cpu devices; choose 1 to 8, or 0"):
        parallel.training_mesh(devices)


def mesh_of_hosts(*counts):
    """As if there were processes with these numbers of devices."""
    found = [SimpleNamespace(process_index=host) for host, count in enumerate(counts) for _ in range(count)]
    return SimpleNamespace(devices=np.array(found), size=len(found))


def test_every_host_gives_as_many_devices(monkeypatch):
    def make_mesh(devices=None):
        return mesh_of_hosts(2, 3) if devices is None else devices

    monkeypatch.setattr(parallel, "make_mesh", make_mesh)
    with pytest.raises(UserError, match=r"different numbers of devices \(2, 3\).*set devices=2"):
        parallel.training_mesh()
    chosen: Any = parallel.training_mesh(2)
    assert [device.process_index for device in chosen] == [0, 0, 1, 1]
    with pytest.raises(UserError, match="there are 2 cpu devices on each of 2 hosts; choose 1 to 2"):
        parallel.training_mesh(3)


def test_batches_that_several_hosts_do_not_divide_are_refused():
    mesh: Any = mesh_of_hosts(4, 4)
    with pytest.raises(UserError, match=r"over 8 devices of 2 hosts: .*batch_size=8 or 16,"):
        parallel.check_batch(12, mesh)


@pytest.mark.parametrize(
    ("batch_size", "choices"),
    [(12, "batch_size=8 or 16,"), (17, "batch_size=16 or 24,"), (3, "batch_size=8,")],
)
def test_batches_that_the_devices_do_not_divide_are_refused(batch_size, choices):
    with pytest.raises(UserError, match=f"batch_size={batch_size} cannot be split over 8.*{choices}"):
        parallel.check_batch(batch_size, parallel.make_mesh())


@pytest.mark.parametrize(
    ("batch_size", "most", "fits", "words"),
    [
        (48, 44, 1, "is more than the 44 examples of the data set, and it must be split over 8.*=40, or"),
        (45, 44, 1, "batch_size=40, or"),
        (12, 100, 3, "cannot be split over 8 devices: set batch_size=24, or run on fewer"),
        (30, 100, 3, "set batch_size=24 or 48, or run on fewer"),
        (12, 6, 1, "no batch size fits 8 devices and the other options, or run on fewer devices"),
    ],
)
def test_a_batch_size_that_is_advised_is_one_that_everything_takes(batch_size, most, fits, words):
    """The examples of the data set, the devices, and what the options want it to be a multiple of."""
    with pytest.raises(UserError, match=words):
        parallel.check_batch(batch_size, parallel.make_mesh(), most=most, fits=lambda size: size % fits == 0)


def test_batches_that_the_devices_divide_are_fine():
    parallel.check_batch(64, parallel.make_mesh())
    parallel.check_batch(7, parallel.make_mesh(jax.devices()[:1]))
