"""Results of the benchmark beside predictions."""

import json
from dataclasses import replace

import pytest

from experiments.scaling.counting import Operation
from experiments.scaling.hardware import CHIPS
from experiments.scaling.measured import chip_of, compare
from experiments.scaling.prediction import Setting, predict
from experiments.scaling.workloads import Workload
from gan_jax.utils.errors import UserError

WORK = Workload("a work", 8, (Operation((0.0, 5e9), (0.0, 10.0)),), 0.5, 3, 5, (1, 1), (), (), 7.0)
ROUNDS = [{"steps": 20, "seconds": seconds} for seconds in (2.0, 1.0, 5.0)]


def results(gpus, contenders=("ours", "ours_bf16")):
    return {
        "hardware": {"cpu": "a CPU", "gpus": gpus},
        "peaks": {"gemm_float32": 200e9, "gemm_bfloat16": 400e9, "triad": 1e12},
        "matches": [
            {"work": "wgan_gp28", "batch": 50, "contenders": {"ours": {"rounds": ROUNDS}}},
            {
                "work": "dcgan28",
                "batch": 4,
                "contenders": {name: {"rounds": ROUNDS} for name in contenders} | {"absent": {"rounds": []}},
            },
        ],
    }


def compared(tmp_path, content):
    path = tmp_path / "results.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return compare(path, {"dcgan28": WORK})


def test_a_cpu_is_held_against_the_peaks_measured_on_it(tmp_path):
    ours, bf16 = compared(tmp_path, results([]))
    assert (ours.work, ours.batch, ours.contender, ours.device) == ("dcgan28", 4, "ours", "a CPU")
    assert ours.steps_per_second == 10.0
    assert ours.flops_per_second == 10 * 4 * 5e9
    assert ours.predicted == pytest.approx(200e9 / 2e10)
    assert bf16.predicted == pytest.approx(400e9 / 2e10)


def test_a_known_chip_is_predicted_by_the_model(tmp_path):
    ours, bf16 = compared(tmp_path, results(["NVIDIA H100 80GB HBM3, 580.1"]))
    setting = Setting(CHIPS["h100"])
    assert bf16.predicted == 1 / predict(WORK, setting, 4).device
    assert ours.predicted == 1 / predict(WORK, replace(setting, precision="float32"), 4).device
    assert ours.predicted < bf16.predicted


def test_names_of_chips():
    assert chip_of("TPU v5 lite") is CHIPS["v5e"]
    assert chip_of("NVIDIA A100") is None


@pytest.mark.parametrize("content", ["not json", "[]", "{}", '{"matches": [{"work": "dcgan28"}]}'])
def test_other_files_are_refused(tmp_path, content):
    with pytest.raises(UserError, match="no result of experiments"):
        compared(tmp_path, content)


def test_results_of_other_works_are_refused(tmp_path):
    content = results([])
    del content["matches"][1]
    with pytest.raises(UserError, match="no measurement of dcgan28"):
        compared(tmp_path, content)
