"""What `gan-jax evaluate` does where the fakes are files that have truths."""

from __future__ import annotations

from dataclasses import replace

from gan_jax.cli.evaluation_request import Request
from gan_jax.evaluation.folder_pairs import folder_pairs
from gan_jax.evaluation.folder_scores import folder_scores, measures_pairs, picture_table
from gan_jax.evaluation.generated import GeneratedSet
from gan_jax.evaluation.protocol import Record, table
from gan_jax.evaluation.requirements import chosen
from gan_jax.evaluation.sources.sources import ImageSource, is_run
from gan_jax.utils.errors import UserError
from gan_jax.utils.paths import expanded


def is_of_two_folders(request: Request) -> bool:
    """Whether pictures are to be compared with those of the same names in another folder."""
    if not request.metrics or not measures_pairs(chosen(request.names)):
        return False
    sides = [request.fake, request.real or ""]
    return all(text and expanded(text).is_dir() and not is_run(text) for text in sides)


def evaluate_folders(request: Request) -> tuple[Record, str]:
    """Pictures of one folder against those of the same names in another: the means, and all as a text.

    Raises:
        UserError: what is asked for does not go with it; see `folder_pairs` and `folder_scores`.
    """
    unused = {
        "--num": request.num,
        "--num_real": request.num_real,
        "--held_out": request.held_out,
        "--neighbours": request.neighbours,
        "--raw": request.raw or None,
        "--real_dir": request.real_dir,
        "--changed_reals": request.changed_reals or None,
        "--direction": None if request.direction == "a_to_b" else request.direction,
        "--repeats": request.repeats if request.repeats > 1 else None,
    }
    for flag, value in unused.items():
        if value is not None:
            raise UserError(f"{flag} is of no use where each picture is compared with its own: leave it out")
    pairs = folder_pairs(
        request.fake,
        request.real or "",
        value_range=request.value_range,
        max_megapixels=request.max_megapixels,
    )
    record, each = folder_scores(pairs, chosen(request.names, border=request.border))
    return record, f"{picture_table(each)}\n\n{table([record])}"


def fakes_of_files(request: Request, real: ImageSource) -> GeneratedSet:
    """The fakes that are files, whose truths are the reals where these are as many and called the same."""
    source = request.open(request.fake)
    fake, arrays = GeneratedSet(source=source, seed=request.seed), (expanded(request.fake), request.real)
    if real.size != source.size:
        return replace(fake, no_truth=f"{source.name} and {real.name} are not equally many")
    if source.names != real.names:
        return replace(fake, no_truth=f"the pictures of {source.name} and {real.name} have other names")
    if source.names is None and not all(str(text).endswith(".npz") for text in arrays):
        return fake
    return replace(fake, truth=real)
