"""The commands about latents, on a run of z and on one of styles, none of them trained."""

import re
import signal
import socket
import sys

import numpy as np
import pytest
from PIL import Image

from gan_jax.data.codecs import Pixels
from gan_jax.data.spec import Field
from gan_jax.evaluation.protocol import from_row
from gan_jax.explorer.server import Server
from gan_jax.main import main
from gan_jax.summaries.logs import read_rows
from gan_jax.training.train import train
from gan_jax.utils.interrupt import Interrupted
from tests.latent_tools.toys import SHAPE, Styled
from tests.toys.common import Toy, ToyData, ToyDiscriminator, register, squares, toy_config

LABELLED = ToyData(
    {"image": Field((8, 8, 3), Pixels())},
    lambda count, rng: {
        "image": squares(count, rng).repeat(3, axis=-1),
        "label": (np.arange(count) % 2).astype(np.int32),
    },
    num_classes=2,
)
STYLED = ToyData(
    {"image": Field(SHAPE, Pixels())},
    lambda count, rng: {"image": squares(count, rng)[:, : SHAPE[0], : SHAPE[1]]},
)


FOLDERS = {"evaluate": "fake"}  # the flag of a run's folder, where it is another than --workdir


class StyledModel(Styled):
    """As a config names it: with the shape of the data, which is the toy's."""

    image_shape: tuple[int, ...] = SHAPE


def one_step(name, data, generator, **models):
    config = toy_config(
        {"name": "gan", "latent_size": 4}, generator, discriminator={"name": "toy_discriminator"}, num_steps=1
    )
    config.evaluation.metrics = ""
    return Toy(config, data, models=models | {"toy_discriminator": ToyDiscriminator})


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folders of a conditional run of colours, "z", and of one of styles, "w"."""
    folder = tmp_path_factory.mktemp("latents")
    toys = {
        "z": one_step(
            "z", LABELLED, {"name": "mlp_generator", "widths": (8,), "norm": "none", "condition": "one_hot"}
        ),
        "w": one_step("w", STYLED, {"name": "styled"}, styled=StyledModel),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, toy in toys.items():
            register(patch, toy)
            train(toy.config, folder / name, devices=1)
        yield folder


@pytest.fixture
def run(runs, monkeypatch, capsys):
    """run(kind, command, *flags) -> (exit code, what was said)."""

    def call(kind, command, *flags):
        toy = {"z": LABELLED, "w": STYLED}[kind]
        register(monkeypatch, one_step(kind, toy, {}, styled=StyledModel))
        code = main([command, f"--{FOLDERS.get(command, 'workdir')}={runs / kind}", *map(str, flags)])
        out, err = capsys.readouterr()
        assert code == 0 or (err.startswith("gan-jax: ") and err.count("\n") == 1), err
        return code, out or err

    return call


def opened(path):
    """The format and the height of a picture."""
    with Image.open(path) as picture:
        return picture.format, picture.height


def test_the_tools_of_z(run, tmp_path):
    way, film = tmp_path / "way.png", tmp_path / "way.gif"
    said = f"10 pictures between 4 latents in z in {way}\n"
    assert run("z", "interpolate", "--label=1", "--frames=3", f"--out={way}", "--scale=1") == (0, said)
    assert opened(way) == ("PNG", 3 * 10 - 2)
    walk = ("--label=0", "--directions=2", "--columns=3", f"--out={tmp_path / 'walk.png'}")
    assert run("z", "walk", *walk)[0] == 0
    assert run("z", "sample", "--label=1", "--num=2", f"--out={tmp_path / 'drawn'}/")[0] == 0
    found = tmp_path / "found"
    code, said = run("z", "project", f"--input={tmp_path / 'drawn'}", "--iterations=4", f"--out={found}")
    assert code == 0
    assert "2 pictures projected to z in 4 descents: the distance in pixels and random went from" in said
    assert {path.name for path in found.iterdir()} == {"projected.png", "loss.png", "latents.npz"}
    latents = f"--latents={found / 'latents.npz'}"
    assert run("z", "sample", latents, f"--out={tmp_path / 'again.npz'}")[0] == 0
    assert np.load(tmp_path / "again.npz")["images"].shape == (2, 8, 8, 3)
    assert run("z", "interpolate", latents, f"--out={film}")[0] == 0
    assert opened(film)[0] == "GIF"
    near = ("--num=2", "--nearest=3", "--network=random", f"--out={tmp_path / 'near.png'}")
    code, said = run("z", "neighbours", *near)
    assert re.match(r"2 pictures from step 1 beside the nearest of 40 of toy:train \(features of ran", said)


def test_the_tools_of_styles(run, tmp_path):
    for flags in ((), ("--truncation=0.5", "--cutoff=2"), ("--space=z",)):
        assert run("w", "interpolate", "--frames=2", f"--out={tmp_path / 'way.png'}", *flags)[0] == 0
    assert run("w", "walk", "--directions=2", f"--out={tmp_path / 'walk.png'}", "--layers=fine")[0] == 0
    assert run("w", "walk", "--method=sefa", "--directions=2", f"--out={tmp_path / 'walk.png'}")[0] == 0
    mixed = tmp_path / "mixed.png"
    code, said = run("w", "mix", "--rows=0-1", "--columns=5,7,9", f"--out={mixed}", "--scale=1")
    assert (code, said) == (0, f"18 pictures with mixed styles in {mixed}\n")
    assert opened(mixed) == ("PNG", 3 * 3 * (SHAPE[0] + 2) - 2)
    for psi, kinds in ((0.0, 1), (1.0, 8)):
        out = tmp_path / "drawn.npz"
        assert run("w", "sample", "--num=8", f"--truncation={psi}", f"--out={out}")[0] == 0
        assert len(np.unique(np.load(out)["images"], axis=0)) == kinds


@pytest.mark.parametrize("kind", ["z", "w"])
def test_explore_listens_until_a_signal_ends_it(run, runs, monkeypatch, kind):
    seen = []

    def serve(server):
        seen.append(server)
        raise Interrupted(signal.SIGINT, "stopped")

    monkeypatch.setattr(Server, "serve_forever", serve)
    code, said = run(kind, "explore", "--port=0")
    assert code == 130
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/ shows {runs / kind}; Ctrl-C ends it\n", said)
    page = seen[0].explored.page
    assert ('id="label"' in page, 'id="psi"' in page) == (kind == "z", kind == "w")
    assert seen[0].socket.fileno() == -1  # closed
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = f"gan-jax: port {port} is in use: choose another, or 0\n"
        assert run(kind, "explore", f"--port={port}") == (1, said)


def test_scores_of_truncated_styles_stand_in_a_row_of_their_own(run, runs, tmp_path):
    for flags in ((), ("--truncation=0.5", "--cutoff=2")):
        scored = ("--metrics=kid", "--kid_subset_size=4", "--network=pixels", "--num=8", *flags)
        assert run("w", "evaluate", *scored, f"--out={tmp_path / 'rows.jsonl'}")[0] == 0
    plain, truncated = filter(None, map(from_row, read_rows(tmp_path / "rows.jsonl")))
    assert (plain.which, truncated.which) == ("last", "last, truncation 0.5 of 2 layers")
    assert plain.fake_id != truncated.fake_id
    assert plain.scores["kid"].value != truncated.scores["kid"].value


@pytest.mark.parametrize(
    ("kind", "command", "flags", "code", "words"),
    [
        ("z", "mix", [], 1, "MLPGenerator has no styles to mix, only style generators"),
        ("z", "interpolate", [], 1, "say with --label which class is drawn (0 to 1)"),
        ("z", "interpolate", ["--label=0", "--space=w"], 1, "space=w: MLPGenerator has no styles w"),
        ("z", "interpolate", ["--label=0,1,0"], 1, "--label names 3 classes for 4 pictures"),
        ("z", "sample", ["--truncation=0.7"], 1, "MLPGenerator has no mean style to truncate to"),
        ("z", "walk", ["--label=0", "--method=ganspace"], 1, "space=w: MLPGenerator has no styles"),
        ("z", "walk", ["--label=0", "--layers=fine"], 1, "--layers=fine is about styles w"),
        ("z", "walk", ["--label=0", "--directions=5"], 1, "5 directions are asked for, and z has 4"),
        ("z", "project", ["--input=nothing"], 1, "nothing is neither a picture nor a folder"),
        ("z", "project", [], 2, "--input is missing"),
        ("w", "sample", ["--truncation=0.7", "--cutoff=9"], 1, "cutoff=9: this generator has 4 layers"),
        ("w", "mix", ["--label=0"], 1, "is unconditional; leave --label out"),
        ("w", "mix", ["--layers=finest"], 1, "'finest' is none of coarse, middle, fine, all"),
        ("w", "mix", ["--rows=3-1"], 2, "--rows=3-1: expected seeds such as 0-3 or 5,7,9"),
        ("w", "interpolate", ["--seeds=4"], 1, "1 is given: give at least two"),
        ("w", "interpolate", ["--cutoff=2"], 2, "give --truncation too"),
        ("w", "sample", ["--latents=x.npz", "--num=3"], 2, "--num is about random latents"),
    ],
)
def test_what_is_missing_is_said_in_a_line(kind, command, flags, code, words, run, tmp_path):
    found, said = run(kind, command, *flags, f"--out={tmp_path / 'out.png'}")
    assert found == code
    assert words in said
    assert not (tmp_path / "out.png").exists()


def test_a_film_without_its_package_is_refused_before_anything_is_drawn(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    code, said = run("w", "interpolate", f"--out={tmp_path / 'way.mp4'}")
    assert code == 1
    assert "pip install imageio-ffmpeg" in said
