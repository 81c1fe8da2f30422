"""Tests against a real control plane, and the package `e2e.cluster` that provides one."""
