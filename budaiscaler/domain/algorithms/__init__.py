"""One module a strategy; each turns a spec and an observation into a decision."""
