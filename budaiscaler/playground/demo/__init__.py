"""A demo: everything that is pretended in one process, and the real servers in theirs."""
