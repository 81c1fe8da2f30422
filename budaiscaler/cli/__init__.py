"""The command line, `budaiscaler`."""
