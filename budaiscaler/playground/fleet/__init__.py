"""Pretended inference servers: how they slow down under load, and what they write of it."""
