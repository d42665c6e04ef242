"""Tracking servers, the registry that is artlock's own, and what waits to be sent.

``base.py`` has the protocol, ``schemes.py`` knows who speaks it.
"""
