"""Metric sources: where a number comes from. Each answers a reading or says why there is none.

No source raises for what happens outside, decides anything, or knows of another source.
"""
