"""The process that Comet's client runs in; ``process.py`` starts it."""

from __future__ import annotations

import os
import sys
import traceback

from artlock.tracking.comet.words import Words

_NOT_NEEDED = ("matplotlib", "numpy", "PIL")
"""What the client loads if it is there, for figures and images; it takes two thirds of the
time until it is ready."""


def main() -> None:
    """Answer requests until standard input ends."""
    for name in _NOT_NEEDED:
        # As if it were not installed, which the client is prepared for.
        sys.modules[name] = None  # type: ignore[assignment] # how an import is refused
    secrets: list[str] = []
    # Before the client is loaded: its log keeps the stream that is there then.
    sys.stdout = Words(sys.stdout.buffer, secrets)
    sys.stderr = Words(sys.stderr.buffer, secrets)
    from artlock.tracking.comet.client import serve  # noqa: PLC0415 - see above

    try:
        serve(secrets)
    except Exception:  # noqa: BLE001 - said, and then the end
        traceback.print_exc()
        # As in `client.py`: hooks would wait, and have the last word.
        os._exit(1)


if __name__ == "__main__":
    main()
