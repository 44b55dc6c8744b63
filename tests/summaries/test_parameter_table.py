"""Tables of networks, and what info and --dry_run print of them."""

import re
import shutil

import jax
import jax.numpy as jnp
import pytest

from gan_jax.cli.commands import execution_line
from gan_jax.config.build import build, example_batch
from gan_jax.core.execution import Execution
from gan_jax.core.state import Player
from gan_jax.data.spec import DataSpec, Field
from gan_jax.main import main
from gan_jax.summaries.parameter_table import LayerRow, layer_rows
from gan_jax.utils.memory import mebibytes
from gan_jax.utils.tree import tree_bytes
from tests import runs
from tests.runs import run, tiny

# Dense 4 -> 8, BatchNorm 8 (scale and bias trained, mean and variance moving), Dense 8 -> 256.
GENERATOR = "generator: 2,376 parameters (2,360 trained)"
# Dense 256 -> 8, Dense 8 -> 1.
DISCRIMINATOR = "discriminator: 2,065 parameters (2,065 trained)"


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data_dir):
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(tiny(data_dir, num_steps=16), folder)
    return folder


def test_a_row_for_each_layer():
    player = Player(
        params={
            "dense": {"kernel": jnp.zeros((3, 4)), "bias": jnp.zeros(4)},
            "norm": {"scale": jnp.zeros(4)},
        },
        stats={"batch_stats": {"norm": {"mean": jnp.zeros(4), "var": jnp.zeros(4)}}},
        opt=(),
    )
    assert layer_rows(player) == [
        LayerRow("dense", "bias 4, kernel 3x4", 16, 0),
        LayerRow("norm", "scale 4, mean 4, var 4", 4, 8),
    ]


def test_bytes_of_arrays_and_keys():
    tree = {"a": jnp.zeros((2, 3), jnp.float32), "b": jnp.zeros(5, jnp.uint8), "key": jax.random.key(0)}
    assert tree_bytes(tree) == 24 + 5 + 8
    assert mebibytes(3 * 2**19) == "1.5 MiB"


def test_the_tables_add_up_to_what_a_state_holds(data_dir):
    algorithm = build(tiny(data_dir)).algorithm
    state = jax.eval_shape(
        algorithm.init, jax.random.key(0), example_batch(DataSpec({"image": Field((16, 16, 1))}, None), 8)
    )
    for player in (state.generator, state.discriminator):
        rows = layer_rows(player)
        assert sum(row.trained for row in rows) == sum(x.size for x in jax.tree.leaves(player.params))
        assert sum(row.moving for row in rows) == sum(x.size for x in jax.tree.leaves(player.stats))


def test_info_shows_the_run(finished, capsys):
    before = runs.digests(finished)
    assert main(["info", "--workdir", str(finished)]) == 0
    out, err = capsys.readouterr()
    assert GENERATOR in out
    assert DISCRIMINATOR in out
    assert re.search(r"learning_rate: 0\.001", out)
    assert "44 examples" in out
    assert re.search(r"starts: 1, the last 20\S+ on 8 x cpu with jax \d", out)
    assert re.search(r"last metrics: step 16, .*generator_loss 0\.\d+", out)
    assert "checkpoint 8 of 16: verified\ncheckpoint 16 of 16: verified" in out
    assert not err
    assert runs.digests(finished) == before


def test_info_says_what_is_wrong_with_a_checkpoint(finished, tmp_path, capsys):
    shutil.copytree(finished, tmp_path / "run")
    runs.flip_byte(tmp_path / "run" / "checkpoints" / "8")
    (tmp_path / "run" / "checkpoints" / "16" / "manifest.json").unlink()
    assert main(["info", "--workdir", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert re.search(r"checkpoint 8 of 16: file \S+: sha256 differs", out)
    assert "checkpoint 16 of 16: no manifest: the save did not finish" in out


def test_what_the_fields_of_execution_do_in_a_line():
    plain = execution_line(Execution(), batch_size=8, devices=1)
    assert plain.endswith("of 8 images, for which all activations are kept; the state lies whole on 1 device")
    other = Execution(precision="bfloat16", accumulation=4, remat=True, sharding="sharded")
    assert execution_line(other, batch_size=8, devices=2) == (
        "execution: networks compute in bfloat16; gradients of 4 x 2 images in turn, for which only the "
        "blocks' outputs are kept; the state lies split where that is possible on 2 devices"
    )


def test_a_dry_run_shows_the_plan_and_does_nothing(data_dir, tmp_path, capsys):
    workdir = tmp_path / "run"
    command = ["train", "--config", "tests/runs.py", f"--config.data.dir={data_dir}", "--dry_run"]
    for more in ([], ["--workdir", str(workdir)]):
        assert main([*command, *more]) == 0
        out = capsys.readouterr().out
        assert GENERATOR in out
        assert DISCRIMINATOR in out
        assert "plan: 30 steps of 1 x 8 images = 6.00 epochs of 44 images 16x16x1 from shapes" in out
        assert "execution: networks compute in float32; gradients of 8 images, for which all activ" in out
        assert re.search(r"memory of each device: state \d+\.\d MiB", out)
        assert "nothing was trained" in out
    assert not workdir.exists()
