"""The exception for errors that the user can fix."""


class UserError(Exception):
    """Something outside the program is wrong: a flag, a config, a file, a disk.

    The message is shown as it is, without a traceback, so it says what was given, what was
    expected and what to do. Programs that use gan_jax as a library may catch it.
    """
