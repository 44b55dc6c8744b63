"""The commands that get the emoji and the Kodak photographs: what they make, and what is refused."""

import csv
import runpy
import sys

import numpy as np
import pytest
from PIL import Image

from gan_jax import data
from tests.data.conftest import EXPERIMENTS, SHARED

# By the repositories' own names: two faces in three tones, a flag, a brand, one without colours, and for
# the held-out ones a family whose crc32 is a multiple of 10.
OPENMOJI = {
    "1F600": "smileys-emotion",
    "1F44B": "people-body",
    "1F44B-1F3FB": "people-body",
    "2639": "smileys-emotion",
    "1F1E9-1F1EA": "flags",
    "E040": "extras-openmoji",
    "1F5A4": "symbols",
    "0023-FE0F-20E3": "symbols",
}
BRAND, WITHOUT_COLOUR = "E040", "1F5A4"


def run(script, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
    runpy.run_path(str(EXPERIMENTS / script), run_name="__main__")


def save(path, colour, alpha=255):
    """8 x 8 pixels of a colour on a transparent ground."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = np.zeros((8, 8, 4), np.uint8)
    image[2:6, 2:6] = (*colour, alpha)
    Image.fromarray(image).save(path)


@pytest.fixture
def repositories(tmp_path):
    """The three repositories, with a few pictures each."""
    root = tmp_path / "repositories"
    (root / "openmoji" / "data").mkdir(parents=True)
    with (root / "openmoji" / "data" / "openmoji.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["emoji", "hexcode", "group", "subgroups", "skintone"])
        for name, group in OPENMOJI.items():
            writer.writerow(["?", name, group, "brand" if name == BRAND else "other", ""])
    for number, name in enumerate(OPENMOJI):
        colour = (0, 0, 0) if name == WITHOUT_COLOUR else (200, 10 * number, 0)
        save(root / "openmoji" / "color" / "72x72" / f"{name}.png", colour)
        save(root / "openmoji" / "black" / "72x72" / f"{name}.png", (0, 0, 0))
        twemoji = name.lower().removeprefix("00")
        save(root / "twemoji" / "assets" / "72x72" / f"{twemoji}.png", (10, number, 0))
        if name != "2639":
            noto = name.lower().replace("-", "_")
            save(root / "noto-emoji" / "png" / "128" / f"emoji_u{noto}.png", (20, number, 0))
    return root


def test_emoji_from_the_repositories(repositories, tmp_path, monkeypatch, capsys):
    run("emoji/prepare.py", monkeypatch, "--from", repositories, "--out", tmp_path / "emoji")
    assert "4 pairs" in capsys.readouterr().out
    pairs = np.load(tmp_path / "emoji" / "openmoji_pairs.npz")
    assert sorted(pairs["name"]) == ["1f44b", "1f600", "23-20e3", "2639"]
    row = pairs["name"].tolist().index("1f600")
    assert pairs["image"][row, 3, 3].tolist() == [200, 0, 0]
    assert pairs["image"][row, 0, 0].tolist() == [255, 255, 255]
    assert (pairs["source"][row, 3, 3], pairs["source"][row, 0, 0]) == (0, 255)
    assert pairs["class_names"][pairs["label"][row]] == "smileys-emotion"
    both = tmp_path / "emoji" / "twemoji_noto"
    there = {part.name: sorted(path.stem for path in part.iterdir()) for part in both.iterdir()}
    common = ["1f44b", "1f5a4", "1f600", "23-20e3", "e040"]
    assert sorted(there["trainA"] + there["trainB"] + there["testA"]) == common
    assert there["testA"] == there["testB"]


def test_nothing_of_the_emoji_is_there(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="has neither OpenMoji nor Twemoji and Noto"):
        run("emoji/prepare.py", monkeypatch, "--from", tmp_path, "--out", tmp_path / "emoji")


def test_photographs_are_known_by_their_pixels(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match=r"kodim01.png: No such file"):
        run("kodak/prepare.py", monkeypatch, "--from", tmp_path, "--out", tmp_path / "kodak")
    Image.new("RGB", (768, 512)).save(tmp_path / "kodim01.png")
    with pytest.raises(SystemExit, match=r"is not the photograph 1 of the suite: it has other pixels"):
        run("kodak/prepare.py", monkeypatch, "--from", tmp_path, "--out", tmp_path / "kodak")


@pytest.mark.slow
def test_kodak(tmp_path, monkeypatch):
    if not (SHARED / "kodak").is_dir():
        pytest.skip("the Kodak photographs are not in ../shared/data/kodak")
    run("kodak/prepare.py", monkeypatch, "--from", SHARED / "kodak", "--out", tmp_path / "kodak")
    train = data.load("photos", folder=str(tmp_path / "kodak" / "photos"))
    assert (len(train), train.num_classes) == (18 * 77, 24)
    with Image.open(SHARED / "kodak" / "kodim19.png") as whole:
        expected = whole.resize((128, 192), Image.Resampling.BICUBIC)
    with Image.open(tmp_path / "kodak" / "x4" / "kodim19.png") as small:
        np.testing.assert_array_equal(np.asarray(small), np.asarray(expected))
