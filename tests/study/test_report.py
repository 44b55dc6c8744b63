"""The report says what the results say: ranks, intervals, corrected comparisons, what is missing."""

import math
import re

import numpy as np
import pytest
import scipy.stats

from gan_jax.study.markdown import escaped, interval_text, listed, number, plural, table
from gan_jax.study.report import FILE, write_report
from gan_jax.study.statistics import Interval, bootstrap, holm, sign_flip
from gan_jax.utils.errors import UserError
from tests.study.made import ENVIRONMENT, result

VARIANTS = {"plain": {}, "good": {"loss.name": "hinge", "penalties.r1.weight": [1, 2]}, "bad": {"a|b": "x|y"}}


def study(seeds=12, names=("plain", "good", "bad")):
    """good is better by about 3 than plain, bad is like it; both scores are opposites."""
    rng = np.random.default_rng(0)
    shift = {"plain": 4.0, "good": 7.0, "bad": 3.9}
    runs = []
    for name in names:
        for seed in range(seeds):
            last = float(shift[name] + rng.normal())
            runs.append(result(name, seed, [0.0, last + 0.5, last], more={"kl": ([9.0, -last], "lower")}))
    return runs


def write(folder, results, **changes):
    fields = {
        "title": "A title",
        "question": "Is it so?",
        "variants": VARIANTS,
        "ranked_by": ["modes", "kl"],
        "compare_to": "plain",
        "missing": [],
        "command": "gan-jax study experiments/x",
    }
    write_report(folder, results=results, **{**fields, **changes})
    return (folder / FILE).read_text()


def rows(text, heading):
    """The cells of the first table below a heading, as dicts by the head."""
    lines = text.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("|")]
    stripped = [[cell.strip() for cell in row] for row in cells]
    head, body = stripped[0], stripped[2:]
    end = next((i for i, row in enumerate(body) if set(row) == {"---"}), len(body) + 1) - 1
    return [dict(zip(head, row, strict=True)) for row in body[:end]]


def test_the_ranking(tmp_path):
    runs = study()
    found = rows(write(tmp_path, runs), "Ranking")
    assert [row["variant"] for row in found] == ["good", "plain", "bad"]
    assert [row[""] for row in found] == ["1", "2", "3"]
    good = [run.last("modes") for run in runs if run.variant == "good"]
    assert found[0]["modes ↑"] == interval_text(bootstrap(good))
    assert found[0]["kl ↓"] == interval_text(bootstrap([-value for value in good]))
    assert found[0]["modes ↑"].startswith(f"{np.mean(good):.2f} [")
    assert {row["seeds"] for row in found} == {"12"}
    assert {row["diverged"] for row in found} == {"0"}


def test_best_and_median_of_all(tmp_path):
    runs = [result("plain", 0, [1.0, 8.0, 2.0]), result("plain", 1, [1.0, 1.0, 4.0])]
    runs.append(result("plain", 2, [9.0, 9.0], diverged_at=110))
    text = write(tmp_path, runs, ranked_by=["modes"], variants={"plain": {}})
    assert "| plain | 6 | 2 |" in text  # best (8 + 4) / 2; median of -inf, 2, 4
    text = write(tmp_path, runs[1:], ranked_by=["modes"], variants={"plain": {}})
    assert "| plain | 4 | not finite |" in text


def test_comparisons_are_paired_and_corrected_together(tmp_path):
    runs = study()
    text = write(tmp_path, runs)
    found = rows(text, "Compared with plain")
    assert [(row["variant"], row["score"]) for row in found] == [
        ("good", "modes ↑"),
        ("bad", "modes ↑"),
        ("good", "kl ↓"),
        ("bad", "kl ↓"),
    ]
    last = {(run.variant, run.seed): run.last("modes") for run in runs}
    differences = {
        name: np.array([last[name, seed] - last["plain", seed] for seed in range(12)])
        for name in ("good", "bad")
    }
    p = [sign_flip(differences[name]) for name in ("good", "bad", "good", "bad")]
    assert [row["p"] for row in found] == [f"{value:.2g}" for value in p]
    assert [row["p, Holm"] for row in found] == [f"{value:.2g}" for value in holm(p)]
    assert holm(p) != holm(p[:2]) * 2  # one correction for the table, not one per score
    assert "over all 4 comparisons of this table" in text
    assert [row["verdict"] for row in found] == ["better", "", "better", ""]
    wins = int((differences["bad"] > 0).sum())
    assert found[1]["better in"] == found[3]["better in"] == f"{wins} ({100 * wins / 12:.0f} %)"
    assert found[0]["difference"] == "+" + interval_text(bootstrap(differences["good"]))
    assert found[2]["difference"] == interval_text(bootstrap(-differences["good"]))


def test_a_small_p_without_correction_is_no_verdict(tmp_path):
    """Six pairs with one sign: p = 2/64 = 0.031, and twice that after the correction."""
    runs = [result("plain", seed, [float(seed)]) for seed in range(6)]
    runs += [result("good", seed, [seed + 1.0 + seed / 10]) for seed in range(6)]
    alone: dict[str, dict] = {"plain": {}, "good": {}}
    found = rows(write(tmp_path, runs, variants=alone, ranked_by=["modes"]), "Compared with plain")
    assert [(row["p"], row["p, Holm"], row["verdict"]) for row in found] == [("0.031", "0.031", "better")]
    runs += [result("bad", seed, [seed - 1.0 - seed / 10]) for seed in range(6)]
    text = write(tmp_path, runs, ranked_by=["modes"])
    found = rows(text, "Compared with plain")
    assert [(row["p"], row["p, Holm"], row["verdict"]) for row in found] == [("0.031", "0.062", "")] * 2
    assert "With 6 pairs the least possible p is 0.031" in text
    assert "With 6 pairs" not in write(
        tmp_path, runs, variants=VARIANTS, ranked_by=["modes"], compare_to=None
    )


def test_enough_pairs_bring_no_warning(tmp_path):
    assert "the least possible p" not in write(tmp_path, study())


def test_lower_is_better_where_it_is(tmp_path):
    runs = [result("plain", seed, [5.0 + seed], "lower") for seed in range(9)]
    runs += [result("good", seed, [1.0 + seed / 2], "lower") for seed in range(9)]
    runs += [result("bad", seed, [16.0 + seed * 2], "lower") for seed in range(9)]
    text = write(tmp_path, runs, ranked_by=["modes"])
    assert [row["variant"] for row in rows(text, "Ranking")] == ["good", "plain", "bad"]
    verdicts = {row["variant"]: row["verdict"] for row in rows(text, "Compared with plain")}
    assert verdicts == {"good": "better", "bad": "worse"}


def test_without_a_better_direction(tmp_path):
    runs = [result("plain", seed, [1.0 + seed], "neither") for seed in range(9)]
    runs += [result("good", seed, [9.0 + seed * 2], "neither") for seed in range(9)]
    runs += [result("bad", seed, [0.5 + seed / 9], "neither") for seed in range(9)]
    text = write(tmp_path, runs, ranked_by=["modes"])
    assert [row["variant"] for row in rows(text, "Ranking")] == ["plain", "good", "bad"]
    assert "the order is the study's" in text
    found = {row["variant"]: row for row in rows(text, "Compared with plain")}
    assert (found["good"]["verdict"], found["bad"]["verdict"]) == ("higher", "lower")
    assert found["good"]["better in"] == ""


def test_runs_that_diverged_or_gave_no_number(tmp_path):
    runs = study()
    runs[12] = result("good", 0, [0.0, 100.0], diverged_at=1_250, more={"kl": ([0.0], "lower")})
    runs[13] = result("good", 1, [0.0, 8.0], more={"kl": ([9.0, math.inf], "lower")})
    text = write(tmp_path, runs)
    assert "- good, 1 of 12 runs: seed 0 at step 1,250" in text
    good = rows(text, "Ranking")[0]
    assert (good["variant"], good["diverged"], good["seeds"]) == ("good", "**1 of 12**", "11")
    assert good["kl ↓"].endswith("(n = 10)")
    assert "Finished without a finite last value, and not counted: good kl seed 1." in text
    pairs = {(row["variant"], row["score"]): row["pairs"] for row in rows(text, "Compared with plain")}
    assert pairs["good", "modes ↑"] == "11"
    assert pairs["good", "kl ↓"] == "10"
    assert pairs["bad", "kl ↓"] == "12"


def test_a_variant_of_which_nothing_finished_is_last(tmp_path):
    runs = study(names=("plain", "bad"))
    runs += [result("good", seed, [100.0], diverged_at=50) for seed in range(12)]
    text = write(tmp_path, runs)
    assert "Train steps: 200." in text  # nothing is said of runs that stopped at 0
    last = rows(text, "Ranking")[-1]
    assert (last["variant"], last["modes ↑"], last["diverged"]) == ("good", "", "**12 of 12**")
    good = rows(text, "Compared with plain")
    assert {(row["p, Holm"], row["verdict"]) for row in good if row["variant"] == "good"} == {("", "")}
    assert "over all 2 comparisons" in text


def test_numbers_of_seeds(tmp_path):
    runs = study()
    assert "36 runs of 3 variants, each with 12 training seeds. Train steps: 200." in write(tmp_path, runs)
    text = write(tmp_path, runs[:-10])
    assert "**The numbers of training seeds differ:** plain 12, good 12, bad 2." in text
    assert "**Fewer than 5 seeds (bad): the interval is their range at best, not 95 %.**" in text
    shifted = [result("good", seed + 1, [0.0] * 3) for seed in range(12)]
    text = write(tmp_path, [run for run in runs if run.variant != "good"] + shifted)
    assert "each with 12 training seeds, but not the same ones." in text
    longer = [*runs[:-1], result("bad", 11, [0.0] * 5)]
    assert "Train steps: 200 to 400, by variant." in write(tmp_path, longer)


def test_missing_runs_are_named(tmp_path):
    runs = study()
    assert "Not done" not in write(tmp_path, runs)
    text = write(tmp_path, runs, missing=[f"good, seed {seed}" for seed in range(12, 37)])
    assert "**Not done yet:** good, seed 12; good, seed 13;" in text
    assert "good, seed 31 and 5 more." in text


def test_the_report_of_nothing(tmp_path):
    text = write(tmp_path, [], missing=["plain, seed 0"])
    assert "0 runs of 3 variants, each with 0 training seeds." in text
    assert "- `modes` (no direction is better): no run has it" in text
    assert "No other variant has a seed in common with it yet." in text
    assert [row["variant"] for row in rows(text, "Ranking")] == list(VARIANTS)


def test_what_the_variants_change(tmp_path):
    found = rows(write(tmp_path, study()), "What the variants change")
    assert [row["changes"] for row in found] == [
        "nothing: the base config",
        '`loss.name="hinge"`, `penalties.r1.weight=[1, 2]`',
        '`a\\|b="x\\|y"`',
    ]


def test_protocols(tmp_path):
    runs = study()
    text = write(tmp_path, runs)
    assert (
        "- `modes` (higher is better): 2,500 fakes, modes\n- `kl` (lower is better): 2,500 fakes, kl" in text
    )
    protocol = {"modes": "100 fakes", "kl": "2,500 fakes, kl"}
    other = result("bad", 11, [0.0, 4.0], more={"kl": ([4.0], "lower")}, protocol=protocol)
    text = write(tmp_path, [*runs[:-1], other])
    assert "- `modes` (higher is better): **measured in 2 ways; compare only within one:**" in text
    assert "  - plain, good, bad: 2,500 fakes, modes\n  - bad: 100 fakes\n" in text


def test_hardware_versions_and_time(tmp_path):
    runs = study()
    text = write(tmp_path, runs)
    made = "2 x made up (cpu); 4 CPUs; Python 3.12.0; gan-jax 0.1.0, jax 0.10.2; revision abc"
    assert f"- 36 runs: {made}" in text
    assert "All runs together took 72 seconds." in text
    other = result("bad", 11, [4.0], environment={**ENVIRONMENT, "python": "3.13.1"}, seconds=7130.0)
    bare = result("bad", 12, [4.0], environment={})
    text = write(tmp_path, [*runs[:-1], other, bare])
    assert f"- 35 runs: {made}" in text
    assert f"- 1 run: {made.replace('3.12.0', '3.13.1')}" in text
    assert "- 1 run: ? x ? (?); ? CPUs; Python ?; versions not known; revision not known" in text
    assert "took 2 hours." in text


def test_the_same_results_give_the_same_bytes(tmp_path):
    runs = study()
    text = write(tmp_path, runs)
    assert write(tmp_path / "again", runs[::-1]) == text
    assert write(tmp_path, [*runs[:-1], result("bad", 11, [0.0, 4.3])]) != text
    assert "A title" in text.splitlines()[0]
    assert "Is it so?\n" in text
    assert "```bash\ngan-jax study experiments/x\n```" in text


def test_only_figures_that_are_there_are_shown(tmp_path):
    runs = study()
    assert "![" not in write(tmp_path, runs)
    for name in ("ranking_modes.png", "kl_curves.png", "samples.png", "another.png"):
        (tmp_path / name).touch()
    shown = re.findall(r"!\[.*?\]\((.*?)\)", write(tmp_path, runs))
    assert shown == ["ranking_modes.png", "kl_curves.png", "samples.png"]


@pytest.mark.parametrize("wrong", [{"ranked_by": []}, {"compare_to": "best"}, {"variants": {"plain": {}}}])
def test_what_does_not_belong_together(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"expected scores and a variant|a result of"):
        write(tmp_path, study(), **wrong)
    assert not (tmp_path / FILE).exists()


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot write"):
        write(tmp_path / "file", study())


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval(7.4996, 7.1, 7.749, 20), "7.50 [7.10, 7.75]"),
        (Interval(0.56712, 0.5541, 0.5779, 20), "0.567 [0.554, 0.578]"),
        (Interval(12345.6, 12000.2, 12700.0, 20), "12,346 [12,000, 12,700]"),
        (Interval(8.0, 8.0, 8.0, 20), "8 [8, 8]"),
        (Interval(1e-9, -1e-9, 3e-9, 20), "1e-09 [-1e-09, 3e-09]"),
        (Interval(-0.001, -0.4, 0.4, 20), "0.00 [-0.40, 0.40]"),
        (Interval(3.25, math.nan, math.nan, 1), "3.25"),
        (Interval(math.nan, math.nan, math.nan, 0), ""),
    ],
)
def test_intervals_have_the_decimals_that_their_width_deserves(interval, expected):
    assert interval_text(interval) == expected


def test_words_and_numbers():
    assert interval_text(Interval(2.0, 1.0, 3.0, 9), sign=True) == "+2.0 [1.0, 3.0]"
    assert [number(value) for value in (math.nan, 1234.5678, 65432.1, 0.00012345, -0.0)] == [
        "",
        "1235",
        "65,432",
        "0.0001234",
        "0",
    ]
    assert [plural(count, "run") for count in (0, 1, 2000)] == ["0 runs", "1 run", "2,000 runs"]
    assert listed(list("abc")) == "a; b; c"
    assert escaped("a|b\nc") == "a\\|b c"
    assert table([["x", "y"], ["1", "2"]]) == "| x | y |\n| --- | --- |\n| 1 | 2 |"


def test_the_p_value_is_scipys(tmp_path):
    runs = study(seeds=8)
    last = {(run.variant, run.seed): run.last("modes") for run in runs}
    samples = [np.array([last[name, seed] for seed in range(8)]) for name in ("bad", "plain")]
    theirs = scipy.stats.permutation_test(
        samples, lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf
    ).pvalue
    found = rows(write(tmp_path, runs, ranked_by=["modes"]), "Compared with plain")
    assert float(found[1]["p"]) == pytest.approx(theirs, rel=0.05)
