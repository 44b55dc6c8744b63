"""The program: `gan-jax`, or `python -m gan_jax`."""

from gan_jax.utils import interrupt, streams


def cli() -> None:
    """The console command. Signals are answered before anything else is imported."""
    streams.make_safe()
    interrupt.answer_signals()
    from gan_jax.main import cli as run

    run()


if __name__ == "__main__":
    cli()
