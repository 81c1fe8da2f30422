"""Stories: what happens to a scaler in simulated time, and what must come of it."""
