"""A process that only lives: python -m tests.distributed.hosts.waiting --coordinator ..."""

import os
import sys
import time

from gan_jax.distributed import hosts
from gan_jax.utils.interrupt import StopRequest

LOST = 4  # seconds


def main() -> None:
    told = dict(zip(sys.argv[1::2], sys.argv[2::2], strict=True))
    place = hosts.find_place(
        os.environ,
        coordinator=told["--coordinator"],
        num_processes=int(told["--num_processes"]),
        process_id=int(told["--process_id"]),
    )
    with (
        hosts.connected(place, patience=hosts.Patience(lost=LOST, beat=0.1)) as together,
        StopRequest() as stop,
    ):
        sys.stdout.write("here\n")
        sys.stdout.flush()
        while together.stop_signal(stop) is None:
            time.sleep(0.01)


if __name__ == "__main__":
    main()
