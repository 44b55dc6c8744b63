"""How long chips need to add up or exchange arrays.

A ring of n moves (n - 1) / n of an array through every chip to reduce and scatter it, and as much to gather
it again; no algorithm can move less (Patarasuk and Yuan 2009, doi:10.1016/j.jpdc.2008.09.002). On a torus
the rings of all axes and both directions share the array, so that a chip's links all work. Where a network
has levels, the array is scattered inside, the shares are reduced between the groups, and gathered inside
again: the outer level moves only 1 / n of it.
"""

from __future__ import annotations

from experiments.scaling.hardware import Network


def scatter_time(size: float, network: Network) -> float:
    """Seconds to reduce-scatter, or to all-gather, an array of `size` bytes over one level."""
    if network.size == 1:
        return 0.0
    return (network.size - 1) / network.size * size / network.bandwidth + network.hops * network.latency


def all_reduce_time(size: float, networks: tuple[Network, ...]) -> float:
    """Seconds until every chip has the sum of all chips' arrays of `size` bytes.

    Args:
        networks: the levels, the innermost first.
    """
    if not networks:
        return 0.0
    inner, *outer = networks
    return 2 * scatter_time(size, inner) + all_reduce_time(size / inner.size, tuple(outer))


def gather_time(size: float, networks: tuple[Network, ...]) -> float:
    """Seconds to reduce-scatter, or to all-gather, an array of `size` bytes over all levels."""
    if not networks:
        return 0.0
    inner, *outer = networks
    return scatter_time(size, inner) + gather_time(size / inner.size, tuple(outer))
