"""What artlock's own files and folders of a project are called."""

from __future__ import annotations

MANIFEST = "artifacts.toml"
LOCKFILE = "artifacts.lock"
PARTS = "artifacts.lock.d"
"""Folder of the rows of large artifacts."""
STATE = ".artlock"
"""Folder of what artlock remembers about this workspace; never in git."""
