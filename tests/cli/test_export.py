"""`gan-jax export`: files that programs without gan_jax make the same pictures with."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.cli import exporting
from gan_jax.config.build import build_algorithm, example_batch
from gan_jax.config.components import complete
from gan_jax.config.record import to_json
from gan_jax.core.state import Player, TrainState
from gan_jax.data.spec import DataSpec, Field
from gan_jax.inference.sample import make_sampler
from gan_jax.main import main
from tests.runs import ROOT, digests, get_config

COUNT, CLASSES = 5, 3
SPEC = DataSpec({"image": Field((6, 8, 1))}, CLASSES, ("a", "b", "c"))
# What an example makes of the inputs, in a process that cannot import gan_jax.
ALONE = """
import runpy, sys
from pathlib import Path
sys.modules["gan_jax"] = None
import numpy as np
made = runpy.run_path(sys.argv[1])["generate"](Path(sys.argv[2]), *np.load(sys.argv[3]).values())
np.save(sys.argv[4], made)
"""


def run_of(**generator):
    """The algorithm, the data, a state and the config of an untrained run."""
    config = get_config()
    config.generator.update(generator)
    config = complete(config)
    algorithm = build_algorithm(config, SPEC)
    shapes = jax.eval_shape(algorithm.init, jax.random.key(1), example_batch(SPEC, 2))
    ema = jax.tree.map(lambda x: np.random.default_rng(x.size).random(x.shape, np.float32) - 0.1, shapes.ema)
    none = Player(params={}, stats={}, opt=())
    return algorithm, SPEC, TrainState(jnp.int32(0), jax.random.key(0), none, none, ema, {}), config


@pytest.fixture(scope="module")
def made():
    return run_of(condition="embedding", embedding_size=4)


@pytest.fixture
def export(monkeypatch, capsys, made, tmp_path):
    """export(*flags) -> (exit code, output, errors) of `gan-jax export --out tmp_path/model`."""
    *run, config = made
    monkeypatch.setattr(exporting, "restored_run", lambda workdir, folder, step: tuple(run))
    monkeypatch.setattr(exporting, "read_record", lambda workdir: {"config": to_json(config)})

    def call(*more):
        code = main(["export", "--workdir", "run", "--out", str(tmp_path / "model"), *more])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


def as_sampled(made):
    """Pictures as `gan-jax sample` draws them, with the latents and labels that they are of."""
    algorithm, spec, state, _ = made
    key, labels = jax.random.key(3), np.arange(COUNT, dtype=np.int32) % CLASSES
    pictures = make_sampler(algorithm, spec)(state, COUNT, key, labels)
    latents = np.asarray(algorithm.latents(jax.random.fold_in(key, 0), 64))[:COUNT]
    return pictures, {"latent": latents, "label": labels}


def alone(example, folder, inputs, tmp_path):
    """What an example makes of the inputs without gan_jax."""
    np.savez(tmp_path / "inputs.npz", **inputs)
    files = [ROOT / "examples" / example, folder, tmp_path / "inputs.npz", tmp_path / "made.npy"]
    subprocess.run([sys.executable, "-c", ALONE, *map(str, files)], check=True, cwd=tmp_path)
    return np.load(tmp_path / "made.npy")


def test_each_format_gives_the_pictures_of_sample_without_gan_jax(export, made, tmp_path):
    pytest.importorskip("flatbuffers")
    code, out, err = export()
    assert (code, err) == (0, "")
    pictures, inputs = as_sampled(made)
    for name in ("stablehlo", "safetensors"):
        assert f"model.{name}: " in out
        found = alone(f"generate_{name}.py", tmp_path / "model", inputs, tmp_path)
        np.testing.assert_allclose(found.reshape(pictures.shape), pictures, atol=1e-6, rtol=0)


@pytest.mark.slow
def test_onnx_gives_the_pictures_of_sample_without_jax(export, made, tmp_path):
    for package in ("jax2onnx", "onnxruntime"):
        pytest.importorskip(package)
    assert export("--formats=onnx")[0] == 0
    pictures, inputs = as_sampled(made)
    found = alone("generate_onnx.py", tmp_path / "model", inputs, tmp_path)
    np.testing.assert_allclose(found, pictures, atol=1e-6, rtol=0)


def test_what_is_written_says_what_it_is(export, made, tmp_path):
    assert export("--formats=safetensors")[0] == 0
    about = json.loads((tmp_path / "model" / "model.json").read_text())
    assert about["made_of"]["run"] == "run"
    assert about["made_of"]["step"] == 0
    assert about["config"] == json.loads(json.dumps(to_json(made[3])))
    assert set(about["files"]) == {"model.safetensors"}
    assert about["inputs"][1] == dict(
        name="label", shape=["b"], dtype="int32", range=[0, 2], class_names=["a", "b", "c"]
    )
    assert about["inputs"][0] == dict(name="latent", shape=["b", 4], dtype="float32", distribution="normal")
    assert about["output"]["shape"] == ["b", 6, 8, 1]
    assert about["output"]["range"] == [-1, 1]


def test_the_same_command_adds_and_nothing_else_is_written_over(export, monkeypatch, tmp_path):
    folder = tmp_path / "model"
    assert export("--formats=safetensors")[0] == 0
    before = digests(folder)
    assert export("--formats=safetensors")[0] == 0
    assert digests(folder) == before
    other = run_of(condition="embedding", embedding_size=5)[:3]
    monkeypatch.setattr(exporting, "restored_run", lambda *_: other)
    code, _, err = export("--formats=safetensors")
    assert code == 1
    assert "holds the export of something else (weights " in err
    assert digests(folder) == before
    (folder / "model.json").write_text("{}")
    code, _, err = export("--formats=safetensors")
    assert code == 1
    assert "holds model.json, model.safetensors and no export of a run: choose another folder" in err


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--formats=pt"], 2, "--formats=pt: choose from stablehlo, safetensors, onnx"),
        (["--formats="], 2, "choose from"),
        (["--direction=b_to_a"], 1, "direction=b_to_a: GAN makes no pictures of pictures"),
        (["--step=1", "--best"], 2, "give one of them"),
        (["--truncation=0.7"], 1, "truncation=0.7: MLPGenerator has no mean style to truncate to"),
    ],
)
def test_wrong_flags(export, flags, code, words, tmp_path):
    found, _, err = export(*flags)
    assert found == code
    assert words in err
    assert err.count("\n") == 1
    assert not (tmp_path / "model").exists()


def test_onnx_without_jax2onnx_is_a_line(export, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = export("--formats=onnx")
    assert code == 1
    assert "an ONNX file needs jax2onnx and onnxruntime, which docs/export.md says how" in err
