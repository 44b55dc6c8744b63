"""One run on many processes: who they are, how they start, agree, and end together."""

from gan_jax.distributed.hosts.cluster import Place, find_place
from gan_jax.distributed.hosts.failure_detector import Patience
from gan_jax.distributed.hosts.group import ALONE, Hosts, differing
from gan_jax.distributed.hosts.start import CONNECT_SECONDS, connected

__all__ = ["ALONE", "CONNECT_SECONDS", "Hosts", "Patience", "Place", "connected", "differing", "find_place"]
