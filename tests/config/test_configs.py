"""Every config that is shipped: it builds at full size, and trains two steps of a smaller self."""

import dataclasses
import re
import runpy

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from gan_jax.config import build, components
from gan_jax.config.phases import phase_configs
from gan_jax.data.codecs import Lab, Pixels, Tiles
from gan_jax.data.expected import expected_spec
from gan_jax.data.spec import DataSpec, Field
from gan_jax.densities import DENSITIES
from gan_jax.feature_networks import content_networks, perceptual
from gan_jax.feature_networks.classifier import Classifier, classifier_network
from gan_jax.feature_networks.vgg19 import CONVOLUTIONS, WIDTHS
from gan_jax.inference.sample import compared_kind
from gan_jax.losses.penalties import PENALTIES
from gan_jax.optim.schedules import SCHEDULES
from tests.shipped import FOLDER, get_config, no_compiler, shrunk

# At the size of a paper's GPUs, beside smaller ones of the same kind: last, and slow.
LARGE = (
    "ddpm_paper",
    "edm_paper",
    "progan_paper",
    "srgan_paper",
    "style_transfer",
    "stylegan_paper",
    "stylegan2_paper",
    "stylegan2_ada_openmoji",
)
# Gradients of gradients of two networks, or a network of many blocks: long to compile, however small.
LONG = ("stylegan2_fashion_mnist", "stylegan_fashion_mnist", "ddpm_fashion_mnist", "edm_fashion_mnist")
FILES = sorted(FOLDER.glob("*.py"), key=lambda path: (path.stem in LARGE, path.stem))
# The discriminator's last bias shifts all logits alike, and these losses do not see it (hinge: until a logit
# leaves [-1, 1]).
BLIND_TO_SHIFTS = ("wasserstein", "hinge", "relativistic_average", "relativistic_paired")
# Layers of growing networks that are in use at a lower resolution only.
OUTGROWN = re.compile(r"(to|from)_image_(?!28|32)\d")


every_config = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def one_of_each(*components):
    """The configs; slow are all but the first with these components."""
    marked, seen = [], []
    for path in FILES:
        config = get_config(path)
        names = [config[where].name for where in components if where in config]
        marked.append(
            pytest.param(path, marks=[pytest.mark.slow] * (names in seen or path.stem in LONG), id=path.stem)
        )
        seen.append(names)
    return pytest.mark.parametrize("path", marked)


def image_shape(chosen):
    """What the data set that a config names would have, without opening it."""
    if chosen.name == "shapes":
        return chosen.resolution, chosen.resolution, chosen.channels
    if chosen.name in ("image_folder", "npz_pairs", "pairs_folder", "unpaired"):
        return chosen.height, chosen.width or chosen.height, chosen.get("channels", 3)
    if chosen.name == "photos":
        return chosen.tile, chosen.tile, chosen.channels
    if chosen.name in DENSITIES:
        return 1, 1, DENSITIES[chosen.name]().dimension
    assert chosen.name in ("mnist", "fashion_mnist", "kmnist"), f"say here what {chosen.name} holds"
    return 28, 28, 1


def spec_of(chosen):
    """What the networks would know about the data."""
    if chosen.name in ("tones", "waves"):
        options = {name: chosen[name] for name in ("length", "rate", "form", "folder") if name in chosen}
        return dataclasses.replace(expected_spec(chosen.name, **options), num_classes=10)
    if chosen.name.startswith("vglc_"):
        return dataclasses.replace(expected_spec(chosen.name), num_classes=10)
    codec = Lab() if chosen.get("codec") == "lab" else Pixels()
    fields = {"image": Field(image_shape(chosen), codec)}
    if chosen.name in ("npz_pairs", "pairs_folder"):
        fields["source"] = fields["image"]
    if chosen.name == "unpaired":
        fields["source"] = dataclasses.replace(fields["image"], aligned=False)
    return DataSpec(fields, 10)


@pytest.fixture(autouse=True)
def weights_from_elsewhere(monkeypatch):
    """Networks and a style whose files are the user's, without the files."""
    monkeypatch.setattr(content_networks, "read_vgg19", lambda *_: zero_vgg19())
    picture = jnp.zeros((1, 16, 16, 3))
    monkeypatch.setattr(perceptual, "_picture", lambda path: picture)
    monkeypatch.setattr(content_networks, "_classifier", lambda which, is_file: zero_classifier())


def zero_classifier():
    """A classifier of photographs 64x64 whose weights are zeros."""
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32)
    shapes = jax.eval_shape(Classifier(2).init, jax.random.key(0), image)
    weights = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    return classifier_network(weights, (64, 64, 3), 2)


def zero_vgg19():
    """Weights of VGG19 that cost no time."""
    inputs, params = 3, {}
    for name in CONVOLUTIONS:
        width = WIDTHS[int(name[0]) - 1]
        params[f"conv{name}"] = {
            "kernel": np.zeros((3, 3, inputs, width), np.float32),
            "bias": np.zeros(width, np.float32),
        }
        inputs = width
    return params


@every_config
def test_config_has_the_fields_that_it_must_have_and_says_what_it_is(path):
    config = get_config(path)
    assert isinstance(config, ml_collections.ConfigDict)
    assert runpy.run_path(str(path))["__doc__"]
    build.check_fields(config)
    every = {
        "seed",
        "phases",
        "plugins",
        *build.COUNTS,
        *build.GROUPS,
        *components.TABLES,
        *components.PENALTY_TABLES,
    }
    assert set(config) == every - ({"discriminator", "discriminator_optimizer"} & components.refused(config))


@pytest.mark.parametrize(
    "path",
    [pytest.param(p, marks=[pytest.mark.slow] * (p.stem in LARGE), id=p.stem) for p in FILES],
)
def test_config_builds_at_full_size_before_anything_is_compiled(path):
    """The last phase, which has all that those before it have."""
    config = phase_configs(components.complete(get_config(path)))[-1].config
    spec = spec_of(config.data)
    algorithm = build.build_algorithm(config, spec)
    frozen = algorithm.load_frozen()
    with no_compiler():
        build.trace_step(algorithm, spec, config.batch_size, frozen)
    batch = build.example_batch(spec, 2)
    state = jax.eval_shape(algorithm.init, jax.random.key(0), batch)
    images = compared_kind(jax.eval_shape(algorithm.sample, state, batch, jax.random.key(0)))
    assert images.shape == (2, *spec.image_shape)


@every_config
def test_completed_config_says_all_of_its_components(path):
    """So that a record says it all, and each field can be overridden on the command line."""
    config = components.complete(get_config(path))
    for where, table in components.TABLES.items():
        if where not in components.refused(config):
            says_it_all(config[where], table[config[where].name])
    for name, fields in config.get("penalties", {}).items():
        says_it_all(fields, PENALTIES[name])
    assert components.complete(config).to_dict() == config.to_dict()


def says_it_all(fields, make):
    assert set(fields) - {"name"} == components.choices(make)
    for value in fields.values():
        if isinstance(value, ml_collections.ConfigDict):
            says_it_all(value, SCHEDULES[value.name])


def trained(config, steps):
    """The states before and after, and the last metrics."""
    spec = spec_of(config.data)
    algorithm = build.build_algorithm(config, spec)
    lead = (algorithm.minibatches, config.batch_size)
    numbers = np.random.default_rng(0)
    batches = {
        name: field.codec.decode(
            jnp.asarray(numbers.integers(0, most(field), (*lead, *field.stored_shape), np.uint8))
        )
        for name, field in spec.fields.items()
    }
    batches["label"] = jnp.asarray(numbers.integers(0, 10, lead, np.int32))
    one = jax.tree.map(lambda x: x[0], batches)
    state = jax.jit(algorithm.init)(jax.random.key(0), one)
    state = before = state.replace(frozen=algorithm.load_frozen())
    step = jax.jit(algorithm.step)
    for _ in range(steps):
        state, metrics = step(state, batches)
    assert int(state.step) == steps
    for name in played(algorithm):
        assert np.isfinite(metrics[f"{name}_loss"])
    for leaf in jax.tree.leaves(players(state)):
        assert np.isfinite(leaf).all()
    return before, state


def most(field):
    """Of the numbers that are stored, and one."""
    return len(field.codec.palette) if isinstance(field.codec, Tiles) else 256


def played(algorithm):
    """The players that learn."""
    return {update.role for update in algorithm.updates()}


@one_of_each("algorithm", "generator", "discriminator")
def test_shrunk_config_trains(path):
    """Two steps: attention's gate opens in the first; the gates of a denoiser's blocks in the first two."""
    config = shrunk(get_config(path))
    before, state = trained(config, 4 if config.algorithm.name == "diffusion" else 2)
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), players(before), players(state))
    if config.algorithm.get("adversarial_weight") == 0.0:  # nobody judges
        del moved["discriminator"]
    if "discriminator" in moved and config.loss.name in BLIND_TO_SHIFTS:
        last = {"dense", "output"} & set(moved["discriminator"])
        moved["discriminator"][last.pop()].pop("bias", None)
    still = [jax.tree_util.keystr(p) for p, moves in jax.tree_util.tree_leaves_with_path(moved) if not moves]
    assert [name for name in still if not OUTGROWN.search(name)] == []


@pytest.mark.slow
@one_of_each("generator", "discriminator")
def test_shrunk_config_trains_in_bfloat16_with_checkpointing(path):
    config = shrunk(get_config(path))
    config.execution.update(precision="bfloat16", remat=True)
    before, state = trained(config, 1)
    assert jax.tree.map(lambda x: x.dtype, state) == jax.tree.map(lambda x: x.dtype, before)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["srgan_paper", "style_transfer"])
def test_a_step_at_the_papers_size(name):
    """On two pictures; VGG19's weights are zeros here, but take their time."""
    config = phase_configs(components.complete(get_config(name)))[-1].config
    with config.unlocked():
        config.phases, config.batch_size = [], 2
    trained(config, 1)


def players(state):
    return {role: player.params for role, player in state.players.items()}
