"""Tenants: the unit of isolation; every other tenant-owned row points at one."""
