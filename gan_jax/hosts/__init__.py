"""One run on many processes: who they are, how they start, agree, and end together."""

from gan_jax.hosts.cluster import Place, find_place
from gan_jax.hosts.group import ALONE, Hosts, differing
from gan_jax.hosts.judge import Patience
from gan_jax.hosts.start import CONNECT_SECONDS, connected

__all__ = ["ALONE", "CONNECT_SECONDS", "Hosts", "Patience", "Place", "connected", "differing", "find_place"]
