"""The page of a run that translates."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from gan_jax.explorer.named import Named
from gan_jax.explorer.site import answer
from gan_jax.explorer.translation_page import TranslationPage
from gan_jax.summaries.pictures import encode_png
from tests.inference.test_translate import picture, toy, translator
from tests.reports.made import NASTY, Page

HEADERS = {"host": "127.0.0.1:1"}


@pytest.fixture(scope="module")
def both():
    """A page with two directions, of which only the first is ever asked for."""
    ways = {"a_to_b": lambda: translator(*toy()), "b_to_a": lambda: pytest.fail("nobody asked for it")}
    return TranslationPage(ways, Named("a run", 3, NASTY))


def sent(explored, content, query="?direction=a_to_b"):
    return answer(explored, f"/translated.png{query}", HEADERS, content)


def test_a_picture_becomes_what_translate_makes_of_it(both):
    given = picture(20, 30)
    for query in ("?direction=a_to_b", ""):
        found = sent(both, encode_png(given), query)
        assert (found.status, found.kind) == (200, "image/png")
        with Image.open(io.BytesIO(found.content)) as made:
            told = json.loads(made.info["gan_jax"])
            np.testing.assert_array_equal(np.asarray(made), translator(*toy())(given))
    assert told == {"run": "a run", "step": 3, "direction": "a_to_b", "seed": 0}


def test_a_large_picture_is_cut_into_tiles_as_the_memory_asks(monkeypatch):
    made = translator(*toy())
    monkeypatch.setattr(made, "largest_tile", lambda: 32)
    page = TranslationPage({"a_to_b": lambda: made}, Named("r", 0))
    assert sent(page, encode_png(picture(20, 257)), "").status == 200
    assert made.tile == 32


@pytest.mark.parametrize(
    ("content", "query", "words"),
    [
        (b"no picture", "", "the picture is of no format that is read"),
        (b"", "", "the picture is empty"),
        (encode_png(picture(32, 32))[:900], "", "the picture is damaged"),
        (b"x", "?direction=up", "direction=a_to_b or b_to_a is expected"),
        (b"x", "?size=3", "is expected"),
        (b"x", "?a", ""),
    ],
)
def test_what_is_wrong_is_said_in_a_line(both, content, query, words):
    found = sent(both, content, query)
    assert found.status == 400
    assert found.content.decode().count("\n") == 1
    assert words in found.content.decode()


def test_the_page(both):
    page = Page(answer(both, "/", HEADERS, None).content.decode())
    assert [own["value"] for own in page.all("option")] == ["a_to_b", "b_to_a"]
    assert NASTY in page.text
    assert answer(both, "/translated.png", HEADERS, None).status == 404
    assert not Page(TranslationPage({"a_to_b": lambda: translator(*toy())}, Named("r", 0)).page).all("option")
