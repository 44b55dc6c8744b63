"""The overview of a run shows its samples, reals, and what its losses were."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from gan_jax.summaries import overview as module
from gan_jax.summaries.pictures import grid
from gan_jax.summaries.plotting import new_figure


def losses(n, names=("generator_loss", "discriminator_loss", "discriminator_real", "discriminator_fake")):
    array = np.full(n, np.nan, [(name, np.float32) for name in names])
    for i, name in enumerate(names):
        array[name][: n * 3 // 4] = (i + 1) / 5
    return array


def drawn(path, reals, losses, rows=()):
    samples = grid(np.full((4, 8, 8, 3), (255, 0, 0), np.uint8))
    module.overview(samples, reals, losses, path, "samples", rows)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("n", [0, 1, 10, 1_000_000])
def test_samples_are_left_and_reals_right_larger_than_they_are(tmp_path, n):
    reals = grid(np.full((4, 8, 8, 3), (0, 250, 0), np.uint8))
    picture = drawn(tmp_path / "o.png", reals, losses(n))
    red = np.argwhere((picture == (255, 0, 0)).all(-1))
    green = np.argwhere((picture == (0, 250, 0)).all(-1))
    assert red[:, 1].max() < green[:, 1].min()
    assert len(red) > 450**2
    assert len(green) > 450**2
    assert red[:, 0].max() < picture.shape[0] * 2 // 3  # the curves are below


def test_rows_are_named(tmp_path):
    reals = grid(np.full((4, 8, 8, 1), 100, np.uint8))
    named = drawn(tmp_path / "o.png", reals, losses(20, ("generator_loss", "pixel_distance")), ("cat", "dog"))
    red = np.argwhere((named == (255, 0, 0)).all(-1))
    top, bottom, left = red[:, 0].min(), red[:, 0].max(), red[:, 1].min()
    middle = (top + bottom) // 2
    for part in (named[top:middle, :left], named[middle:bottom, :left]):
        assert (part < 100).any()  # the letters


def test_columns_are_named(tmp_path):
    reals = grid(np.full((4, 8, 8, 1), 100, np.uint8))
    samples = grid(np.full((4, 8, 8, 3), (255, 0, 0), np.uint8))
    both = losses(20, ("generator_loss", "discriminator_real_a", "discriminator_fake_b"))
    module.overview(samples, reals, both, tmp_path / "o.png", "", (), ("source", "made"))
    with Image.open(tmp_path / "o.png") as image:
        named = np.asarray(image.convert("RGB")).astype(int)
    red = np.argwhere((named == (255, 0, 0)).all(-1))
    top, left, right = red[:, 0].min(), red[:, 1].min(), red[:, 1].max()
    middle = (left + right) // 2
    for part in (named[:top, left:middle], named[:top, middle:right]):
        assert (part < 100).any()  # the letters


def panels(array, baselines):
    """The axes of the losses and of the outputs."""
    figure = new_figure(10, 4)
    loss, outputs = figure.subplots(1, 2)
    module._curves(loss, outputs, array, baselines)
    return loss, outputs


def test_no_line_hides_another():
    array = losses(400)
    for name in array.dtype.names:
        array[name] = 0.3  # all are equal
    for axes in panels(array, {}):
        below, above = [line for line in axes.lines if line.get_label()[0] != "_"]
        pale = [line for line in axes.lines if line.get_label()[0] == "_"]
        assert max(line.get_zorder() for line in pale) < below.get_zorder()
        assert below.get_linewidth() > above.get_linewidth()
        legend = axes.get_legend().get_window_extent(axes.figure.canvas.get_renderer())
        assert legend.y0 >= axes.get_window_extent().y1


def test_baselines_are_named_and_axes_are_in_plain_numbers():
    array = losses(40_000)
    baselines = {"discriminator_loss": 2 * np.log(2), "generator_loss": np.log(2)}
    baselines |= {"discriminator_real": 0.5, "discriminator_fake": 0.5}
    loss, outputs = panels(array, baselines)
    assert {text.get_text() for text in loss.texts} == {"2 log 2", "log 2"}
    assert [text.get_text() for text in outputs.texts] == ["1/2"]
    for axes in (loss, outputs):
        axes.figure.canvas.draw()
        assert "20,000" in [label.get_text() for label in axes.get_xticklabels()]
        assert axes.yaxis.get_offset_text().get_text() == ""
    array["generator_loss"][:] = 12_345_678
    array["discriminator_loss"][:] = 12_345_679
    loss = panels(array, {})[0]
    loss.figure.canvas.draw()
    assert loss.yaxis.get_offset_text().get_text() == ""
    assert loss.get_yticklabels()[0].get_text().startswith("1234567")


def test_matplotlib_is_imported_only_to_draw():
    code = (
        "import sys, gan_jax.summaries.overview; "
        "sys.exit(str({'matplotlib', 'tensorflow', 'torch'} & {*sys.modules} or ''))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert not done.stderr.strip(), done.stderr
