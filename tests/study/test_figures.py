"""Figures show every variant and seed; small files; the same results give the same bytes."""

import functools
import io
import math

import numpy as np
import pytest
from PIL import Image

from gan_jax.study import figures
from gan_jax.study.figures import curves_name, ranking_name, ranking_plot, score_curves, write_figures
from gan_jax.study.montage import montage
from gan_jax.study.summary import in_order
from gan_jax.utils.errors import UserError
from tests.study.made import result

NAMES = [f"variant_{index}" for index in range(7)]


def study(names, seeds=6):
    rng = np.random.default_rng(0)
    runs = []
    for index, name in enumerate(names):
        for seed in range(seeds):
            values = list(np.minimum(8, index + np.arange(5) + rng.random(5)))
            kl = ([math.inf, *(1.0 / (1 + value) for value in values[1:])], "lower")
            lost = 250 if (index, seed) == (1, 2) else None
            runs.append(result(name, seed, values, diverged_at=lost, more={"reverse/kl": kl}))
    return in_order(runs, list(names))


@pytest.fixture
def drawn(monkeypatch):
    """The matplotlib figures instead of files."""
    kept = []
    monkeypatch.setattr(figures, "save_figure", lambda figure, path: kept.append(figure))
    return kept


def lines(axes):
    """(x, y) of the lines that are drawn thickest: the medians."""
    thick = max(line.get_linewidth() for line in axes.get_lines())
    return [line.get_data() for line in axes.get_lines() if line.get_linewidth() == thick]


def test_a_few_variants_share_a_panel(drawn):
    runs = study(NAMES[:3])
    score_curves("x.png", runs, NAMES[:3], "modes", None)
    (axes,) = drawn[0].get_axes()
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["variant_0 (n = 6)", "variant_1 (n = 6, 1 diverged)", "variant_2 (n = 6)"]
    for name, (steps, medians) in zip(NAMES, lines(axes), strict=False):
        values = np.array(
            [[value for _, value in run.scores["modes"]] for run in runs if run.variant == name]
        )
        if name == "variant_1":
            values[2, 3:] = np.nan
        np.testing.assert_array_equal(steps, [0, 100, 200, 300, 400])
        np.testing.assert_allclose(medians, np.nanmedian(values, axis=0))
    assert "higher is better" in drawn[0].get_suptitle()


def test_the_bands_are_quantiles_over_seeds(drawn):
    runs = study(NAMES[:1])
    score_curves("x.png", runs, NAMES[:1], "modes", None)
    (axes,) = drawn[0].get_axes()
    values = np.array([[value for _, value in run.scores["modes"]] for run in runs])
    thin = [line.get_ydata() for line in axes.get_lines() if line.get_linewidth() < 1]
    np.testing.assert_allclose(thin, np.quantile(values, [0.1, 0.9], axis=0))
    (band,) = axes.collections
    edges = np.quantile(values, [0.25, 0.75], axis=0)
    corners = band.get_paths()[0].vertices
    for step, low, high in zip(range(0, 500, 100), *edges, strict=True):
        assert {round(y, 9) for x, y in corners if x == step} == {round(low, 9), round(high, 9)}


def test_many_variants_have_a_panel_each_on_equal_axes(drawn):
    runs = study(NAMES)
    score_curves("x.png", runs, NAMES, "modes", "variant_0")
    panels = [axes for axes in drawn[0].get_axes() if axes.get_visible()]
    assert [axes.get_title().split(" ")[0] for axes in panels] == NAMES
    assert len({axes.get_ylim() for axes in panels}) == 1
    reference = lines(panels[0])[0][1]
    for axes in panels[1:]:
        grey = [line.get_ydata() for line in axes.get_lines() if line.get_color() == figures._GREY]
        np.testing.assert_array_equal(grey, [reference])
    assert "grey: variant_0" in drawn[0].get_suptitle()


def test_infinite_values_are_not_drawn_and_a_wide_range_is_logarithmic(drawn):
    runs = study(NAMES[:2])
    score_curves("x.png", runs, NAMES[:2], "reverse/kl", None)
    (axes,) = drawn[0].get_axes()
    assert math.isnan(lines(axes)[0][1][0])
    assert axes.get_yscale() == "linear"
    wide = [result("a", seed, [1000.0, 3.0], "lower") for seed in range(3)]
    score_curves("x.png", wide, ["a"], "modes", None)
    ranking_plot("x.png", wide, ["a"], "modes", None)
    assert drawn[1].get_axes()[0].get_yscale() == "log"
    rising = [result("a", seed, [3.0, 1000.0]) for seed in range(3)]
    score_curves("x.png", rising, ["a"], "modes", None)
    assert drawn.pop().get_axes()[0].get_yscale() == "linear"  # shares and counts of modes stay as they are
    assert drawn[2].get_axes()[0].get_xscale() == "linear"  # all end at 3
    lucky = [result("a", seed, [value], "lower") for seed, value in enumerate([1e-4, 1.0, 2.0])]
    lucky.append(result("b", 0, [50.0], "lower"))
    ranking_plot("x.png", lucky, ["a", "b"], "modes", None)
    assert drawn[3].get_axes()[0].get_xscale() == "linear"  # means 1 and 50
    ranking_plot("x.png", [*lucky, result("c", 0, [1001.0], "lower")], ["a", "b", "c"], "modes", None)
    assert drawn[4].get_axes()[0].get_xscale() == "log"


def test_the_ranking_shows_every_seed_and_the_interval(drawn):
    runs = study(NAMES[:3])
    ranking_plot("x.png", runs, NAMES[:3], "modes", "variant_0")
    (axes,) = drawn[0].get_axes()
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert [name.split(" ")[0] for name in names] == ["variant_2", "variant_1", "variant_0"]
    assert names[1] == "variant_1 (1 of 6 diverged)"
    assert axes.get_ylim()[0] > axes.get_ylim()[1]  # the first on top
    dots = [line for line in axes.get_lines() if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in dots] == [6, 5, 6]
    last = [run.last("modes") for run in runs if run.variant == "variant_2"]
    np.testing.assert_allclose(dots[0].get_xdata(), last)
    means = [line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() == "D"]
    assert means[0] == pytest.approx(np.mean(last))
    bars = [line.get_xdata() for line in axes.get_lines() if line.get_linewidth() == 2]
    assert len(bars) == 3
    assert bars[0][0] < means[0] < bars[0][1]
    dashed = [line.get_xdata()[0] for line in axes.get_lines() if line.get_linestyle() == "--"]
    assert dashed == [means[2]]


def test_files(tmp_path):
    runs = study(NAMES)
    draw = functools.partial(write_figures, variants=NAMES, compare_to="variant_0")
    written = draw(tmp_path, results=runs, ranked_by=["modes", "reverse/kl", "fid"])
    expected = ["modes_curves.png", "ranking_modes.png", "reverse_kl_curves.png", "ranking_reverse_kl.png"]
    assert written == expected == [f(s) for s in ("modes", "reverse/kl") for f in (curves_name, ranking_name)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(expected)
    for name in expected:
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 200
        assert (tmp_path / name).stat().st_size < 100_000
    draw(tmp_path / "again", results=runs[::-1], ranked_by=["modes"])
    for name in expected[:2]:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def test_without_values_nothing_is_drawn(tmp_path):
    draw = functools.partial(write_figures, tmp_path, variants=["a"], ranked_by=["modes"], compare_to=None)
    assert draw(results=[]) == []
    lost = [result("a", 0, [1.0, 2.0], diverged_at=50)]
    assert draw(results=lost) == ["modes_curves.png"]


def picture(path, colour, size=(40, 30)):
    Image.new("RGB", size, colour).save(path)
    return path


def test_a_montage_keeps_the_pictures_in_order(tmp_path):
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    pictures = [(f"n{i}", picture(tmp_path / f"{i}.png", colour)) for i, colour in enumerate(colours)]
    montage(pictures, tmp_path / "all.png")
    with Image.open(tmp_path / "all.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    assert pixels.shape == (2 * (20 + 30) + 8, 2 * 40 + 8, 3)
    inside = [pixels[20 + 15, 20], pixels[20 + 15, 48 + 20], pixels[58 + 20 + 15, 20]]
    np.testing.assert_allclose(np.array(inside).astype(int), colours, atol=24)
    assert (pixels[58:, 48:] == 255).all()  # no fourth
    assert (pixels[:20, :40].min(axis=(0, 1)) < 128).all()  # a title in black
    montage([("", source) for _, source in pictures], tmp_path / "untitled.png")
    with Image.open(tmp_path / "untitled.png") as image:
        assert np.asarray(image.convert("RGB"))[:20].min() == 255


def test_wide_pictures_become_smaller(tmp_path):
    pictures = [("x" * 500, picture(tmp_path / f"{i}.png", "grey", (900, 300))) for i in range(4)]
    montage(pictures, tmp_path / "all.png")
    with Image.open(tmp_path / "all.png") as image:
        assert image.mode == "L"  # grey pictures
        assert image.size == (2 * 596 + 8, 2 * (20 + 199) + 8)
        pixels = np.asarray(image)
    assert (pixels[:20, 596:602] == 255).all()  # the title ends where its picture does


def test_photographs_keep_their_colours(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    montage([("noise", tmp_path / "noise.png")], tmp_path / "all.png")
    with Image.open(tmp_path / "all.png") as image:
        np.testing.assert_array_equal(np.asarray(image.convert("RGB"))[21:-1, 1:-1], noise[1:-1, 1:-1])


def test_what_cannot_be_put_together(tmp_path):
    small, large = picture(tmp_path / "s.png", "red"), picture(tmp_path / "l.png", "red", (50, 30))
    with pytest.raises(ValueError, match="one size, not 40 x 30, 50 x 30"):
        montage([("a", small), ("b", large)], tmp_path / "all.png")
    with pytest.raises(ValueError, match="at least one"):
        montage([], tmp_path / "all.png")
    with pytest.raises(UserError, match="cannot read"):
        montage([("a", tmp_path / "none.png")], tmp_path / "all.png")
    (tmp_path / "text.png").write_bytes(b"text")
    with pytest.raises(UserError, match="not a picture"):
        montage([("a", tmp_path / "text.png")], tmp_path / "all.png")
    assert not (tmp_path / "all.png").exists()


def test_the_saved_picture_is_what_matplotlib_draws(tmp_path):
    """The palette changes no pixel by much."""
    from matplotlib.figure import Figure

    def figure():
        made = Figure(figsize=(3, 2))
        made.subplots().plot([0, 1, 0])
        return made

    figures.save_figure(figure(), tmp_path / "a.png")
    buffer = io.BytesIO()
    figure().savefig(buffer, format="png", dpi=100)
    with Image.open(tmp_path / "a.png") as ours, Image.open(buffer) as theirs:
        assert ours.size == theirs.size
        difference = np.asarray(ours.convert("RGB")).astype(int) - np.asarray(theirs.convert("RGB"))
    assert np.abs(difference).max() <= 32
