"""Pins that other tools wrote, read as values: one module a tool.

What they say is taken as far as it is honest: a digest under its own name, an etag as an
etag, and nothing where a tool hashed something else than the bytes.
"""
