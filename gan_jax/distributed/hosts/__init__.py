"""One run on many processes, with JAX's coordinator, collectives and preemption service."""

from gan_jax.distributed.hosts.group import ALONE, Hosts
from gan_jax.distributed.hosts.start import connected

__all__ = ["ALONE", "Hosts", "connected"]
