"""`gan-jax augment` and the classifiers that train on what it wrote, as one types them."""

import json
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from gan_jax.cli import augmenting, balance_command
from gan_jax.data.games import MARIO
from gan_jax.data.picture_files import find_pictures
from gan_jax.data.spec import DataSpec, Field
from gan_jax.main import main

NAMES = ("star", "T-shirt/top")


class OfClass:
    """Stands for a conditional GAN: noise whose first pixel says the class."""

    conditions = ()
    num_classes = 2
    generator = SimpleNamespace(conditional=True)

    def sample(self, state, batch, key):
        noise = jax.random.uniform(key, batch["image"].shape, minval=-1.0)
        return noise.at[:, 0, 0, 0].set(batch["label"] * 2.0 - 1.0)


@pytest.fixture
def run(monkeypatch):
    """A run in the place of any workdir: its parts can be changed."""
    parts = SimpleNamespace(algorithm=OfClass(), field=Field((6, 6, 1)), step=7)

    def restored(workdir, folder, step):
        spec = DataSpec({"image": parts.field}, 2, NAMES)
        return parts.algorithm, spec, SimpleNamespace(step=parts.step, ema={"w": jnp.zeros(2)})

    monkeypatch.setattr(augmenting, "restored_run", restored)
    monkeypatch.setattr(augmenting, "drawable", lambda state: {})
    monkeypatch.setattr("gan_jax.inference.sample.drawable", lambda state: state)
    record = {"data": {"fingerprint": "cut of x", "options": {"per_class": 3}}}
    monkeypatch.setattr(augmenting, "read_record", lambda workdir: record)
    return parts


def pictures(folder):
    return {
        path.relative_to(folder).as_posix(): np.asarray(Image.open(path)) for path in folder.rglob("*.png")
    }


def test_class_folders_with_a_record(run, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["augment", "w", "--per_class=70", f"--out={out}"]) == 0
    assert capsys.readouterr().out == f"140 pictures of 2 classes from step 7 in {out}\n"
    found = find_pictures(out)  # no warning: pytest would fail
    assert found.class_names == ("T-shirt_top", "star")
    assert len(found.paths) == 140
    all_of_them = pictures(out)
    assert all(image[0, 0] == (255 if name.startswith("T") else 0) for name, image in all_of_them.items())
    assert len({image.tobytes() for image in all_of_them.values()}) == 140
    record = json.loads((out / "augment.json").read_text())
    assert record["request"]["step"] == 7
    assert record["request"]["classes"] == ["star", "T-shirt/top"]
    assert record["request"]["sampler"] is None
    assert (record["data"], record["cut"]) == ("cut of x", {"per_class": 3})


def test_a_picture_is_a_function_of_seed_class_and_number(run, tmp_path, capsys):
    for name, *flags in (
        ("many", "--per_class=66"),
        ("few", "--per_class=2"),
        ("one", "--per_class=2", "--classes=1"),
    ):
        assert main(["augment", "w", *flags, f"--out={tmp_path / name}"]) == 0
    many, few, one = (pictures(tmp_path / name) for name in ("many", "few", "one"))
    for name, image in few.items():
        np.testing.assert_array_equal(image, many[name])
    assert set(one) == {"T-shirt_top/000000.png", "T-shirt_top/000001.png"}
    for name, image in one.items():
        np.testing.assert_array_equal(image, many[name])
    assert main(["augment", "w", "--per_class=2", "--seed=1", f"--out={tmp_path / 'other'}"]) == 0
    assert not np.array_equal(pictures(tmp_path / "other")["star/000000.png"], few["star/000000.png"])


def test_again_and_what_is_in_the_way(run, tmp_path, capsys):
    request = ["augment", "w", "--per_class=3", f"--out={tmp_path / 'out'}"]
    assert main(request) == 0
    before = pictures(tmp_path / "out")
    (tmp_path / "out" / "star" / "000001.png").unlink()
    (tmp_path / "out" / "star" / "000002.png").write_bytes(b"mine")
    assert main(request) == 0
    assert capsys.readouterr().out.endswith(", 5 of which were there\n")
    assert (tmp_path / "out" / "star" / "000002.png").read_bytes() == b"mine"
    again = np.asarray(Image.open(tmp_path / "out" / "star" / "000001.png"))
    np.testing.assert_array_equal(again, before["star/000001.png"])
    run.step = 9
    assert main([*request, "--seed=4"]) == 1
    assert "pictures of another request (step 7, seed 0): give another folder" in capsys.readouterr().err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    assert main(["augment", "w", "--per_class=3", f"--out={tmp_path / 'full'}"]) == 1
    assert "full is not empty, and not of gan-jax augment" in capsys.readouterr().err
    assert main(["augment", "w", "--per_class=3", f"--out={tmp_path / 'full' / 'notes.txt'}"]) == 1
    assert "notes.txt" in capsys.readouterr().err


def test_runs_that_are_told_no_class(run, tmp_path, capsys):
    def said():
        assert main(["augment", "w", "--per_class=3", f"--out={tmp_path / 'out'}"]) == 1
        assert not (tmp_path / "out").exists()
        return capsys.readouterr().err

    run.algorithm.generator = SimpleNamespace()
    assert "the run in w cannot be told a class" in (error := said())
    assert "train a conditional config, such as projection_fashion_mnist" in error
    run.algorithm.conditions = ("source",)
    assert "makes its pictures of given ones" in said()
    run.algorithm.conditions, run.field = (), Field((6, 6, len(MARIO.tiles)), MARIO.codec)
    assert "the run in w makes levels of tiles, and augment writes images" in said()


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        ([], 2, "--per_class is missing"),
        (["--per_class=0"], 2, "per_class"),
        (["--per_class=3", "--classes=stair"], 1, "--classes=stair: there is no class 'stair'"),
        (["--per_class=3", "--solver=ddim"], 1, "only diffusion models make their examples in steps"),
    ],
)
def test_wrong_requests(run, tmp_path, capsys, flags, code, said):
    assert main(["augment", "w", f"--out={tmp_path / 'out'}", *flags]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--extra=x", "--ratio=-1"], 2, "--ratio=-1: it must be 0 or more"),
        (["--ratio=2"], 2, "--ratio=2: it says how much there is of --extra, which is missing"),
        (["--extra=x", "--ratio=0"], 2, "--ratio=0 leaves --extra unused"),
        (["--augment=shift,rotate"], 2, "--augment=shift,rotate: 'rotate' is not one of shift, flip"),
        (["--balance=some"], 2, "balance"),
        (["--balance=none", "--out=x.npz"], 1, "x.npz: the name must end in .json"),
        (["--extra=/no/such"], 1, "/no/such is not there"),
    ],
)
def test_wrong_measurements(data_dir, capsys, flags, code, said):
    small = ["--config=dcgan_shapes", "--config.data.num_examples=80", f"--data_dir={data_dir}"]
    assert main(["train-classifier", *small, *flags]) == code
    assert said in capsys.readouterr().err


def test_a_measurement_of_a_configs_cut(data_dir, tmp_path, capsys, monkeypatch):
    seen: dict[str, Any] = {}

    def measure(real, test, training, *, extra, seed):
        seen.update(real=real, test=test, training=training, extra=extra, seed=seed)
        return {
            "data": {"per_class": {"a": 3}},
            "extra": None,
            "recall": {"a": 0.5},
            "rare_classes": [],
            "rare_recall": None,
            "balanced_accuracy": 0.5,
            "accuracy": 0.5,
        }

    monkeypatch.setattr(balance_command, "measure", measure)
    cut = ["--config.data.num_examples=80", "--config.data.per_class=4", "--config.data.oversample=True"]
    flags = ["--augment=shift,flip", "--balance=weights", "--train_steps=9", "--seed=3"]
    out = tmp_path / "found.json"
    where = [f"--data_dir={data_dir}", f"--out={out}"]
    assert main(["train-classifier", "--config=dcgan_shapes", *cut, *flags, *where]) == 0
    assert "balanced accuracy 0.5000" in capsys.readouterr().out
    assert json.loads(out.read_text())["recall"] == {"a": 0.5}
    assert np.bincount(seen["real"].arrays()["label"]).max() == 4
    assert seen["real"].options["per_class"] == 4
    assert "oversample" not in seen["real"].options
    assert len(seen["test"]) == 8  # whole
    assert (seen["training"].augment, seen["training"].balance) == (("shift", "flip"), "weights")
    assert (seen["training"].steps, seen["seed"], seen["extra"]) == (9, 3, None)
