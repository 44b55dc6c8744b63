"""gan-jax explore in a real browser."""

import json
import signal
import threading

import pytest
from PIL import Image

from gan_jax.explorer.latents_page import GALLERY, LatentsPage
from gan_jax.explorer.named import Named
from gan_jax.explorer.pictures import Pictures
from gan_jax.explorer.server import Server
from gan_jax.explorer.site import Explored
from gan_jax.explorer.translation_page import TranslationPage
from gan_jax.summaries.pictures import save_png
from tests.browser.browser import PHONE, WIDE, until
from tests.inference.test_translate import picture, toy, translator
from tests.latent_tools.toys import plain, styled
from tests.runs import run as train_run
from tests.runs import start, tiny

pytestmark = pytest.mark.slow
SHOWN = "return document.querySelector('#picture').dataset.query"
PIXELS = """
const image = document.querySelector(arguments[0]), canvas = document.createElement("canvas");
canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
canvas.getContext("2d").drawImage(image, 0, 0);
return canvas.toDataURL();
"""


@pytest.fixture(scope="module")
def addresses():
    """The pages of a generator of styles, "w", of a conditional one of z, "z", and of a translator."""
    pages: dict[str, Explored] = {
        "w": LatentsPage(Pictures(styled()), Named("styled", 1)),
        "translator": TranslationPage({"a_to_b": lambda: translator(*toy(noise=0.5))}, Named("toy", 1)),
        "z": LatentsPage(
            Pictures(plain(condition="one_hot")), Named("plain", 1, "", ("boot", "bag", "coat"))
        ),
    }
    servers = {name: Server(page, 0) for name, page in pages.items()}
    threads = [threading.Thread(target=server.serve_forever) for server in servers.values()]
    for thread in threads:
        thread.start()
    yield {name: server.address for name, server in servers.items()}
    for server, thread in zip(servers.values(), threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def page(browser, addresses):
    """page(name) opens it, at a width; then page.shown(words) waits for the picture of such a query."""

    def open_page(name, width=WIDE):
        browser.open(addresses[name], width)
        shown(browser, "seed=0")
        browser.until("return [...document.querySelectorAll('.gallery img')].every((e) => e.naturalWidth)")

    return open_page


def shown(browser, *words):
    """Waits for the picture whose query has these words; returns its pixels."""
    wanted = json.dumps(words)
    browser.until(
        f"const query = document.querySelector('#picture').dataset.query || '';"
        f"return {wanted}.every((word) => query.includes(word)) "
        f"&& document.querySelector('#picture').complete"
    )
    return browser.run(PIXELS, "#picture")


@pytest.mark.parametrize("width", [WIDE, PHONE])
@pytest.mark.parametrize("name", ["w", "z"])
def test_it_opens_at_every_width(browser, page, name, width):
    page(name, width)
    assert browser.run("return document.querySelectorAll('.gallery img').length") == GALLERY
    browser.check()


def test_sliders_move_the_picture_and_reset_brings_it_back(browser, page):
    page("w")
    before = shown(browser, "seed=0")
    browser.slide(".move", 3)
    moved = shown(browser, "moves=3%2C0%2C0", "layers=all")
    assert moved != before
    browser.slide("#layers", "fine")
    assert shown(browser, "layers=fine") not in (before, moved)
    browser.slide("#psi", 0)
    flat = shown(browser, "psi=0")
    browser.click("#random")
    browser.until("return document.querySelector('#seed').value !== '0'")
    seed = browser.run("return document.querySelector('#seed').value")
    # At psi = 0 all seeds are the mean, but for what is moved before the truncation: nothing is left of it.
    assert shown(browser, f"seed={seed}&", "psi=0") == flat
    browser.click("#reset")
    browser.until(f"{SHOWN} === 'seed={seed}'")
    assert shown(browser, f"seed={seed}") != before
    browser.slide("#seed", 0)
    browser.until(f"{SHOWN} === 'seed=0'")
    assert shown(browser, "seed=0") == before
    browser.check()


def test_classes(browser, page):
    page("z")
    before = shown(browser, "label=0")
    wall = browser.run(PIXELS, ".gallery img")
    browser.slide("#label", 2)
    assert shown(browser, "label=2") != before
    assert "coat" in browser.until("return document.querySelector('#said').textContent")
    browser.until("return [...document.querySelectorAll('.gallery img')].every((e) => e.naturalWidth)")
    assert browser.run(PIXELS, ".gallery img") != wall
    browser.click(".gallery button:nth-child(3)")
    shown(browser, "seed=3", "label=2")
    browser.click("#more")
    browser.until(f"return document.querySelector('.gallery img').alt === 'seed {GALLERY + 1}'")
    browser.check()


def test_a_way_from_a_kept_picture_to_another(browser, page):
    page("z", PHONE)
    first = shown(browser, "seed=0")
    assert browser.run("return document.querySelector('#way').disabled")
    browser.click("#keep-a")
    browser.slide("#label", 1)
    browser.slide("#seed", 5)
    last = shown(browser, "seed=5", "label=1")
    browser.click("#keep-b")
    browser.until("return [...document.querySelectorAll('.kept img')].every((e) => e.naturalWidth)")
    assert browser.run(PIXELS, "#kept-a img") == first
    assert browser.run(PIXELS, "#kept-b img") == last
    browser.slide("#way", 0.5)
    middle = shown(browser, "to_seed=5", "t=0.5")
    assert middle not in (first, last)
    assert "50 % of the way" in browser.until("return document.querySelector('#said').textContent")
    browser.click("#keep-a")
    assert "between A and B" in browser.until("return document.querySelector('#said').textContent")
    browser.click("#kept-a")
    browser.until(f"{SHOWN} === 'seed=0&label=0'")
    assert browser.run("return document.querySelector('#seed').value") == "0"
    browser.check()


def test_a_picture_is_saved_with_its_settings(browser, page):
    page("z")
    browser.slide("#label", 1)
    browser.slide(".move", 2)
    shown(browser, "label=1", "moves=2")
    browser.click("#save")
    file = browser.downloads / "plain_seed0_bag_d1+2.png"
    until(file.exists, lambda: str(list(browser.downloads.iterdir())))
    with Image.open(file) as picture:
        assert json.loads(picture.info["gan_jax"]) == {
            **{"run": "plain", "step": 1, "seed": 0, "label": 1, "psi": 1.0},
            **{"moves": [2, 0, 0, 0], "layers": "all"},
        }
    browser.check()


@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_a_picture_is_translated(browser, addresses, tmp_path, width):
    browser.open(addresses["translator"], width)
    save_png(tmp_path / "mine.png", picture(40, 60))
    chosen = browser.driver.find_element("css selector", "#file")
    chosen.send_keys(str(tmp_path / "mine.png"))
    browser.until("return document.querySelector('#picture').naturalWidth === 60")
    assert browser.run(PIXELS, "#picture") != browser.run(PIXELS, "#given")
    browser.check()
    browser.click("#save")
    file = browser.downloads / "toy_mine.png"
    until(file.exists, lambda: str(list(browser.downloads.iterdir())))
    file.unlink()
    (tmp_path / "bad.png").write_bytes(b"no picture")
    chosen.send_keys(str(tmp_path / "bad.png"))
    assert "no format" in browser.until("return document.querySelector('#said.bad')?.textContent")
    browser.complaints()


def test_a_wrong_number_is_said_on_the_page(browser, page):
    page("z")
    browser.slide("#seed", -1)
    assert "a whole number" in browser.until("return document.querySelector('#said.bad')?.textContent")
    browser.complaints()  # of the browser itself, which tells of every answer like this


def test_from_the_command_to_ctrl_c(browser, tmp_path):
    """The page of a run, and its end."""
    run = tmp_path / "run"
    train_run(tiny(tmp_path, num_steps=2), run)
    program = start("explore", str(run), "--port=0")
    try:
        assert program.stdout is not None
        line = program.stdout.readline()
        assert f" shows {run}; Ctrl-C ends it" in line
        browser.open(line.split()[0])
        shown(browser, "seed=0")
        browser.slide(".move", 2)
        shown(browser, "moves=2")
        browser.check()
        program.send_signal(signal.SIGINT)
        assert program.wait(60) == 130
    finally:
        program.kill()
        err = program.communicate()[1]
    assert err == "gan-jax: stopped; what was saved before stays\n"
    browser.slide(".move", 1)
    assert "has it ended?" in browser.until("return document.querySelector('#said.bad')?.textContent")
    browser.complaints()
