"""Scores of fakes against their own truths: what is compared with what, and with which protocol."""

import numpy as np
import pytest

from gan_jax.data.codecs import Lab
from gan_jax.data.dataset import Dataset
from gan_jax.data.spec import Field
from gan_jax.evaluation.evaluate import Evaluator
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.networks import open_network
from gan_jax.evaluation.pair_scores import CYCLES, means, pair_metrics
from gan_jax.evaluation.protocol import from_row, table
from gan_jax.evaluation.requirements import chosen
from gan_jax.evaluation.sources.image_source import array_source
from gan_jax.feature_networks.lpips import perceptual_distance
from gan_jax.feature_networks.simple_networks import no_network, random_network
from gan_jax.metrics.colourfulness import colourfulness
from gan_jax.metrics.paired import cropped, l1, luma, psnr, ssim
from gan_jax.utils.errors import UserError
from tests.metrics import toy
from tests.metrics.test_ms_ssim import noisy, smooth_images

TRUTH = smooth_images(0, 12, 16, 20, 3)
FAKE = noisy(TRUTH, 20)
REAL = array_source("reals", smooth_images(1, 30, 16, 20, 3))
PAIRED = "l1,psnr,ssim,psnr_luma,ssim_luma"


def fakes(count=12, **fields):
    truth, source = array_source("truths", TRUTH[:count]), array_source("fakes", FAKE[:count])
    return GeneratedSet(**{"source": source, "truth": truth, **fields})


def scored(names, fake=None, *, num=12, network=None, **options):
    metrics = chosen(tuple(names.split(",")), **options)
    network = network or no_network(REAL.codec)
    return Evaluator(metrics, REAL, network, num_fakes=num, progress=False)(fake or fakes())


def values(record):
    return {name: score.value for name, score in record.scores.items()}


def test_each_fake_is_compared_with_its_own_truth_without_a_network():
    record = scored(PAIRED)
    expected = {"l1": l1, "psnr": psnr, "ssim": ssim}
    found = values(record)
    for name, measure in expected.items():
        assert found[name] == pytest.approx(measure(FAKE, TRUTH).mean(), rel=1e-12)
    assert found["psnr_luma"] == pytest.approx(psnr(luma(FAKE), luma(TRUTH)).mean(), rel=1e-12)
    assert found["ssim_luma"] == pytest.approx(ssim(luma(FAKE), luma(TRUTH)).mean(), rel=1e-12)


def test_the_truths_of_fewer_fakes_are_theirs():
    """Of 12 examples the same 5 random ones stand on both sides."""
    chosen_rows = np.sort(np.random.default_rng(0).permutation(12)[:5])
    found = values(scored("l1", num=5))["l1"]
    assert found == pytest.approx(l1(FAKE, TRUTH)[chosen_rows].mean(), rel=1e-12)


def test_the_border_is_the_factor_for_the_luma_and_for_all_what_is_asked_for():
    sides = [cropped(luma(side), 2) for side in (FAKE, TRUTH)]
    record = scored("psnr,psnr_luma", scale=2)
    assert values(record)["psnr"] == pytest.approx(psnr(FAKE, TRUTH).mean())
    assert values(record)["psnr_luma"] == pytest.approx(psnr(*sides).mean())
    assert record.scores["psnr_luma"].protocol.endswith("luma of ITU-R BT.601 (16 to 235), border 2")
    assert record.scores["psnr"].protocol.endswith("all channels, border 0")
    record = scored("psnr,psnr_luma", scale=2, border=3)
    assert values(record)["psnr"] == pytest.approx(psnr(cropped(FAKE, 3), cropped(TRUTH, 3)).mean())
    assert {score.protocol[-8:] for score in record.scores.values()} == {"border 3"}
    with pytest.raises(UserError, match="border=3 is of use to l1, psnr, ssim, psnr_luma, ssim_luma alone"):
        chosen(("fid",), border=3)


def test_what_a_pair_yields_does_not_depend_on_what_else_is_measured():
    """L1 has one column, whether FID and a network stand beside it or not."""
    network = random_network(REAL.image_shape)
    alone, beside = scored("l1"), scored("fid,l1,lpips_paired,colourfulness", network=network)
    assert alone.column("l1") == beside.column("l1")
    assert alone.scores["l1"].value == beside.scores["l1"].value
    setting = beside.setting_of("l1")
    assert (setting.network, setting.real, setting.num_reals, setting.paired) == ("none", "truths", 12, True)
    assert beside.setting_of("lpips_paired").network == "random (seed 0)"
    assert beside.setting_of("colourfulness") == scored("colourfulness").setting
    assert beside.setting_of("fid") == beside.setting
    assert "paired" not in str(beside.setting)


def test_a_row_holds_the_setting_of_each_score_and_the_table_tells_them_apart():
    record = scored("fid,l1", network=random_network(REAL.image_shape))
    row = record.row()
    assert from_row(row) == record
    scores = row["evaluation"]["scores"]
    assert "setting" not in scores["fid"]
    assert scores["l1"]["setting"]["real"] == "truths"
    text = table([record])
    assert "| fid ↓ (A) | l1 ↓ (B) |" in text
    assert "12 fakes, each against its own of truths" in text
    assert "no network, 8-bit images; l1 version 1 (values in [0, 1], all channels, border 0)" in text


def test_lpips_is_the_perceptual_distance_in_the_network():
    network = random_network(REAL.image_shape)
    expected = perceptual_distance(network, FAKE, TRUTH).mean()
    assert values(scored("lpips_paired", network=network))["lpips_paired"] == pytest.approx(expected)


def test_pictures_in_lab_are_compared_as_rgb_and_in_the_random_network_as_lab():
    real, truth, made = (array_source("x", images, codec=Lab()) for images in (TRUTH, TRUTH, FAKE))
    fake = GeneratedSet(source=made, truth=truth)
    network = open_network("random", real)
    metrics = ("l1", "lpips_paired", "colourfulness")
    found = values(Evaluator(metrics, real, network, num_fakes=12, progress=False)(fake))
    assert found["l1"] == pytest.approx(l1(FAKE, TRUTH).mean(), rel=1e-12)
    assert found["colourfulness"] == pytest.approx(colourfulness(FAKE).mean(), rel=1e-12)
    lab = [(np.asarray(Lab().decode(side)) + 1) * 127.5 for side in (FAKE, TRUTH)]
    expected = perceptual_distance(random_network(REAL.image_shape), *lab).mean()
    assert found["lpips_paired"] == pytest.approx(expected, rel=1e-4)


def test_colourfulness_stands_beside_that_of_the_reals():
    found = values(scored("colourfulness"))
    reals = np.concatenate([batch for batch, _ in REAL.batches(30, 30)])
    assert found["colourfulness"] == pytest.approx(colourfulness(FAKE).mean())
    assert found["colourfulness_real"] == pytest.approx(colourfulness(reals).mean())


def test_equal_pictures_are_counted_and_left_out_of_the_mean_of_psnr():
    assert means({"psnr": np.array([20.0, np.inf, 30.0])}) == {"psnr": 25.0, "psnr_equal": 1.0}
    assert means({"psnr": np.array([np.inf, np.inf])}) == {"psnr": np.inf, "psnr_equal": 2.0}
    record = scored("psnr", fakes(source=array_source("fakes", TRUTH)))
    assert values(record) == {"psnr": np.inf, "psnr_equal": 12.0}
    assert record.scores["psnr_equal"].better == "detail"


def test_cycle_errors_are_those_of_the_rows_of_the_fakes():
    asked = []

    def cycle(seed, rows):
        asked.append((seed, rows.tolist()))
        return {name: np.full(len(rows), number) for number, name in enumerate(CYCLES)}

    records = [{"image": image} for image in TRUTH]
    rows = Dataset("toy", "test", records, {"image": Field((16, 20, 3))}, None, (), "toy test")
    record = scored("cycle_error", fakes(cycle=cycle, rows=rows, seed=4), num=3)
    assert values(record) == {name: float(number) for number, name in enumerate(CYCLES)}
    assert asked == [(4, np.sort(np.random.default_rng(0).permutation(12)[:3]).tolist())]
    assert record.setting_of("cycle_error").real == "toy:test"
    assert "8 bits" in record.scores["cycle_error"].protocol
    assert "noise of 2/255" in record.scores["cycle_error"].protocol


@pytest.mark.parametrize(
    ("names", "fields", "message"),
    [
        ("l1", {"truth": None}, "l1 needs pairs, and nothing says which truth belongs to which image: leave"),
        ("ssim", {"truth": None, "no_truth": "there is none"}, "ssim needs pairs, and there is none: leave"),
        ("cycle_error", {}, "cycle_error needs a method that translates there and back, and fakes is no run"),
        ("lpips_paired", {}, "lpips_paired needs a network with layers to compare, and none has none"),
    ],
)
def test_what_is_missing_is_said(names, fields, message):
    with pytest.raises(UserError, match=message):
        scored(names, fakes(**fields))


def test_metrics_of_colours_refuse_grey_pictures():
    grey = toy.source(toy.images(12))
    for name in ("psnr_luma", "colourfulness"):
        with pytest.raises(UserError, match=f"{name} is for pictures of red, green and blue, and those of"):
            Evaluator((name,), grey, no_network(grey.codec), num_fakes=12)


def test_the_metrics_of_pairs_have_values_for_each_picture():
    for name, metric in pair_metrics().items():
        assert metric.each is not None, name
        assert not metric.of_sets
