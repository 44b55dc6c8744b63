"""What `gan-jax explore` does, once its flags are read."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from gan_jax.core.algorithm import Algorithm
from gan_jax.core.state import TrainState
from gan_jax.data.spec import DataSpec
from gan_jax.explorer.latents_page import LatentsPage
from gan_jax.explorer.named import Named
from gan_jax.explorer.pictures import Pictures
from gan_jax.explorer.server import Server
from gan_jax.explorer.site import Explored
from gan_jax.explorer.translation_page import TranslationPage
from gan_jax.inference.translate import PictureTranslator
from gan_jax.latent_tools.generator import LatentGenerator
from gan_jax.training.restore import BEST, NEWEST, restored_run
from gan_jax.utils.paths import expanded


def explore(workdir: Path, *, step: int | None, best: bool, port: int | None) -> None:
    """Serves the page of a run until a signal ends the program.

    Raises:
        UserError: a run that neither translates nor makes pictures of latents alone; a port that is in use.
    """
    server = opened(*restored_run(workdir, BEST if best else NEWEST, step), workdir=workdir, port=port)
    try:
        sys.stdout.write(f"{server.address} shows {workdir}; Ctrl-C ends it\n")
        sys.stdout.flush()
        server.serve_forever()
    finally:
        server.server_close()


def opened(
    algorithm: Algorithm, spec: DataSpec, state: TrainState, *, workdir: Path, port: int | None
) -> Server:
    """A server that listens, of a run whose programs are compiled."""
    name = expanded(workdir).resolve().name
    named = Named(
        name,
        int(state.step),
        f"The averaged generator at step {int(state.step):,}: {type(algorithm.generator).__name__}.",
        spec.class_names,
    )
    explored: Explored
    if algorithm.directions:
        translators = {
            way: partial(PictureTranslator, algorithm, spec, state, direction=way)
            for way in algorithm.directions
        }
        explored = TranslationPage(translators, named)
    else:
        explored = LatentsPage(Pictures(LatentGenerator(algorithm, spec, state)), named)
    return Server(explored, port)
