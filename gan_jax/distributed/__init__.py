"""Devices: mesh, sharding, many runs in one program, many hosts."""
