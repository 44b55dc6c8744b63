"""report.md of a study as a page."""

import numpy as np
import pytest

from gan_jax.main import main
from gan_jax.reports.study_page import study_page, write_study_page
from gan_jax.study.report import write_report
from gan_jax.summaries.pictures import save_png
from gan_jax.utils.errors import UserError
from tests.reports.made import NASTY, checked
from tests.study.made import result


@pytest.fixture
def folder(tmp_path):
    """A study's folder with a report; its names are nasty."""
    save_png(tmp_path / "samples.png", np.zeros((8, 8, 1), np.uint8))
    variants = {"plain": {}, f"x|{NASTY}": {"loss.name": NASTY}}
    runs = [result(name, seed, [0.0, seed + place]) for place, name in enumerate(variants) for seed in (1, 2)]
    write_report(
        tmp_path,
        title="A study & more",
        question=f"Which *one* of `a_b`, **both**? {NASTY}",
        variants=variants,
        results=runs,
        ranked_by=["modes"],
        compare_to="plain",
        missing=["plain, seed 3"],
        command="gan-jax study x",
    )
    return tmp_path


def test_the_page_says_what_the_report_says(folder):
    text = write_study_page(folder).read_text()
    page = checked(text)
    assert "<title>A study &amp; more: gan_jax</title>" in text
    assert NASTY not in text
    for words in ("Ranking", "gan-jax study x", f"x|{NASTY}", "plain, seed 3", "2,500 fakes, modes"):
        assert words in page.text
    assert "Which *one* of <code>a_b</code>, <b>both</b>? " in text
    (picture,) = page.all("img")
    assert picture["alt"] == "samples of the first seed of each variant"
    assert len(page.all("table")) == (folder / "report.md").read_text().count("| --- |\n")


def test_only_figures_of_the_folder_are_shown(tmp_path):
    save_png(tmp_path / "secret.png", np.zeros((8, 8, 1), np.uint8))
    (tmp_path / "in").mkdir()
    text = "# T\n\n![a](../secret.png)\n\n![b](gone.png)\n\n![c](https://example.org/x.png)\n"
    assert not checked(study_page(text, tmp_path / "in")).all("img")


def test_lists_in_lists(tmp_path):
    page = checked(study_page("- one\n  - deep\n  - deeper\n- two\n\n- three\n  - last", tmp_path))
    assert page.text.count("one") == 1
    assert len(page.all("li")) == 6
    assert len(page.all("ul")) == 4


def test_the_command_knows_a_study_by_its_files(folder, tmp_path, capsys):
    assert main(["report", str(folder)]) == 0
    assert (folder / "report.html").exists()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "study.py").write_text("")
    assert main(["report", str(tmp_path / "new")]) == 1
    assert "has no report.md yet: gan-jax study" in capsys.readouterr().err
    with pytest.raises(UserError, match="--merge"):
        write_study_page(tmp_path / "new")
