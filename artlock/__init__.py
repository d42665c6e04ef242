"""A lockfile for data in S3, GCS, on the web and in files.

``artifacts.toml`` declares remote data, ``artifacts.lock`` pins every object of it,
and the bytes that are delivered are the bytes that were locked, or none.

``open`` and ``path`` are where programs begin; ``docs/reference/python.md`` has the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from artlock.api import Lock, Project, Step, open, path  # noqa: A004 - `artlock.open`
    from artlock.errors import (
        ArtlockError,
        ConfigError,
        ConflictError,
        IntegrityError,
        LockfileError,
        ManifestError,
        PolicyError,
        StaleLockfileError,
        StoreError,
        TrackingError,
    )

__all__ = [
    "ArtlockError",
    "ConfigError",
    "ConflictError",
    "IntegrityError",
    "Lock",
    "LockfileError",
    "ManifestError",
    "PolicyError",
    "Project",
    "StaleLockfileError",
    "Step",
    "StoreError",
    "TrackingError",
    "__version__",
    "open",
    "path",
]

__version__ = "0.1.0"
_OF_API = frozenset({"Lock", "Project", "Step", "open", "path"})


def __getattr__(name: str) -> object:
    """Return a public name when it is first asked for: the command line needs none."""
    if name not in __all__:
        message = f"module `artlock` has no attribute `{name}`"
        raise AttributeError(message)
    from artlock import api, errors

    return getattr(api if name in _OF_API else errors, name)


def __dir__() -> list[str]:
    """Return the public names."""
    return sorted(__all__)
