"""The tables of the README, as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from experiments.scaling.hardware import CHIPS
from experiments.scaling.prediction import (
    Setting,
    efficiency,
    hiding_batch,
    images_per_second,
    optimizer_bytes,
    predict,
    resident_bytes,
)
from experiments.scaling.published import compare
from experiments.scaling.workloads import Workload

SIZES = (8, 64, 512)
Works = dict[str, Workload]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def figures(x: float, digits: int = 3) -> str:
    """A number with so many significant digits, without an exponent up to a million."""
    return f"{x:.{digits}g}" if abs(x) < 10**digits else f"{x:,.0f}"


def works_table(works: Works) -> str:
    """What was counted."""
    rows = []
    for work in works.values():
        bf16 = Setting(CHIPS["h100"])
        rows.append(
            [
                work.title,
                f"{work.generator / 1e6:.2f} M",
                f"{work.discriminator / 1e6:.2f} M",
                figures(work.flops(1.0) / 1e9),
                figures(2 * sum(o.times * o.elements[1] for o in work.operations) / 1e6),
                figures(sum(o.times for o in work.operations)),
                f"{100 * work.backward:.0f} %",
                figures(optimizer_bytes(work, bf16) / 1e6),
                figures(4 * sum(x.times * x.elements for x in work.gradients) / 1e6),
                figures(sum(x.times for x in work.statistics)),
            ]
        )
    head = ["", "G", "D", "GFLOP", "MB in bf16", "operations", "backward", "optimizers, MB", "gradients, MB"]
    return table([*head, "BatchNorm's exchanges"], rows)


def step_table(works: Works, chip: str, utilisation: float) -> str:
    """Strong scaling: the published batch over more and more chips, and one image on each beyond it."""
    rows = []
    for work in works.values():
        for chips in SIZES:
            setting = Setting(CHIPS[chip], chips, utilisation=utilisation)
            batch = max(work.batch / chips, 1)
            step = predict(work, setting, batch)
            parts = step.arithmetic, step.memory, step.floor, step.device, step.gradients, step.statistics
            both = efficiency(work, setting, batch)
            rows.append(
                [
                    work.title if chips == SIZES[0] else "",
                    chips,
                    figures(batch),
                    *(figures(1e3 * part) for part in parts),
                    f"{figures(1 / step.serial)} to {figures(1 / step.overlapped)}",
                    f"{100 * both[0]:.0f} to {100 * both[1]:.0f} %",
                ]
            )
    head = [
        "",
        "chips",
        "images a chip",
        "arithmetic",
        "memory",
        "launches",
        "device",
        "gradients",
        "BatchNorm",
    ]
    return table([*head, "steps/s", "efficiency"], rows)


def hiding_table(works: Works, utilisation: float) -> str:
    """The least images on a chip that hide the exchange of the gradients, replicated / sharded."""
    rows = []
    for work in works.values():
        for name, chip in CHIPS.items():
            cells = []
            for chips in SIZES:
                both = [
                    hiding_batch(work, Setting(chip, chips, utilisation=utilisation, sharded=sharded))
                    for sharded in (False, True)
                ]
                cells.append(" / ".join("never" if x is None else str(x) for x in both))
            rows.append([work.title if name == "h100" else "", chip.name, *cells])
    return table(["", "", *(f"{chips} chips" for chips in SIZES)], rows)


def weak_table(works: Works, utilisation: float) -> str:
    """Weak scaling: on every chip an eighth of the published batch; thousand images/s and efficiency."""
    rows = []
    for work in works.values():
        batch = work.batch / 8
        for name, chip in CHIPS.items():
            cells = []
            for chips in SIZES:
                setting = Setting(chip, chips, utilisation=utilisation)
                speed = images_per_second(work, setting, batch) / 1e3
                low, high = efficiency(work, setting, batch)
                cells.append(f"{figures(speed)} ({100 * low:.0f} to {100 * high:.0f} %)")
            rows.append([work.title if name == "h100" else "", chip.name, figures(batch), *cells])
    return table(["", "", "images a chip", *(f"{chips} chips" for chips in SIZES)], rows)


def memory_table(works: Works) -> str:
    """What a chip holds, and the images that fit, in bfloat16."""
    rows = []
    for work in works.values():
        fixed = [
            resident_bytes(work, Setting(CHIPS["h100"], 8, sharded=sharded), 0.0) / 1e9
            for sharded in (False, True)
        ]
        each = resident_bytes(work, Setting(CHIPS["h100"]), 1.0) / 1e9 - fixed[0]
        fits = [int(0.9 * chip.memory / 1e9 - fixed[0]) for chip in CHIPS.values()]
        rows.append(
            [
                work.title,
                *(f"{1e3 * x:.0f}" for x in fixed),
                figures(1e3 * each),
                *(f"{int(left / each):,}" for left in fits),
            ]
        )
    head = [
        "",
        "state, MB",
        "sharded over 8, MB",
        "MB an image",
        *(f"fit on {c.name}" for c in CHIPS.values()),
    ]
    return table(head, rows)


def published_table() -> str:
    """StyleGAN2 on V100, measured by its authors and predicted."""
    rows = []
    for x in compare():
        rows.append(
            [
                f"{x.resolution}x{x.resolution}",
                x.gpus,
                x.batch,
                figures(x.flops / 1e9),
                figures(x.measured),
                figures(x.predicted),
                f"{x.measured / x.predicted:.1f}",
                figures(x.flops * 1e3 / x.measured / x.gpus / 1e12),
            ]
        )
    head = [
        "",
        "GPUs",
        "images a GPU",
        "GFLOP an image",
        "measured, s/kimg",
        "model, s/kimg",
        "measured / model",
    ]
    return table([*head, "TFLOP/s a GPU"], rows)
