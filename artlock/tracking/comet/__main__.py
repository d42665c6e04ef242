"""``python -m artlock.tracking.comet``: the process that Comet's client runs in."""

from __future__ import annotations

import sys

_NOT_NEEDED = ("matplotlib", "numpy", "PIL")
"""What the client loads if it is there, for figures and images; it takes two thirds of the
time until it is ready."""


def main() -> None:
    """Answer requests until standard input ends."""
    for name in _NOT_NEEDED:
        # As if it were not installed, which the client is prepared for.
        sys.modules[name] = None  # type: ignore[assignment] # how an import is refused
    from artlock.tracking.comet.client import serve  # noqa: PLC0415 - see above

    serve()


if __name__ == "__main__":
    main()
