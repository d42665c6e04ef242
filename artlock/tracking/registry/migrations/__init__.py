"""From one schema of the registry to the next; Alembic runs them.

A step is never changed once it has been released: registries out there have taken it.
"""
