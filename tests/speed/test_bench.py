"""experiments/speed: its flags, how contenders take turns, what the report says; nothing is trained here."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.speed import bench, machine, measure, report
from experiments.speed.contenders import CONTENDERS
from experiments.speed.jax_contender import config_of
from experiments.speed.process import Broken, Process
from experiments.speed.run import main
from experiments.speed.works import ON_CPU, ON_GPU, WORKS
from gan_jax.config.config_file import run_config_file

ROOT = Path(__file__).parents[2]
PEERS = {"torch", "tensorflow", "keras"}


@pytest.mark.parametrize(
    ("argument", "code", "words"),
    [
        ("--works=mnist", 1, "--works=mnist: it is not one of dcgan28"),
        ("--contenders=caffe", 1, "--contenders=caffe: it is not one of ours"),
        ("--batches=32,many", 2, "whole numbers"),
        ("--batches=1", 1, "at least 2"),
        ("--seconds=0", 1, "above 0"),
        ("--rounds=0", 2, "rounds"),
        ("everything", 2, "unrecognized arguments"),
    ],
)
def test_a_wrong_flag_is_said_in_a_line(capsys, argument, code, words):
    with pytest.raises(SystemExit) as stop:
        sys.exit(main([argument]))
    assert stop.value.code == code
    assert words in capsys.readouterr().err.splitlines()[-1]


def imported(file):
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0]


def test_only_the_peers_workers_import_them():
    own = {"torch_contender.py", "torch_networks.py", "keras_contender.py", "keras_networks.py", "peaks.py"}
    speed = ROOT / "experiments" / "speed"
    files = [*(ROOT / "gan_jax").rglob("*.py"), *(ROOT / "configs").glob("*.py"), *speed.glob("*.py")]
    found = {file for file in files if PEERS & set(imported(file))}
    assert {file.name for file in found} == own
    assert all(file.parent == speed for file in found)


def test_the_parent_imports_no_framework():
    code = "import sys; import gan_jax.main, experiments.speed.bench; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not (PEERS | {"jax"}) & set(told.stdout.split())


@pytest.mark.parametrize("name", ["dcgan28", "dcgan64", "wgan_gp28"])
def test_a_work_is_its_shipped_config(name):
    work = WORKS[name]
    shipped = run_config_file(str(ROOT / "configs" / f"{work.config}.py"))
    ours = config_of(work, shipped.batch_size)
    for part in ("loss", "penalties", "generator_optimizer", "discriminator_optimizer", "augment", "game"):
        assert ours[part] == shipped[part], part
    for part in ("generator", "discriminator"):
        for field, value in shipped[part].items():
            assert ours[part][field] == value, field
    assert shipped.batch_size in work.batch_sizes
    assert work.steps_per_call == shipped.steps_per_call
    assert work.critic_steps == shipped.algorithm.discriminator_steps


def test_every_work_and_contender_is_reachable():
    assert set(ON_CPU) | set(ON_GPU) == set(WORKS)
    assert all(set(contender.works) <= set(WORKS) for contender in CONTENDERS.values())


class GeneratedSet:
    """A process that takes 0.5 s a step, and breaks at its third round if it is called "torch"."""

    log: list[str] = []  # noqa: RUF012  shared on purpose: who was asked, in order

    def __init__(self, name, work, batch, environment):
        self.name, self.asked, self.pid = name, 0, 1

    def answer(self):
        return {"first_step": 2.0, "imported": 1.0, "parameters": {"generator": 3}}

    def ask(self, steps):
        self.asked += 1
        GeneratedSet.log.append(self.name)
        if self.name == "torch" and self.asked == 4:
            raise Broken("killed by signal 11")
        return {"seconds": 0.5 * steps, "memory": 10**6, "device_memory": None}

    def stop(self):
        GeneratedSet.log.append(f"{self.name} stopped")


@pytest.fixture
def match(monkeypatch):
    monkeypatch.setattr(measure, "Process", GeneratedSet)
    monkeypatch.setattr(measure, "missing", lambda contender, work, on_gpu: "")
    monkeypatch.setattr(measure.machine, "cpu_seconds", lambda pid: 0.0)
    monkeypatch.setattr(GeneratedSet, "log", [])
    return measure.Match(WORKS["dcgan28"], 32, ["ours", "torch"], on_gpu=False, say=lambda text: None)


def test_all_train_in_turn_and_a_broken_one_does_not_end_the_rest(match):
    match.start(timed=True)
    assert GeneratedSet.log == ["ours stopped"]  # torch keeps no compiled programs: one start
    GeneratedSet.log.clear()
    match.play(measure.Rounds(count=4, seconds=2.0))
    calibration, rounds = GeneratedSet.log[:4], GeneratedSet.log[4:]
    assert calibration == ["ours", "ours", "torch", "torch"]
    assert rounds == ["ours", "torch", "torch", "torch stopped", "ours", "ours", "ours"]
    assert [row["steps"] for row in match.found["ours"]["rounds"]] == [4] * 4
    assert match.found["torch"]["error"] == "killed by signal 11"
    assert match.found["ours"]["first_step_again"] == 2.0


def test_a_fixed_number_of_steps_goes_before_seconds(match):
    match.start(timed=False)
    assert GeneratedSet.log == []
    assert "first_step" not in match.found["ours"]  # all start at once, and disturb each other
    match.play(measure.Rounds(count=1, seconds=2.0, steps=7))
    assert match.found["ours"]["rounds"][0]["steps"] == 7


def test_a_worker_that_crashes_leaves_its_last_words():
    process = Process("nobody", "dcgan28", 32, {})
    try:
        with pytest.raises(Broken, match=r"ended with code 1: KeyError: 'nobody'"):
            process.answer()
    finally:
        process.stop()


def test_who_cannot_take_part_and_why(monkeypatch):
    work = WORKS["sngan32"]
    assert "GPU" in measure.missing(CONTENDERS["torch-graph"], work, on_gpu=False)
    assert measure.missing(CONTENDERS["keras-loop"], work, on_gpu=False) == "has no sngan32"
    monkeypatch.setattr(measure.importlib.util, "find_spec", lambda name: None)
    assert measure.missing(CONTENDERS["torch"], work, on_gpu=False) == (
        "no torch: pip install 'gan-jax[speed]'"
    )


def entry(seconds, **more):
    rounds = [{"seconds": x, "steps": 10, "cores": 1.5, "others": 0.1} for x in seconds]
    return {"rounds": rounds, "first_step": 9.0, "memory": 2e9, "device_memory": None, **more}


def test_the_report_compares_round_by_round():
    contenders = {
        "ours": entry([1.0, 2.0, 1.0], first_step_again=4.0),
        "torch": entry([2.0, 2.0, 4.0]),
        "torch-bf16": entry([1.0]),
        "torch-graph": {"rounds": [], "skipped": "CUDA graphs need a GPU"},
    }
    found = {
        "work": "dcgan28",
        "about": "x",
        "batch": 32,
        "critic_steps": 1,
        "flops": 5e9,
        "bytes": 1e9,
        "parameters": 7,
        "contenders": contenders,
    }
    peaks = {"gemm_float32": 100e9, "gemm_bfloat16": 500e9, "triad": 20e9}
    text = report.table(found, peaks)
    ours, torch, half, graph = (line for line in text.splitlines() if line.startswith(("| ours", "| torch")))
    # Steps a second: 10, 5, 10; and 5, 5, 2.5. By rounds ours is 2, 1, 4 times as fast.
    assert "| 10.00 (5.00 to 10.00) | 320 |" in ours
    assert "| 50.0 | 50 % | 50 % | 9.0 | 4.0 | 2,000 | 1.5 |" in ours
    assert "| 5.00 (2.50 to 5.00) | 160 | 2.00 (1.00 to 4.00) | 25.0 | 25 % |" in torch
    assert "| 50.0 | 10 % |" in half  # of bfloat16's peak
    assert "| torch-graph | CUDA graphs need a GPU |" in graph
    assert len({line.count("|") for line in (ours, torch, half, graph, report.HEADER)}) == 1
    assert "0.10 cores busy" in text


def test_a_file_is_named_after_the_gpu_or_the_cpu():
    cpu = {"cpu": "Intel(R) Xeon(R) Processor (family 6, model 167; avx512f)", "cores": 2, "gpus": []}
    assert machine.slug(cpu) == "intel-xeon-2-cores"
    assert machine.slug({**cpu, "gpus": ["NVIDIA H100 80GB HBM3, 580.1"]}) == "nvidia-h100-80gb-hbm3"


def test_what_does_other_work_is_marked(monkeypatch):
    def start(self, *, timed):
        self.found["ours"]["parameters"] = {"generator": 3}
        self.found["torch"]["parameters"] = {"generator": 4}

    monkeypatch.setattr(measure.Match, "start", start)
    found = bench.measure(WORKS["dcgan28"], 32, ["ours", "torch"], bench.Options(), False)
    assert "does other work" in found["contenders"]["torch"]["error"]
    assert "error" not in found["contenders"]["ours"]


def test_the_written_report_names_machine_versions_and_contenders(tmp_path):
    peaks = {"gemm_float32": 121e9, "gemm_bfloat16": 617e9, "triad": 12.3e9}
    results = {
        "date": "2020-02-03",
        "command": "python experiments/speed/run.py",
        "minutes": 12.3,
        "hardware": {"cpu": "a CPU", "cores": 2, "gpus": [], "memory_bytes": 2**33, "system": "Linux 6"},
        "waiting": "passive",
        "versions": {"jax": "1.2.3"},
        "peaks_by": {"torch": peaks},
        "peaks": peaks,
        "contenders": ["ours", "torch"],
        "matches": [],
    }
    bench.write(results, tmp_path / "new" / "a-cpu-2020-02-03")
    assert (tmp_path / "new" / "a-cpu-2020-02-03.json").is_file()
    text = (tmp_path / "new" / "a-cpu-2020-02-03.md").read_text()
    for words in (
        "a CPU, 2 cores; GPU: none",
        "jax 1.2.3",
        "8 GiB",
        "121 GFLOP/s",
        "12.3 GB/s",
        "- torch: PyTorch",
    ):
        assert words in text
