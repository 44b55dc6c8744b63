"""Writes the tables of docs/configs.md anew: a row for each shipped config, as its header says it.

python docs/configs_table.py

A config is in the table that names it; put the name of a new one in the first column of a row.
"""

import re
from pathlib import Path

from gan_jax.config import shipped

PAGE = Path(__file__).parent / "configs.md"
ROW = re.compile(r"\| `([a-z]\w*)(?::\w+)?` \|(?! [`!])(?:[^|]*\|)*")


def renewed(text: str) -> str:
    """The page with the rows of today's headers.

    Raises:
        ValueError: a shipped config has no row.
    """
    lines, seen = [], set()
    for line in text.splitlines():
        found = ROW.fullmatch(line)
        if found and found[1] in shipped.names():
            config = shipped.read(found[1])
            seen.add(found[1])
            line = f"| `{config.usage}` | {config.about} | {config.time} |"
        lines.append(line)
    if missing := sorted(set(shipped.names()) - seen):
        raise ValueError(f"docs/configs.md has no row for {', '.join(missing)}: add | `{missing[0]}` | | |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text()))
