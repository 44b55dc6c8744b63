"""Runs beside each other, as a page and as a picture."""

import json

import numpy as np
import pytest
from PIL import Image

from gan_jax.cli import reporting
from gan_jax.main import main
from gan_jax.reports.comparison import Comparison, comparison_page
from gan_jax.reports.panels import loss_panels, score_panels
from gan_jax.reports.run_facts import run_facts
from gan_jax.reports.score_rows import scores_of
from gan_jax.summaries.logs import append_row
from gan_jax.training.workdir import read_record
from tests.reports.made import NASTY, checked, made_run, record


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three runs; the last has other losses, and no scores."""
    folder = tmp_path_factory.mktemp("made")
    fields = {"batch_size": 4, "loss.name": "hinge", "seed": 3}
    return [
        made_run(folder / "one", scored=(15, 30)),
        made_run(folder / "two", steps=(0, 60), scored=(15,), **fields),
        made_run(folder / "a<b>", **{"generator_optimizer.learning_rate": 0.5}),
    ]


@pytest.fixture(scope="module")
def runs(folders):
    return [run_facts(folder, read_record(folder)) for folder in folders]


def test_the_page(runs):
    page = checked(comparison_page(Comparison(runs, {}, "As drawn.")))
    for words in ("one / two / a<b>", "As drawn.", "gan; loss hinge", "60 of 60"):
        assert words in page.text
    assert page.text.count("protocol") == 1  # of the scores' panel
    (box,) = page.all("div", **{"class": "grown"})
    assert json.loads(box["data-steps"]) == [0, 15, 30, 60]
    assert len([image for image in page.all("img") if "data-step" in image]) == 3 + 2 + 3


def test_where_the_configs_differ(runs):
    rows = Comparison(runs, {}).differences()
    assert rows[0] == ["field", "one", "two", "a<b>"]
    found = {row[0]: row[1:] for row in rows[1:]}
    assert found["batch_size"] == ["8", "4", "8"]
    assert found["loss.name"] == ["non_saturating", "hinge", "non_saturating"]
    assert found["generator_optimizer.learning_rate"] == ["0.001", "0.001", "0.5"]
    assert "algorithm.name" not in found


def test_unscored_runs_are_rows_of_dashes(runs):
    rows, notes = scores_of(runs)
    assert rows[0] == ["run", "step", "fid ↓"]
    assert [row[0].split(" (")[0] for row in rows[1:]] == ["one", "two", "a<b>"]
    assert rows[1][2] == "33"
    assert rows[3][1:] == ["30", "\u2013"]
    assert any("100 fakes" in note for note in notes)
    assert scores_of(runs[2:]) == ([], [])


def test_curves_are_overlaid_a_panel_for_each_quantity(runs):
    panels = {panel.title: panel for panel in loss_panels(runs)}
    quantities = ("generator loss", "discriminator loss", "mean output of D")
    assert list(panels) == [
        *(f"{name}: {loss}" for name in quantities for loss in ("non saturating", "hinge")),
        "l1",
    ]
    assert [line.label for line in panels["l1"].lines] == ["one", "two", "a<b>"]
    assert [line.label for line in panels["generator loss: non saturating"].lines] == ["one", "a<b>"]
    outputs = [
        (line.label, line.colour, line.dashed) for line in panels["mean output of D: non saturating"].lines
    ]
    assert outputs[1:3] == [("one: D(G(z))", 0, True), ("a<b>: D(x)", 2, False)]
    (only, *_) = loss_panels([runs[0], runs[2]])
    assert (only.title, len(only.lines)) == ("generator loss", 2)
    assert all(line.every is None for panel in panels.values() for line in panel.lines)


def test_scores_share_a_panel_only_with_one_protocol(tmp_path, runs):
    (panel,) = score_panels(runs)
    assert [(line.label, list(line.steps)) for line in panel.lines] == [("one", [15, 30]), ("two", [15])]
    other = made_run(tmp_path / "other")
    for step in (15, 30):
        append_row(other / "metrics.jsonl", record(step, labels="0").row())
    both = [*runs, run_facts(other, read_record(other))]
    assert [[line.label for line in panel.lines] for panel in score_panels(both)] == [
        ["one", "two"],
        ["other"],
    ]
    last_and_best = made_run(tmp_path / "evaluated")
    for step in (15, 30):
        append_row(last_and_best / "metrics.jsonl", record(step, which="last").row())
    assert not score_panels([run_facts(last_and_best, read_record(last_and_best))])


def test_the_command_writes_a_page(folders, tmp_path, capsys):
    assert main(["compare", *map(str, folders[:2]), "--out", str(tmp_path / "c.html")]) == 0
    assert "each from its own seed" in checked((tmp_path / "c.html").read_text()).text
    assert capsys.readouterr().out == f"written: {tmp_path / 'c.html'}\n"


@pytest.mark.slow  # Matplotlib takes seconds
def test_the_command_draws_a_picture(folders, tmp_path):
    assert main(["compare", *map(str, folders), "--out", str(tmp_path / "c.png")]) == 0
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.width == 1400
        assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 50


def test_samples_drawn_anew_take_the_place_of_the_newest(folders, tmp_path, monkeypatch):
    from gan_jax.training import drawing

    monkeypatch.setattr(
        drawing, "drawn_grid", lambda folder, seed: (7, np.full((8, 8, 1), 10 * seed, np.uint8))
    )
    assert main(["compare", *map(str, folders), "--seed=2", "--out", str(tmp_path / "c.html")]) == 0
    page = checked((tmp_path / "c.html").read_text())
    assert "one, step 7" in page.text
    assert len(page.all("img")) == 3


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["compare", "A", "--out=c.html"], 2, "usage: gan-jax compare RUN RUN"),
        (["compare", "A", "B"], 2, "usage: gan-jax compare RUN RUN"),
        (["compare", "A", "A", "--out=c.html"], 1, "named twice"),
        (["compare", "A", "B", "--out=c.pdf"], 1, "must end in .html or .png"),
        (["compare", "A", "none", "--out=c.html"], 1, "none holds no run"),
        (["report"], 2, "usage: gan-jax report FOLDER"),
        (["report", "A", "--out=r.pdf"], 1, "must end in .html"),
        (["report", "none"], 1, "none holds no run"),
    ],
)
def test_what_is_wrong_is_said(folders, capsys, arguments, code, said):
    places = {"A": str(folders[0]), "B": str(folders[1])}
    assert main([places.get(argument, argument) for argument in arguments]) == code
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_runs_of_one_name_are_called_by_their_paths(tmp_path):
    folders = [tmp_path / "a" / "run", tmp_path / "b" / "run"]
    assert reporting.names_of(folders) == [str(folder) for folder in folders]
    assert reporting.names_of([folders[0], tmp_path / NASTY.split("/")[0]]) == ["run", "<"]


def test_the_report_of_a_run_by_the_command(folders, tmp_path, capsys):
    assert main(["report", str(folders[0]), "--out", str(tmp_path / "r.html")]) == 0
    assert capsys.readouterr().out == f"written: {tmp_path / 'r.html'}\n"
    checked((tmp_path / "r.html").read_text())
