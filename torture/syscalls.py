"""Each call to the system fails once, or is the last: at every index of small commands.

A trial takes a deed, a call and a fault, looks how often the deed makes the call, and does
the deed once for each: the first call fails, then the second, and so on (hazard 6.17).
"""

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from random import Random

from torture.ground import Deed, Ground, State, lend_ground, tell
from torture.launcher import Launcher
from torture.scenario import Scenario, Tally, Trial

_FULL = ("ENOSPC", "EDQUOT")
_WRITE = ("EIO", "EROFS", *_FULL)
FAULTS = {
    "close": ("EIO", "EINTR", *_FULL),
    "fchmod": ("EIO", "EPERM"),
    "fdatasync": ("EIO", "EINTR", *_FULL),
    "fsync": ("EIO", "EINTR", *_FULL),
    "ftruncate": ("EIO",),
    "linkat": _WRITE,
    "mkdir": _WRITE,
    "mkdirat": _WRITE,
    "newfstatat": ("EIO", "EACCES"),
    "openat": (*_WRITE, "EMFILE", "EACCES"),
    "pread64": ("EIO",),
    "pwrite64": ("EIO", "EINTR", *_FULL),
    "read": ("EIO", "EINTR"),
    "rename": _WRITE,
    "renameat": _WRITE,
    "renameat2": _WRITE,
    "syncfs": ("EIO", *_FULL),
    "unlink": ("EIO", "EROFS"),
    "unlinkat": ("EIO", "EROFS"),
    "write": ("EIO", "EINTR", *_FULL),
}
"""What each call may answer. Python calls all others, or none, for what artlock does."""
_READS = frozenset({"close", "newfstatat", "openat", "read"})
"""Calls that read the stat index, which is a memory that may be lost."""
KILL = "KILL"
"""The process ends at the call, as by ``kill -9``."""
_MOST = 40
"""A call that is made oftener is broken at so many of its indices, spread evenly."""
_FORESEEN = frozenset({0, 2, 3})
"""Exit codes after a fault: done all the same, a file that cannot be read, incomplete."""
_BODIES = [Random(n).randbytes(size) for n, size in enumerate((900, 901, 902, 903))]  # noqa: S311 - made-up data
_LONG = Random("long").randbytes((1 << 20) + 700_000)  # noqa: S311 - made-up data

TWO_FILES = (
    State(
        tree={
            "changed-0.bin": _BODIES[0],
            "same.bin": _BODIES[1],
            "goes/x.bin": _BODIES[2],
        },
        web={},
    ),
    State(
        tree={"changed-0.bin": _BODIES[2], "same.bin": _BODIES[1], "comes/y": _BODIES[3]},
        web={},
    ),
)
"""One file is replaced, one is made, one is removed, and one stays."""
_ONE_LARGE = (
    State(tree={"changed-0.bin": b"1"}, web={}),
    State(tree={"changed-0.bin": b"1"}, web={"web-large": _LONG}),
)


class Watched:
    """A ground, and a launcher whose commands strace may watch.

    Args:
        ground: Made.
        launcher: For it.
    """

    def __init__(self, ground: Ground, launcher: Launcher) -> None:
        self.ground = ground
        self._launcher = launcher
        self._log = ground.folder / "strace.log"
        for name, deed in ground.deeds.items():
            self.begin(name)
            launcher.warm(ground.project, *deed.arguments)

    def begin(self, name: str) -> Deed:
        """Make project and cache anew; the same for each index of a call."""
        deed = self.ground.deeds[name]
        # Nothing of the later state is in the cache, and all of the earlier one.
        self.ground.reset(deed)
        return deed

    def run(self, *arguments: str) -> tuple[int, str]:
        """Run a command that nothing watches."""
        return self._launcher.run(self.ground.project, *arguments)

    def trace(self, name: str, *options: str) -> tuple[int, str, str]:
        """Do a deed under strace; return its exit code, what it said, and strace's log."""
        deed = self.begin(name)
        watching: list[subprocess.Popen[str]] = []

        def watch(pid: int) -> None:
            watching.append(_attach(pid, self._log, options))

        code, said = self._launcher.run(self.ground.project, *deed.arguments, watch=watch)
        for strace in watching:
            strace.communicate()
        return code, said, self._log.read_text()

    @cache  # noqa: B019 - lives as long as the scenario
    def calls(self, name: str) -> Counter[str]:
        """Return how often one thread of a deed makes each call; the busiest counts."""
        log = self.trace(name, "-e", "trace=" + ",".join(FAULTS))[2]
        most: Counter[str] = Counter()
        made = Counter(re.findall(r"^(\d+) +(\w+)\(", log, re.MULTILINE))
        for (_, call), count in made.items():
            most[call] = max(most[call], count)
        return most

    def break_at(self, name: str, call: str, fault: str, index: int) -> Tally:
        """Do a deed in which one call goes wrong, judge, and do it again."""
        how = f"signal={fault}" if fault == KILL else f"error={fault}"
        inject = f"inject={call}:{how}:when={index}"
        code, said, log = self.trace(name, "-e", f"trace={call}", "-e", inject)
        deed = self.ground.deeds[name]
        broken = log.count("(INJECTED)") + (fault == KILL and code == -signal.SIGKILL)
        forgot = fault != KILL and call in _READS
        tally = Tally(faults=broken, runs=1)
        tally += self.ground.judge(deed, ended=code == 0, forgot=forgot)
        foreseen = {-signal.SIGKILL} if fault == KILL and broken else _FORESEEN
        if code not in foreseen or "internal-error" in said:
            tell(f"exit code {code}", [said])
            tally += Tally(diverged=1)
        tally += self.ground.finish(deed, self.run, forgot=forgot)
        if tally.violations:
            tell("that was", [f"artlock {' '.join(deed.arguments)}, {inject}"])
        return tally


def _attach(pid: int, log: Path, options: tuple[str, ...]) -> subprocess.Popen[str]:
    """Let strace watch a stopped process, which goes on then."""
    strace = subprocess.Popen(
        ["strace", "-f", "-o", str(log), *options, "-p", str(pid)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert strace.stderr is not None
    line = strace.stderr.readline()
    os.kill(pid, signal.SIGCONT)
    if "attached" not in line:
        strace.kill()
        strace.communicate()
        message = f"strace does not watch: {line}"
        raise RuntimeError(message)
    return strace


def problem() -> str | None:
    """Return why nothing can be watched here, or ``None``."""
    if shutil.which("strace") is None:
        return "needs strace"
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            strace = _attach(sleeper.pid, Path(os.devnull), ("-e", "trace=none"))
            strace.kill()
            strace.communicate()
        except RuntimeError:
            return "strace may not watch other processes here"
        finally:
            sleeper.kill()
    return None


@contextmanager
def lend_watched(
    folder: Path, states: tuple[State, State], *altered: str
) -> Iterator[Watched]:
    """Make a ground with a launcher for it."""
    with (
        lend_ground(folder, states) as ground,
        Launcher(ground.environment, folder / "said", altered) as launcher,
    ):
        yield Watched(ground, launcher)


@contextmanager
def _opened(folder: Path) -> Iterator[Trial]:
    with ExitStack() as stack:
        lenders: tuple[Callable[[], Watched], ...] = (
            lambda: stack.enter_context(lend_watched(folder / "two", TWO_FILES)),
            lambda: stack.enter_context(
                lend_watched(folder / "large", _ONE_LARGE, "small-ranges")
            ),
        )
        lent = cache(lambda number: lenders[number]())

        def trial(luck: Random) -> Tally:
            watched = lent(luck.choices((0, 1), (3, 1))[0])
            names = [*watched.ground.deeds, "sync", "sync"]
            name = luck.choice(names)
            calls = watched.calls(name)
            call = luck.choice(sorted(calls))
            fault = luck.choice([*FAULTS[call], KILL, KILL])
            tally = Tally()
            for index in indices(calls[call]):
                tally += watched.break_at(name, call, fault, index)
            return tally

        yield trial


def indices(count: int) -> list[int]:
    """Return the indices at which a call is broken that is made so often."""
    step = max(count / _MOST, 1.0)
    return sorted({1 + int(n * step) for n in range(min(count, _MOST))})


SYSCALLS = Scenario(
    name="syscalls",
    what="calls to the system that fail, or are the last, at every index",
    rows=("3.2", "3.5", "3.6", "3.8"),
    open=_opened,
    short=3,
    problem=problem,
)
