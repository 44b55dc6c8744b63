"""What `gan-jax evaluate` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gan_jax.data.decoding import MAX_MEGAPIXELS
from gan_jax.evaluation.sources.sources import ImageSource, open_source


@dataclass(frozen=True)
class Request:
    """The flags of `gan-jax evaluate`.

    Attributes:
        fake, real: a run's folder, a folder of pictures, an .npz of images, or NAME[:SPLIT] of a data set;
            real may be None for a run: the split that it was trained on.
        metrics: names with commas between; "" for `DEFAULT`, or `USUAL_METRICS` of what is no image.
        num: images of the fakes; None for 50,000 of a generator and for all of files.
        num_real: so many of the reals, as `image_source.subset` chooses them; None for all.
        network, resizer, inception_weights: as `evaluation.networks.open_network` takes them.
        seed: of the latents and of what metrics draw.
        repeats: evaluations with the seeds seed, seed + 1, ...
        raw: the trained weights in the place of their average.
        data_dir: the data folder.
        real_dir: where the pictures are now that the run was trained on; None for where they were.
        changed_reals: score against the run's data also where they have changed since.
        out: a file of rows for the scores; None for a run's metrics.jsonl.
        neighbours: a PNG to write, of the first fakes and the reals that are nearest to them.
        held_out: reals that were not trained on, as `real`; None for the test split of the reals' data set.
        kid_subset_size: images in each of KID's subsets; None for 1000.
        direction: "a_to_b" (source to image) or "b_to_a", of a run that translates.
        border: rows and columns that metrics of pairs leave out on each side; None for their own.
        truncation, cutoff: of a run's styles, see `core.styles.Truncation`.
        solver, steps, guidance: how a run that is a diffusion model samples, see `inference.samplers`.
        value_range, max_megapixels: how folders are read, as `folder_source` takes them.
    """

    fake: str
    real: str | None
    metrics: str
    num: int | None
    num_real: int | None
    network: str
    resizer: str
    inception_weights: str | None
    seed: int
    repeats: int
    raw: bool
    data_dir: str | None
    out: Path | None
    neighbours: Path | None
    value_range: tuple[float, ...] = ()
    max_megapixels: float = MAX_MEGAPIXELS
    real_dir: str | None = None
    changed_reals: bool = False
    held_out: str | None = None
    kid_subset_size: int | None = None
    border: int | None = None
    truncation: float = 1.0
    cutoff: int | None = None
    solver: str | None = None
    steps: int | None = None
    guidance: float | None = None
    direction: str = "a_to_b"

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that are asked for."""
        return listed_names(self.metrics)

    def open(self, text: str) -> ImageSource:
        """A folder, a file or a data set that a flag names."""
        return open_source(
            text, data_dir=self.data_dir, value_range=self.value_range, max_megapixels=self.max_megapixels
        )


def listed_names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
