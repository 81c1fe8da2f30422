"""Unit and property tests, by subject. Nothing is patched: fakes are handed in at the ports."""
