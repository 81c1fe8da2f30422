"""The loop that both servers host: observe, decide, report, for the scalers it is given.

It alone fetches sources, keeps the state of decisions, and writes their status, conditions and
events. It acts on nothing: the adapter publishes what it reports, the controller scales by it.
"""
