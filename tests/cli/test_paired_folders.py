"""`gan-jax evaluate` of pictures beside their truths: folders of any sizes, and .npz files."""

import numpy as np
import pytest
from PIL import Image

from gan_jax.evaluation.protocol import from_row
from gan_jax.main import main
from gan_jax.metrics.paired import cropped, l1, luma, psnr, ssim
from gan_jax.summaries.logs import read_rows
from gan_jax.summaries.pictures import save_png

SIZES = {"one": (12, 20), "deep/two": (17, 13), "three": (16, 16)}


@pytest.fixture
def folders(tmp_path):
    """Truths of three sizes, one a file of another kind, and what was made of them."""
    rng = np.random.default_rng(0)
    sides: dict[str, dict[str, np.ndarray]] = {"fake": {}, "truth": {}}
    for name, size in SIZES.items():
        truth = rng.integers(0, 256, (*size, 3), np.uint8)
        fake = np.clip(truth + rng.normal(0, 20, truth.shape), 0, 255).astype(np.uint8)
        for side, image in (("fake", fake), ("truth", truth)):
            sides[side][name] = image[None]
            path = tmp_path / side / f"{name}.png"
            save_png(path, image)
            if (side, name) == ("truth", "one"):
                Image.fromarray(image).save(path.with_suffix(".bmp"))
                path.unlink()
    return tmp_path, sides


def evaluate(folder, *more, metrics="l1,psnr,ssim"):
    return main(
        ["evaluate", f"--fake={folder / 'fake'}", f"--real={folder / 'truth'}", f"--metrics={metrics}", *more]
    )


def cells(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"
    ]


def test_pictures_of_any_size_are_compared_with_those_of_the_same_names(folders, capsys):
    folder, sides = folders
    assert evaluate(folder, f"--out={folder / 'rows.jsonl'}") == 0
    table = cells(capsys.readouterr().out)
    assert table[0] == ["picture", "l1", "psnr", "ssim"]
    each = {row[0]: list(map(float, row[1:])) for row in table[2:5]}
    expected = {
        name: [float(measure(sides["fake"][name], sides["truth"][name])[0]) for measure in (l1, psnr, ssim)]
        for name in SIZES
    }
    assert each.keys() == expected.keys()
    for name, values in expected.items():
        assert each[name] == pytest.approx(values, rel=1e-3)
    (record,) = map(from_row, read_rows(folder / "rows.jsonl"))
    assert record is not None
    means = np.mean(list(expected.values()), axis=0)
    assert [score.value for score in record.scores.values()] == pytest.approx(means.tolist(), rel=1e-12)
    assert table[5:] == [
        ["fake", "step", "l1 ↓", "psnr ↑", "ssim ↑"],
        ["---"] * 5,
        ["folder fake", "", *(f"{mean:.4g}" for mean in means)],
    ]
    assert (record.setting.paired, record.setting.num_fakes, record.setting.real) == (True, 3, "folder truth")


def test_the_luma_without_a_border(folders, capsys):
    folder, sides = folders
    del sides
    assert evaluate(folder, "--border=1", metrics="psnr_luma") == 0
    out = capsys.readouterr().out
    assert "luma of ITU-R BT.601 (16 to 235), border 1" in out
    pair = [
        cropped(luma(np.asarray(Image.open(path).convert("RGB"))[None]), 1)
        for path in (folder / "fake" / "one.png", folder / "truth" / "one.bmp")
    ]
    assert f"| one | {psnr(*pair)[0]:.4g} |" in out


def test_what_does_not_belong_together_is_listed(folders, capsys):
    folder, _ = folders
    (folder / "fake" / "three.png").rename(folder / "fake" / "drei.png")
    assert evaluate(folder) == 1
    err = capsys.readouterr().err
    assert "1 picture of" in err
    assert "has no picture of the same name in" in err
    assert "truth: drei; of" in err
    assert "1 picture: three. Pairs have one name" in err
    (folder / "fake" / "drei.png").unlink()
    assert evaluate(folder) == 0  # a truth more is no error
    assert len(cells(capsys.readouterr().out)) == 2 + 2 + 3
    save_png(folder / "fake" / "three.png", np.zeros((4, 5, 3), np.uint8))
    assert evaluate(folder) == 1
    err = capsys.readouterr().err
    assert "1 pair of pictures of two sizes, height x width (three: 4 x 5 and 16 x 16)" in err


def test_the_range_of_values_is_one_for_both_and_part_of_the_protocol(tmp_path, capsys):
    """4,000 of 12 bits is as bright as 16,000 of 14: each side by itself would make them equal."""
    values = np.random.default_rng(0).integers(0, 1000, (8, 8)).astype(np.uint16)
    values[0, 0] = 1000
    for side, factor in (("fake", 4), ("truth", 16)):
        (tmp_path / side).mkdir()
        Image.fromarray(values * np.uint16(factor)).save(tmp_path / side / "one.png")
    assert evaluate(tmp_path, metrics="l1") == 1
    err = capsys.readouterr().err
    assert "fake as 0 to 4095 and those of" in err
    assert "truth as 0 to 16383 would be read. Say with --value_range=LOW,HIGH what is black" in err
    rows = tmp_path / "rows.jsonl"
    for white in (16_383, 65_535):
        assert evaluate(tmp_path, f"--value_range=0,{white}", f"--out={rows}", metrics="l1") == 0
    first, second = filter(None, map(from_row, read_rows(rows)))
    assert first.scores["l1"].value > 3 * second.scores["l1"].value > 0
    assert first.column("l1") != second.column("l1")
    assert "values 0 to 16383 sha256" in first.setting.real_fingerprint


def test_what_cannot_be_measured_is_one_line(folders, capsys):
    folder, _ = folders
    assert evaluate(folder, "--num=2") == 1
    assert "--num is of no use where each picture is compared with its own" in capsys.readouterr().err
    assert evaluate(folder, "--changed_reals") == 1
    assert "--changed_reals is of no use" in capsys.readouterr().err
    assert evaluate(folder, "--border=6", metrics="l1") == 1
    assert "one: border=6: nothing is left of pictures of 12 x 20" in capsys.readouterr().err
    (folder / "fake" / "one.png").write_bytes(b"no picture")
    assert evaluate(folder) == 1
    assert "1 of 3 pictures cannot be used" in capsys.readouterr().err


def test_pairs_of_folders_and_files_of_one_size_stand_beside_other_metrics(tmp_path, capsys):
    rng = np.random.default_rng(0)
    sides = {side: rng.integers(0, 256, (6, 8, 8, 3), np.uint8) for side in ("fake", "truth")}
    for side, images in sides.items():
        np.savez(tmp_path / f"{side}.npz", images=images)
        for number, image in enumerate(images):
            save_png(tmp_path / side / f"{number}.png", image)
    expected = f"{l1(sides['fake'], sides['truth']).mean():.4g}"
    assert evaluate(tmp_path, "--network=random", metrics="fid,l1") == 0
    assert cells(capsys.readouterr().out)[2][3] == expected
    arrays = [f"--{flag}={tmp_path / side}.npz" for flag, side in (("fake", "fake"), ("real", "truth"))]
    assert main(["evaluate", *arrays, "--metrics=l1"]) == 0
    out = capsys.readouterr().out
    assert cells(out)[2][2] == expected
    assert "6 fakes, each against its own of npz truth.npz" in out
    (tmp_path / "fake" / "5.png").rename(tmp_path / "fake" / "6.png")
    assert evaluate(tmp_path, "--network=random", metrics="fid,l1") == 1
    said = "l1 needs pairs, and the pictures of folder fake and folder truth have other names: leave it out"
    assert said in capsys.readouterr().err
