"""Config files as programs: what they import, the components that they add, and the copy that a run keeps."""

import json
import sys

import pytest

from gan_jax.config import config_file
from gan_jax.config.config_file import run_config_file
from gan_jax.config.tables import own_components
from gan_jax.losses.adversarial import LOSSES
from gan_jax.main import main
from gan_jax.models import MODELS
from gan_jax.utils.errors import UserError
from tests import runs

CONFIG = """
import dataclasses
from gan_jax.losses.adversarial import LOSSES
from gan_jax.models import MODELS
from layers_of_mine import Generator
from tests import runs

MODELS["my_generator"] = Generator
LOSSES["my_loss"] = LOSSES["hinge"]


def get_config(steps="2"):
    config = runs.get_config()
    config.update(num_steps=int(steps), batch_size=8)
    config.generator = dict(name="my_generator", width=3)
    config.loss = dict(name="my_loss")
    return config
"""
# A network as one writes it: it knows nothing of labels, and has no attribute `conditional`.
LAYERS = """
import flax.linen as nn
import jax


class Generator(nn.Module):
    image_shape: tuple[int, ...]
    width: int = 4

    @nn.compact
    def __call__(self, latent, told, train):
        size = self.image_shape[0] * self.image_shape[1] * self.image_shape[2]
        x = nn.relu(nn.Dense(self.width)(latent))
        return jax.nn.tanh(nn.Dense(size)(x)).reshape(-1, *self.image_shape)
"""


def forget():
    """As a new process: the tables are the library's."""
    MODELS.pop("my_generator", None)
    LOSSES.pop("my_loss", None)
    sys.modules.pop("layers_of_mine", None)


@pytest.fixture(autouse=True)
def clean():
    path = list(sys.path)
    yield
    forget()
    assert sys.path == path


@pytest.fixture
def written(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "my_config.py").write_text(CONFIG)
    (folder / "layers_of_mine.py").write_text(LAYERS)
    return folder / "my_config.py"


def test_a_config_imports_the_file_beside_it(written):
    assert run_config_file(str(written)).generator.name == "my_generator"
    assert set(own_components()) == {"generator my_generator", "loss my_loss"}
    assert not (written.parent / "__pycache__").exists()


def test_two_configs_may_import_different_files_of_one_name(written, tmp_path):
    run_config_file(str(written))
    first = MODELS["my_generator"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "my_config.py").write_text(CONFIG)
    (other / "layers_of_mine.py").write_text(LAYERS.replace("width: int = 4", "width: int = 5"))
    run_config_file(str(other / "my_config.py"))
    assert [getattr(made, "width", None) for made in (first, MODELS["my_generator"])] == [4, 5]


def test_the_shipped_tables_hold_nothing_else():
    assert own_components() == []


def test_the_source_is_the_file_and_what_it_imports_from_its_folder(written):
    _, source = config_file.run_and_read(f"{written}:5")
    assert source is not None
    assert (source.file, source.argument) == ("my_config.py", "5")
    assert {name: content.decode() for name, content in source.files.items()} == {
        "my_config.py": CONFIG,
        "layers_of_mine.py": LAYERS,
    }


def test_a_config_that_ends_the_program_is_said(tmp_path):
    path = tmp_path / "config.py"
    path.write_text("import sys\nsys.exit('not here')\n")
    with pytest.raises(UserError, match=r"config\.py, line 2: SystemExit: not here"):
        run_config_file(str(path))


@pytest.fixture
def command(monkeypatch, capsys, tmp_path):
    """command(*arguments) -> (exit code, output, errors), as in a process of its own."""
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(config_file, "_told", set())

    def call(*arguments):
        forget()
        code = main([str(argument) for argument in arguments])
        return code, *capsys.readouterr()

    return call


def test_a_run_with_components_of_its_own_is_found_by_every_command(written, command, tmp_path):
    workdir = tmp_path / "run"
    code, _, err = command("train", f"--config={written}:2", f"--workdir={workdir}", "--devices=1")
    assert code == 0, err
    written.unlink()
    (written.parent / "layers_of_mine.py").unlink()
    code, out, err = command("info", f"--workdir={workdir}")
    assert code == 0, err
    assert "my_generator" in out
    said = f"loss my_loss, generator my_generator: from {workdir}/source/my_config.py, which is run"
    assert err.splitlines()[0] == said
    code, out, err = command("sample", f"--workdir={workdir}", "--num=4", f"--out={tmp_path / 's.png'}")
    assert code == 0, err
    scores = ("--metrics=fid", "--network=pixels", "--num=40")
    code, out, err = command("evaluate", f"--fake={workdir}", *scores)
    assert code == 0, err
    # Its record is a config too, for the same run and for another one.
    code, _, err = command("train", f"--config={workdir}/config.json", f"--workdir={workdir}", "--devices=1")
    assert code == 0, err
    other = tmp_path / "other"
    fields = ("--config.num_steps=1e0", "--config.discriminator.widths=4,4", "--devices=1")
    code, _, err = command("train", f"--config={workdir}/config.json", f"--workdir={other}", *fields)
    assert code == 0, err
    assert json.loads((other / "config.json").read_text())["config"]["discriminator"]["widths"] == [4, 4]
    assert (other / "source" / "layers_of_mine.py").read_text() == LAYERS
    # What was changed is never run.
    (workdir / "source" / "layers_of_mine.py").write_text(LAYERS + "\nprint('run')\n")
    code, out, err = command("info", f"--workdir={workdir}")
    assert (code, out) == (1, "")
    assert "source cannot be used (layers_of_mine.py is no longer what it was): put back a copy" in err


@pytest.mark.parametrize(
    "described",
    [
        {"file": "../evil.py", "sha256": {"../evil.py": "0"}},
        {"file": "evil.py", "sha256": {"evil.py": "0"}},
        {"file": "evil.py", "sha256": 5},
        {"file": "evil.py"},
        "evil.py",
    ],
)
def test_a_record_that_names_other_files_runs_nothing(described, tmp_path):
    (tmp_path / "source").mkdir()
    for path in (tmp_path / "evil.py", tmp_path / "source" / "evil.py"):
        path.write_text("raise SystemExit('run')\n")
    if isinstance(described, dict):
        described = {"argument": None, "components": ["generator evil"], **described}
    with pytest.raises(UserError, match="components of its own"):
        config_file.use_source(tmp_path, {"source": described})


def test_a_source_that_nothing_needs_is_not_run(tmp_path):
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "c.py").write_text("raise SystemExit('run')\n")
    described: dict[str, object] = {"file": "c.py", "argument": None, "components": []}
    described["sha256"] = {"c.py": "0"}
    assert config_file.use_source(tmp_path, {"source": described}) is None


@pytest.mark.parametrize("text", ["{}", "[]", "{", "[" * 100_000, '{"config": 3}'])
def test_a_json_file_that_is_no_record(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config\.json is no config\.json of a run"):
        run_config_file(str(tmp_path / "config.json"))


def test_a_record_gives_the_config_back(tmp_path):
    config = runs.get_config()
    config.phases = [dict(name="a", num_steps=10)]
    record = {"config": json.loads(config.to_json_best_effort())}
    (tmp_path / "config.json").write_text(json.dumps(record))
    assert run_config_file(str(tmp_path / "config.json")).to_dict() == config.to_dict()
