"""Studies that are trained: alone or together, interrupted, in shards, with runs that diverge."""

import dataclasses
import json
import re
import shlex
import shutil
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import pytest

from gan_jax import data, main
from gan_jax.distributed import parallel
from gan_jax.inference.sample import drawable
from gan_jax.study import runner, trainer
from gan_jax.study.history import History
from gan_jax.study.results import Shard
from gan_jax.study.runner import Runner
from gan_jax.study.study import runs_of
from gan_jax.study.trainer import GroupTrainer
from gan_jax.summaries.logs import read_metrics
from gan_jax.training.restore import restored_run
from gan_jax.training.train import train
from gan_jax.utils import files
from gan_jax.utils.errors import UserError
from gan_jax.utils.files import locked
from gan_jax.utils.interrupt import Interrupted
from tests.runs import flip_byte, leaves, stopped_at
from tests.study import tiny

pytestmark = pytest.mark.usefixtures("full_compiler")  # as a user's study is compiled
WHOLE = Shard(1, 1)
DEVICES = 2
MAKE_MESH = parallel.make_mesh


@pytest.fixture(autouse=True)
def few_devices():
    """All tests but one need no more devices than this; the programs of the groups are then the same."""
    with mock.patch.object(parallel, "make_mesh", lambda d=None: MAKE_MESH((d or jax.devices())[:DEVICES])):
        yield


def run(study, out, shard=WHOLE, **options):
    runner = Runner(study, out, shard, **options)
    runner.run()
    return runner


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study, run at once: its folder, and the last states of its first group."""
    out, states = tmp_path_factory.mktemp("whole"), []
    train_group = GroupTrainer.run

    def kept(self, stop):
        found = train_group(self, stop)
        states.append(jax.device_get(jax.tree.map(_data, found[1])))
        return found

    make_mesh = parallel.make_mesh
    with (
        mock.patch.object(GroupTrainer, "run", kept),
        mock.patch.object(parallel, "make_mesh", lambda d=None: make_mesh((d or jax.devices())[:DEVICES])),
    ):
        run(tiny.study(keep=True), out).report("tiny", "gan-jax study tiny")
    return out, states


def _data(x):
    return jax.random.key_data(x) if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key) else x


def test_every_run_has_a_result_and_the_report_shows_them(whole):
    out, _ = whole
    found = tiny.rows(out)
    assert [(row["variant"], row["seed"]) for row in found] == [
        (variant, seed) for variant in ("base", "fast", "hinge") for seed in range(3)
    ]
    for row in found:
        assert row["steps"] == tiny.STEPS
        assert row["diverged_at"] is None
        assert [step for step, _ in row["scores"]["high_quality"]] == [6, 12]
    report = (out / "report.md").read_text()
    for text in ("Does it work?", "gan-jax study tiny", "hinge", "9 runs of 3 variants"):
        assert text in report
    assert sorted(path.name for path in (out / "pictures").iterdir()) == ["base.png", "fast.png", "hinge.png"]
    assert [path.name for path in (out / "work").iterdir()] == ["lock"]


@pytest.mark.parametrize(("group", "index"), [(0, 1), (0, 5), (1, 2)])
def test_a_run_of_a_study_is_the_run_trained_alone(whole, tmp_path, group, index):
    """Its state and its scores; to the bit, but for the rounding of numbers that its program is given."""
    out, states = whole
    runs = runs_of(tiny.study())
    alone = runs[index] if group == 0 else runs[6 + index]
    make_mesh = parallel.make_mesh
    with mock.patch.object(parallel, "make_mesh", return_value=make_mesh(jax.devices()[:1])):
        state = train(alone.config, tmp_path / "alone")
    found = leaves(jax.tree.map(lambda x: x[index], states[group].replace(step=np.stack([0] * 6))))
    for name, expected in leaves(state).items():
        if name == ".step":
            continue
        if group == 1:
            np.testing.assert_array_equal(found[name], expected, err_msg=name)
        else:
            np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)
    scores = [row["evaluation"]["scores"] for row in read_metrics(tmp_path / "alone") if "evaluation" in row]
    row = next(row for row in tiny.rows(out) if (row["variant"], row["seed"]) == (alone.variant, alone.seed))
    for name, values in row["scores"].items():
        values_alone = [float(score[name]["value"]) for score in scores]
        np.testing.assert_allclose(
            [float(value) for _, value in values], values_alone, atol=0.02, err_msg=name
        )


@pytest.mark.parametrize(("variant", "seed", "group", "index"), [("fast", 2, 0, 5), ("hinge", 1, 1, 1)])
def test_a_run_that_is_kept_has_its_last_state(whole, variant, seed, group, index, capsys, tmp_path):
    out, states = whole
    folder = out / "runs" / f"{variant}-{seed}"
    _, _, state = restored_run(folder)
    assert int(state.step) == tiny.STEPS
    expected = leaves(jax.tree.map(lambda x: x[index], states[group].replace(step=np.stack([0] * 6))))
    found = leaves(jax.tree.map(_data, state))
    for name in found.keys() - {".step"}:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
    assert main.main(["sample", str(folder), "--num=4", f"--out={tmp_path / 'points.npz'}"]) == 0
    assert (tmp_path / "points.npz").exists()


def test_a_run_that_was_kept_of_another_config_is_said_before_anything_is_trained(whole, tmp_path):
    shutil.copytree(whole[0] / "runs" / "hinge-0", tmp_path / "runs" / "base-0")
    with pytest.raises(UserError, match=r"base, fast: 2 runs: .*base-0 holds a run with another config"):
        run(tiny.study(keep=True, seeds=1), tmp_path, only=("base", "fast"))


def test_what_is_sampled_may_hold_single_numbers():
    """Such as the mean path length in a style generator's average."""
    ema = {"params": {"kernel": np.ones((3, 2, 4)), "mean": np.arange(3.0, dtype=np.float32)}}
    found = drawable(trainer.sampled_state(5, 1, ema)).ema["params"]
    assert found["kernel"].shape == (2, 4)
    assert float(found["mean"]) == 1.0


def test_a_second_start_has_nothing_to_do(whole):
    out, _ = whole
    before = (out / "results.jsonl").read_bytes()
    with mock.patch.object(GroupTrainer, "run", side_effect=AssertionError("trained again")):
        runner = run(tiny.study(), out)
    assert runner.groups == []
    assert (out / "results.jsonl").read_bytes() == before
    more = Runner(tiny.study(seeds=4), out, WHOLE)
    assert [(one.variant, one.seed) for one in more.left] == [("base", 3), ("fast", 3), ("hinge", 3)]


@pytest.mark.parametrize(
    ("at", "devices"), [*(pytest.param(at, 2, marks=pytest.mark.slow) for at in (5, 6)), (7, 4), (12, 2)]
)
def test_a_study_that_was_stopped_continues_as_if_it_had_not_been(whole, tmp_path, at, devices, capfd):
    """At a checkpoint, at an evaluation, between both on other devices, and at the end of a group."""
    out, _ = whole
    with (
        stopped_at(trainer, at, steps_per_call=1) as stopped,
        pytest.raises(Interrupted, match="continues the study"),
    ):
        run(tiny.study(), tmp_path)
    assert stopped == [at]
    capfd.readouterr()
    with mock.patch.object(parallel, "make_mesh", lambda d=None: MAKE_MESH((d or jax.devices())[:devices])):
        run(tiny.study(), tmp_path).report("tiny", "gan-jax study tiny")
    assert tiny.rows(tmp_path) == tiny.rows(out)
    done, steps = re.findall(r"step (\d+)/(\d+)", capfd.readouterr().err)[-1]
    assert done == steps


class Killed(BaseException):
    """Nothing that comes after it is done, as nothing is that comes after a kill."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """One group of a study, stopped at step 11: its checkpoints are of the steps 10 and 11."""
    out = tmp_path_factory.mktemp("stopped")
    make_mesh = parallel.make_mesh
    with (
        mock.patch.object(parallel, "make_mesh", lambda d=None: make_mesh((d or jax.devices())[:DEVICES])),
        stopped_at(trainer, 11, steps_per_call=1),
        pytest.raises(Interrupted),
    ):
        run(tiny.study(), out, only=("hinge",))
    return out


def group_of(out):
    (group,) = (path for path in (out / "work").iterdir() if path.is_dir())
    return group


def hinge(out):
    return [row for row in tiny.rows(out) if row["variant"] == "hinge"]


def continued(out):
    """Another start, as the same command makes it: the results of its group."""
    run(tiny.study(), out, only=("hinge",))
    return hinge(out)


def test_neither_kills_while_a_study_restarts_nor_a_damaged_checkpoint_lose_a_row(whole, stopped, tmp_path):
    """Kills while the history is written anew, once it is, and before the results are added."""
    out = shutil.copytree(stopped, tmp_path / "out")
    history = group_of(out) / "history.jsonl"
    with history.open("a") as file:
        file.write('{"step": 12, "run": 0, "scor')  # the kill before, in the middle of a row
    for owner, name in ((Path, "replace"), (files, "flush_names"), (runner, "add_results")):
        before = history.read_bytes()
        with mock.patch.object(owner, name, side_effect=Killed), pytest.raises(Killed):
            run(tiny.study(), out, only=("hinge",))
        assert before.startswith(history.read_bytes()) or name == "add_results"
    flip_byte(group_of(out) / "checkpoints" / "11")
    assert continued(out) == hinge(whole[0])
    assert [path.name for path in (out / "work").iterdir()] == ["lock"]


def test_a_history_that_is_damaged_is_never_reported(stopped, tmp_path):
    out = shutil.copytree(stopped, tmp_path / "out")
    history = group_of(out) / "history.jsonl"
    lines = history.read_bytes().splitlines(keepends=True)
    for damaged in (b"", b"".join(lines[1:]), b"".join(lines).replace(b'"step": 6', b'"step": 5', 1)):
        history.write_bytes(damaged)
        with pytest.raises(
            UserError, match=r"step 11: history\.jsonl .*; step 10: history\.jsonl .*Put back"
        ):
            run(tiny.study(), out, only=("hinge",))
    without = History(tmp_path / "without")  # sealed, so that only the rows can tell
    for row in map(json.loads, lines):
        if "sha256" in row:
            without.seal(row["step"], 1.0)
        elif row["run"] != 1:
            without.add(row)
    history.write_bytes(without.path.read_bytes())
    with pytest.raises(UserError, match=r"lacks the scores of hinge, seed 1 at step 6: move"):
        run(tiny.study(), out, only=("hinge",))
    history.write_bytes(b"".join(lines))
    shutil.rmtree(group_of(out) / "checkpoints")
    with pytest.raises(UserError, match=r"tells of 11 steps, but there is no checkpoint .* train these runs"):
        run(tiny.study(), out, only=("hinge",))
    assert history.read_bytes() == b"".join(lines)


@pytest.mark.slow
def test_shards_merge_into_the_study(whole, tmp_path):
    out, _ = whole
    for index in (1, 2):
        run(tiny.study(), tmp_path, Shard(index, 2))
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == [
        "results.1-of-2.jsonl",
        "results.2-of-2.jsonl",
    ]
    merged = Runner(tiny.study(), tmp_path, WHOLE)
    assert merged.left == []
    assert merged.report("tiny", "gan-jax study tiny") == "9 of 9 runs"
    found, expected = tiny.rows(tmp_path), tiny.rows(out)
    for one, other in zip(found, expected, strict=True):
        assert (one["variant"], one["seed"]) == (other["variant"], other["seed"])
        for name, values in other["scores"].items():
            np.testing.assert_allclose(
                [float(v) for _, v in one["scores"][name]], [float(v) for _, v in values], atol=0.02
            )


def test_a_run_that_diverges_does_not_disturb_the_others(whole, tmp_path, capfd):
    out, _ = whole
    study = tiny.study(
        variants={
            "base": {},
            "fast": {"generator_optimizer.learning_rate": 3e-2, "penalties.r1.weight": 0.3},
            "lost": {"generator_optimizer.learning_rate": 1e38},
        },
        seeds=1,
        keep=True,
    )
    run(study, tmp_path).report("tiny", "gan-jax study tiny")
    assert "lost, seed 0 diverged at step" in capfd.readouterr().err
    base, fast, lost = tiny.rows(tmp_path)
    assert 1 <= lost["diverged_at"] <= 6
    assert lost["steps"] == lost["diverged_at"]
    expected = {(row["variant"], row["seed"]): row for row in tiny.rows(out)}
    for row in (base, fast):
        for name, values in expected[row["variant"], 0]["scores"].items():
            np.testing.assert_allclose(
                [float(v) for _, v in row["scores"][name]], [float(v) for _, v in values], atol=0.02
            )
    assert "diverged" in (tmp_path / "report.md").read_text()
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"base-0", "fast-0"}


def test_a_program_of_which_every_run_diverges(tmp_path, capfd):
    lost = {"loss.name": "least_squares", "generator_optimizer.learning_rate": 1e38}
    study = tiny.study(variants={"base": {}, "lost": lost}, seeds=2)
    run(study, tmp_path).report("tiny", "gan-jax study tiny")
    assert capfd.readouterr().err.count("it is measured no more") == 2
    found = tiny.rows(tmp_path)
    assert [row["diverged_at"] is None for row in found] == [True, True, False, False]
    assert "lost" in (tmp_path / "report.md").read_text()


def test_only_some_seeds_and_variants(tmp_path):
    runner = Runner(tiny.study(), tmp_path, WHOLE, seeds=1, only=("hinge",))
    assert [one.name for one in runner.left] == ["hinge, seed 0"]
    with pytest.raises(UserError, match="--only=wgan: the variants are base, fast, hinge"):
        Runner(tiny.study(), tmp_path, WHOLE, only=("wgan",))
    assert list(tmp_path.iterdir()) == []


def test_one_process_at_a_time(tmp_path):
    with (
        locked(tmp_path / "work"),
        pytest.raises(UserError, match="another process"),
        locked(tmp_path / "work"),
    ):
        pass


# The command


def write_study(folder):
    folder.mkdir(exist_ok=True)
    (folder / "study.py").write_text("from tests.study.tiny import study as get_study\n")
    return str(folder)


def test_the_command_line(tmp_path, whole, capsys):
    out, _ = whole
    folder = write_study(tmp_path / "tiny")
    assert main.main(["study", folder, "--dry_run"]) == 0
    said = capsys.readouterr().out
    assert "9 runs, of which 0 are done, the others in 2 programs" in said
    assert "base, fast: 6 runs; 12 steps; different numbers: generator_optimizer.learning_rate" in said
    (tmp_path / "tiny" / "results.jsonl").write_bytes((out / "results.jsonl").read_bytes())
    assert main.main(["study", folder, "--merge"]) == 0
    assert (tmp_path / "tiny" / "report.md").read_text().startswith("# tiny\n")
    capsys.readouterr()
    lines = (out / "results.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "tiny" / "results.jsonl").write_text("".join(lines[:-1]))
    assert main.main(["study", folder, "--merge"]) == 1
    assert "missing are hinge, seed 2" in capsys.readouterr().err


def test_a_shard_that_is_done_says_how_all_are_merged(tmp_path, whole, capsys):
    folder, out = write_study(tmp_path / "tiny"), tmp_path / "the out"
    out.mkdir()
    (out / "results.jsonl").write_bytes((whole[0] / "results.jsonl").read_bytes())
    assert main.main(["study", folder, f"--out={out}", "--only=base,hinge", "--seeds=2", "--shard=1/2"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("shard 1/2 is done; when all are: gan-jax study ")
    command = shlex.split(said.partition("when all are: gan-jax ")[2])
    assert command == ["study", folder, f"--out={out}", "--seeds=2", "--only=base,hinge", "--merge"]
    assert main.main(command) == 0
    made_by = f"```bash\ngan-jax study {folder} '--out={out}' --seeds=2 --only=base,hinge\n```"
    assert made_by in (out / "report.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["study"], 2, "usage: gan-jax study FOLDER"),
        (["study", "nowhere"], 1, "nowhere holds no study"),
        (["study", "TINY", "--shard=3"], 1, "write INDEX/COUNT"),
        (["study", "TINY", "--only=wgan"], 1, "the variants are base, fast, hinge"),
        (["study", "TINY", "--merge"], 1, "no results of this study yet"),
        (["study", "TINY", "--seeds=0"], 2, "seeds"),
    ],
)
def test_bad_usage_is_said_in_a_line(arguments, code, said, tmp_path, capsys):
    folder = write_study(tmp_path / "tiny")
    assert main.main([folder if text == "TINY" else text for text in arguments]) == code
    assert said in capsys.readouterr().err
    assert [path.name for path in Path(folder).iterdir()] == ["study.py"]


def test_results_of_a_variant_that_is_gone_are_kept(whole, tmp_path, capfd):
    out, _ = whole
    (tmp_path / "results.jsonl").write_bytes((out / "results.jsonl").read_bytes())
    runner = run(tiny.study(variants={"base": {}, "hinge": {"loss.name": "hinge"}}), tmp_path)
    assert "3 results in" in capfd.readouterr().err
    assert runner.report("tiny", "gan-jax study tiny") == "6 of 6 runs"
    assert "fast" not in (tmp_path / "report.md").read_text()
    assert Runner(tiny.study(), tmp_path, WHOLE).left == []


def test_a_damaged_result_is_said(whole, tmp_path):
    out, _ = whole
    lines = (out / "results.jsonl").read_text().splitlines()
    broken = {**json.loads(lines[0]), "scores": 3}
    (tmp_path / "results.jsonl").write_text("\n".join([lines[1], json.dumps(broken)]) + "\n")
    with pytest.raises(UserError, match="row 2: scores=3"):
        Runner(tiny.study(), tmp_path, WHOLE)
    (tmp_path / "results.jsonl").write_text(lines[0] + "\n" + lines[1][:50])  # killed while it was written
    assert len(Runner(tiny.study(), tmp_path, WHOLE).left) == 8


def test_a_folder_that_is_removed_under_a_study_is_an_error(tmp_path, monkeypatch):
    train_group = GroupTrainer.run

    def removed(self, stop):
        found = train_group(self, stop)
        shutil.move(tmp_path / "out", tmp_path / "moved")
        return found

    monkeypatch.setattr(GroupTrainer, "run", removed)
    with pytest.raises(UserError, match="out has been removed or replaced while"):
        run(tiny.study(), tmp_path / "out", seeds=1)


def test_runs_of_other_data_are_not_joined(tmp_path):
    """Other records under the same name, as a copied data folder may hold."""
    mine = data.load("shapes", data_dir=tmp_path / "data", resolution=16, num_examples=20)
    other = data.load("shapes", data_dir=tmp_path / "data", resolution=16, num_examples=30)
    for dataset in (mine, other, mine):
        runner.check_same_data(tmp_path, dataset)
    with pytest.raises(
        UserError, match=r"was trained on other data: shapes/.* -> shapes/.*choose another --out"
    ):
        runner.check_same_data(tmp_path, dataclasses.replace(mine, fingerprint=other.fingerprint))
    (tmp_path / runner.DATA).write_text("[")
    with pytest.raises(UserError, match=r"data\.json is damaged"):
        runner.check_same_data(tmp_path, mine)
