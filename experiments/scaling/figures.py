"""The two figures of the README."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.scaling.hardware import CHIPS
from experiments.scaling.prediction import Setting, images_per_second, predict
from experiments.scaling.workloads import Workload
from gan_jax.summaries.plotting import new_figure, save_figure

COLORS = dict(zip(CHIPS, ("C2", "C0", "C1", "C3", "C4"), strict=True))
CHIP_COUNTS = (1, 8, 64, 512)


def strong_scaling(works: dict[str, Workload], utilisation: float, path: Path) -> None:
    """Images per second against the number of chips, one panel for each work.

    At the published batch; beyond it (hollow) with one image on every chip.
    """
    figure = new_figure(15, 3.6)
    axes = figure.subplots(1, len(works), squeeze=False)[0]
    for panel, work in zip(axes, works.values(), strict=True):
        for name, chip in CHIPS.items():
            settings = [Setting(chip, n, utilisation=utilisation) for n in CHIP_COUNTS]
            best, worst = (
                [images_per_second(work, s, max(work.batch / s.chips, 1), overlap=overlap) for s in settings]
                for overlap in (True, False)
            )
            panel.plot(CHIP_COUNTS, best, color=COLORS[name], label=chip.name)
            panel.plot(CHIP_COUNTS, worst, ":", color=COLORS[name])
            for n, speed in zip(CHIP_COUNTS, best, strict=True):
                panel.plot(n, speed, "o", color=COLORS[name], fillstyle="full" if n <= work.batch else "none")
            if name == "h100":
                ideal = [best[0] * n for n in CHIP_COUNTS]
                panel.plot(CHIP_COUNTS, ideal, color="0.7", linewidth=1, label="H100, perfect")
        panel.set(xscale="log", yscale="log", xlabel="chips", title=_short(work))
        panel.set_xticks(CHIP_COUNTS, [str(n) for n in CHIP_COUNTS])
        panel.minorticks_off()
        panel.grid(visible=True, alpha=0.3)
    axes[0].set_ylabel("images/s")
    axes[0].legend(fontsize=7)
    save_figure(figure, path)


def hiding(works: dict[str, Workload], utilisation: float, path: Path) -> None:
    """The parts of a step against the images on each chip, 64 H100: where the exchange disappears."""
    figure = new_figure(15, 3.4)
    axes = figure.subplots(1, len(works), sharey=True, squeeze=False)[0]
    batches = np.unique(np.round(np.geomspace(1, 256, 40)))
    for panel, work in zip(axes, works.values(), strict=True):
        setting = Setting(CHIPS["h100"], 64, utilisation=utilisation)
        steps = [predict(work, setting, float(batch)) for batch in batches]
        window = [work.backward * step.device for step in steps]
        panel.plot(batches, [1e3 * step.device for step in steps], "C0", label="one chip's own work")
        panel.plot(batches, [1e3 * x for x in window], "C0--", label="of it backward: can hide gradients")
        panel.plot(batches, [1e3 * step.gradients for step in steps], "C3", label="exchange of gradients")
        if work.statistics:
            panel.plot(
                batches, [1e3 * s.statistics for s in steps], "C1", label="exchange of BatchNorm's sums"
            )
        panel.set(xscale="log", yscale="log", xlabel="images on each chip", title=_short(work))
        panel.grid(visible=True, alpha=0.3)
    axes[0].set_ylabel("ms a step, 64 H100")
    axes[0].legend(fontsize=7)
    save_figure(figure, path)


def _short(work: Workload) -> str:
    return work.title.split(" (")[0].removesuffix(", five critic steps").removesuffix(" grey")
