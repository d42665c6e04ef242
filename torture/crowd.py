"""Several syncs at once on one cache, some of them killed; with flock, and as if without.

Each has a project of its own, or all share one. Where nobody can be kept away by a lock of
a file, work may be done twice or given up, and still nothing is wrong (hazards 3.9, 3.10).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from torture.ground import Ground, lend_ground, tell, two_states
from torture.scenario import Scenario, Tally, Trial

_MANY = 8
_FEW = 2
_RANGES = 256 << 10
_GIVEN_UP = frozenset({0, 1, 3})
"""Exit codes where another sync is at work in the same project and no lock holds."""


@contextmanager
def _opened(folder: Path) -> Iterator[Trial]:
    states = two_states("crowd", files=24, large=(2 << 20) + 5)
    with lend_ground(folder, states, altered=["small-ranges"]) as ground:

        def trial(luck: Random) -> Tally:
            number = luck.choice([_FEW, _FEW, _MANY])
            flock = luck.choice([True, False])
            share = luck.random() < 0.3  # noqa: PLR2004 - now and then
            return _crowd(ground, luck, number, flock=flock, share=share)

        yield trial


def _crowd(ground: Ground, luck: Random, number: int, *, flock: bool, share: bool) -> Tally:
    deed = ground.deeds["sync"]
    ground.reset(deed, luck)
    members = [ground if share else ground.neighbour(n) for n in range(number)]
    for member in [] if share else members:
        member.reset_project(deed)
    ground.moved()
    flags = [] if flock else ["no-flock"]
    running = [member.start(*deed.arguments, altered=flags) for member in members]
    killed = [n for n in range(number) if luck.random() < 0.4]  # noqa: PLR2004 - some
    for n in killed:
        time.sleep(luck.uniform(0, 1.5 * ground.took_s["sync"] / len(killed)))
        running[n].kill()
    said = [process.communicate()[1].decode("utf-8", "replace") for process in running]
    codes = [process.returncode for process in running]
    moved = ground.moved()
    tally = Tally(faults=len(killed) + (not flock), runs=number, moved=moved)
    allowed = _GIVEN_UP if share and not flock else {0}
    for n, code in enumerate(codes):
        if n not in killed and code not in allowed:
            tell(f"exit code {code}", [said[n]])
            tally += Tally(diverged=1)
    # What each fetches by itself, and once more for what a range begins anew.
    most = number * (sum(map(len, ground.new.web.values())) + _RANGES)
    if moved > most:
        tell("fetched", [f"{moved} bytes of at most {most}"])
        tally += Tally(diverged=1)
    # Where locks hold, nobody undoes what another has brought to its end.
    is_done = flock and share and 0 in codes
    for n, member in enumerate(members):
        ended = is_done or (not share and codes[n] == 0)
        tally += member.judge(deed, ended=ended)
    for member in members[:1] if share else members:
        tally += member.finish(deed)
    return tally


CROWD = Scenario(
    name="crowd",
    what="two and eight syncs at once on one cache, some killed, with and without flock",
    rows=("3.8", "3.9", "3.10"),
    open=_opened,
    short=2,
)
