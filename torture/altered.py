"""artlock on a machine that is not as it should be.

::

    python -m torture.altered FLAG... -- ARGUMENT...

The arguments are those of ``artlock``. The flags alter only what artlock stands on:

``no-flock``
    Whoever asks for a lock of a file gets it, as on some network file systems.
``small-ranges``
    Large objects begin at 1 MiB, and their ranges have 256 KiB.
``clock=SECONDS``
    The clock of this process is so much ahead, or behind.
``clock-jumps``
    The clock of this process goes a day back at every third look.
``fork``
    A second process helps with ten files already.
"""

import itertools
import sys
import time

from artlock.cache.ranges import PartialFile
from artlock.cli.main import main
from artlock.ops import fetch, materialize

if sys.platform != "win32":
    import fcntl

_LARGE = 1 << 20
_RANGE_LENGTH = 256 << 10
_DAY_S = 24 * 3600.0


def _no_flock() -> None:
    fcntl.flock = lambda _fd, _operation: None


def _small_ranges() -> None:
    fetch.LARGE = _LARGE
    defaults = PartialFile.__init__.__kwdefaults__
    assert defaults is not None
    defaults["range_length"] = _RANGE_LENGTH


def _shift_clock(seconds: float) -> None:
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() + seconds
    time.time_ns = lambda: real_ns() + int(seconds * 1e9)
    real_gmtime = time.gmtime
    time.gmtime = lambda when=None: real_gmtime(time.time() if when is None else when)


def _let_clock_jump() -> None:
    real = time.time
    looks = itertools.count(1)
    time.time = lambda: real() - (_DAY_S if next(looks) % 3 == 0 else 0.0)


def _fork_early() -> None:
    materialize._WORTH_A_FORK = 10  # noqa: SLF001 - a test may look inside


def alter(flags: list[str]) -> None:
    """Alter this process as the flags say.

    Raises:
        ValueError: There is no such flag.
    """
    deeds = {
        "no-flock": _no_flock,
        "small-ranges": _small_ranges,
        "clock-jumps": _let_clock_jump,
        "fork": _fork_early,
    }
    for flag in flags:
        name, _, value = flag.partition("=")
        if name == "clock":
            _shift_clock(float(value))
        elif name in deeds:
            deeds[name]()
        else:
            message = f"there is no flag `{flag}`"
            raise ValueError(message)


if __name__ == "__main__":
    border = sys.argv.index("--")
    alter(sys.argv[1:border])
    sys.argv[1:] = sys.argv[border + 1 :]
    main()
