"""Verified bytes on this machine, and what is remembered about them.

A name in the cache is a promise about bytes: nothing gets one before it was hashed and
synced. Everything else here is a memory that may be lost at any time at the cost of work.
"""
