"""What a data set would hold, from its options alone: nothing is prepared, and its files may be elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_jax.data.catalog import ZIP, builder_named, builder_of, has_own_files, load
from gan_jax.data.dataset import Dataset
from gan_jax.data.games import GAMES
from gan_jax.data.sound_codecs import Wave
from gan_jax.data.sounds import spectrogram_field
from gan_jax.data.spec import DataSpec, Field
from gan_jax.data.unpaired_sets import UnpairedSets
from gan_jax.data.vglc import LevelFolderOptions
from gan_jax.data.views import VIEW, viewed
from gan_jax.data.waves import WavesOptions
from gan_jax.data.zipped import zipped
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded

_UNPAIRED = ("unpaired", "npz_unpaired")
_WITH_SOURCE = (*_UNPAIRED, "pairs_folder", "npz_pairs")


def expected_spec(
    name: str,
    *,
    data_dir: str | Path | None = None,
    codec: str = VIEW["codec"],
    direction: str = VIEW["direction"],
    per_class: int = VIEW["per_class"],
    imbalance: int = VIEW["imbalance"],
    oversample: bool = VIEW["oversample"],
    **options: Any,
) -> DataSpec:
    """What the networks would know of a data set; the arguments are those of `load`.

    Of pictures whose folder or file is not there, the size and the channels that the options give them; they
    have no classes then.

    Raises:
        UserError: wrong options; a set whose size only its files say, and they are not there.
    """
    return viewed(_empty(name, data_dir, options), codec, direction, per_class, imbalance, oversample).spec


def _empty(name: str, data_dir: str | Path | None, options: Mapping[str, Any]) -> Dataset:
    """The data set without its examples."""
    if name == ZIP and isinstance(options.get("parts"), dict):
        parts = {
            field: _empty(
                part["name"], data_dir, {k: v for k, v in part.items() if k not in ("name", "split")}
            )
            for field, part in options["parts"].items()
        }
        return zipped(parts, dict(options))
    if builder_named(name) is None:
        return load(name, data_dir=data_dir, **options)
    if has_own_files(name) and not _is_there(options):
        return _of_fields(name, _sized(name, options), None)
    builder = builder_of(name, Path(data_dir or "."), dict(options))
    if not isinstance(builder, UnpairedSets):
        return _of_fields(name, builder.fields(), builder.class_names())
    sides = {side: _of_fields(name, part.fields(), None) for side, part in builder.parts.items()}
    return zipped(sides, {}, name=name)


def _is_there(options: Mapping[str, Any]) -> bool:
    where = options.get("folder") or options.get("file") or ""
    return where != "" and expanded(where).exists()


def _sized(name: str, options: Mapping[str, Any]) -> dict[str, Field]:
    """The fields of pictures, of levels or of sounds, in a folder or a file that is not there."""
    if name == "level_folder":
        game = GAMES[LevelFolderOptions(**dict(options)).game]
        return {"image": Field((*game.shape, len(game.tiles)), game.codec)}
    if name == WavesOptions.NAME:
        sound = WavesOptions(**dict(options))
        if sound.form == Wave.name:
            return {"image": Field((sound.length, 1, 1), Wave(sound.rate))}
        return {"image": spectrogram_field(sound, None)}
    height = options.get("tile") or options.get("height")
    if not height:
        where = options.get("folder") or options.get("file") or "no file"
        raise UserError(
            f"{name}: {where} is not there, and only it says how large the pictures are: set data.height"
        )
    size = (height, options.get("width") or height)
    fields = {"image": Field((*size, options.get("channels", 3)))}
    if name in _WITH_SOURCE:
        channels = options.get("source_channels", options.get("channels", 3))
        fields["source"] = Field((*size, channels), aligned=name not in _UNPAIRED)
    return fields


def _of_fields(name: str, fields: Mapping[str, Field], classes: tuple[str, ...] | None) -> Dataset:
    count = None if classes is None else len(classes)
    return Dataset(name, "train", [], fields, count, classes or (), "not opened")
