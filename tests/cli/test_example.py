"""The example of a repository of one's own, installed beside our wheel, and every command on its run."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import gan_jax
from tests.runs import ROOT

PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
OFFLINE = ["--no-index", "--no-deps", "--no-build-isolation"]


def replace_in(path: Path, **numbers: int) -> None:
    """Sets numbers in a program's text: "num=500" becomes "num=64"."""
    text = path.read_text()
    for name, number in numbers.items():
        before, after = text.split(f"{name}=" if f"{name}=" in text else f"{name} = ", 1)
        digits = len(after) - len(after.lstrip("0123456789_"))
        assert digits, f"{path} sets no number {name}"
        text = f"{before}{name}={number}{after[digits:]}"
    path.write_text(text)


@pytest.fixture(scope="module")
def repository(tmp_path_factory, distributions):
    """The folder of a copy of the example, and call(program, *arguments) -> output in a fresh environment."""
    folder, wheel = tmp_path_factory.mktemp("example"), distributions[0]
    mine = shutil.copytree(ROOT / "examples" / "my_gan", folder / "my_gan")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    (site,) = (folder / "venv" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(sysconfig.get_paths()["purelib"])  # JAX and the rest, but not gan_jax
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["TFDS_DATA_DIR"] = str(folder / "data")

    def call(program, *arguments, code=0):
        done = subprocess.run(
            [str(folder / "venv" / "bin" / program), *map(str, arguments)],
            env=environment,
            cwd=mine,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    python = f"--python={folder}/venv/bin/python"
    subprocess.run([*PIP, python, "install", *OFFLINE, str(wheel), str(mine)], cwd=folder, check=True)
    return mine, call, [*PIP, python]


@pytest.mark.slow
def test_a_repository_of_ones_own_from_its_installation_to_its_study(repository):
    mine, call, pip = repository
    assert "site-packages" in call("python", "-P", "-c", "import gan_jax; print(gan_jax.__file__)")
    assert call("python", "-P", "-m", "gan_jax", "--version") == f"gan-jax {gan_jax.__version__}\n"
    short = ("--config.num_steps=4", "--config.data.count=64", "--devices=1")
    call("gan-jax", "train", "--config=config.py", "--workdir=run", *short)
    said = call("gan-jax", "info", "--workdir=run")
    assert "plugins: my_gan 0.1.0\n" in said
    assert "coordinate_generator" in said
    assert "checkpoint 4 of 4: verified" in said
    assert "4 images from step 4" in call("gan-jax", "sample", "--workdir=run", "--num=4", "--out=four.png")
    scores = ("--metrics=fid", "--network=pixels", "--num=40")
    assert "fid" in call("gan-jax", "evaluate", "--fake=run", *scores)
    # Its parts are there for any other config too, without being named.
    call("gan-jax", "info", "--config=gan_ring", "--config.loss=margin")
    replace_in(mine / "study" / "study.py", num_steps=4, every_steps=4, num=64)
    call("gan-jax", "study", "study")
    report = (mine / "study" / "report.md").read_text()
    assert "15 runs of 3 variants, each with 5 training seeds. Train steps: 4." in report
    # Without it the run says what it lacks.
    subprocess.run([*pip, "uninstall", "--yes", "my-gan"], cwd=mine.parent, check=True)
    shutil.rmtree(mine / "my_gan")
    said = call("gan-jax", "info", "--workdir=run", code=1)
    assert "run needs the plugin my_gan, which is not installed: pip install my-gan==0.1.0" in said
