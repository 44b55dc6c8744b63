"""Folders of runs that nobody trained, and a check of pages."""

import html.parser
import re
from typing import Any

import numpy as np

from gan_jax.config.components import complete
from gan_jax.config.record import to_json
from gan_jax.evaluation.protocol import WHILE_TRAINING, Record, Score, Setting
from gan_jax.reports.grown import MOST
from gan_jax.summaries.logs import append_row
from gan_jax.summaries.pictures import grid, save_png
from gan_jax.utils.files import write_json
from tests.runs import get_config
from tests.study.made import ENVIRONMENT

NASTY = '</script><b onclick="x">&\'"'  # of names
SETTING = Setting(100, 44, "shapes:train", "abc", "random (seed 0)", "0123", "none", "float32")
VOID = {"meta", "img", "input", "br", "wbr", "line", "polyline", "circle"}


def made_run(folder, steps=(0, 15, 30), scored=(), **fields):
    """A run's folder with its record, losses, rows, pictures and scores; `fields` change its config."""
    config = get_config()
    config.num_steps = max(30, *steps)
    config.update_from_flattened_dict(fields)
    data = {"fingerprint": f"shapes {NASTY}", "examples": 44, "image_shape": [16, 16, 1], "num_classes": 2}
    write_json(
        folder / "config.json",
        {
            "config": to_json(complete(config)),
            "data": {**data, "class_names": [NASTY, "b"], "options": {}},
            "starts": [ENVIRONMENT, {**ENVIRONMENT, "time": "2026-01-02T00:00:00+00:00"}],
            "source": {"file": "my.py", "components": [], "sha256": {"my.py": "12ab"}},
        },
    )
    (folder / "source").mkdir(parents=True)
    (folder / "source" / "my.py").write_text(f'"""A run of {NASTY}.\n\nMore."""\n')
    names = ("generator_loss", "discriminator_loss", "discriminator_real", "discriminator_fake", "l1")
    losses = np.full(max(30, *steps), np.nan, [(name, np.float32) for name in names])
    for number, name in enumerate(names):
        losses[name][:30] = np.linspace(0.2 + 0.1 * number, 0.3, 30)
    np.save(folder / "losses.npy", losses)
    append_row(folder / "metrics.jsonl", {"step": max(steps), "time": 1.0, "steps_per_second": 10.0})
    for step in scored:
        append_row(folder / "metrics.jsonl", record(step).row())
    for step in steps:
        picture = grid(np.full((4, 8, 8, 1), step % 256, np.uint8))
        save_png(folder / "samples" / f"step_{step:07d}.png", picture)
    save_png(folder / "reals.png", picture)
    return folder


def record(step, value=3.0, **fields):
    """A score of a made run."""
    made: dict[str, Any] = {
        "which": WHILE_TRAINING,
        "averaged": True,
        "labels": "none",
        "seed": 0,
        "setting": SETTING,
    }
    score = Score(value + step, "fid", 1, "", "lower")
    made |= {"scores": {"fid": score}, "seconds": 1.0, "environment": {}, **fields}
    return Record("x", f"id {step}", step, **made)


class Page(html.parser.HTMLParser):
    """A page, read: its tags are balanced and nothing in it is elsewhere."""

    def __init__(self, text):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, self.open
        assert text.startswith("<!doctype html>")
        assert "@import" not in text
        assert "url(" not in text

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        assert len(given) == len(attributes), attributes
        for name, value in given.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "srcset", "action", "data"):
                assert re.match(r"data:image/(png|webp);base64,[A-Za-z0-9+/=]+$", value), value[:80]
        self.tags.append((tag, given))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join("".join(self.words).split())

    def all(self, tag, **wanted):
        """The attributes of the tags with these."""
        return [own for name, own in self.tags if name == tag and wanted.items() <= own.items()]


def checked(text):
    """A page as it must be: it fits every screen, and has no other script than its own."""
    page = Page(text)
    assert len(page.all("script")) == 1
    assert page.all("meta", name="viewport", content="width=device-width, initial-scale=1")
    assert "prefers-color-scheme: dark" in text
    assert len(page.all("main")) == 1
    images = page.all("img")
    assert all(image["alt"] and int(image["width"]) > 0 and int(image["height"]) > 0 for image in images)
    assert len(images) <= 3 * MOST
    return page
