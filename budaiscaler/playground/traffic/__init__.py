"""Who sends requests: made up from a seed, or replayed from a trace."""
