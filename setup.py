"""What pyproject.toml cannot say: configs/ inside the wheel, and the README as PyPI shows it.

A wheel has configs/ as gan_jax/configs. An editable install has nothing copied: `gan_jax.config.shipped`
finds the folder beside the package.
"""

import re
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

RELATIVE = r"\((?!https?://)[^)]*\)"
PICTURE = re.compile(rf"!\[[^]]*\]{RELATIVE}|<img [^>]*src=\"(?!https?://)[^>]*>")
CODE_OR_LINK = re.compile(rf"(`+[^`]+`+)|\[((?:`[^`]*`|[^]`])*)\]{RELATIVE}")


def standalone(markdown: str) -> str:
    """A Markdown text without what lies beside its file.

    Pictures by a relative path are left out, and so are tables of them. Of links to a relative path the words
    are kept. Code is as it was.
    """
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else _standalone_prose(part) for part in parts)


def _standalone_prose(text: str) -> str:
    kept = []
    for paragraph in re.split(r"\n{2,}", text):
        if PICTURE.search(paragraph):
            if paragraph.lstrip().startswith("|"):
                continue
            paragraph = re.sub(rf"\[\s*\]{RELATIVE}", "", PICTURE.sub("", paragraph))
            if not re.sub(r"<[^>]*>", "", paragraph).strip():
                continue
        kept.append(CODE_OR_LINK.sub(lambda found: found[1] or found[2], paragraph))
    return "\n\n".join(kept)


class BuildWithConfigs(build_py):
    """Copies the package and the shipped configs."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            inside = Path(self.build_lib) / "gan_jax" / "configs"
            self.mkpath(str(inside))
            for path in sorted(Path("configs").glob("*.py")):
                self.copy_file(str(path), str(inside / path.name))


setup(
    cmdclass={"build_py": BuildWithConfigs},
    long_description=standalone(Path("README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
)
