"""A process that only lives: python -m tests.distributed.hosts.waiting FATE --coordinator=... ...

FATE is what becomes of process 1 by itself: "lives", "hangs" or "fails".
"""

import sys
import time

from gan_jax.distributed import hosts
from gan_jax.utils.errors import UserError
from gan_jax.utils.interrupt import StopRequest

LOST, STALLED = 4, 5  # seconds


def main() -> int:
    fate, *flags = sys.argv[1:]
    told = dict(flag.removeprefix("--").split("=") for flag in flags)
    count, index = int(told["num_processes"]), int(told["process_id"])
    with (
        hosts.connected(
            told["coordinator"], count, index, lost_seconds=LOST, stalled_seconds=STALLED
        ) as group,
        StopRequest(group.signals) as stop,
    ):
        sys.stdout.write("here\n")
        sys.stdout.flush()
        while (signum := group.stop_signal(stop)) is None:
            time.sleep(0.01)
            if index == 1 and fate == "hangs":
                time.sleep(1000)
            if index == 1 and fate == "fails":
                with group.propagate_errors():
                    raise UserError("the disk is full")
    return 128 + signum


if __name__ == "__main__":
    sys.exit(main())
