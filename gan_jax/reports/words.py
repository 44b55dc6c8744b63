"""Facts of a run in words."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from gan_jax.reports.page import NOTHING
from gan_jax.reports.run_facts import RunFacts
from gan_jax.utils.names import listed

_LENGTH = 200  # letters of a field's value


def what_it_is(run: RunFacts) -> dict[str, str]:
    """Method, networks and data in words."""
    config, data = run.fields, run.record["data"]
    penalties = [name for where in ("penalties", "generator_penalties") for name in _group(run, where)]
    method = [str(config.get("algorithm.name", "?"))]
    if loss := config.get("loss.name"):
        method.append(f"loss {loss}")
    if penalties:
        method.append(f"penalties {', '.join(penalties)}")
    if contents := _group(run, "contents"):
        method.append(f"contents {', '.join(contents)}")
    networks = [str(config[name]) for name in ("generator.name", "discriminator.name") if name in config]
    shape = "x".join(map(str, data.get("image_shape", ())))
    parts = [f"{data.get('examples', 0):,} examples", *([shape] if shape else [])]
    if classes := data.get("num_classes"):
        names = [str(name) for name in data.get("class_names", ())]
        parts.append(f"{classes} classes" + (f" ({listed(names, 12)})" if names else ""))
    return {
        "method": "; ".join(method),
        "networks": ", ".join(networks),
        "data": f"{config.get('data.name', '?')}: {', '.join(parts)}",
        "seed": str(config.get("seed", "?")),
    }


def _group(run: RunFacts, where: str) -> list[str]:
    return list(run.config.get(where) or {})


def duration(run: RunFacts) -> str | None:
    """The time that the logged steps took, evaluations left out; None where nothing is logged."""
    seconds, before = 0.0, 0
    for row in run.rows:
        if row["steps_per_second"]:
            seconds += max(0, row["step"] - before) / row["steps_per_second"]
        before = row["step"]
    if not seconds or not math.isfinite(seconds):
        return None
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def value_text(value: Any) -> str:
    """A field's value on a line; a dash for none."""
    if value is None:
        return NOTHING
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}…"


def hardware(start: Mapping[str, Any]) -> str:
    """Of a start what it ran on."""
    devices = start.get("devices") or {}
    shown = f"{devices.get('count', '?')} x {devices.get('kind', '?')} ({devices.get('platform', '?')})"
    processes = start.get("processes") or 1
    several = f", {processes} processes" if processes != 1 else ""
    return f"{shown}, {start.get('cpus', '?')} CPU cores{several}"


def versions(start: Mapping[str, Any]) -> str:
    """Of a start what was installed."""
    packages = [f"{name} {version}" for name, version in (start.get("packages") or {}).items() if version]
    return ", ".join([f"Python {start.get('python', '?')}", *packages])
