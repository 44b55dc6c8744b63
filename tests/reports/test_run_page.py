"""The page of a run: whole, safe, and with every number where it belongs."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from gan_jax.config.components import complete
from gan_jax.config.defaults import default_fields, set_fields
from gan_jax.reports import grown
from gan_jax.reports.page import NOTHING, data_uri, table
from gan_jax.reports.run_facts import run_facts
from gan_jax.reports.run_page import run_page, write_run_report
from gan_jax.summaries.logs import append_row
from gan_jax.summaries.pictures import save_png
from gan_jax.training import train
from gan_jax.training.workdir import read_record
from gan_jax.utils.errors import UserError
from tests.reports.made import NASTY, checked, made_run, record
from tests.runs import ROOT, get_config


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    folder = made_run(tmp_path_factory.mktemp("made") / NASTY.replace("/", "|"), scored=(15, 30))
    return write_run_report(folder, read_record(folder)).read_text()


def test_the_page_is_whole_and_says_what_the_run_is(text):
    page = checked(text)
    assert f"A run of {NASTY}." in page.text
    for words in (
        "gan; loss non_saturating",
        "44 examples, 16x16x1",
        "30 of 30 (100 %)",
        "240 in batches of 8",
    ):
        assert words in page.text
    for words in ("2 x made up (cpu), 4 CPU cores", "gan-jax 0.1.0", "git revision abc", "All 2 starts"):
        assert words.replace("git revision ", "") in page.text
    assert NASTY not in text


def test_the_slider_has_every_picture(text):
    page = checked(text)
    (box,) = page.all("div", **{"class": "grown"})
    assert json.loads(box["data-steps"]) == [0, 15, 30]
    (slider,) = page.all("input")
    assert (slider["min"], slider["max"], slider["value"]) == ("0", "2", "2")
    frames = [image for image in page.all("img") if "data-step" in image]
    assert [(frame["data-step"], "hidden" in frame) for frame in frames] == [
        ("0", True),
        ("15", True),
        ("30", False),
    ]
    assert len({frame["src"] for frame in frames}) == 3


def test_what_differs_from_the_defaults_comes_first(text):
    page = checked(text)
    before, after = page.text.split("What differs from the defaults", 1)[1].split("All ", 1)
    assert "batch_size864" in before.replace(" ", "")
    assert "generator_penalties" not in before
    assert "data.flip" in before
    assert "data.remainder" not in before
    assert "data.remainder" in after


def test_curves_and_scores(text):
    page = checked(text)
    titles = [own["aria-label"].split(" against")[0] for own in page.all("svg", role="img")]
    assert titles == ["fid ↓", "generator loss", "discriminator loss", "mean output of D", "l1"]
    (outputs,) = [own["aria-label"] for own in page.all("svg", role="img") if "output" in own["aria-label"]]
    assert "D(x): 0.3 at the end; D(G(z)): 0.3 at the end" in outputs
    assert "100 fakes against 44 reals of shapes:train" in page.text


def test_the_defaults_are_those_of_the_components():
    config = complete(get_config())
    defaults = default_fields(config)
    assert defaults["loss.fake_target"] == 0.0
    assert defaults["loss.name"] == "non_saturating"
    assert "algorithm.name" not in defaults
    changed = set_fields(config)
    assert changed["batch_size"] == (8, 64)
    assert changed["generator.name"] == ("mlp_generator", None)
    assert "loss.name" not in changed


def test_a_run_that_has_only_begun(tmp_path):
    folder = made_run(tmp_path / "run")
    shutil.rmtree(folder / "samples")
    for name in ("losses.npy", "metrics.jsonl", "reals.png", "source/my.py"):
        (folder / name).unlink()
    page = checked(run_page(run_facts(folder, read_record(folder))))
    assert "0 of 30 (0 %)" in page.text
    assert "Not scored yet: gan-jax evaluate" in page.text
    assert not page.all("svg", role="img")


def test_a_run_of_another_version(tmp_path):
    folder = made_run(tmp_path / "run")
    changed = read_record(folder)
    changed["config"]["algorithm"] = {"name": "gone", "strength": 7}
    changed["config"]["data"]["name"] = "gone"
    page = checked(run_page(run_facts(folder, changed)))
    assert "algorithm.strength" in page.text


def test_hundreds_of_pictures_are_thinned_and_damaged_ones_left_out(tmp_path):
    folder = made_run(tmp_path / "run", steps=range(0, 180, 3))
    (folder / "samples" / "step_0000000.png").write_bytes(b"no picture")
    text = run_page(run_facts(folder, read_record(folder)))
    page = checked(text)
    (box,) = page.all("div", **{"class": "grown"})
    steps = json.loads(box["data-steps"])
    assert (len(steps), steps[0], steps[-1]) == (20, 0, 177)
    assert np.ptp(np.diff(steps)) <= 3
    assert len([image for image in page.all("img") if "data-step" in image]) == 19


def test_large_pictures_become_smaller(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (1100, 200, 3), np.uint8)
    save_png(tmp_path / "a.png", noise)
    small = grown.embedded(tmp_path / "a.png")
    assert small is not None
    assert (small.width, small.height) == (186, 1024)
    assert small.uri.startswith("data:image/webp;base64,")
    assert len(small.uri) < (tmp_path / "a.png").stat().st_size / 2


def test_scores_of_evaluate_come_before_those_of_training(tmp_path):
    folder = made_run(tmp_path / "run", scored=(15, 30))
    facts = run_facts(folder, read_record(folder))
    assert [score.step for score in facts.shown_scores] == [30]
    (folder / "best").mkdir()
    (folder / "best" / "best.json").write_text('{"step": 15, "score": "fid", "value": 18.0, "column": "x"}')
    assert [s.step for s in run_facts(folder, read_record(folder)).shown_scores] == [15, 30]
    append_row(folder / "metrics.jsonl", record(30, which="last").row())
    assert [s.which for s in run_facts(folder, read_record(folder)).shown_scores] == ["last"]


def test_a_page_that_fails_ends_no_training(tmp_path, monkeypatch):
    folder = made_run(tmp_path / "run")
    said: list[str] = []
    assert str(folder / "report.html") in train.write_page(folder, said.append)
    monkeypatch.setattr(train, "write_run_report", lambda *_: 1 / 0)
    assert not train.write_page(folder, said.append)
    (line,) = said
    assert line.startswith("no page about the run: ZeroDivisionError")


def test_damaged_losses_are_an_error(tmp_path):
    folder = made_run(tmp_path / "run")
    (folder / "losses.npy").write_bytes(b"no array")
    with pytest.raises(UserError, match="damaged"):
        run_facts(folder, read_record(folder))


DOM = """
const made = (fields) => ({
  textContent: "", listeners: {}, addEventListener(n, f) { this.listeners[n] = f }, ...fields});
const image = (step) => ({dataset: {step: String(step)}, hidden: false});
const range = made({value: "2"}), output = made({}), button = made({});
const figure = (steps) => ({images: steps.map(image), step: made({}),
  querySelectorAll() { return this.images }, querySelector() { return this.step }});
const figures = [figure([0, 15, 30]), figure([15])];
const controls = {hidden: true, querySelector: (name) => ({input: range, output, button}[name])};
const box = {dataset: {steps: "[0,15,30]"}, querySelector: () => controls, querySelectorAll: () => figures};
globalThis.document = {querySelectorAll: () => [box]};
const shown = () => figures.map((f) => f.images.filter((i) => !i.hidden).map((i) => Number(i.dataset.step)));
const log = [];
"""
AFTER = """
log.push([controls.hidden, output.textContent, shown()]);
range.value = "0"; range.listeners.input();
log.push([output.textContent, shown(), figures[1].step.textContent]);
button.listeners.click(); log.push(button.textContent);
button.listeners.click(); log.push(button.textContent);
console.log(JSON.stringify(log));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js runs the page's script without a browser")
def test_the_slider_shows_the_newest_picture_of_its_step():
    script = (ROOT / "gan_jax" / "reports" / "page.js").read_text()
    done = subprocess.run(["node", "-e", DOM + script + AFTER], capture_output=True, text=True, check=True)
    end, begin, playing, stopped = json.loads(done.stdout)
    assert end == [False, "step 30", [[30], [15]]]
    assert begin == ["step 0", [[0], [15]], "step 15"]
    assert (playing, stopped) == ("Stop", "Play")


def test_tables_align_columns_of_numbers_alone_and_break_long_names():
    text = table([["a_b", "n", "mixed"], ["x_y.z 0.5", "1,000", "5"], ["c", NOTHING, "adam"]])
    assert '<th>a_b</th><th class="number">n</th><th>mixed</th>' in text
    assert '<td>x_<wbr>y.<wbr>z 0.5</td><td class="number">1,000</td><td>5</td>' in text


def test_a_data_uri_is_base64():
    assert data_uri(b"\x00\xff", "image/png") == "data:image/png;base64,AP8="
