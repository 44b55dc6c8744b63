"""Plugins in configs: beside a config file, installed, by flag; what a run records, and reads again."""

import json
import sys
from importlib.metadata import EntryPoint

import pytest

from gan_jax import data
from gan_jax.config import build, config_file
from gan_jax.config.components import complete
from gan_jax.config.config_file import run_and_read, run_config_file, use_own
from gan_jax.config.config_flag import define_config
from gan_jax.config.record import differences, from_json, to_json
from gan_jax.config.tables import ALL_TABLES, own_components
from gan_jax.data import DATASETS
from gan_jax.losses.adversarial import LOSSES
from gan_jax.study.study import digest, open_study, runs_of
from gan_jax.training.workdir import recorded_run
from gan_jax.utils import plugins
from gan_jax.utils.errors import UserError
from gan_jax.utils.tables import Owner, added_by
from tests import runs

PLUGIN = """
import numpy as np
from gan_jax.data import DATASETS, from_arrays
from gan_jax.data.codecs import CODECS, Pixels
from gan_jax.losses.adversarial import LOSSES, hinge


@LOSSES.register("loss_of_a_test")
def loss(margin: float = 1.0):
    return hinge()


@DATASETS.register("data_of_a_test")
def dots(split: str, count: int = 20, size: int = 8):
    number = {"train": count, "test": 4}[split]
    return from_arrays(np.arange(number * size**2, dtype=np.uint8).reshape(number, size, size))


@CODECS.register("codec_of_a_test")
class Mine(Pixels):
    name = "codec_of_a_test"
"""
CONFIG = """
from tests import runs


def get_config():
    config = runs.get_config()
    config.plugins = ("plugin_of_a_test",)
    config.loss = dict(name="loss_of_a_test")
    return config
"""
OF_THE_EXAMPLE = ("margin", "coordinate_generator", "rings")
NAMES = ("loss_of_a_test", "data_of_a_test", "data_of_a_test_too", "codec_of_a_test", *OF_THE_EXAMPLE)


@pytest.fixture
def forget(monkeypatch):
    """forget(): as in a new process that has no plugin."""
    monkeypatch.setattr(plugins, "_imported", set())
    monkeypatch.setattr(plugins, "installed", dict)
    monkeypatch.setattr(config_file, "_told", set())

    def forget():
        plugins._imported.clear()
        for name in [name for name in sys.modules if name.split(".")[0] in ("plugin_of_a_test", "my_gan")]:
            del sys.modules[name]
        for table in ALL_TABLES.values():
            for name in NAMES:
                table.pop(name, None)

    yield forget
    forget()


@pytest.fixture
def beside(tmp_path, forget):
    """A config file with its plugin beside it."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "plugin_of_a_test.py").write_text(PLUGIN)
    (folder / "config.py").write_text(CONFIG)
    return folder / "config.py"


@pytest.fixture
def installed(tmp_path, forget, monkeypatch):
    """A plugin that is installed, called "ours"."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "plugin_of_a_test.py").write_text(PLUGIN)
    monkeypatch.setattr(
        plugins, "installed", lambda: {"ours": EntryPoint("ours", "plugin_of_a_test", plugins.GROUP)}
    )
    monkeypatch.setattr(plugins, "load_installed", plugins.load_installed.__wrapped__)


def test_one_beside_the_config_file_is_kept_with_it_and_found_again(beside, forget, tmp_path):
    config, source = run_and_read(str(beside))
    assert source is not None
    config = complete(config)
    assert config.plugins == ("plugin_of_a_test",)
    assert config.loss.margin == 1.0
    assert set(source.files) == {"config.py", "plugin_of_a_test.py"}
    assert own_components() == ["loss loss_of_a_test", "data data_of_a_test", "codec codec_of_a_test"]
    run = tmp_path / "run"
    source.write(run)
    record = json.loads(json.dumps({"config": to_json(config), "source": source.describe()}))
    beside.unlink()
    (beside.parent / "plugin_of_a_test.py").unlink()
    forget()
    assert use_own(run, record) == source
    assert complete(from_json(record["config"])).to_dict() == config.to_dict()
    assert complete(from_json(record["config"])).loss.margin == 1.0


def test_two_files_may_have_a_plugin_of_one_name_beside_them(beside, tmp_path):
    run_config_file(str(beside))
    first = LOSSES["loss_of_a_test"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.py").write_text(CONFIG)
    (other / "plugin_of_a_test.py").write_text(PLUGIN.replace("margin: float = 1.0", "scale: float = 2.0"))
    assert set(complete(run_config_file(str(other / "config.py"))).loss) == {"name", "scale"}
    assert first is not LOSSES["loss_of_a_test"]


@pytest.mark.usefixtures("installed")
def test_an_installed_one_needs_no_naming_and_is_in_the_config_where_it_is_used():
    assert complete(runs.get_config()).plugins == ()
    config = runs.get_config()
    config.loss = dict(name="loss_of_a_test")
    assert complete(config).plugins == ("ours",)
    assert own_components() == []
    config = runs.get_config()
    del config.data
    config.data = dict(build.DATA, name="data_of_a_test")
    config = complete(config)
    assert (config.plugins, config.data.count) == (("ours",), 20)


@pytest.mark.usefixtures("installed")
def test_a_flag_names_one_and_what_it_has():
    from absl import flags

    values = flags.FlagValues()
    arguments = [
        "train",
        f"--config={runs.__file__}",
        "--config.plugins=ours",
        "--config.loss=loss_of_a_test",
    ]
    values(define_config(values, [*arguments, "--config.loss.margin=2"]))
    config = complete(values.config)
    assert (config.plugins, config.loss.to_dict()) == (("ours",), {"name": "loss_of_a_test", "margin": 2.0})


def test_where_a_component_is_from_is_no_part_of_the_run():
    plain, named = complete(runs.get_config()), runs.get_config()
    with added_by(Owner(plugin="json")):
        LOSSES["loss_of_a_test"] = LOSSES["hinge"]
    named.plugins = ("json",)
    named = complete(named)
    LOSSES.pop("loss_of_a_test")
    assert named.plugins == ("json",)
    assert differences(to_json(plain), to_json(named)) == []
    assert digest(plain) == digest(named)


def test_a_record_of_before_there_were_plugins():
    record = to_json(complete(runs.get_config()))
    assert record.pop("plugins") == []
    assert complete(from_json(record)).plugins == ()


@pytest.mark.usefixtures("forget")
def test_a_run_whose_plugin_is_gone_says_what_to_install(tmp_path):
    config = to_json(complete(runs.get_config())) | {"plugins": ["plugin_of_a_test"]}
    field = {"shape": [8, 8, 1], "codec": {"name": "codec_of_a_test"}, "aligned": True}
    known = {"fields": {"image": field}, "num_classes": None, "fingerprint": "x"}
    record = {"config": config, "data": known, "starts": [{}]}
    (tmp_path / "config.json").write_text(json.dumps(record))
    with pytest.raises(UserError) as caught:
        recorded_run(tmp_path)
    assert str(caught.value) == (
        f"the run in {tmp_path} needs the plugin plugin_of_a_test, and there is no such module: pip install "
        "the package that has it, or put the folder that holds it on PYTHONPATH"
    )
    record["plugins"] = {"plugin_of_a_test": {"package": "of-a-test", "version": "0.1"}}
    (tmp_path / "config.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="which is not installed: pip install of-a-test=="):
        recorded_run(tmp_path)
    (tmp_path / "plugin_of_a_test.py").write_text(PLUGIN)
    sys.path.insert(0, str(tmp_path))
    try:  # with it the codec that its data have is known
        assert recorded_run(tmp_path)[1].fields["image"].codec.name == "codec_of_a_test"
    finally:
        sys.path.remove(str(tmp_path))


@pytest.mark.usefixtures("installed")
def test_a_function_makes_a_data_set():
    train, test = (data.load("data_of_a_test", split=split, size=4) for split in ("train", "test"))
    assert (len(train), len(test), train.image_shape) == (20, 4, (4, 4, 1))
    assert (train.name, test.split, train.options) == ("data_of_a_test", "test", {"count": 20, "size": 4})
    assert train.fingerprint.startswith('data_of_a_test {"count": 20, "size": 4} [train] 20 examples')
    assert train.fingerprint != data.load("data_of_a_test", split="train", size=8).fingerprint
    assert data.splits("data_of_a_test") == ("train", "test")
    with pytest.raises(
        UserError, match=r"Unknown option sise of the data set data_of_a_test: it has count, size"
    ):
        data.load("data_of_a_test", sise=4)
    with pytest.raises(UserError, match=r"data set data_of_a_test, split 'validation': KeyError"):
        data.load("data_of_a_test", split="validation")
    DATASETS.register("data_of_a_test_too", lambda split, size: None)
    with pytest.raises(UserError, match="data_of_a_test_too: its option size needs a default"):
        data.load("data_of_a_test_too")
    with pytest.raises(UserError, match="Nothing is to be prepared: data_of_a_test is made whenever"):
        data.prepare("data_of_a_test")


EXAMPLE = runs.ROOT / "examples" / "my_gan"


@pytest.mark.usefixtures("forget")
def test_the_example_repository_is_read_from_its_folder():
    config, source = run_and_read(str(EXAMPLE / "config.py"))
    assert source is not None
    kept = {"config.py", *(f"my_gan/{name}.py" for name in ("__init__", "data", "losses", "networks"))}
    assert set(source.files) == kept
    config = complete(config)
    dataset = build.open_data(config)
    assert (len(dataset), dataset.image_shape) == (2_000, (16, 16, 1))
    build.build_algorithm(config, dataset.spec)  # shapes alone: nothing is computed
    assert [run.config.loss.margin for run in runs_of(open_study(EXAMPLE / "study"))[::5]] == [0.5, 1.0, 2.0]
