"""The data sets by name: `load` opens one, `prepare` gets one ready."""

import contextlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds
from absl import logging

from gan_jax.data.arrays import ARRAYS
from gan_jax.data.builder import INFO_FILE, LocalBuilder
from gan_jax.data.dataset import Dataset
from gan_jax.data.function_set import FunctionSet, OpenedSet
from gan_jax.data.idx import FashionMnist, Kmnist, Mnist
from gan_jax.data.image_folder import ImageFolder
from gan_jax.data.npz_pairs import NpzPairs
from gan_jax.data.npz_unpaired import NpzUnpairedSets
from gan_jax.data.pairs_folder import PairsFolder
from gan_jax.data.photos import Photos
from gan_jax.data.points import PointSet
from gan_jax.data.prepared import data_dir_flag, data_root, find_folder, open_folder
from gan_jax.data.shapes import Shapes
from gan_jax.data.sound_codecs import Sound
from gan_jax.data.stacked_mnist import StackedMnist
from gan_jax.data.tones import Tones
from gan_jax.data.unpaired import UnpairedFolders
from gan_jax.data.unpaired_sets import UnpairedSets
from gan_jax.data.vglc import LevelFolder, VglcLodeRunner, VglcMario, VglcZelda
from gan_jax.data.views import VIEW, viewed
from gan_jax.data.waves import Waves
from gan_jax.data.zipped import zipped
from gan_jax.densities import DENSITIES
from gan_jax.utils import plugins
from gan_jax.utils.errors import UserError
from gan_jax.utils.names import did_you_mean
from gan_jax.utils.paths import expanded
from gan_jax.utils.tables import Table

Builder = LocalBuilder | UnpairedFolders | NpzUnpairedSets
# A builder prepares files, once; what has `open` is made when it is read, as points are; a function of the
# split and the options makes a Dataset.
DATASETS: Table[type[Builder] | OpenedSet | Callable[..., Dataset]] = Table(
    "data set",
    {
        "shapes": Shapes,
        "mnist": Mnist,
        "fashion_mnist": FashionMnist,
        "kmnist": Kmnist,
        "image_folder": ImageFolder,
        "stacked_mnist": StackedMnist,
        "pairs_folder": PairsFolder,
        "npz_pairs": NpzPairs,
        "unpaired": UnpairedFolders,
        "npz_unpaired": NpzUnpairedSets,
        "photos": Photos,
        "vglc_mario": VglcMario,
        "vglc_zelda": VglcZelda,
        "vglc_lode_runner": VglcLodeRunner,
        "level_folder": LevelFolder,
        "tones": Tones,
        "waves": Waves,
        **{name: PointSet(name, make) for name, make in DENSITIES.items()},
    },
)
ZIP = "zip"  # of other data sets


def builder_named(name: str) -> type[Builder] | None:
    """The builder with this name; None where the name stands for no builder."""
    made = _named(name)
    return made if isinstance(made, type) else None


def opened_named(name: str) -> OpenedSet | None:
    """The data set with this name that is made when it is read; None where it stands for none."""
    made = _named(name)
    if made is None or isinstance(made, type):
        return None
    return FunctionSet(name, made) if not hasattr(made, "open") else made


def _named(name: str) -> Any:
    if name not in DATASETS:
        plugins.load_installed()
    return DATASETS.get(name)


def has_own_files(name: str) -> bool:
    """Whether a data set is made of files that one of its options names."""
    return builder_named(name) is not None and bool({"folder", "file"} & set(options_of(name)))


def options_of(name: str) -> Mapping[str, Any]:
    """The options of a data set with their defaults; none of a name that is not in DATASETS, nor "zip"."""
    if name == ZIP:
        return {"parts": {}}
    if opened := opened_named(name):
        return opened.defaults
    builder = builder_named(name)
    return {field.name: field.default for field in fields(builder.OPTIONS)} if builder else {}


def picture_size(name: str, options: Mapping[str, Any]) -> tuple[int, int] | None:
    """Height and width of the pictures of a builder's set; None where only its files say it."""
    if has_own_files(name):
        height = options.get("tile") or options.get("height")
        return (height, options.get("width") or height) if height else None
    if builder_named(name) is None:
        return None
    try:
        builder = builder_of(name, Path(), dict(options))
        assert isinstance(builder, LocalBuilder)
        image = builder.fields()["image"]
    except UserError:  # said when the data set is opened
        return None
    if isinstance(image.codec, Sound):  # whose shape says nothing of pictures
        return None
    return image.shape[0], image.shape[1]


def load(
    name: str,
    *,
    data_dir: str | Path | None = None,
    split: str = "train",
    codec: str = VIEW["codec"],
    direction: str = VIEW["direction"],
    per_class: int = VIEW["per_class"],
    imbalance: int = VIEW["imbalance"],
    oversample: bool = VIEW["oversample"],
    **options: Any,
) -> Dataset:
    """Opens one split of a data set, without TensorFlow and without the network.

    `mnist`, `fashion_mnist`, `kmnist` and the games' levels (`vglc_mario`, `vglc_zelda`, `vglc_lode_runner`)
    are prepared by `prepare`; the others at their first use, of which `stacked_mnist` needs a prepared
    `mnist`. The points of a density (`ring`, `swiss_roll`, ...) lie in no file: they need neither, and no
    data folder. `zip` makes one of unpaired sets (see `zipped`): its option `parts` is {"image": {"name":
    "mnist", "split": "train", ...}, "source": {...}}, with the options of each.

    Args:
        name: one of DATASETS, "zip", or a tfds name that has been prepared as array_record.
        data_dir: the data folder; None or "" is TFDS_DATA_DIR, else ~/tensorflow_datasets.
        split: "train", "test", or a part of one as tfds writes it, such as "train[:1000]".
        codec, direction, per_class, imbalance, oversample: of a view; see `views.viewed`.
        **options: the data set's own, such as `resolution=64`.

    Returns:
        The split: `dataset.arrays()` has all of it, `dataset.gather(indices)` some examples, "image" uint8
        [N, H, W, C] and "label" int32 [N] where there are classes.

    Raises:
        UserError: not prepared (with the command that does it), unknown name, split or option, damage.

    Examples:
        >>> import gan_jax
        >>> dataset = gan_jax.load_dataset("shapes", resolution=16, channels=1, num_examples=40)
        >>> len(dataset), dataset.num_classes, dataset.arrays()["image"].shape
        (40, 8, (40, 16, 16, 1))
    """
    return viewed(_load(name, data_dir, split, options), codec, direction, per_class, imbalance, oversample)


def _load(name: str, data_dir: str | Path | None, split: str, options: dict[str, Any]) -> Dataset:
    if name == ZIP:
        return _open_zip(data_dir, split, options)
    if name == ARRAYS:
        raise UserError(
            "The run was trained on arrays that a program held: give them to train(config, workdir, "
            "dataset=gan_jax.data.from_arrays(...)) again, and name other reals (gan-jax evaluate --real)."
        )
    if opened := opened_named(name):
        return opened.open(split, options)
    root = data_root(data_dir)
    if builder_named(name) is None:
        folder = find_folder(root, name)
        if folder is None:
            raise UserError(_missing_stock(name, root, data_dir))
        _no_options(name, options)
        return open_folder(folder, name=name, split=split, content=None, options={})
    builder = builder_of(name, root, options)
    if not builder.is_prepared:
        if isinstance(builder, LocalBuilder) and builder.FETCHED:
            raise UserError(_missing_files(builder, data_dir))
        logging.info("Preparing the data set %s in %s (once).", name, builder.data_dir)
        builder.prepare()
    return _open(builder, split)


def splits(name: str, *, data_dir: str | Path | None = None, **options: Any) -> tuple[str, ...]:
    """The splits of a data set that is prepared; arguments and errors as in `load`."""
    if opened := opened_named(name):
        known: tuple[str, ...] = getattr(opened, "SPLITS", FunctionSet.SPLITS)
        return known
    root = data_root(data_dir)
    if builder_named(name):
        return builder_of(name, root, options).splits()
    if (folder := find_folder(root, name)) is None:
        raise UserError(_missing_stock(name, root, data_dir))
    return tuple(tfds.builder_from_directory(str(folder)).info.splits)


def prepare(
    name: str, *, data_dir: str | Path | None = None, source: str | Path | None = None, **options: Any
) -> Path:
    """Gets a data set ready for `load`: downloads or reads its files, verifies them, writes array_record.

    Args:
        name: one of DATASETS, or any tfds name (these need TensorFlow: the extra tf).
        data_dir: as for `load`.
        source: a folder in which the files of a set lie that would be downloaded; None: download them.
        **options: the data set's own.

    Returns:
        The folder of the prepared set. If it is there already, nothing is done.

    Raises:
        UserError: files missing or damaged, no mirror reached, the data folder not writable, no TensorFlow;
            points, which need no preparation.
    """
    if opened := opened_named(name):
        what = f"the points of {name} are drawn" if isinstance(opened, PointSet) else f"{name} is made"
        raise UserError(f"Nothing is to be prepared: {what} whenever the data set is opened.")
    if name == ZIP:
        raise UserError(f"Nothing is to be prepared of a {ZIP}: prepare its parts.")
    root = data_root(data_dir)
    cls = builder_named(name)
    if source is not None and has_own_files(name):
        option = "file" if "file" in options_of(name) else "folder"
        raise UserError(
            f"{name} is prepared when it is first opened, as by a training with data.name={name} and "
            f"data.{option}={source}: nothing is to be done before."
        )
    if source is not None and not (cls and issubclass(cls, LocalBuilder) and cls.FETCHED):
        raise UserError(f"The data set {name} is not made from files in a folder: leave out {source}.")
    if source is not None and not expanded(source).is_dir():
        raise UserError(f"the folder {source}, which is to have the files, is not there.")
    if cls is None:
        _no_options(name, options)
        return _prepare_stock(name, root)
    builder = builder_of(name, root, options)
    folder = builder.prepare(expanded(source) if source else None)
    for split in builder.splits():
        _open(builder, split)  # which digests the examples, see `identity`
    return folder


def _open(builder: Builder, split: str) -> Dataset:
    """One split of a prepared set of ours."""
    if isinstance(builder, UnpairedSets):
        return builder.joined(split, {side: _open(part, split) for side, part in builder.parts.items()})
    return open_folder(
        Path(builder.data_dir),
        name=builder.name,
        split=split,
        content=builder.content_digest(),
        options=builder.recorded_options,
        fields=builder.fields(),
    )


def builder_of(name: str, root: Path, options: dict[str, Any]) -> Builder:
    cls, known = builder_named(name), options_of(name)
    assert cls is not None
    options = {option: value for option, value in options.items() if option not in VIEW}
    if unknown := sorted(set(options) - set(known)):
        raise UserError(
            f"Unknown option {', '.join(unknown)} of the data set {name}: "
            + (f"it has {', '.join(known)}." if known else "it has none.")
        )
    return cls(cls.OPTIONS(**options), data_dir=root)


def _open_zip(data_dir: str | Path | None, split: str, options: dict[str, Any]) -> Dataset:
    parts = options.get("parts")
    if set(options) != {"parts"} or not isinstance(parts, dict):
        raise UserError(
            f"The data set {ZIP} has the option parts and no other: dict(image=dict(name=...), "
            f"source=dict(name=...)), not {options}."
        )
    if wrong := [name for name, part in parts.items() if not isinstance(part, dict) or "name" not in part]:
        raise UserError(
            f"The part {wrong[0]} of a {ZIP} must be dict(name=..., and the options of that name)."
        )
    return zipped(
        {name: load(**{"split": split, **part}, data_dir=data_dir) for name, part in parts.items()},
        options,
    )


def _no_options(name: str, options: dict[str, Any]) -> None:
    if options:
        raise UserError(
            f"The data set {name} is not one of gan_jax's own ({', '.join(DATASETS)}), so it has no options: "
            f"{', '.join(sorted(options))}."
        )


def _missing_files(builder: LocalBuilder, data_dir: str | Path | None) -> str:
    there = data_dir_flag(data_dir)
    return (
        f"The data set {builder.name} is not prepared: {Path(builder.data_dir) / INFO_FILE} is not there. "
        f"To download and prepare it: gan-jax data prepare {builder.name}{there} (or, with its files at hand "
        f"({builder.wanted_files()}): gan-jax data prepare {builder.name}{there} --from FOLDER)"
    )


def _missing_stock(name: str, root: Path, data_dir: str | Path | None) -> str:
    own = f"gan_jax's own ({', '.join(DATASETS)}){did_you_mean(name, DATASETS)}"
    return (
        f"The data set {name} is neither one of {own} nor prepared by tfds: "
        f"{root / name.partition(':')[0]}/VERSION/{INFO_FILE} is not there. Any tfds data set works once it "
        f"is prepared with file_format='array_record'; with TensorFlow (pip install tensorflow): "
        f"gan-jax data prepare {name}{data_dir_flag(data_dir)}"
    )


def _prepare_stock(name: str, root: Path) -> Path:
    """Has tfds prepare one of its own sets; the one place that may import TensorFlow, and tfds does it."""
    if importlib.util.find_spec("tensorflow") is None:
        raise UserError(
            f"{name} is not one of gan_jax's own data sets ({', '.join(DATASETS)})"
            f"{did_you_mean(name, DATASETS)}. tfds prepares its own sets only with TensorFlow: pip install "
            "tensorflow and run this again."
        )
    try:
        builder = tfds.builder(name, data_dir=root, file_format="array_record")
        builder.download_and_prepare()
    except Exception as error:  # tfds raises many kinds, for the name, the network and the disk
        raise UserError(f"tfds could not prepare {name} in {root}: {error}") from error
    folder = Path(builder.data_dir)
    for split in builder.info.splits:
        with contextlib.suppress(UserError):  # where these are no pictures of one size
            open_folder(folder, name=name, split=split, content=None, options={})  # digests the examples
    return folder
