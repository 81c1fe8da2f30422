"""The only door to the API server: a narrow port, the one client behind it, and what builds on it.

Objects are plain JSON dictionaries here; whoever needs fewer fields projects them in a `Cache`.
"""
