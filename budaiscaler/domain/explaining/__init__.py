"""One decision without a cluster: what it is, how it came about, and what would change it."""
