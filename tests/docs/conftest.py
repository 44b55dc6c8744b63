"""What a page's commands and code add to this process ends with its test."""

import sys
from collections.abc import Iterator

import pytest

from gan_jax.config.tables import ALL_TABLES
from gan_jax.utils import plugins


@pytest.fixture(autouse=True)
def own_components(monkeypatch, tmp_path) -> Iterator[None]:
    """Components in the tables, the plugins that were imported, and the page's own modules."""
    monkeypatch.setattr(plugins, "_imported", set(plugins._imported))
    modules, before = set(sys.modules), {kind: set(table.own()) for kind, table in ALL_TABLES.items()}
    yield
    for kind, table in ALL_TABLES.items():
        for name in table.own().keys() - before[kind]:
            del table[name]
    for name in set(sys.modules) - modules:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]
