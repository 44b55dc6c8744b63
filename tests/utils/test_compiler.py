"""What XLA is told beside the program."""

from gan_jax.utils import compiler


def test_other_platforms_are_told_nothing():
    assert compiler.options("gpu") is None
    assert compiler.options("tpu") is None


def test_options_that_this_version_does_not_have_are_left_out(monkeypatch):
    monkeypatch.setattr(compiler, "_LIBRARIES", {"xla_cpu_no_such_option": "1"})
    assert compiler.options("cpu") == compiler._BARRIERS


def test_the_libraries_are_chosen_where_they_can_be():
    options = compiler.options("cpu")
    assert options is not None
    known = compiler.is_understood(*compiler._LIBRARIES.items())
    assert (compiler._LIBRARIES.items() <= options.items()) == known
    assert compiler._BARRIERS.items() <= options.items()
