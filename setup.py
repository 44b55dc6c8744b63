"""What pyproject.toml cannot say: a wheel has configs/ inside the package, as gan_jax/configs.

An editable install has nothing copied: `gan_jax.config.shipped` finds the folder beside the package.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithConfigs(build_py):
    """Copies the package and the shipped configs."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            inside = Path(self.build_lib) / "gan_jax" / "configs"
            self.mkpath(str(inside))
            for path in sorted(Path("configs").glob("*.py")):
                self.copy_file(str(path), str(inside / path.name))


setup(cmdclass={"build_py": BuildWithConfigs})
