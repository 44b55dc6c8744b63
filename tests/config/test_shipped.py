"""The shipped configs by name, what their headers say, and the wheel that has them inside."""

import subprocess
import sys
import zipfile

import pytest

from gan_jax.config import shipped
from gan_jax.config.config_file import resolved
from gan_jax.main import main
from gan_jax.utils.errors import UserError
from tests.runs import ROOT
from tests.shipped import FOLDER


def test_the_names_are_those_of_the_files():
    assert shipped.folder() == FOLDER
    assert shipped.names() == sorted(path.stem for path in FOLDER.glob("*.py"))


@pytest.mark.parametrize("name", shipped.names())
def test_a_header_says_how_it_is_trained_and_what_it_needs(name):
    config = shipped.read(name)
    assert config.usage.split(":")[0] == name
    assert len(config.about.split()) > 3
    assert f"gan-jax train --config {config.usage} --workdir " in config.header
    assert not (FOLDER / config.usage).exists()
    free = ("_shapes", "_ring", "_tones")  # of any file or download
    assert bool(config.needs) != name.endswith(free)
    for word in " ".join(config.needs).split():
        assert not word.startswith("experiments/") or (ROOT / word).is_file()


def test_what_a_header_says():
    assert shipped.read("dcgan_shapes").time == "113 seconds on two x86 cores"
    assert shipped.read("stylegan_paper").time == "not trained here, needs eight GPUs for a week"
    config = shipped.read("srgan")
    assert config.needs == (
        "python experiments/kodak/prepare.py --out kodak",
        "gan-jax train-classifier --config srgan --seed=1 --out photos.npz",
    )
    assert shipped.read("r3gan_paper").usage == "r3gan_paper:cifar10"
    assert shipped.read("dcgan_radford_64").needs == ("--config.data.folder=PICTURES",)


def test_a_config_is_found_by_its_name_and_a_file_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "srgan").mkdir()  # perhaps a run's folder
    assert resolved("srgan:2") == (FOLDER / "srgan.py", ["2"])
    assert resolved("dcgan_shapes") == (FOLDER / "dcgan_shapes.py", [])
    (tmp_path / "dcgan_shapes").write_text("")
    assert resolved("dcgan_shapes")[0].resolve() == tmp_path / "dcgan_shapes"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("dcgan_shape", " (did you mean dcgan_shapes"),
        ("srgn:2", " (did you mean srgan?)"),
        ("configs/srgan.py", " (did you mean srgan?)"),
        ("zzz", "; gan-jax configs lists the names"),
    ],
)
def test_an_unknown_name_is_said_with_similar_ones(given, meant, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as error:
        resolved(given)
    assert f"--config={given}: there is no such file and no shipped config of this name{meant}" in str(error)


def test_the_command_lists_them_and_shows_one(capsys):
    assert main(["configs"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name}" in f"\n{out}" for name in shipped.names())
    assert "first: gan-jax data prepare fashion_mnist" in out
    assert main(["configs", "srgan"]) == 0
    assert shipped.read("srgan").header in capsys.readouterr().out
    assert main(["configs", "srgn"]) == 1
    assert "no shipped config is called 'srgn' (did you mean srgan?)" in capsys.readouterr().err


@pytest.mark.slow
def test_a_wheel_has_them_inside_the_package(tmp_path):
    for name in ("gan_jax", "configs", "pyproject.toml", "setup.py", "README.md", "LICENSE"):
        (tmp_path / name).symlink_to(ROOT / name)
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir=wheels", "."]
    subprocess.run([sys.executable, *build], cwd=tmp_path, check=True)
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    program = "from gan_jax.config import shipped; print(shipped.folder(), *shipped.names())"
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={"PYTHONPATH": str(tmp_path / "installed")},
        cwd=tmp_path / "installed",
        capture_output=True,
        text=True,
        check=True,
    )
    inside = tmp_path / "installed" / "gan_jax" / "configs"
    assert done.stdout.split() == [str(inside), *shipped.names()]
