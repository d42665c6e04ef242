"""The power is cut while a command runs, and right after it; the disk is an image.

What the kernel had not written by itself is lost then, names and bytes alike. Afterwards no
name is false; and what a command said that it did before the cut is still done.
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from random import Random

from torture.disk import Image, lend_image, problem_with_cutting
from torture.ground import Deed, Ground, State, lend_ground, two_states
from torture.scenario import Scenario, Tally, Trial

_DEEDS = ("sync", "sync", "sync", "sync --force", "resolve", "update")
_STATES: tuple[State, State] = two_states("power", files=60)
_PATIENCE_S = 60.0


def _cut(ground: Ground, image: Image, deed: Deed, luck: Random) -> Tally:
    ground.reset(deed, luck)
    ground.settle()
    when = luck.choice(["during", "during", "after"])
    process = ground.start(*deed.arguments)
    if when == "after":
        process.wait(_PATIENCE_S)
    else:
        time.sleep(luck.uniform(0, 1.1 * ground.took_s[deed.arguments[0]]))
    # What ended by itself before the cut has said that it was done.
    ended = process.poll() == 0
    image.cut()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    image.unmount()
    image.mount()
    tally = Tally(faults=1, runs=1) + ground.judge(deed, ended=ended)
    return tally + ground.finish(deed)


def _opener(kind: str) -> Callable[[Path], AbstractContextManager[Trial]]:
    @contextmanager
    def opened(folder: Path) -> Iterator[Trial]:
        with ExitStack() as stack:
            image = stack.enter_context(lend_image(folder, kind))
            ground = stack.enter_context(
                lend_ground(folder / "ground", _STATES, place=image.place / "place")
            )

            def trial(luck: Random) -> Tally:
                deed = ground.deeds[luck.choice(_DEEDS)]
                return _cut(ground, image, deed, luck)

            yield trial

    return opened


EXT4 = Scenario(
    name="power ext4",
    what="the power, during a command and right after it",
    rows=("3.1", "3.2", "3.3", "3.4"),
    open=_opener("ext4"),
    short=3,
    problem=lambda: problem_with_cutting("ext4"),
)
XFS = Scenario(
    name="power xfs",
    what="the same on XFS",
    rows=("3.1", "3.2", "3.3", "3.4"),
    open=_opener("xfs"),
    short=3,
    problem=lambda: problem_with_cutting("xfs"),
)
