"""--config.field=value: components and penalties that the command line chooses, and its references."""

import pytest
from absl import flags
from PIL import Image

from gan_jax.config import build, components
from gan_jax.config.config_flag import define_config
from gan_jax.optim.optimizers import OPTIMIZERS
from gan_jax.utils.errors import UserError
from tests import runs
from tests.runs import ROOT
from tests.shipped import FOLDER, SPEC, get_config

CONFIGS = sorted(FOLDER.glob("*.py"))


def parsed(*overrides, file="tests/runs.py"):
    """The config that a command line gives; "a.b=c" stands for --config.a.b=c."""
    values = flags.FlagValues()
    values.set_gnu_getopt()
    flags_given = [f"--config.{override}" for override in overrides]
    rest = values(define_config(values, ["train", f"--config={ROOT / file}", *flags_given]))
    assert rest == ["train"]
    return values.config


def test_without_overrides_it_is_the_completed_file():
    assert parsed().to_dict() == components.complete(runs.get_config()).to_dict()


def test_a_default_that_the_file_leaves_out_can_be_set():
    config = parsed("generator.spectral_norm=true", "loss.real_target=0.9", "algorithm.packing=2")
    assert config.generator.spectral_norm is True
    assert config.loss.real_target == 0.9
    assert config.algorithm.packing == 2


@pytest.mark.parametrize("form", [("loss.name=hinge",), ("loss.name=minimax", "loss.name=hinge")], ids=str)
def test_another_loss(form):
    """The fields of the loss before go with it."""
    assert parsed(*form).loss.to_dict() == dict(name="hinge")


def test_a_name_may_follow_as_an_argument_of_its_own():
    values = flags.FlagValues()
    values.set_gnu_getopt()
    file = f"--config={ROOT / 'tests' / 'runs.py'}"
    values(
        define_config(values, ["train", file, "--config.loss.name", "least_squares", "--config.loss.a", "-1"])
    )
    assert values.config.loss.to_dict() == dict(name="least_squares", a=-1.0, b=1.0, c=1.0)


def test_another_method_with_its_own_fields():
    config = parsed(
        "algorithm.name=unrolled", "algorithm.unrolled_steps=3", "discriminator_optimizer.name=sgd"
    )
    assert config.algorithm.unrolled_steps == 3
    assert config.algorithm.latent_size == runs.get_config().algorithm.latent_size
    algorithm = build.build_algorithm(config, SPEC)
    assert type(algorithm) is components.ALGORITHMS["unrolled"]


def test_another_component_keeps_what_it_shares_and_nothing_else():
    config = parsed("discriminator_optimizer.name=rmsprop")
    assert config.discriminator_optimizer.learning_rate == 1e-3
    assert set(config.discriminator_optimizer) == components.choices(OPTIMIZERS["rmsprop"]) | {"name"}
    assert "b1" in config.generator_optimizer
    build.build_algorithm(config, SPEC)


def test_what_the_file_misspells_is_not_forgotten(tmp_path):
    text = (runs.ROOT / "tests" / "runs.py").read_text()
    path = tmp_path / "config.py"
    path.write_text(
        text.replace('dict(name="non_saturating")', 'dict(name="non_saturating", real_taget=1.0)')
    )
    config = parsed("loss.name=hinge", file=path)
    with pytest.raises(UserError, match=r"loss \(hinge\) has no field real_taget"):
        build.build_algorithm(config, SPEC)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["r1.weight=1"], {"r1": {"weight": 1.0, "every": 1}}),
        (["r1.weight=1", "r1.every=4"], {"r1": {"weight": 1.0, "every": 4}}),
        (["r1.every=4", "r1.weight=1"], {"r1": {"weight": 1.0, "every": 4}}),
        (
            ["wgan_gp.weight=10", "lecam.weight=0.1"],
            {
                "wgan_gp": {"weight": 10.0, "every": 1, "target": 1.0},
                "lecam": {"weight": 0.1, "decay": 0.99, "start_step": 1000},
            },
        ),
    ],
    ids=str,
)
def test_penalties_that_the_file_does_not_have(overrides, expected):
    config = parsed(*(f"penalties.{override}" for override in overrides))
    assert config.penalties.to_dict() == expected
    build.build_algorithm(config, SPEC)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["penalties.r1.every=4"],
            "penalties.r1, which the config file does not have, needs --config.penalties.r1.weight=...",
        ),
        (["penalties.r1.weight.start=1"], "needs --config.penalties.r1.weight=..."),
        (["penalties.r3.weight=4"], "'r3' is not one of consistency, dragan, drift, lecam, r1, r2, wgan_gp"),
        (
            ["penalties.r1=4"],
            "penalties has no 'r1'; it has none; --config.penalties.NAME.weight=... adds one",
        ),
        (
            ["penalties.r1.weight=1", "penalties.r1.evry=2"],
            "penalties.r1 has no 'evry'; it has every, weight",
        ),
        (["loss.name=hinge", "loss.real_target=0.9"], "loss has no 'real_target'; it has name"),
        (
            ["algorithm.unrolled_steps=3"],
            "algorithm has no 'unrolled_steps'; it has adversarial_weight, disc",
        ),
        (
            ["algorithm.name=unrolled", "algorithm.steps=3"],
            "it has adversarial_weight, .*top_k, unrolled_steps",
        ),
        (["ema.name=half_life"], "--config.ema.name=half_life needs --config.ema.images=... beside it"),
        (["ema.name=half_life", "ema.decay=0.9"], "needs --config.ema.images=..."),
        (
            ["discriminator_optimizer.lazy_regularization_scale=0.5"],
            "discriminator_optimizer has no 'lazy_regularization_scale'; it has b1",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_set_is_refused_with_the_choices(overrides, words):
    with pytest.raises(flags.Error) as caught:
        parsed(*overrides)
    pieces = words.split(".*")
    assert [piece for piece in pieces if piece not in str(caught.value)] == []


def test_a_required_field_of_another_component_can_be_set():
    config = parsed("ema.name=half_life", "ema.images=500")
    assert config.ema.to_dict() == dict(name="half_life", images=500.0, ramp_up=0.05)


def test_an_unknown_name_is_left_to_build():
    config = parsed("loss.name=hinges")
    with pytest.raises(UserError, match=r"loss.name='hinges' is not one of hinge, least_squares, minimax"):
        build.build_algorithm(config, SPEC)


def test_what_follows_another_field_follows_its_override():
    config = parsed("batch_size=60", file=FOLDER / "dcgan_fashion_mnist.py")
    assert (config.num_steps, config.checkpoint_every_steps) == (20_000, 1_000)
    config = parsed("batch_size=60", "num_steps=7", file=FOLDER / "dcgan_fashion_mnist.py")
    assert (config.num_steps, config.checkpoint_every_steps) == (7, 1_000)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder with four pictures of each of three classes."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("cat", "dog", "emu"):
        (folder / name).mkdir()
        for number in range(4):
            Image.new("RGB", (9, 7), (80 * number, 5, 5)).save(folder / name / f"{number}.png")
    return folder


# The sizes of levels, which their configs leave out.
LEVELS = {"vglc_mario": (14, 28), "vglc_zelda": (16, 11), "vglc_lode_runner": (22, 32)}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_takes_own_pictures(path, pictures, data_dir):
    config = parsed(
        "data.name=image_folder", f"data.folder={pictures}", f"data.dir={data_dir}", "batch_size=4", file=path
    )
    build.check_fields(config)
    dataset = build.open_data(config)
    assert dataset.class_names == ("cat", "dog", "emu")
    own = get_config(path).data  # what its networks are made for, where it says so
    side = own.get("height") or own.get("tile") or own.get("resolution")
    side = side or (28 if "mnist" in own.name else 64)
    assert dataset.image_shape == (*LEVELS.get(own.name, (side, side)), 3)
    if path.stem in ("acgan_mnist", "sagan_mnist"):  # whose networks depend on the classes, on the size
        build.build_algorithm(config, dataset.spec)


def test_another_data_set_brings_its_options_and_takes_the_old_ones_away():
    common = set(components.DATA)
    config = parsed("data.name=grid", "data.split=train[:50]", "data.side=3")
    assert set(config.data) == common | {"side", "spacing", "std", "num_examples", "seed"}
    assert (config.data.side, config.data.num_examples, config.data.split) == (3, 100_000, "train[:50]")
    assert config.data.flip is True  # a field of every data set, as the file has it
    assert set(parsed("data.name=kmnist").data) == common
    assert set(parsed("data.name=cifar10:3.0.2").data) == common  # prepared by tfds, or misspelled
    assert set(parsed("data.name=shapes").data) == set(parsed().data)
    config = parsed("data.name=shapes", file=FOLDER / "cgan_mnist.py")
    assert (config.data.resolution, config.data.channels) == (32, 3)


def test_a_default_of_the_data_set_that_the_file_leaves_out_can_be_set():
    config = parsed("data.seed=3", file=ROOT / "experiments" / "stacked_mnist" / "protocols.py")
    assert config.data.seed == 3


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["data.folder=x"],
            "data has no 'folder'; .*; the data sets with 'folder' are image_folder, .*(--config.data.name)",
        ),
        (["data.name=ring", "data.channels=1"], "data has no 'channels'; it has .*dir, .*modes, .*radius"),
        (["data.modes=1"], "the data sets with 'modes' are ring"),
    ],
    ids=str,
)
def test_an_option_of_another_data_set_is_refused_with_its_owners(overrides, words):
    with pytest.raises(flags.Error) as caught:
        parsed(*overrides)
    assert [piece for piece in words.split(".*") if piece not in str(caught.value)] == []


def test_an_unknown_option_in_a_config_file_is_refused_with_the_choices():
    config = parsed()
    with config.unlocked():
        config.data.resolutoin = 16
    with pytest.raises(UserError, match=r"data \(shapes\) has no field resolutoin; .*those of shapes are ch"):
        build.check_fields(config)


@pytest.mark.parametrize("form", [("loss=hinge",), ("loss=minimax", "loss.name=hinge")], ids=str)
def test_a_component_is_named_alone(form):
    assert parsed(*form).loss.to_dict() == dict(name="hinge")


def test_a_component_is_named_alone_with_fields_beside_it():
    config = parsed("ema=half_life", "ema.images=5e2", "game=simultaneous", "generator_optimizer=sgd")
    assert config.ema.to_dict() == dict(name="half_life", images=500.0, ramp_up=0.05)
    assert (config.game.name, config.generator_optimizer.name) == ("simultaneous", "sgd")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("penalties=r1", "it has fields of its own; set --config.penalties.NAME.weight=..."),
        ("evaluation=fid", "set --config.evaluation.metrics=..."),
        ("loss=dict(name='hinge')", "set --config.loss.name=..."),
        ("loss=", "set --config.loss.name=..."),
        ("generator={}", "--config.generator.widths=..."),
        ("phases=3", "it is a list, which only a config file can hold"),
    ],
    ids=str,
)
def test_what_is_no_name_is_refused_with_the_fields(override, words):
    with pytest.raises(flags.Error) as caught:
        parsed(override)
    assert words in str(caught.value)
    assert "object at" not in str(caught.value)


@pytest.mark.parametrize("text", ["1e5", "1E5", "100000.0", "+1e5", "100_000", "100000"])
def test_a_whole_number_in_any_spelling(text):
    config = parsed(f"num_steps={text}", f"algorithm.latent_size={text}", "data.seed=2e0")
    assert (config.num_steps, config.algorithm.latent_size, config.data.seed) == (100_000, 100_000, 2)
    assert type(config.num_steps) is int


@pytest.mark.parametrize("text", ["1.5", "nan", "inf", "1e-1", "true", ""])
def test_what_is_no_whole_number_is_refused(text):
    with pytest.raises((flags.Error, ValueError), match=r"num_steps|invalid literal"):
        parsed(f"num_steps={text}")


def test_whole_numbers_in_a_config_file(tmp_path):
    path = tmp_path / "config.py"
    changes = "config.num_steps = 1e5\n    config.generator.widths = (8.0,)\n    return config"
    path.write_text(
        (runs.ROOT / "tests" / "runs.py").read_text().replace("return config\n", changes + "\n", 1)
    )
    config = parsed(file=path)
    assert repr(config.num_steps) == "100000"
    assert repr(config.generator.widths) == "(8,)"
