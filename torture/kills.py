"""Ended from outside at any moment: a command that is killed promises nothing false."""

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from random import Random

from torture.ground import Deed, Ground, lend_ground, tell, two_states
from torture.scenario import Scenario, Tally, Trial

_LARGE = (64 << 20) + 5
"""An object that is read in ranges without any help."""
_DEEDS = ("sync", "sync", "sync", "sync --force", "resolve", "update")
_ENDINGS = frozenset({0, 130, -signal.SIGINT, -signal.SIGTERM})
"""Exit codes of what was asked to end; the signal itself where Python had ended already."""
_PATIENCE_S = 10.0


_WEIGHTS = (4, 4, 1)


@contextmanager
def _opened(folder: Path, *, ask: bool) -> Iterator[Trial]:
    small = two_states("kills", files=40, large=(2 << 20) + 5)
    large = two_states("kills", files=24, large=_LARGE)
    with ExitStack() as stack:
        # Made when they are first wanted: that takes longer than a trial.
        lenders = (
            lambda: lend_ground(folder / "small", small),
            lambda: lend_ground(
                folder / "altered", small, altered=["small-ranges", "fork"]
            ),
            lambda: lend_ground(folder / "large", large),
        )
        lent = cache(lambda number: stack.enter_context(lenders[number]()))

        def trial(luck: Random) -> Tally:
            ground = lent(luck.choices(range(len(lenders)), _WEIGHTS)[0])
            deed = ground.deeds[luck.choice(_DEEDS)]
            moment_s = luck.uniform(0, 1.1 * ground.took_s[deed.arguments[0]])
            ground.reset(deed, luck)
            if ask:
                return _asked_to_end(ground, deed, moment_s, luck)
            return _killed(ground, deed, moment_s)

        yield trial


def _killed(ground: Ground, deed: Deed, moment_s: float) -> Tally:
    process = ground.start(*deed.arguments)
    time.sleep(moment_s)
    process.kill()
    process.communicate()
    tally = Tally(faults=1, runs=1) + ground.judge(deed, ended=process.returncode == 0)
    return tally + ground.finish(deed)


def _asked_to_end(ground: Ground, deed: Deed, moment_s: float, luck: Random) -> Tally:
    """Send SIGINT or SIGTERM, perhaps twice: what is asked to end leaves nothing at all."""
    process = ground.start(*deed.arguments)
    _wait_until_listening(process.pid)
    time.sleep(moment_s)
    which = luck.choice([signal.SIGINT, signal.SIGTERM])
    process.send_signal(which)
    twice = luck.random() < 0.3  # noqa: PLR2004 - now and then
    if twice:
        time.sleep(luck.uniform(0, 0.1))
        process.send_signal(which)
    said = process.communicate(timeout=60)[1].decode("utf-8", "replace")
    code = process.returncode
    tally = Tally(faults=1, runs=1) + ground.judge(deed, ended=code == 0)
    if code not in _ENDINGS or "Traceback" in said:
        tell(f"exit code {code}", [said])
        tally += Tally(diverged=1)
    if code == 130 and not twice:  # noqa: PLR2004 - interrupted
        left = ground.temporaries()
        tell("left over", left)
        tally += Tally(diverged=len(left))
    return tally + ground.finish(deed)


def _wait_until_listening(pid: int) -> None:
    """Wait until artlock has said what SIGTERM means: before, Python itself ends."""
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return  # it has ended
        caught = int(status.partition("SigCgt:")[2].split()[0], 16)
        if caught >> (signal.SIGTERM - 1) & 1:
            return
        time.sleep(0.002)


@contextmanager
def _opened_kills(folder: Path) -> Iterator[Trial]:
    with _opened(folder, ask=False) as trial:
        yield trial


@contextmanager
def _opened_interruptions(folder: Path) -> Iterator[Trial]:
    with _opened(folder, ask=True) as trial:
        yield trial


KILLS = Scenario(
    name="kills",
    what="sync, resolve and update, killed at any moment",
    rows=("3.8", "3.12"),
    open=_opened_kills,
    short=4,
)
INTERRUPTIONS = Scenario(
    name="interruptions",
    what="the same, asked to end once or twice",
    rows=("3.24",),
    open=_opened_interruptions,
    short=4,
)
