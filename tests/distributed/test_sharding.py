"""A state that is split over the devices: the same numbers, less memory, the same files."""

import dataclasses
import re
from contextlib import closing
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from gan_jax.config.build import build_algorithm
from gan_jax.core.execution import Execution, Sharding
from gan_jax.data.spec import DataSpec, Field
from gan_jax.distributed import parallel, sharding
from gan_jax.evaluation.generated import GeneratedSetMaker
from gan_jax.inference.sample import make_sampler
from gan_jax.training.checkpoint import Checkpoints
from tests import runs
from tests.devices import assert_close
from tests.runs import assert_same_bits, leaves
from tests.variants import (
    CALL,
    CLASSES,
    KEY,
    MINI,
    SHAPE,
    VARIANTS,
    config_of,
    fetch,
    first_state,
    one_device,
    one_device_call,
    steps_of,
)

STEPS = 3
SPEC = DataSpec({"image": Field(SHAPE)}, CLASSES)


@pytest.fixture(autouse=True)
def small_is_large(monkeypatch):
    """The networks of these tests are tiny."""
    monkeypatch.setattr(sharding, "LARGE", 4)


def wide_dcgan():
    """The variant "dcgan" with channels that 8 devices divide."""
    config = config_of("dcgan")
    config.generator.update(widths=(32, 16))
    config.discriminator.update(widths=(16, 32))
    return build_algorithm(ml_collections.ConfigDict(config), SPEC)


def moved(state, algorithm, mesh, how):
    """A copy of the state, laid out, that may be donated."""
    at = parallel.state_shardings(parallel.abstract_state(algorithm, MINI, mesh), mesh, how)
    return jax.tree.map(lambda x, to: jax.device_put(jnp.copy(x), to), state, at)


def compiled(algorithm, mesh, how):
    call: Any = parallel.compile_step(algorithm, fetch, mesh, CALL, how)
    state = parallel.abstract_state(algorithm, MINI, mesh, how)
    return call.lower(state, {}, steps_of(algorithm), jax.ShapeDtypeStruct((), jnp.int32)).compile()


def after_steps(call, state, algorithm, mesh):
    """State and metrics [STEPS] after STEPS steps in one call."""
    items = parallel.place(steps_of(algorithm), parallel.split_on(mesh, 2))
    state, metrics = call(state, {}, items, jnp.int32(STEPS))
    return state, {name: np.asarray(values)[:STEPS] for name, values in metrics.items()}


def lies_split(state, mesh):
    """How many leaves are split; an error where one does not lie as it should."""
    for leaf in jax.tree.leaves(state):
        assert leaf.sharding.is_equivalent_to(sharding.split_sharding(leaf.shape, mesh), leaf.ndim)
    return sum(not leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(state))


# Where the parts lie


@pytest.mark.parametrize(
    ("shape", "devices", "expected"),
    [
        ((5, 5, 128, 256), 8, 3),
        ((5, 5, 256, 128), 8, 2),
        ((100, 12544), 8, 1),
        ((512, 512), 8, 0),
        ((1001, 100), 4, 1),  # the largest that they divide, not the largest
        ((1001, 101), 8, None),
        ((256, 255), 8, None),  # a number short of what is large
        ((256, 256), 8, 0),
        ((256, 256), 1, None),
        ((), 8, None),
    ],
)
def test_the_largest_dimension_that_the_devices_divide_is_split(monkeypatch, shape, devices, expected):
    monkeypatch.setattr(sharding, "LARGE", 2**16)
    assert sharding.split_dimension(shape, devices) == expected


@pytest.mark.parametrize(("how", "devices"), [("sharded", 8), ("sharded", 1), ("replicated", 8)])
def test_initial_state_has_the_same_bits_in_any_layout(how, devices):
    algorithm = wide_dcgan()
    mesh = parallel.make_mesh(jax.devices()[:devices])
    state = parallel.initial_state(algorithm, KEY, MINI, mesh, how)
    abstract = parallel.abstract_state(algorithm, MINI, mesh, how)
    for leaf, shape in zip(jax.tree.leaves(state), jax.tree.leaves(abstract), strict=True):
        assert (leaf.shape, leaf.dtype) == (shape.shape, shape.dtype)
        assert leaf.sharding.is_equivalent_to(shape.sharding, leaf.ndim)
    split = sum(not leaf.sharding.is_fully_replicated for leaf in jax.tree.leaves(state))
    assert (split > 10) == (how == "sharded" and devices == 8)
    assert_same_bits(state, parallel.initial_state(algorithm, KEY, MINI, one_device()))


# The same numbers


@pytest.mark.parametrize("name", ["sagan", "wgan_gp", pytest.param("unrolled", marks=pytest.mark.slow)])
def test_split_states_train_alike(name):
    """Spectral norms and attention; second order, and a lazy penalty; through steps of the other player."""
    algorithm, mesh = VARIANTS[name](), parallel.make_mesh(jax.devices()[:2])
    first = first_state(name)
    expected, metrics = after_steps(
        one_device_call(name), moved(first, algorithm, one_device(), "replicated"), algorithm, one_device()
    )
    call = compiled(algorithm, mesh, "sharded")
    start = moved(first, algorithm, mesh, "sharded")
    given = lies_split(start, mesh)
    assert given > 5
    state, found = after_steps(call, start, algorithm, mesh)
    assert lies_split(state, mesh) == given
    assert_close(leaves(state), leaves(expected))
    assert_close(found, metrics)


def test_split_states_train_alike_in_parts_of_a_batch():
    algorithm, mesh = VARIANTS["wgan"](), parallel.make_mesh(jax.devices()[:2])
    first = first_state("wgan")
    expected, metrics = after_steps(
        one_device_call("wgan"), moved(first, algorithm, one_device(), "replicated"), algorithm, one_device()
    )
    algorithm = dataclasses.replace(algorithm, execution=Execution(accumulation=2))
    call = compiled(algorithm, mesh, "sharded")
    state, found = after_steps(call, moved(first, algorithm, mesh, "sharded"), algorithm, mesh)
    lies_split(state, mesh)
    assert_close(leaves(state), leaves(expected))
    assert_close(found, metrics)


# What each device holds and does


@pytest.fixture(scope="module")
def programs():
    """A DCGAN on 8 devices in both layouts: {how: (program, state after some steps)}, and on one device."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sharding, "LARGE", 4)
        algorithm, found = wide_dcgan(), {}
        first = parallel.initial_state(algorithm, KEY, MINI, one_device())
        for how, devices in (("sharded", 8), ("replicated", 8), ("alone", 1)):
            mesh, layout = parallel.make_mesh(jax.devices()[:devices]), how.replace("alone", "replicated")
            call = compiled(algorithm, mesh, layout)
            found[how] = call, after_steps(call, moved(first, algorithm, mesh, layout), algorithm, mesh)[0]
        return found


def test_eight_devices_agree_in_both_layouts(programs):
    for how in ("sharded", "replicated"):
        assert_close(leaves(programs[how][1]), leaves(programs["alone"][1]))


def held(state, device):
    """Bytes of a state on one device."""
    arrays = [x for x in jax.tree.leaves(state) if not jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)]
    return sum(shard.data.nbytes for x in arrays for shard in x.addressable_shards if shard.device == device)


def test_each_device_holds_an_eighth_of_what_is_split(programs):
    key = 8  # bytes
    state, whole = (programs[how][1] for how in ("sharded", "replicated"))
    mesh = parallel.make_mesh()
    small = sum(x.nbytes for x in jax.tree.leaves(whole) if sharding.split_dimension(x.shape, 8) is None)
    total = held(whole, jax.devices()[0])
    assert total > 6 * small
    for device in jax.devices():
        assert held(state, device) == (total + key - small) / 8 + small - key
    abstract = parallel.abstract_state(wide_dcgan(), MINI, mesh, "sharded")
    for found, expected in ((state, held(state, jax.devices()[0])), (whole, total)):
        assert parallel.device_bytes(found) == expected + key
    assert parallel.device_bytes(abstract) == parallel.device_bytes(state)


@pytest.mark.parametrize("how", ["sharded", "replicated"])
def test_the_whole_state_is_donated(programs, how):
    """Every buffer of the state is written in place: no second copy is ever held."""
    call, state = programs[how]
    memory = call.memory_analysis()
    assert memory.alias_size_in_bytes >= parallel.device_bytes(state)
    aliases = re.search(r"input_output_alias=\{(.*?)\}, entry", call.as_text())
    assert aliases is not None
    assert len(re.findall(r"may-alias|must-alias", aliases.group(1))) == len(jax.tree.leaves(state))


def convolutions(program):
    return sorted(re.findall(r"= (f32\[[\d,]+\])\S* convolution\(", program))


def test_convolutions_stay_whole_and_batches_split(programs):
    """Parameters are gathered; no activation is sent anywhere, as it would be with split channels."""
    split, whole = (programs[how][0].as_text() for how in ("sharded", "replicated"))
    assert convolutions(split) == convolutions(whole)
    assert len(convolutions(split)) > 10
    assert not re.search("all-to-all|collective-permute", split)
    assert "all-gather" not in whole
    gathered = re.findall(r"= f32\[([\d,]+)\]\S* all-gather(?:-start)?\(", split)
    params = {x.shape for role in ("generator", "discriminator") for x in of_role(programs, role)}
    assert gathered
    for dimensions in gathered:
        shape = tuple(map(int, dimensions.split(",")))
        assert any(sorted(shape) == sorted(p) for p in params), shape


def of_role(programs, role):
    player = getattr(programs["sharded"][1], role)
    return jax.tree.leaves((player.params, player.stats))


# Checkpoints and pictures


def test_a_checkpoint_fits_any_layout(programs, tmp_path):
    """Saved split over 8 devices, restored whole on 1, saved, and restored split over 4: no bit differs."""
    algorithm, state = wide_dcgan(), programs["sharded"][1]
    path: list[tuple[int, Sharding]] = [(1, "replicated"), (4, "sharded"), (8, "replicated"), (8, "sharded")]
    for number, (devices, how) in enumerate(path):
        mesh = parallel.make_mesh(jax.devices()[:devices])
        like = parallel.abstract_state(algorithm, MINI, mesh, how)
        with closing(Checkpoints(tmp_path / str(number))) as checkpoints:
            checkpoints.save(state)
            restored = checkpoints.restore(like)
        assert restored is not None
        assert_same_bits(restored, programs["sharded"][1])
        for leaf, wanted in zip(jax.tree.leaves(restored), jax.tree.leaves(like), strict=True):
            assert leaf.sharding.is_equivalent_to(wanted.sharding, leaf.ndim)
        state = restored


def test_pictures_and_digests_do_not_see_the_layout(programs):
    algorithm = wide_dcgan()
    split = programs["sharded"][1]
    alone = moved(jax.device_get(split), algorithm, one_device(), "replicated")
    sampler, maker = (
        make_sampler(algorithm, SPEC),
        GeneratedSetMaker("run", algorithm, SPEC, jax.devices()[1:3]),
    )
    np.testing.assert_array_equal(sampler(split, 5, KEY), sampler(alone, 5, KEY))
    one, other = (maker(state, seed=0, which="last", averaged=True) for state in (split, alone))
    assert one.identity == other.identity
    batches = [list(fake.source.read(130, 130)) for fake in (one, other)]
    np.testing.assert_array_equal(batches[0][0][0], batches[1][0][0])


def test_a_run_continues_in_another_layout(tmp_path, data_dir, monkeypatch):
    """And measures itself on the way."""
    monkeypatch.setattr(sharding, "LARGE", 8)
    split = runs.tiny(data_dir, **{"execution.sharding": "sharded"})
    whole = runs.tiny(data_dir)
    expected = runs.run(whole, tmp_path / "whole", devices=1)
    with pytest.raises(BaseException, match="10"):
        runs.run(split, tmp_path / "run", devices=8, stop_at=10)
    with pytest.raises(BaseException, match="20"):
        runs.run(whole, tmp_path / "run", devices=1, stop_at=20)
    state = runs.run(split, tmp_path / "run", devices=8)
    assert lies_split(state, parallel.make_mesh()) > 3
    losses, others = (runs.losses_of(tmp_path / name) for name in ("run", "whole"))
    assert_close(losses, others, 1e-4)
    assert int(state.step) == int(expected.step) == runs.STEPS
