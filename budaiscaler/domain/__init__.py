"""The pure core: what a scaler is, and what it decides.

No asyncio, no I/O, no clock, no logging: time is an argument and a failure is a value or an error
of `budaiscaler.domain.errors`. Everything here can be replayed from its inputs.
"""
