"""The fields of a config as the help lists them."""

import functools

from gan_jax.config.components import complete
from gan_jax.config.field_help import documented, fields_help
from tests import runs


class Base:
    """A thing.

    Attributes:
        width: channels; never
            odd. More is slower.
        b1, b2: decays.
    """


class Derived(Base):
    """Another thing.

    Attributes:
        width: its own (Held et al. 2020). More.

    Raises:
        ValueError: never.
    """


def test_a_docstring_says_what_fields_are():
    assert documented(functools.partial(Base)) == {
        "width": "channels; never odd.",
        "b1": "decays.",
        "b2": "decays.",
    }
    assert documented(Derived) == {"width": "its own (Held et al. 2020).", "b1": "decays.", "b2": "decays."}
    assert documented(lambda: None) == {}


def test_every_field_is_listed_with_its_value():
    config = complete(runs.get_config())
    lines = fields_help(config).splitlines()
    listed = [line.strip().partition("=")[0] for line in lines if not line.startswith(" " * 10)]
    expected = {name for name in config if not hasattr(config[name], "items")}
    expected |= {
        f"{name}.{field}"
        for name in config
        if hasattr(config[name], "items")
        for field in config[name]
        if not hasattr(config[name][field], "items")
    }
    assert expected <= set(listed)
    assert f"  num_steps={config.num_steps}" in lines
    at = lines.index(f"  evaluation.metrics={config.evaluation.metrics}")
    assert "names with commas between" in lines[at + 1]
    assert len(lines) > 1.4 * len(listed)  # most are said
    assert max(map(len, lines)) < 120
