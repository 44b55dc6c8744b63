"""report.html of a run and of a study, and compare.html, in a real browser, wide and on a phone."""

import numpy as np
import pytest

from gan_jax.reports.comparison import Comparison, comparison_page
from gan_jax.reports.run_facts import run_facts
from gan_jax.reports.run_page import write_run_report
from gan_jax.reports.study_page import write_study_page
from gan_jax.study.figures import write_figures
from gan_jax.study.report import write_report
from gan_jax.summaries.pictures import grid, save_png
from gan_jax.training.workdir import read_record
from tests.browser.browser import PHONE, WIDE, until
from tests.reports.made import made_run
from tests.study.made import result

pytestmark = pytest.mark.slow
SHOWN = "return [...document.querySelectorAll('.grown img:not([hidden])')].map((e) => e.dataset.step || '')"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages: of a run, of three beside each other, of a study with its figures."""
    folder = tmp_path_factory.mktemp("pages")
    long = {"generator_optimizer.learning_rate": 0.5, "data.name": "a_name_that_is_long_" * 8}
    runs = [
        made_run(folder / "one", scored=(15, 30)),
        made_run(folder / "two", steps=(0, 60), **{"loss.name": "hinge"}),
        made_run(folder / "a_long_name_of_a_run_without_blanks_in_it", **long),
    ]
    write_run_report(runs[0], read_record(runs[0]), folder / "report.html")
    compared = Comparison([run_facts(run, read_record(run)) for run in runs], {}, "As drawn.")
    (folder / "compare.html").write_text(comparison_page(compared))
    variants = {"plain": {}, "other": {"loss.name": "a_name_that_is_long_" * 8}}
    results = [
        result(name, seed, [0.0, seed + place, 2.0 + place])
        for place, name in enumerate(variants)
        for seed in (1, 2, 3)
    ]
    study = folder / "study"
    study.mkdir()
    save_png(study / "samples.png", grid(np.zeros((12, 28, 28, 1), np.uint8), scale=2))
    write_figures(study, variants=list(variants), results=results, ranked_by=["modes"], compare_to="plain")
    write_report(
        study,
        title="A study",
        question="Which?",
        variants=variants,
        results=results,
        ranked_by=["modes"],
        compare_to="plain",
        missing=[],
        command="gan-jax study x",
    )
    write_study_page(study, folder / "study.html")
    return folder


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize("name", ["report", "compare", "study"])
def test_a_page_opens_at_every_width(browser, pages, name, width):
    browser.open((pages / f"{name}.html").as_uri(), width)
    assert browser.run("return document.images.length + document.querySelectorAll('svg.chart').length") > 2
    sized = "return [...document.images].every((e) => e.getAttribute('width') && e.getAttribute('height'))"
    assert browser.run(sized)
    for summary in range(browser.run("return document.querySelectorAll('summary').length")):
        browser.run(f"document.querySelectorAll('summary')[{summary}].click()")
    assert browser.run("return [...document.querySelectorAll('details')].every((e) => e.open)")
    browser.check()


def test_letters_of_charts_stay_inside_and_apart(browser, pages):
    """Tick labels are not cut off, and no two of an axis lie on each other."""
    browser.open((pages / "compare.html").as_uri())
    wrong = browser.run("""
      const wrong = [];
      for (const chart of document.querySelectorAll("svg.chart")) {
        const own = chart.getBoundingClientRect();
        const texts = [...chart.querySelectorAll("text")];
        const boxes = texts.map((text) => text.getBoundingClientRect());
        boxes.forEach((box, at) => {
          if (box.left < own.left - 1 || box.right > own.right + 1) wrong.push(texts[at].textContent);
          for (const other of boxes.slice(at + 1))
            if (box.left < other.right && other.left < box.right && box.top + 2 < other.bottom
                && other.top + 2 < box.bottom) wrong.push(texts[at].textContent + " on another");
        });
      }
      return wrong;
    """)
    assert not wrong, wrong


@pytest.mark.parametrize(
    ("name", "first", "last"), [("report", ["0"], ["30"]), ("compare", ["0"] * 3, ["30", "60", "30"])]
)
def test_the_slider_leads_through_the_steps(browser, pages, name, first, last):
    browser.open((pages / f"{name}.html").as_uri(), PHONE)
    still = [""] * (name == "report")  # the real examples
    assert browser.run(SHOWN) == last + still
    browser.slide(".controls input", 0)
    assert browser.run(SHOWN) == first + still
    assert browser.run("return document.querySelector('.controls output').textContent") == "step 0"
    browser.click(".controls button")  # Play
    until(lambda: browser.run(SHOWN) == last + still, lambda: str(browser.run(SHOWN)))
    browser.check()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_both_schemes(browser, pages, scheme):
    feature = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", feature)
    browser.open((pages / "report.html").as_uri())
    paper, ink = (
        browser.run(f"return getComputedStyle(document.body).{name}.match(/[0-9]+/g).slice(0, 3).map(Number)")
        for name in ("backgroundColor", "color")
    )
    assert abs(np.mean(paper) - np.mean(ink)) > 150
    assert (np.mean(paper) < 128) == (scheme == "dark")
