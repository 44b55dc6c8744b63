"""What the command line says and returns; above all, when what it is given is wrong."""

import os
import re
import shutil
import subprocess
import sys
import time

import pytest
from absl import flags

from gan_jax import __version__
from gan_jax.config import shipped
from gan_jax.main import COMMANDS, main
from tests import runs
from tests.runs import run, tiny

CONFIG = ("train", "--config", "tests/runs.py")


@pytest.fixture(autouse=True)
def no_home(data_dir, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    monkeypatch.chdir(runs.ROOT)


@pytest.fixture(scope="module")
def finished(tmp_path_factory, data_dir):
    folder = tmp_path_factory.mktemp("finished") / "run"
    run(tiny(data_dir, num_steps=8), folder)
    return folder


@pytest.fixture
def gan_jax(capsys):
    """gan_jax(*arguments) -> (exit code, the line on standard error); nothing else may be said."""

    def call(*arguments):
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert not out
        assert err.startswith("gan-jax: ")
        assert err.count("\n") == 1, err
        assert "Traceback" not in err
        return code, err

    return call


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"]])
def test_help_lists_the_commands(arguments, capsys):
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert all(f"  {name} " in out and command.about in out for name, command in COMMANDS.items())
    assert not err


FLAGS = {
    "train": (
        *("--config=", "--data=", "--workdir=", "--dry_run", "--deterministic", "--devices=", "--target="),
        *("--coordinator=", "--num_processes=", "--process_id="),
    ),
    "sample": (
        *("--workdir=", "--num=", "--seed=", "--out=", "--label="),
        *("--truncation=", "--cutoff=", "--latents="),
    ),
    "interpolate": ("--workdir=", "--seeds=", "--latents=", "--frames=", "--fps=", "--out=", "--truncation="),
    "mix": ("--workdir=", "--rows=", "--columns=", "--layers=", "--out=", "--truncation="),
    "project": ("--workdir=", "--input=", "--out=", "--space=", "--iterations=", "--network="),
    "explore": ("--workdir", "--step", "--best", "--port"),
    "walk": ("--workdir=", "--method=", "--directions=", "--extent=", "--layers=", "--out=", "--truncation="),
    "neighbours": ("--workdir=", "--num=", "--nearest=", "--network=", "--out="),
    "augment": ("--workdir=", "--per_class=", "--classes=", "--seed=", "--out=", "--best", "--solver="),
    "levels": ("--workdir=", "--num=", "--out=", "--windows=", "--search=", "--fitness=", "--label="),
    "translate": (
        *("--workdir=", "--input=", "--out=", "--direction=", "--seed=", "--tile=", "--step=", "--best"),
    ),
    "export": ("--workdir=", "--out=", "--formats=", "--direction=", "--truncation=", "--best"),
    "info": ("--workdir=", "--config="),
    "configs": (),
    "evaluate": (
        *("--fake=", "--real=", "--metrics=", "--network=", "--num=", "--num_real=", "--seed="),
        *(
            "--repeats=",
            "--raw",
            "--resizer=",
            "--truncation=",
            "--inception_weights=",
            "--data_dir=",
            "--out=",
            "--neighbours=",
        ),
    ),
    "scores": ("--only=", "--all"),
    "compare": ("--out=", "--seed="),
    "report": ("--out=",),
    "study": ("--out=", "--shard=", "--merge", "--seeds=", "--only=", "--dry_run"),
    "train-classifier": (
        *(
            "--data_dir=",
            "--seed=",
            "--out=",
            "--config=",
            "--extra=",
            "--ratio=",
            "--balance=",
            "--augment=",
        ),
    ),
    "data": ("--from=", "--data_dir="),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_each_command_lists_its_flags(command, flag, capsys):
    assert main([command, flag]) == 0
    out, err = capsys.readouterr()
    assert all(f"  {name}" in out for name in (*FLAGS[command], "--traceback"))
    assert COMMANDS[command].about in out
    assert str(runs.ROOT) not in out
    assert not err


def test_the_help_of_translate_begins_with_an_example_for_a_fresh_clone(capsys):
    assert main(["translate", "--help"]) == 0
    out, _ = capsys.readouterr()
    commands = re.findall(r"^  gan-jax (\S+) (.*)$", out, re.MULTILINE)
    assert [name for name, _ in commands] == ["train", "sample", "translate"]
    assert re.findall(r"--config (\S+)", out)[0] in shipped.names()


def test_help_with_a_config_says_its_fields_too(capsys):
    assert main([*CONFIG, "--config.seed=1", "--help"]) == 0
    with_config = capsys.readouterr().out
    assert main(["train", "--help"]) == 0
    without = capsys.readouterr().out
    assert with_config.startswith(f"{without}\nThe config's fields, each set with --config.field=value:\n")
    assert "\n  seed=1\n          Of everything random.\n" in with_config


@pytest.mark.parametrize("command", COMMANDS)
def test_every_whole_number_has_bounds_and_may_be_spelled_with_an_exponent(command):
    values = flags.FlagValues()
    COMMANDS[command].define(values, ["gan-jax"])
    numbers = [name for name in values if isinstance(values[name].parser, flags.IntegerParser)]
    for name in numbers:
        parser = values[name].parser
        assert getattr(parser, "upper_bound", 2**32) < 2**32, name
        assert repr(parser.parse("1e1")) == "10"
        with pytest.raises(ValueError, match=r"range|<="):
            parser.parse("10000000000000000000000")
        for text in ("1e22", "nan", "1.5", "true", "-1"):
            with pytest.raises(ValueError, match=r"range|literal|<=|>="):
                parser.parse(text)
    assert numbers or command in ("info", "configs", "scores", "data", "report")


def test_info_of_a_config_says_what_it_costs_without_its_data(capsys, tmp_path):
    phases = "tests/cli/two_phases.py"
    assert main(["info", "--config", phases, "--config.data.dir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "data: shapes, image 16x16x1, 8 classes"
    assert lines[1] == "phase small: 10 steps of batches of 8"
    assert lines[2].startswith("  generator (MLPGenerator): 2,360 parameters and 16 statistics; 0.00")
    assert lines[4].startswith("  state: 0.")
    assert re.match(r"  a step: [\d.]+ MFLOP for 8 pictures, [\d.]+ MFLOP for each$", lines[5])
    assert lines[6] == "phase large: 20 steps of batches of 16"
    assert len(lines) == 12
    assert not list(tmp_path.iterdir())


def test_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"gan-jax {__version__}\n"


def test_no_command_is_wrong_usage(capsys):
    assert main([]) == 2
    assert "usage: gan-jax COMMAND" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["tain"], "unknown command 'tain' (did you mean train?); the commands are train, sample, translate"),
        (["train", "--workdir", "w"], "--config is missing, or --data and a folder of pictures; see"),
        (["train", "--config=", "--workdir", "w"], "--config is missing"),
        (["train", "--config.seed=1", "--workdir", "w"], "--config is missing"),
        ([*CONFIG], "--workdir is missing"),
        ([*CONFIG, "--workdir="], "--workdir is missing"),
        ([*CONFIG, "--workdir"], "Missing value for flag --workdir"),
        ([*CONFIG, "--workdir=w", "more"], "unexpected argument 'more'"),
        ([*CONFIG, "--workdirs=w"], "no flag --workdirs (did you mean --workdir?)"),
        ([*CONFIG, "--batch_size=2"], "no flag --batch_size (did you mean --config.batch_size?)"),
        (["sample", "--workdir=w"], "--out is missing"),
        (["sample", "--out=x.png"], "--workdir is missing"),
        (["sample", "--workdir=w", "--out=x.png", "--num=0"], "--num=0"),
        (["info"], "give a run's folder, or --config of what is to be trained"),
        (["info", "w", "--config=tests/runs.py"], "give a run's folder, or --config"),
        (["info", "w", "--workdir=v"], "unexpected argument 'w' beside --workdir=v"),
        *(([name, "w"], "--out is missing") for name in ("sample", "interpolate", "mix", "walk", "export")),
        (["neighbours", "w"], "--out is missing"),
        (["levels", "w"], "--out is missing"),
        (["augment", "w"], "--out is missing"),
        (["translate", "w"], "--input is missing"),
        (["project", "w"], "is missing"),
        (["sample", "w", "more"], "unexpected argument 'more'"),
        (["evaluate", "w", "--fake=v"], "unexpected argument 'w' beside --fake=v"),
        (["info", "--config=tests/runs.py", "--config.seeds=1"], "the config has no 'seeds'"),
        (["train", "--config=tests/runs.py", "--target=h100"], "nothing can be trained there; add --dry_run"),
        (["data"], "usage: gan-jax data prepare NAME"),
        (["data", "prepare"], "usage: gan-jax data prepare NAME"),
        (["data", "remove", "mnist"], "usage: gan-jax data prepare NAME"),
        (["data", "prepare", "mnist", "kmnist"], "usage: gan-jax data prepare NAME"),
    ],
)
def test_wrong_usage(arguments, words, gan_jax):
    code, err = gan_jax(*arguments)
    assert code == 2
    assert words in err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "there is no such file"),
        ("def get_config(:\n", "SyntaxError: invalid syntax"),
        ("import nothing_like_it\n", "line 1: ModuleNotFoundError"),
        ("def get_config():\n    return dict(a=int('x'))\n", "line 2: ValueError: invalid literal"),
        ("def get_config():\n    pass\n", "must have a function get_config() that returns a ConfigDict"),
        ("seed = 1\n", "must have a function get_config()"),
    ],
)
def test_a_config_file_that_is_no_config(text, words, gan_jax, tmp_path):
    path = tmp_path / "config.py"
    if text is not None:
        path.write_text(text)
    code, err = gan_jax("train", "--config", path, "--workdir", tmp_path / "run")
    assert code == 1
    assert words in err
    assert str(path) in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("batchsize=3", "the config has no 'batchsize'; it has algorithm, augment, batch_size,"),
        ("data.nam=shapes", "data has no 'nam'; it has channels, codec, dir, direction, flip, imbalance,"),
        ("dta.name=shapes", "the config has no 'dta'"),
        ("seed.first=1", "seed is a value and has no fields"),
        ("seed=abc", "--config.seed=abc: invalid literal for int()"),
        ("seed=1.5", "--config.seed=1.5"),
        ("data.flip=maybe", "--config.data.flip=maybe"),
        ("data=3", "--config.data=3"),
        ("generator.widths[7]=3", "--config"),
        ("penalties.r1.every=4", "needs --config.penalties.r1.weight=..."),
        ("penalties.r3.weight=1", "'r3' is not one of consistency, dragan, drift, lecam, r1, r2, wgan_gp"),
        ("ema.name=half_life", "needs --config.ema.images=..."),
    ],
)
def test_a_wrong_override_lists_the_choices(override, words, gan_jax, tmp_path):
    code, err = gan_jax(*CONFIG, f"--config.{override}", "--workdir", tmp_path / "run")
    assert code == 2
    assert words in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("num_steps=0", "num_steps"),
        ("steps_per_call=0", "steps_per_call"),
        ("log_every_steps=-1", "log_every_steps"),
        ("seed=-1", "seed"),
        (
            "batch_size=48",
            "is more than the 44 examples of the data set, and it must be split",
        ),
        ("batch_size=48", "set batch_size=40,"),
        ("batch_size=9", "set batch_size=8 or 16,"),
        ("batch_size=4", "set batch_size=8,"),
        ("algorithm.name=wgun", "gan"),
        ("algorithm.name=unrolled", "use sgd, or adam with eps_root=1e-8"),
        ("penalties.r1.weight=-1", "weight=-1.0: it must be in [0, inf)"),
        ("algorithm.packing=3", "packing=3 does not divide batch_size=8"),
        ("generator.condition=batch_nrm", "none, embedding, one_hot"),
        ("loss.name=hinge_", "hinge, least_squares, minimax, non_saturating"),
        ("generator.name=dcgan", "mlp_generator"),
        ("generator.activation=rel", "leaky_relu"),
        ("generator.initializer=zero", "glorot_uniform"),
        ("generator_optimizer.name=adams", "adam"),
        ("data.name=shape", "shapes, mnist, fashion_mnist"),
        ("data.split=validation", "test, train"),
        ("data.remainder=keep", "drop, carry"),
        ("data.placement=host", "auto, device, stream"),
        ("data.channels=2", "1 (grey) or 3 (RGB)"),
        ("data.num_examples=0", "at least 1"),
    ],
)
def test_a_wrong_value_lists_the_choices(override, words, gan_jax, tmp_path):
    code, err = gan_jax(*CONFIG, f"--config.{override}", "--workdir", tmp_path / "run")
    assert code == 1
    assert words in err
    assert override.rpartition("=")[2] in err
    assert not (tmp_path / "run").exists()


def test_a_batch_size_that_is_advised_is_taken(gan_jax, tmp_path):
    """Also by the options: 12 cannot be split over 8 devices, and 8 and 16 not packed in threes."""
    arguments = (*CONFIG, "--config.algorithm.packing=3", "--workdir", tmp_path / "run")
    code, err = gan_jax(*arguments, "--config.batch_size=12")
    assert code == 1
    assert "set batch_size=24," in err
    assert main(["train", "--dry_run", *map(str, arguments[1:]), "--config.batch_size=24"]) == 0


def test_folders_that_cannot_be_used(gan_jax, tmp_path):
    (tmp_path / "file").write_text("kept")
    for arguments, words in (
        ((*CONFIG, "--workdir", tmp_path / "file"), "is a file; give a folder"),
        ((*CONFIG, "--workdir", tmp_path / "file" / "run"), "cannot write"),
        ((*CONFIG, "--workdir", tmp_path), "not empty and holds no run"),
        ((*CONFIG, f"--config.data.dir={tmp_path / 'file'}", "--workdir", tmp_path / "x"), "is a file"),
        (
            (*CONFIG, f"--config.data.dir={tmp_path / 'file' / 'a'}", "--workdir", tmp_path / "x"),
            "data folder",
        ),
        (("info", "--workdir", tmp_path / "nothing"), "holds no run"),
        (("info", "--workdir", tmp_path), "holds no run"),
        (("info", "--workdir", tmp_path / "file"), "is a file"),
        (("sample", "--workdir", tmp_path, "--out", tmp_path / "o.png"), "holds no run"),
    ):
        code, err = gan_jax(*arguments)
        assert code == 1, arguments
        assert words in err
    assert runs.digests(tmp_path).keys() == {"file"}
    assert (tmp_path / "file").read_text() == "kept"


def test_a_damaged_record_is_named(gan_jax, finished, tmp_path):
    shutil.copytree(finished, tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text('{"config": ')
    before = runs.digests(tmp_path / "run")
    for arguments in (CONFIG, ("info",), ("sample", "--out", tmp_path / "o.png")):
        code, err = gan_jax(*arguments, "--workdir", tmp_path / "run")
        assert code == 1
        assert "config.json is damaged" in err
    assert runs.digests(tmp_path / "run") == before


def test_another_config_is_refused_with_the_field(gan_jax, finished):
    before = runs.digests(finished)
    arguments = ("--config.num_steps=8", "--config.data.flip=false")
    code, err = gan_jax(*CONFIG, *arguments, "--workdir", finished)
    assert code == 1
    assert "data.flip: True -> False" in err
    assert runs.digests(finished) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mnits"], "shapes, mnist, fashion_mnist, kmnist, image_folder"),
        (["mnist", "--from", "nowhere"], "the folder nowhere, which is to have the files, is not there"),
        (["shapes", "--from", "tests"], "leave out tests"),
    ],
)
def test_data_that_cannot_be_prepared(arguments, words, gan_jax):
    code, err = gan_jax("data", "prepare", *arguments)
    assert code == 1
    assert words in err


def test_data_that_are_not_prepared_are_said_at_once_with_the_command(gan_jax, tmp_path):
    begun = time.monotonic()
    code, err = gan_jax(
        "train",
        "--config=configs/dcgan_fashion_mnist.py",
        f"--config.data.dir={tmp_path}",
        "--workdir",
        tmp_path / "run",
    )
    assert code == 1
    assert f"gan-jax data prepare fashion_mnist --data_dir {tmp_path}" in err
    assert time.monotonic() - begun < 5
    assert not (tmp_path / "run").exists()


def test_a_traceback_where_it_is_asked_for(tmp_path):
    with pytest.raises(Exception, match="num_steps"):
        main([*CONFIG, "--config.num_steps=0", "--workdir", str(tmp_path / "run"), "--traceback"])


LIMITED = """
import resource, runpy
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
runpy.run_module("gan_jax.main", run_name="__main__")
"""


@pytest.mark.slow
def test_a_full_disk_stops_the_run_and_harms_nothing(finished, data_dir, tmp_path):
    """A limit on the size of a file stands for the disk: what does not fit is refused by the system."""
    workdir = tmp_path / "run"
    shutil.copytree(finished, workdir)
    kept = {name: digest for name, digest in runs.digests(workdir).items() if name.startswith("checkpoints/")}
    process = subprocess.run(
        [sys.executable, "-c", LIMITED, *CONFIG, "--workdir", workdir],
        env={**os.environ, "XLA_FLAGS": ""},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert "cannot write" in process.stderr.splitlines()[-1]
    assert "File too large" in process.stderr.splitlines()[-1]
    now = runs.digests(workdir)
    assert {name: now.get(name) for name in kept} == kept
    assert int(run(tiny(data_dir), workdir).step) == runs.STEPS


def test_an_error_that_nobody_foresaw_is_one_line(gan_jax, monkeypatch, tmp_path):
    def broken(workdir):
        raise KeyError("one\ntwo", object())

    monkeypatch.setattr("gan_jax.cli.commands.info", broken)
    code, err = gan_jax("info", "--workdir", tmp_path)
    assert code == 1
    assert "unexpected KeyError: ('one" in err
    assert " at 0x" not in err
    assert re.search(r"\(info_flags.py, line [0-9]+\)\. The same command with --traceback shows", err)
    with pytest.raises(KeyError):
        main(["info", f"--workdir={tmp_path}", "--traceback"])
