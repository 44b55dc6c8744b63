"""gan_jax: train, compare and understand generative adversarial networks in JAX.

    import gan_jax

    run = gan_jax.train("dcgan_shapes", "runs/shapes", num_steps=2_000)
    images = run.sample(64, label="star", seed=0)     # float32 [64, 28, 28, 1] in [-1, 1]
    run = gan_jax.load("runs/shapes")                 # later, or elsewhere
    print(gan_jax.evaluate(run, metrics=["fid", "prdc"], network="classifier", num=5_000))

`train`, `load` and `Run` are about runs; `load_config` reads a config, `config_for` chooses one for pictures;
`load_dataset` and `as_dataset` give data sets; `fid` and `evaluate` give scores; `Every` makes periodic work
of a function, and `WandbLogger` and `MLflowLogger` are such work. A `UserError` says in a line what is wrong
and what to do. All is imported when it is first used: `import gan_jax` takes no time.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_jax.api.configs import config_for, load_config
    from gan_jax.api.runs import Run, load
    from gan_jax.api.scores import Scores, evaluate, fid
    from gan_jax.api.training import train
    from gan_jax.core.loop import Every
    from gan_jax.data.catalog import load as load_dataset
    from gan_jax.data.dataset import Dataset
    from gan_jax.data.given import as_dataset
    from gan_jax.training.loggers import MLflowLogger, WandbLogger
    from gan_jax.utils.errors import UserError

__version__ = "0.1.0"
__all__ = [
    "Dataset",
    "Every",
    "MLflowLogger",
    "Run",
    "Scores",
    "UserError",
    "WandbLogger",
    "__version__",
    "as_dataset",
    "config_for",
    "evaluate",
    "fid",
    "load",
    "load_config",
    "load_dataset",
    "train",
]

_PLACES = {  # the module of each name, and what it is called there
    "Dataset": ("data.dataset", "Dataset"),
    "Every": ("core.loop", "Every"),
    "MLflowLogger": ("training.loggers", "MLflowLogger"),
    "Run": ("api.runs", "Run"),
    "Scores": ("api.scores", "Scores"),
    "UserError": ("utils.errors", "UserError"),
    "WandbLogger": ("training.loggers", "WandbLogger"),
    "as_dataset": ("data.given", "as_dataset"),
    "config_for": ("api.configs", "config_for"),
    "evaluate": ("api.scores", "evaluate"),
    "fid": ("api.scores", "fid"),
    "load": ("api.runs", "load"),
    "load_config": ("api.configs", "load_config"),
    "load_dataset": ("data.catalog", "load"),
    "train": ("api.training", "train"),
}

if not TYPE_CHECKING:  # where type checkers would take any name for one of ours

    def __getattr__(name: str) -> Any:
        """Imports a public name when it is first used (PEP 562)."""
        if name not in _PLACES:
            raise AttributeError(f"module 'gan_jax' has no attribute {name!r}; it has {', '.join(__all__)}")
        module, own = _PLACES[name]
        found = getattr(importlib.import_module(f"gan_jax.{module}"), own)
        globals()[name] = found
        return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
