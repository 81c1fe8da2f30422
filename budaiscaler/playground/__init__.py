"""Everything that a cluster has, pretended on one machine: for the demo and for tests.

An API server in memory, inference servers that only tell of requests, and whoever sends them. What
is decided on top of it is decided by the real adapter and the real controller. Never in production.
"""
