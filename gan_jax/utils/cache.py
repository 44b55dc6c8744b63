"""The cache folder: weights, classifiers, features of real sets, compiled programs."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from gan_jax.utils.errors import UserError
from gan_jax.utils.files import disk_errors
from gan_jax.utils.paths import expanded, home

VARIABLE = "GAN_JAX_CACHE"


def cache_folder(part: str) -> Path:
    """The folder of one kind of file; it need not be there yet.

    It is below $GAN_JAX_CACHE, else $XDG_CACHE_HOME/gan_jax, else ~/.cache/gan_jax; where the user has no
    home folder, as in many containers, below the system's temporary folder.

    Raises:
        UserError: a variable names nobody's home folder; the one in the temporary folder is another user's.
    """
    if given := os.environ.get(VARIABLE):
        return expanded(given) / part
    if given := os.environ.get("XDG_CACHE_HOME"):
        return expanded(given) / "gan_jax" / part
    if (own := home()) is not None:
        return own / ".cache" / "gan_jax" / part
    return _temporary() / part


def _temporary() -> Path:
    """This user's folder below the temporary one, where anybody may have made it before."""
    folder = Path(tempfile.gettempdir()) / f"gan_jax-{os.getuid()}"
    with disk_errors(f"make {folder}"):
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise UserError(f"the cache folder {folder} is not this user's alone: set {VARIABLE} to another one")
    return folder
