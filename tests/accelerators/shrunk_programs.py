"""Small networks of many configs, compiled one after the other in one process; prints a row of JSON for each.

python -m tests.accelerators.shrunk_programs v5e:2x2 acgan_mnist wgan_gp_mnist ...
"""

import json
import sys

from experiments.accelerators.program import row_of  # first: it keeps JAX away from devices
from tests.shipped import get_config, shrunk


def main() -> None:
    target, *names = sys.argv[1:]
    for name in names:
        config = shrunk(get_config(name), examples=8)  # two images on each of four chips
        row = row_of(config, name, target, {"shrunk": True})
        sys.stdout.write(f"{json.dumps(row)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
